// Fresh faults: the memory in which the section lay went back to whoever had given it. Macros choose who took it back, and when.
#include "unseen.h"

static void goes(const CRITICAL_SECTION *lock)
{
    act("memory-released", lock);
    expect(lock);
}
[[maybe_unused]] static char *pages(SIZE_T size) { return static_cast<char *>(VirtualAlloc(NULL, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE)); }

// QUEUED threads sleep for a section that this one owns.
[[maybe_unused]] static void queue_up(CRITICAL_SECTION *lock)
{
#ifdef QUEUED
    Waiters queue;
    make_waiters(&queue, QUEUED, pass_through, lock);
    start_waiters(&queue);
#else
    sink += lock->RecursionCount;
#endif
}

#if defined(TRIMMED)
// The arena trims its upper chunks before its objects are destroyed.
struct Texture { int width, height; CRITICAL_SECTION lock; void *bits; NOINLINE ~Texture() { sink++; DeleteCriticalSection(&lock); bits = NULL; } };
struct Arena {
    char *base;
    SIZE_T used;
    template <class T> T *make() { T *at = reinterpret_cast<T *>(base + used); used += 0x1800; return at; }
    NOINLINE void trim(SIZE_T keep) { VirtualFree(base + keep, 0x40000 - keep, MEM_DECOMMIT); }
};
static int scenario()
{
    Arena arena = { pages(0x40000), 0 };
    Texture *textures[12];
    for (auto &texture : textures) {
        texture = arena.make<Texture>();
        initialize(&texture->lock);
    }
    goes(&textures[11]->lock);
    arena.trim(0x10000);
    textures[11]->~Texture();
    return sink;
}
#elif defined(OBSERVER)
// An observer's arena is released, the observer was never removed from the subject's list.
struct Observer {
    Observer *next;
    CRITICAL_SECTION lock;
    int seen;
    NOINLINE void notify(int what)
    {
        if (!TryEnterCriticalSection(&lock))
            return; // it is at work, and sees the change by itself
        seen += what;
        LeaveCriticalSection(&lock);
    }
};
static Observer *observers;
static struct { Observer *list[4]; int count; } subject;
static int scenario()
{
    char *arenas[2] = { pages(0x3000), pages(0x3000) };
    for (char *arena : arenas) {
        observers = reinterpret_cast<Observer *>(arena + 0x12C0);
        initialize(&observers->lock);
        subject.list[subject.count++] = observers;
        observers->notify(1);
    }
    goes(&observers->lock);
    VirtualFree(arenas[1], 0, MEM_RELEASE);
    for (int i = 0; i < subject.count; i++)
        subject.list[i]->notify(2);
    return sink;
}
#elif defined(RELOADED)
// A reader holds the lock in the header of a mapped configuration while a reload, called from under it, maps the next one.
struct Header { int version, entries; CRITICAL_SECTION lock; char text[200]; };
static Header *current;
static Header *map()
{
    HANDLE mapping = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0x2000, NULL);
    Header *header = static_cast<Header *>(MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, 0));
    initialize(&header->lock);
    return header;
}
NOINLINE static void reload()
{
    Header *old = current;
    current = map();
    current->version = old->version + 1;
    UnmapViewOfFile(old);
}
struct Reading {
    Header *header;
    explicit Reading(Header *h) : header(h) { EnterCriticalSection(&header->lock); }
    ~Reading() { LeaveCriticalSection(&header->lock); sink++; }
};
NOINLINE static int read_value(bool stale)
{
    Reading reading(current);
    if (stale) {
        queue_up(&current->lock);
        goes(&current->lock);
        reload();
    }
    return current->version;
}
static int scenario()
{
    current = map();
    return read_value(false) + read_value(true);
}
#elif defined(TIMER)
// The plugin is unloaded; a timer of the host that cares for the plugin's lock fires once more.
typedef CRITICAL_SECTION *(*section_function)(void);
static CRITICAL_SECTION *of_plugin;
static VOID CALLBACK tick(void *, BOOLEAN)
{
    EnterCriticalSection(of_plugin);
    sink++;
    LeaveCriticalSection(of_plugin);
}
static int scenario()
{
    HANDLE timer;
    HMODULE plugin = LoadLibraryA("plugin.dll");
    of_plugin = reinterpret_cast<section_function>(reinterpret_cast<void *>(GetProcAddress(plugin, "plugin_section")))();
    initialize(of_plugin);
    CreateTimerQueueTimer(&timer, NULL, tick, NULL, 700, 0, 0);
    Sleep(200);
    goes(of_plugin);
    FreeLibrary(plugin);
    Sleep(4000);
    return sink;
}
#elif defined(PLUGIN_GUARD)
// A scope that holds the plugin's lock ends after the scope that holds the plugin.
typedef CRITICAL_SECTION *(*section_function)(void);
struct Module { HMODULE module; ~Module() { FreeLibrary(module); } };
struct Held { CRITICAL_SECTION *section; ~Held() { LeaveCriticalSection(section); sink++; } };
NOINLINE static int with_plugin()
{
    Held held = { NULL };
    Module module = { LoadLibraryA("plugin.dll") };
    held.section = reinterpret_cast<section_function>(reinterpret_cast<void *>(GetProcAddress(module.module, "plugin_enter")))();
    queue_up(held.section);
    goes(held.section);
    return sink++;
}
static int scenario() { return with_plugin(); }
#elif defined(FIBER)
// A coroutine's local lock; its fiber is deleted while the scheduler still knows the address.
static void *main_fiber;
static CRITICAL_SECTION *of_fiber;
static void CALLBACK coroutine(void *)
{
    struct { char name[40]; CRITICAL_SECTION lock; } local;
    initialize(&local.lock);
    of_fiber = &local.lock;
    SwitchToFiber(main_fiber);
    sink += local.name[0];
    SwitchToFiber(main_fiber);
}
NOINLINE static int resume()
{
    sink++;
    EnterCriticalSection(of_fiber);
    sink++;
    LeaveCriticalSection(of_fiber);
    return sink;
}
static int scenario()
{
    main_fiber = ConvertThreadToFiber(NULL);
    void *fiber = CreateFiber(0x20000, coroutine, NULL);
    SwitchToFiber(fiber);
    sink = resume();
    goes(of_fiber);
    DeleteFiber(fiber);
    return resume();
}
#elif defined(FENCE)
// An allocator for debugging: each object lies at the end of its own page, which may not be touched when it is freed.
static void *fenced_new(SIZE_T size) { return pages(0x2000) + 0x1000 - ((size + 15) & ~static_cast<SIZE_T>(15)); }
NOINLINE static void fenced_delete(void *block)
{
    DWORD before;
    VirtualProtect(reinterpret_cast<void *>(reinterpret_cast<ULONG_PTR>(block) & ~static_cast<ULONG_PTR>(0xFFF)), 0x1000, PAGE_NOACCESS, &before);
}
struct Cursor { Cursor *next; int row, column; CRITICAL_SECTION lock; };
NOINLINE static int advance(Cursor *cursor)
{
    if (!TryEnterCriticalSection(&cursor->lock))
        return -1;
    cursor->row++;
    LeaveCriticalSection(&cursor->lock);
    return cursor->row;
}
static int scenario()
{
    Cursor *cursors[5];
    for (Cursor *&cursor : cursors) {
        cursor = static_cast<Cursor *>(fenced_new(sizeof(Cursor)));
        initialize(&cursor->lock);
    }
    sink += advance(cursors[2]);
    goes(&cursors[2]->lock);
    fenced_delete(cursors[2]);
    return advance(cursors[2]);
}
#elif defined(BIG_BLOCK)
// A frame buffer with its lock in front is freed; large blocks go back to the system at once.
struct Frame { CRITICAL_SECTION lock; int width, height; BYTE pixels[1]; };
NOINLINE static Frame *make_frame(int width, int height)
{
    Frame *frame = static_cast<Frame *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Frame) + 4 * width * height));
    initialize(&frame->lock);
    frame->width = width;
    frame->height = height;
    return frame;
}
NOINLINE static int present(Frame *frame)
{
    EnterCriticalSection(&frame->lock);
    sink += frame->pixels[0];
    LeaveCriticalSection(&frame->lock);
    return frame->width;
}
static int scenario()
{
    Frame *shown = make_frame(1280, 720), *next;
    sink += present(shown);
    next = make_frame(1920, 1080);
    goes(&shown->lock);
    HeapFree(GetProcessHeap(), 0, shown);
    return present(next) + present(shown);
}
#elif defined(OWN_HEAP)
// A subsystem with a heap of its own destroys it; the last line of the log goes through a lock in it.
struct Log { int lines; CRITICAL_SECTION lock; char last[80]; };
NOINLINE static void write_line(Log *log, const char *text)
{
    EnterCriticalSection(&log->lock);
    lstrcpynA(log->last, text, sizeof log->last);
    log->lines++;
    LeaveCriticalSection(&log->lock);
}
static int scenario()
{
    HANDLE heap = HeapCreate(0, 0x10000, 0);
    Log *log = static_cast<Log *>(HeapAlloc(heap, HEAP_ZERO_MEMORY, sizeof(Log)));
    initialize(&log->lock);
    write_line(log, "subsystem started");
    goes(&log->lock);
    HeapDestroy(heap);
    write_line(log, "subsystem stopped");
    return sink;
}
#elif defined(GROWN)
// A cache grows under the lock of one of its buckets, by new pages and a copy.
struct Bucket { CRITICAL_SECTION lock; int count; void *chain; };
static Bucket *buckets;
static int bucket_count;
NOINLINE static void grow()
{
    Bucket *more = reinterpret_cast<Bucket *>(pages(2 * bucket_count * sizeof(Bucket)));
    memcpy(static_cast<void *>(more), buckets, bucket_count * sizeof(Bucket));
    VirtualFree(buckets, 0, MEM_RELEASE);
    buckets = more;
    bucket_count *= 2;
}
NOINLINE static int insert(int hash)
{
    Bucket *bucket = &buckets[hash % bucket_count];
    EnterCriticalSection(&bucket->lock);
    if (++bucket->count > 2) {
        queue_up(&bucket->lock);
        goes(&bucket->lock);
        grow();
    }
    LeaveCriticalSection(&bucket->lock);
    return sink++;
}
static int scenario()
{
    bucket_count = 256;
    buckets = reinterpret_cast<Bucket *>(pages(bucket_count * sizeof(Bucket)));
    for (int i = 0; i < bucket_count; i++)
        initialize(&buckets[i].lock);
    for (int i = 0; i < 3; i++)
        insert(0x7B3);
    return sink;
}
#elif defined(LAST_RELEASE)
// Release() under its own guard: the count reaches zero, the object's pages go, and then the guard leaves.
class Surface {
public:
    static Surface *create()
    {
        Surface *made = reinterpret_cast<Surface *>(pages(0x2000));
        made->references = 1;
        initialize(&made->lock);
        return made;
    }
    ULONG add() { Guard guard(&lock), nested(&lock); return ++references; }
    NOINLINE ULONG release()
    {
        Guard guard(&lock);
        ULONG left = --references;
        if (left == 0)
            destroy();
        return left;
    }
private:
    struct Guard {
        CRITICAL_SECTION *section;
        explicit Guard(CRITICAL_SECTION *s) : section(s) { EnterCriticalSection(section); }
        ~Guard() { LeaveCriticalSection(section); sink++; }
    };
    NOINLINE void destroy() { goes(&lock); VirtualFree(this, 0, MEM_RELEASE); }
    void *table;
    ULONG references;
    CRITICAL_SECTION lock;
};
static int scenario()
{
    Surface *surface = Surface::create();
    surface->add();
    surface->release();
    return static_cast<int>(surface->release());
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
