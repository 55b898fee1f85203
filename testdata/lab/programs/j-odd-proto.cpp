// A drawing program's shapes: each kind has a prototype, which is cloned when the user draws one.
#include "unseen.h"

struct Point { short x, y; };

class Shape {
public:
    virtual ~Shape() { DeleteCriticalSection(&lock); delete[] points; }
    virtual int area() const = 0;
    virtual Shape *clone() const = 0;
    void add(short x, short y)
    {
        EnterCriticalSection(&lock);
        if (count == room) {
            Point *more = new Point[room + 8];
            memcpy(more, points, count * sizeof(Point));
            delete[] points;
            points = more;
            room += 8;
        }
        points[count++] = { x, y };
        LeaveCriticalSection(&lock);
    }
    void move(short dx, short dy)
    {
        EnterCriticalSection(&lock);
        for (int i = 0; i < count; i++) {
            points[i].x += dx;
            points[i].y += dy;
        }
        LeaveCriticalSection(&lock);
    }
    unsigned color = 0x404040, refs = 1;
    int count = 0, room = 0;

protected:
    explicit Shape(unsigned its_color) : color(its_color) { InitializeCriticalSection(&lock); }
    void copy_points(const Shape &from)
    {
        points = new Point[room];
        memcpy(points, from.points, count * sizeof(Point));
    }
    Point *points = NULL;
    CRITICAL_SECTION lock;
    friend class Palette;
};

class Outline : public Shape {
public:
    explicit Outline(unsigned its_color) : Shape(its_color) { }
    int area() const override
    {
        int sum = 0;
        for (int i = 0; i < count; i++) {
            const Point &a = points[i], &b = points[(i + 1) % count];
            sum += a.x * b.y - b.x * a.y;
        }
        return sum / 2;
    }
    Shape *clone() const override
    {
        Outline *one = new Outline(*this); // the compiler's copy constructor, then what it cannot know
        one->copy_points(*this);
        one->refs = 1;
        return one;
    }
    bool closed = true;
};

class Palette {
public:
    Shape *prototypes[3] = { };
    void prepare(int kind, unsigned color, const Point *from, int number);
    // a click and the preview's thread both look at the prototype that is chosen
    void preview(int kind) { contend_once(&prototypes[kind]->lock); }
    CRITICAL_SECTION *lock_of(Shape *shape) { return &shape->lock; }
};

void Palette::prepare(int kind, unsigned color, const Point *from, int number)
{
    prototypes[kind] = new Outline(color);
    for (int i = 0; i < number; i++)
        prototypes[kind]->add(from[i].x, from[i].y);
}

struct Drawing {
    Shape *shapes[16];
    int used;
    void put(Shape *shape, short x, short y)
    {
        shape->move(x, y);
        shapes[used++] = shape;
    }
    NOINLINE void remove(int index)
    {
        Shape *shape = shapes[index];
        shapes[index] = shapes[--used];
        delete shape;
    }
};

int main()
{
    static const Point triangle[] = { { 0, 0 }, { 40, 0 }, { 20, 30 } }, box[] = { { 0, 0 }, { 32, 0 }, { 32, 32 }, { 0, 32 } };
    LAB_START();
    Palette palette;
    Drawing drawing = { };
    palette.prepare(0, 0xC03020, triangle, 3);
    palette.prepare(1, 0x2030C0, box, 4);
    palette.preview(1);
    act("copied", palette.lock_of(palette.prototypes[1]));
    drawing.put(palette.prototypes[1]->clone(), 100, 60);
    drawing.put(palette.prototypes[0]->clone(), 10, 10);
    drawing.put(palette.prototypes[1]->clone(), 140, 80);
    for (int i = 0; i < drawing.used; i++)
        sink += drawing.shapes[i]->area();
    drawing.remove(0); // undo, step by step
    expect(palette.lock_of(drawing.shapes[0]));
    while (drawing.used)
        drawing.remove(0);
    return sink;
}
