// Seventh batch: a lock is deleted with its owner, somebody still comes for it. Macros choose the owner.
#include "k-common.h"
#include <stdlib.h>

[[maybe_unused]] static void destroy(CRITICAL_SECTION *lock)
{
    will("deleted", lock);
    DeleteCriticalSection(lock);
}

#if defined(LOGGER)
// Statics are destroyed from the last to the first; the first one logs its end.
class Log {
    char file[20] = "service.log";
    CRITICAL_SECTION lock;
    int lines = 0;
public:
    Log() { initialize(&lock); }
    ~Log() { destroy(&lock); }
    NOINLINE void write(const char *text)
    {
        EnterCriticalSection(&lock);
        lines += text[0] != 0;
        LeaveCriticalSection(&lock);
    }
};
struct Service {
    Log *log;
    ~Service() { log->write("stopped"); sink++; }
};
static Service service;
static Log the_log;
static int scenario()
{
    service.log = &the_log;
    the_log.write("started");
    the_log.write("working");
    exit(0);
}
#elif defined(CLOCK)
// The units' finalizers: the second deletes the clock's lock, the third waits for the pool, whose thread wants the time.
static CRITICAL_SECTION clock_lock;
static LONGLONG last_time;
static DWORD wraps;
NOINLINE static LONGLONG time64()
{
    EnterCriticalSection(&clock_lock);
    DWORD now = GetTickCount();
    if (now < static_cast<DWORD>(last_time))
        wraps++;
    last_time = (static_cast<LONGLONG>(wraps) << 32) | now;
    LeaveCriticalSection(&clock_lock);
    return last_time;
}
static DWORD WINAPI maintain(void *)
{
    for (LONGLONG until = time64() + 60000; time64() < until;)
        Sleep(700);
    return 0;
}
static Waiters pool;
static void flush() { sink++; }
static void end_clock() { destroy(&clock_lock); }
static void end_pool() { WaitForSingleObject(pool.threads[0], 5000); sink++; }
static int scenario()
{
    static void (*const finalizers[])() = { flush, end_clock, end_pool };
    initialize(&clock_lock);
    make_waiters(&pool, 1, maintain, NULL);
    start_waiters(&pool);
    for (auto finalizer : finalizers)
        finalizer();
    return sink;
}
#elif defined(FINALIZER)
// A finalizer's queue has no order: the lock's holder is finalized before those that use it.
struct Finalizable { virtual void finalize() = 0; virtual ~Finalizable() { } };
struct NativeLock : Finalizable {
    int entered = 0;
    char kind[12] = "handles";
    CRITICAL_SECTION section;
    NativeLock() { initialize(&section); }
    NOINLINE void enter() { EnterCriticalSection(&section); entered++; }
    void leave() { LeaveCriticalSection(&section); }
    void finalize() override { destroy(&section); delete this; }
};
struct Surface : Finalizable {
    NativeLock *lock;
    int handle;
    Surface(NativeLock *l, int h) : lock(l), handle(h) { lock->enter(); lock->leave(); }
    void finalize() override
    {
        lock->enter();
        sink -= handle;
        lock->leave();
    }
};
static DWORD WINAPI finalizer_thread(void *argument)
{
    for (Finalizable **each = static_cast<Finalizable **>(argument); *each; each++)
        (*each)->finalize();
    return 0;
}
static int scenario()
{
    static Finalizable *queue[4];
    Waiters finalizer;
    NativeLock *lock = new NativeLock;
    queue[0] = new Surface(lock, 5);
    queue[1] = lock;
    queue[2] = new Surface(lock, 6);
    make_waiters(&finalizer, 1, finalizer_thread, queue);
    start_waiters(&finalizer);
    Sleep(3000);
    return sink;
}
#elif defined(GLOBALS)
// The library is told to end; a hook of the host still sends it a key.
typedef int (*translate_function)(int);
typedef void (*uninit_function)(void);
static translate_function translate;
NOINLINE static int hook(int key) { return translate ? translate(key) + 1 : key; }
static int scenario()
{
    HMODULE library = LoadLibraryA("plugin.dll");
    translate = reinterpret_cast<translate_function>(reinterpret_cast<void *>(GetProcAddress(library, "plugin_translate")));
    sink += hook(30) + hook(31);
    reinterpret_cast<uninit_function>(reinterpret_cast<void *>(GetProcAddress(library, "plugin_uninit")))();
    return hook(32);
}
#elif defined(CLOSE_TWICE)
// close() takes the lock and deletes it at its end; the destructor closes too.
class Port {
    int baud = 115200;
    char name[8] = "COM3";
    DWORD written = 0;
    CRITICAL_SECTION lock;
public:
    Port() { initialize(&lock); }
    ~Port() { close(); sink++; }
    NOINLINE void write(DWORD bytes)
    {
        EnterCriticalSection(&lock);
        written += bytes;
        LeaveCriticalSection(&lock);
    }
    NOINLINE void close()
    {
        EnterCriticalSection(&lock);
        baud = 0;
        LeaveCriticalSection(&lock);
        destroy(&lock);
    }
};
static int scenario()
{
    Port port;
    port.write(340);
    port.close();
    return sink;
}
#elif defined(DELEGATE)
// The delegate that a download tells its progress deletes the download.
struct Download;
struct Delegate { virtual void progress(Download *download) = 0; virtual ~Delegate() { } };
struct Download {
    char url[40] = "https://example.com/setup.cab";
    int chunks = 0;
    CRITICAL_SECTION lock;
    Delegate *delegate;
    explicit Download(Delegate *d) : delegate(d) { initialize(&lock); }
    ~Download() { destroy(&lock); }
    NOINLINE int pump()
    {
        for (int i = 0; i < 9; i++) {
            EnterCriticalSection(&lock);
            chunks++;
            LeaveCriticalSection(&lock);
            delegate->progress(this);
        }
        return chunks;
    }
};
struct Window : Delegate {
    NOINLINE void progress(Download *download) override
    {
        if (download->chunks == 3)
            delete download;
    }
};
static int scenario()
{
    Window window;
    return (new Download(&window))->pump();
}
#elif defined(REMOTE_FREE)
// A thread's cache is closed at its end; another thread gives it back a block.
struct Cache {
    int blocks;
    CRITICAL_SECTION lock;
    void *remote[4];
    int remote_count;
};
static __thread Cache cache;
static Cache *volatile published;
static volatile LONG finish;
static DWORD WINAPI allocating_thread(void *)
{
    initialize(&cache.lock);
    cache.blocks = 12;
    published = &cache;
    while (!finish)
        Sleep(10);
    destroy(&cache.lock);
    cache.blocks = 0;
    Sleep(INFINITE); // the libraries' own ends
    return 0;
}
NOINLINE static void free_remote(Cache *of, void *block)
{
    EnterCriticalSection(&of->lock);
    of->remote[of->remote_count++] = block;
    LeaveCriticalSection(&of->lock);
}
static int scenario()
{
    Waiters thread;
    make_waiters(&thread, 1, allocating_thread, NULL);
    start_waiters(&thread);
    free_remote(published, &thread);
    finish = 1;
    Sleep(300);
    free_remote(published, cache.remote);
    return sink;
}
#elif defined(RING)
// The writer closes the ring; the reader has the view still.
struct Ring { DWORD magic, size, head, tail; CRITICAL_SECTION lock; DWORD reads; char data[2000]; };
NOINLINE static DWORD read(Ring *ring)
{
    EnterCriticalSection(&ring->lock);
    DWORD got = ring->head - ring->tail;
    ring->tail = ring->head;
    ring->reads++;
    LeaveCriticalSection(&ring->lock);
    return got;
}
static DWORD WINAPI reader(void *argument)
{
    for (;;) {
        sink += read(static_cast<Ring *>(argument));
        Sleep(600);
    }
}
static int scenario()
{
    Waiters one;
    HANDLE mapping = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0x1000, NULL);
    Ring *ring = static_cast<Ring *>(MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, 0));
    ring->magic = 0x474E4952;
    ring->size = sizeof ring->data;
    ring->head = 300;
    initialize(&ring->lock);
    make_waiters(&one, 1, reader, ring);
    start_waiters(&one);
    destroy(&ring->lock);
    CloseHandle(mapping);
    Sleep(4000);
    return sink;
}
#elif defined(LOCAL_JOB)
// The jobs' lock is a local; its function does not wait for the last one for ever.
struct Job { int next, total; CRITICAL_SECTION lock; };
static DWORD WINAPI job_thread(void *argument)
{
    Job *job = static_cast<Job *>(argument);
    for (bool more = true; more;) {
        EnterCriticalSection(&job->lock);
        more = ++job->next < job->total;
        LeaveCriticalSection(&job->lock);
        Sleep(900); // one takes long
    }
    return 0;
}
NOINLINE static int run_all()
{
    Waiters thread;
    Job job = { 0, 5, { } };
    initialize(&job.lock);
    make_waiters(&thread, 1, job_thread, &job);
    start_waiters(&thread);
    if (WaitForSingleObject(thread.threads[0], 100) == WAIT_TIMEOUT)
        sink++;
    destroy(&job.lock);
    Sleep(3000); // writes the results
    return job.next;
}
static int scenario() { return run_all(); }
#elif defined(HEARTBEAT)
// A timer is deleted without waiting for the callback that is under way.
class Heartbeat {
    char peer[24] = "10.0.0.7:4711";
    HANDLE timer = NULL;
    LONG beats = 0;
    CRITICAL_SECTION lock;
    static void CALLBACK tick(void *context, BOOLEAN)
    {
        Sleep(300); // asks the peer
        static_cast<Heartbeat *>(context)->count();
    }
public:
    Heartbeat()
    {
        initialize(&lock);
        CreateTimerQueueTimer(&timer, NULL, tick, this, 100, 5000, WT_EXECUTELONGFUNCTION);
    }
    NOINLINE void count()
    {
        EnterCriticalSection(&lock);
        beats++;
        LeaveCriticalSection(&lock);
    }
    ~Heartbeat()
    {
        sink += DeleteTimerQueueTimer(NULL, timer, NULL);
        destroy(&lock);
    }
};
static int scenario()
{
    Heartbeat *heartbeat = new Heartbeat;
    heartbeat->count();
    Sleep(200);
    delete heartbeat;
    Sleep(4000);
    return sink;
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
