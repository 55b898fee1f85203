// Seventh batch: an index is wrong by little. Macros choose the table, and what is met behind or in front of it.
#include "k-common.h"

[[maybe_unused]] static void hits(const CRITICAL_SECTION *lock) { act("corrupted", lock); }

#if defined(GRIDS)
// The record of a window is looked up before it is made: the index is -1.
struct Grid {
    int id, rows, columns;
    BOOL header;
    void *font;
    COLORREF text, back;
    int row_height;
};
static struct { int open; HANDLE icon; CRITICAL_SECTION lock; Grid grids[6]; } window;
NOINLINE static int find_grid(int id)
{
    for (int i = 0; i < window.open; i++)
        if (window.grids[i].id == id)
            return i;
    return -1;
}
NOINLINE static void on_create(int id)
{
    Grid *grid = &window.grids[find_grid(id)];
    grid->text = RGB(64, 64, 64);
    grid->back = RGB(255, 255, 225);
    grid->row_height = 21;
}
static int scenario()
{
    prepare(&window.lock);
    window.grids[window.open++].id = 1001;
    contend(&window.lock);
    hits(&window.lock);
    on_create(1002);
    expect_handle(&window.lock);
    FINISH(&window.lock);
    return sink;
}
#elif defined(OUTLINE)
// A loop draws a shape's corners from 0 to n, both included.
static struct Plot { int visible; float points[24][2]; CRITICAL_SECTION lock; COLORREF color; } plots[2];
NOINLINE static void outline(volatile float (*points)[2], int corners)
{
    for (int i = 0; i <= corners; i++) {
        points[i][0] = 160.5f + 2.125f * i;
        points[i][1] = 240.25f + (i % 8) * 33.25f - (i / 8) * 1.5f;
    }
}
static int scenario()
{
    Plot *plot = &plots[1];
    initialize(&plot->lock);
    EnterCriticalSection(&plot->lock);
    plot->color = RGB(0, 90, 170);
    LeaveCriticalSection(&plot->lock);
    hits(&plot->lock);
    outline(plot->points, 24);
    expect(&plot->lock);
    EnterCriticalSection(&plot->lock);
    return sink++;
}
#elif defined(ZOOM_LEVELS)
// One more level was added to the list, but not to the table.
class Viewer {
public:
    explicit Viewer(const wchar_t *name) { initialize(&lock); lstrcpyW(title, name); }
    NOINLINE ~Viewer() { DeleteCriticalSection(&lock); sink++; }
    NOINLINE void fill()
    {
        double level = 0.0625;
        for (int i = 0; i < 8; i++, level *= 2)
            levels[i] = level;
    }
    wchar_t title[16];
    double levels[7];
    CRITICAL_SECTION lock;
    int current = 4;
};
static int scenario()
{
    Viewer *viewer = new Viewer(L"map.svg");
    EnterCriticalSection(&viewer->lock);
    sink = viewer->current;
    LeaveCriticalSection(&viewer->lock);
    hits(&viewer->lock);
    viewer->fill();
    expect(&viewer->lock);
    delete viewer;
    return sink;
}
#elif defined(SELECTION)
// A row's bit is toggled; there are more rows than bits.
struct View { int first_row; DWORD selected[4]; CRITICAL_SECTION lock; int rows; };
NOINLINE static void toggle(View *view, int row) { view->selected[row / 32] ^= 1u << row % 32; }
static int scenario()
{
    View *view = new View();
    view->rows = 212;
    prepare(&view->lock);
    EnterCriticalSection(&view->lock);
    toggle(view, 17);
    toggle(view, 92);
    hits(&view->lock);
    toggle(view, 156);
    expect(&view->lock);
    FINISH(&view->lock);
    return sink;
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
