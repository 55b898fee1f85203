// Eighth batch: what lies in front of the section is filled too far. Macros choose with what.
#include "k-common.h"
#include <stdarg.h>

template <class T> NOINLINE static void put(T *to, const T *from, int count)
{
    for (int i = 0; i < count; i++)
        static_cast<volatile T *>(to)[i] = from[i];
}
[[maybe_unused]] static void idle(CRITICAL_SECTION *lock)
{
    initialize(lock);
    EnterCriticalSection(lock);
    LeaveCriticalSection(lock);
    act("corrupted", lock);
}

#if defined(VIEW)
// A path of 16-bit text is longer than its field. It looks like a free lock.
class View {
public:
    virtual ~View() { }
    NOINLINE void open(const wchar_t *name) { put(path, name, lstrlenW(name) + 1); }
    NOINLINE int zoom_in()
    {
        EnterCriticalSection(&lock);
        expect_handle(&lock);
        zoom += 25;
        LeaveCriticalSection(&lock);
        return zoom;
    }
    int zoom = 100;
    wchar_t path[16];
    CRITICAL_SECTION lock;
    int page = 1, pages = 12;
};
static int scenario()
{
    View *view = new View;
    idle(&view->lock);
    view->open(L"S:\\Archive\\Bids 2019-07\\Stock\\Depot Annex.tif");
    return view->zoom_in();
}
#elif defined(PIXELS)
// A picture of more rows than there is room for, to the end of the block.
struct Tile { DWORD pixels[4][4]; CRITICAL_SECTION lock; Tile *next; int x, y; };
NOINLINE static int draw(Tile *tile)
{
    EnterCriticalSection(&tile->lock);
    expect_handle(&tile->lock);
    sink++;
    LeaveCriticalSection(&tile->lock);
    return sink;
}
NOINLINE static Tile *load()
{
    DWORD source[sizeof(Tile) / 4];
    for (unsigned i = 0; i < sizeof source / 4; i++)
        source[i] = 0xFF8A6A43 + 0x00020104 * (i % 7);
    Tile *tile = new Tile();
    tile->x = 3;
    idle(&tile->lock);
    put(&tile->pixels[0][0], source, sizeof source / 4);
    return tile;
}
static int scenario()
{
    return draw(load());
}
#elif defined(JOBS)
// Out of its own block of the heap, through the next one's header.
struct Job { CRITICAL_SECTION lock; int number; Job *next; };
union Block { Job job; char text[56]; };
static Block *blocks[24];
NOINLINE static int close_job(Job *job)
{
    expect(&job->lock);
    DeleteCriticalSection(&job->lock);
    return job->number;
}
static int scenario()
{
    static const char pattern[] = "report for the third quarter, all branches; ";
    Block *text = NULL, *behind = NULL;
    for (Block *&block : blocks)
        block = static_cast<Block *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Block)));
    for (Block *a : blocks)
        for (Block *b : blocks)
            if (b > a && b - a < 3) {
                text = a;
                behind = b;
            }
    for (Block *block : blocks)
        if (block != text) {
            block->job.number = 7;
            block->job.next = NULL;
            initialize(&block->job.lock);
        }
    act("corrupted", &behind->job.lock);
    int length = static_cast<int>(reinterpret_cast<char *>(behind) - text->text + sizeof(void *));
    for (int i = 0; i < length; i++)
        put(text->text + i, &pattern[i % (sizeof pattern - 1)], 1);
    return close_job(&behind->job);
}
#elif defined(LAST_ERROR)
// A message is longer than the thread's room for it.
static __thread struct { int number; char message[20]; CRITICAL_SECTION lock; } last;
NOINLINE static void set_error(int number, const char *message)
{
    char text[64];
    last.number = number;
    put(last.message, text, wsprintfA(text, "%s (%d)", message, number));
}
NOINLINE static BOOL CALLBACK on_entry(CRITICAL_SECTION *lock)
{
    expect(lock);
    EnterCriticalSection(lock);
    return sink++ < 5;
}
static int scenario()
{
    BOOL (CALLBACK *volatile callback)(CRITICAL_SECTION *) = on_entry;
    idle(&last.lock);
    set_error(1382, "Directory cannot be read");
    return callback(&last.lock);
}
#elif defined(SETTINGS)
// What is cleared has the size of another structure.
struct Settings { int version, language; wchar_t font[12]; };
struct AllSettings { Settings settings; double scale[5]; int columns[6]; };
static struct Frame { HWND window; Settings settings; CRITICAL_SECTION lock; int state; HMENU menu; void *children[4]; } frames[2];
NOINLINE static void defaults(Settings *settings)
{
    memset(static_cast<void *>(settings), 0, sizeof(AllSettings));
    settings->version = 4;
    lstrcpyW(settings->font, L"Tahoma");
}
struct Guard {
    CRITICAL_SECTION *lock;
    explicit Guard(CRITICAL_SECTION *l) : lock(l) { EnterCriticalSection(lock); }
    ~Guard() { LeaveCriticalSection(lock); }
};
NOINLINE static int layout(Frame *frame)
{
    Guard guard(&frame->lock);
    return frame->state++;
}
static int scenario()
{
    Frame *frame = &frames[1];
    frame->window = reinterpret_cast<HWND>(0x30412);
    idle(&frames[0].lock);
    idle(&frame->lock);
    defaults(&frame->settings);
    expect(&frame->lock);
    return layout(frame);
}
#elif defined(OPTIONS)
// A library of the next version knows a larger structure.
struct Options { int version, threads; wchar_t path[16]; };
static struct Job { Options options; CRITICAL_SECTION lock; int done; HANDLE file; } job;
NOINLINE static int run(Job *one)
{
    expect(&one->lock);
    EnterCriticalSection(&one->lock);
    return one->done++;
}
static int scenario()
{
    typedef void (*defaults_function)(Options *);
    auto defaults = reinterpret_cast<defaults_function>(reinterpret_cast<void *>(GetProcAddress(LoadLibraryA("plugin.dll"), "plugin_defaults")));
    idle(&job.lock);
    defaults(&job.options);
    return run(&job);
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
