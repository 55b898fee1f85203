// Seventh batch: the pages of a lock are not there any more. Macros choose what they were.
#include "k-common.h"

static void released(const CRITICAL_SECTION *lock) { act("memory-released", lock); expect(lock); }

#if defined(PAGE_HEAP)
// Every block has pages of its own; those of a freed one are decommitted. An observer comes late.
class Subject {
    char topic[36] = "prices/eurusd";
    LONG observers = 0;
    CRITICAL_SECTION lock;
public:
    Subject() { initialize(&lock); }
    ~Subject() { released(&lock); } // forgets it
    NOINLINE LONG attach()
    {
        EnterCriticalSection(&lock);
        LONG count = ++observers;
        LeaveCriticalSection(&lock);
        return count;
    }
};
static char *heap_page;
static Subject *subject;
static DWORD WINAPI observer(void *) { sink += subject->attach(); Sleep(600); return subject->attach(); }
static int scenario()
{
    Waiters one;
    heap_page = static_cast<char *>(VirtualAlloc(NULL, 0x10000, MEM_RESERVE, PAGE_READWRITE));
    VirtualAlloc(heap_page + 0x3000, 0x1000, MEM_COMMIT, PAGE_READWRITE);
    subject = new (heap_page + 0x4000 - ((sizeof(Subject) + 15) & ~15u)) Subject;
    make_waiters(&one, 1, observer, NULL);
    start_waiters(&one);
    subject->~Subject();
    VirtualFree(heap_page + 0x3000, 0x1000, MEM_DECOMMIT);
    Sleep(4000);
    return sink;
}
#elif defined(CODEC)
// A codec is unloaded with the last stream; the statistics thread has the address of its lock.
typedef CRITICAL_SECTION *(*section_function)(void);
struct Codec { HMODULE library; CRITICAL_SECTION *lock; LONG streams; };
static Codec codec;
static DWORD WINAPI statistics(void *)
{
    for (int i = 0; i < 5; i++) {
        EnterCriticalSection(codec.lock);
        sink += codec.streams;
        LeaveCriticalSection(codec.lock);
        Sleep(500);
    }
    return 0;
}
static int scenario()
{
    Waiters thread;
    codec.library = LoadLibraryA("plugin.dll");
    codec.lock = reinterpret_cast<section_function>(reinterpret_cast<void *>(GetProcAddress(codec.library, "plugin_section")))();
    codec.streams = 1;
    make_waiters(&thread, 1, statistics, NULL);
    start_waiters(&thread);
    released(codec.lock);
    if (--codec.streams == 0)
        FreeLibrary(codec.library);
    Sleep(4000);
    return sink;
}
#elif defined(SKIN)
// The look is changed under the lock of the library that drew the old one.
typedef CRITICAL_SECTION *(*section_function)(void);
struct Skin {
    HMODULE library;
    explicit Skin(const char *name) : library(LoadLibraryA(name)) { }
    ~Skin() { FreeLibrary(library); }
    CRITICAL_SECTION *lock() { return reinterpret_cast<section_function>(reinterpret_cast<void *>(GetProcAddress(library, "plugin_section")))(); }
};
static Skin *skin;
NOINLINE static void change_skin()
{
    CRITICAL_SECTION *lock = skin->lock();
    EnterCriticalSection(lock);
    released(lock);
    delete skin;
    skin = NULL;
    LeaveCriticalSection(lock);
    sink++;
}
static int scenario()
{
    skin = new Skin("plugin.dll");
    change_skin();
    return sink;
}
#elif defined(WORKER_STACK)
// A worker's local lock was lent to the one who started it; the worker has ended.
static CRITICAL_SECTION *volatile lent;
static DWORD WINAPI worker(void *)
{
    struct { int files; CRITICAL_SECTION lock; char path[60]; } scan;
    scan.files = 4;
    lstrcpyA(scan.path, "C:\\Data");
    initialize(&scan.lock);
    lent = &scan.lock;
    Sleep(300);
    released(&scan.lock);
    return scan.files;
}
static DWORD WINAPI next_worker(void *) { return sink++; }
NOINLINE static int progress()
{
    EnterCriticalSection(lent);
    sink++;
    LeaveCriticalSection(lent);
    return sink;
}
static int scenario()
{
    Waiters one, next;
    make_waiters(&one, 1, worker, NULL);
    ResumeThread(one.threads[0]);
    Sleep(100);
    progress();
    WaitForSingleObject(one.threads[0], INFINITE);
    CloseHandle(one.threads[0]);
    make_waiters(&next, 1, next_worker, NULL);
    start_waiters(&next);
    return progress();
}
#elif defined(FIBER)
// A coroutine is deleted in its wait; an entry of the wait list points to its locals.
struct Wait { Wait *next; int what; CRITICAL_SECTION lock; };
static Wait *wait_list;
static void *main_fiber;
static void CALLBACK coroutine(void *)
{
    Wait wait = { wait_list, 3, { } };
    initialize(&wait.lock);
    wait_list = &wait;
    for (;;)
        SwitchToFiber(main_fiber);
}
NOINLINE static int wake_all()
{
    int woken = 0;
    for (Wait *each = wait_list; each; woken++) {
        CRITICAL_SECTION *lock = &each->lock;
        EnterCriticalSection(lock);
        each = each->next;
        LeaveCriticalSection(lock);
    }
    return woken;
}
static int scenario()
{
    main_fiber = ConvertThreadToFiber(NULL);
    void *fiber = CreateFiber(0x8000, coroutine, NULL);
    SwitchToFiber(fiber);
    sink += wake_all();
    released(&wait_list->lock);
    DeleteFiber(fiber);
    return wake_all();
}
#elif defined(SCRIPT)
// A script calls reset(), which destroys the engine's heap, under the lock that lies in it.
struct Engine { HANDLE heap; int depth; char script[30]; CRITICAL_SECTION lock; void (*builtin)(Engine *); };
struct Scope {
    CRITICAL_SECTION &lock;
    explicit Scope(Engine *engine) : lock(engine->lock) { EnterCriticalSection(&lock); engine->depth++; }
    ~Scope() { LeaveCriticalSection(&lock); sink++; }
};
NOINLINE static void reset(Engine *engine)
{
    released(&engine->lock);
    HeapDestroy(engine->heap);
}
NOINLINE static void run_script(Engine *engine)
{
    Scope scope(engine);
    engine->builtin(engine);
}
static int scenario()
{
    HANDLE heap = HeapCreate(0, 0, 0);
    for (int i = 0; i < 50; i++)
        HeapAlloc(heap, 0, 24 + 16 * (i % 9));
    Engine *engine = static_cast<Engine *>(HeapAlloc(heap, HEAP_ZERO_MEMORY, sizeof(Engine)));
    engine->heap = heap;
    engine->builtin = reset;
    lstrcpyA(engine->script, "on_key.lua");
    initialize(&engine->lock);
    make_waiters(&waiters, WAITERS, pass_through, &engine->lock);
    run_script(engine);
    return sink;
}
#elif defined(CACHE)
// The cache's file grows: a new view is made, the old one is unmapped, a reader has not heard of it.
struct Header { char magic[8]; LONG entries, generation; CRITICAL_SECTION lock; };
static Header *cache;
static HANDLE mapping;
static void map_cache(DWORD size)
{
    mapping = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, size, NULL);
    cache = static_cast<Header *>(MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, 0));
    lstrcpyA(cache->magic, "CACHE3");
    initialize(&cache->lock);
}
static DWORD WINAPI reader(void *)
{
    Header *const mine = cache;
    for (LONG seen = 0; seen < 100;) {
        EnterCriticalSection(&mine->lock);
        seen += mine->entries;
        LeaveCriticalSection(&mine->lock);
        Sleep(700);
    }
    return 0;
}
static int scenario()
{
    Waiters one;
    map_cache(0x20000);
    Header *old = cache;
    old->entries = 6;
    make_waiters(&one, 1, reader, NULL);
    start_waiters(&one);
    map_cache(0x60000);
    cache->entries = old->entries;
    cache->generation = old->generation + 1;
    released(&old->lock);
    UnmapViewOfFile(old);
    Sleep(4000);
    return sink;
}
#elif defined(SWAP_CHAIN)
// A window is resized; the frame that was being drawn tries the lock of its old buffer.
struct Frame { DWORD width, height, number; CRITICAL_SECTION lock; DWORD pixels[1]; };
static Frame *make_frame(DWORD width, DWORD height)
{
    Frame *frame = reinterpret_cast<Frame *>(pages(sizeof(Frame) + 4 * width * height));
    frame->width = width;
    frame->height = height;
    initialize(&frame->lock);
    return frame;
}
struct Renderer {
    Frame *chain[2];
    virtual bool present(Frame *frame)
    {
        if (!TryEnterCriticalSection(&frame->lock))
            return false;
        frame->number++;
        LeaveCriticalSection(&frame->lock);
        return true;
    }
    NOINLINE void resize(DWORD width, DWORD height)
    {
        for (Frame *&each : chain) {
            Frame *old = each;
            each = make_frame(width, height);
            released(&old->lock);
            VirtualFree(old, 0, MEM_RELEASE);
        }
    }
    virtual ~Renderer() { }
};
static int scenario()
{
    Renderer *volatile renderer = new Renderer;
    renderer->chain[0] = make_frame(320, 200);
    renderer->chain[1] = make_frame(320, 200);
    Frame *back = renderer->chain[1];
    sink += renderer->present(back);
    renderer->resize(640, 400);
    return renderer->present(back);
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
