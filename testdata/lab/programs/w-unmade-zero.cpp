// Sixth batch: no Initialize ever ran, and the memory is zero, so that Enter meets a NULL debug record. Macros choose how that came about.
#include "k-common.h"

struct Mutex {
    CRITICAL_SECTION native;
    Mutex() { initialize(&native); }
    ~Mutex() { DeleteCriticalSection(&native); }
    void lock() { EnterCriticalSection(&native); }
    void unlock() { LeaveCriticalSection(&native); }
};
struct Guard { Mutex &mutex; explicit Guard(Mutex &m) : mutex(m) { mutex.lock(); } ~Guard() { mutex.unlock(); sink++; } };
// As the C runtime walks its table of initialisers.
typedef void (*initializer)();
[[maybe_unused]] NOINLINE static void initterm(const initializer *from, const initializer *to)
{
    for (; from != to; from++)
        if (*from)
            (*from)();
}

#if defined(LIBRARY)
// The library's lock has a function of its own, which nobody calls.
struct Strings { unsigned count, limit; const char *charset; CRITICAL_SECTION lock; };
static Strings strings = { 14, 512, "utf-8", {} };
extern "C" [[gnu::used]] NOINLINE void mime_lock_init() { initialize(&strings.lock); }
extern "C" [[gnu::used]] NOINLINE void mime_lock_done() { DeleteCriticalSection(&strings.lock); }
NOINLINE static unsigned reference(const char *text)
{
    EnterCriticalSection(&strings.lock);
    strings.count += text[0] != 0;
    LeaveCriticalSection(&strings.lock);
    return strings.count;
}
static int scenario()
{
    will("never-initialized", &strings.lock);
    return reference("INBOX") + sink++;
}
#elif defined(STATIC_ZEROS)
// PTHREAD_MUTEX_INITIALIZER is { 0 } in a port.
typedef CRITICAL_SECTION mutex_t;
#define MUTEX_INITIALIZER { }
static struct { int regions; mutex_t lock; int users; } monitor = { 1, MUTEX_INITIALIZER, 0 };
static mutex_t domains = MUTEX_INITIALIZER;
static DWORD WINAPI poll(void *)
{
    EnterCriticalSection(&monitor.lock);
    monitor.users++;
    LeaveCriticalSection(&monitor.lock);
    return 0;
}
static int scenario()
{
    Waiters one;
    make_waiters(&one, 1, poll, NULL);
    initialize(&domains);
    contend_once(&domains);
    will("never-initialized", &monitor.lock);
    start_waiters(&one);
    Sleep(3000);
    return sink;
}
#elif defined(INIT_ORDER)
// A static object logs in its constructor, before the log's mutex has been constructed.
alignas(16) static char log_storage[sizeof(Mutex)];
static Mutex &log_mutex() { return *reinterpret_cast<Mutex *>(log_storage); }
NOINLINE static void log_line(const char *text)
{
    Guard guard(log_mutex());
    sink += text[0];
}
static int console_size;
static void make_console() { console_size = 80; log_line("console"); }
static void make_log() { new (log_storage) Mutex; }
static const initializer initializers[] = { NULL, make_console, make_log, NULL };
static int scenario()
{
    will("never-initialized", &log_mutex().native);
    initterm(initializers, initializers + 4);
    return sink;
}
#elif defined(POOL_FIRST)
// A static pool starts its thread, which takes a mutex whose constructor comes next.
alignas(16) static char central_storage[sizeof(Mutex)];
static Mutex &central() { return *reinterpret_cast<Mutex *>(central_storage); }
static HANDLE ready;
static DWORD WINAPI worker(void *)
{
    Guard guard(central());
    SetEvent(ready);
    return 0;
}
static void make_pool()
{
    Waiters one;
    ready = CreateEventA(NULL, TRUE, FALSE, NULL);
    make_waiters(&one, 1, worker, NULL);
    ResumeThread(one.threads[0]);
    WaitForSingleObject(ready, INFINITE);
}
static void make_central() { new (central_storage) Mutex; }
static const initializer initializers[] = { make_pool, make_central };
static int scenario()
{
    will("never-initialized", &central().native);
    initterm(initializers, initializers + 2);
    return sink;
}
#elif defined(SUBSYSTEMS)
// Each part of the game has its lock; one part's start function is not in the list.
static CRITICAL_SECTION sound_lock, draw_lock, net_lock, memory_lock;
NOINLINE static void start_sound() { initialize(&sound_lock); }
NOINLINE static void start_net() { initialize(&net_lock); }
NOINLINE static void start_memory() { initialize(&memory_lock); }
[[gnu::used]] NOINLINE static void start_draw() { initialize(&draw_lock); }
[[gnu::used]] NOINLINE static void end_draw() { DeleteCriticalSection(&draw_lock); }
static void frame(CRITICAL_SECTION *lock)
{
    EnterCriticalSection(lock);
    sink += 3;
    LeaveCriticalSection(lock);
}
static int scenario()
{
    static const initializer starts[] = { start_sound, start_net, start_memory };
    initterm(starts, starts + 3);
    frame(&sound_lock);
    frame(&net_lock);
    will("never-initialized", &draw_lock);
    frame(&draw_lock);
    return sink;
}
#elif defined(ONCE)
// once() lets the second caller pass while the first is still at it.
static struct { volatile LONG state; CRITICAL_SECTION lock; int entries; } registry;
NOINLINE static void read_settings() { Sleep(2500); sink++; }
static void make() { read_settings(); initialize(&registry.lock); }
NOINLINE static void once(volatile LONG *state, void (*function)())
{
    if (InterlockedCompareExchange(state, 1, 0) == 0)
        function();
}
static DWORD WINAPI add(void *)
{
    Sleep(300);
    once(&registry.state, make);
    EnterCriticalSection(&registry.lock);
    registry.entries++;
    LeaveCriticalSection(&registry.lock);
    return 0;
}
static int scenario()
{
    Waiters one;
    make_waiters(&one, 1, add, NULL);
    will("never-initialized", &registry.lock);
    ResumeThread(one.threads[0]);
    add(NULL);
    return sink;
}
#elif defined(PUBLISHED)
// The pointer is stored before the constructor is through; another thread looks only at the pointer.
struct Cache {
    LONG size;
    const char *folder;
    Mutex mutex;
    static Cache *volatile instance;
    NOINLINE static const char *find_folder() { Sleep(2500); return "C:\\Cache"; }
    Cache() : size(64), folder(find_folder()) { }
    NOINLINE int get(int key) { Guard guard(mutex); return key + size; }
};
Cache *volatile Cache::instance;
static DWORD WINAPI request(void *)
{
    while (!Cache::instance)
        Sleep(20);
    return Cache::instance->get(7);
}
static int scenario()
{
    Waiters one;
    make_waiters(&one, 1, request, NULL);
    ResumeThread(one.threads[0]);
    void *block = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(Cache));
    will("never-initialized", &static_cast<Cache *>(block)->mutex.native);
    Cache::instance = static_cast<Cache *>(block);
    new (block) Cache;
    return sink;
}
#elif defined(MEMBER_ORDER)
// Members are made as declared: the watcher loads the file in its constructor, under the mutex behind it.
struct Config;
struct Watcher { Config *owner; explicit Watcher(Config *config); };
struct Config {
    const char *path;
    Watcher watcher;
    int values[4];
    Mutex mutex;
    explicit Config(const char *name) : path(name), watcher(this) { }
    void load() { Guard guard(mutex); values[0] = path[0]; }
};
Watcher::Watcher(Config *config) : owner(config) { owner->load(); }
alignas(16) static char storage[sizeof(Config)];
static int scenario()
{
    will("never-initialized", &reinterpret_cast<Config *>(storage)->mutex.native);
    Config *config = new (storage) Config("display.cfg");
    return config->values[0];
}
#elif defined(OPEN_FAILED)
// open() makes the lock last; it has failed, which its caller does not notice.
struct Port { int number; void *buffer; CRITICAL_SECTION lock; int state; };
NOINLINE static bool open(Port *port, SIZE_T size)
{
    port->buffer = VirtualAlloc(NULL, size, MEM_RESERVE, PAGE_READWRITE);
    if (!port->buffer)
        return false;
    initialize(&port->lock);
    port->state = 1;
    return true;
}
static void send(Port *port, int byte)
{
    EnterCriticalSection(&port->lock);
    port->state += byte;
    LeaveCriticalSection(&port->lock);
}
static int scenario()
{
    Port *port = static_cast<Port *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(Port)));
    port->number = 3;
    open(port, 0x7FFF0000);
    will("never-initialized", &port->lock);
    send(port, 0x90);
    return sink;
}
#elif defined(ONE_TOO_FEW)
// The loop that makes the locks stops one too early.
enum { LOCKS = 41 };
static CRITICAL_SECTION *locks;
NOINLINE static void locking(int mode, int number)
{
    if (mode & 1)
        EnterCriticalSection(&locks[number]);
    else
        LeaveCriticalSection(&locks[number]);
    sink++;
}
static int scenario()
{
    locks = static_cast<CRITICAL_SECTION *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, LOCKS * sizeof *locks));
    for (int i = 0; i < LOCKS - 1; i++)
        initialize(&locks[i]);
    void (*volatile callback)(int, int) = locking;
    callback(1, 12);
    callback(2, 12);
    will("never-initialized", &locks[LOCKS - 1]);
    callback(1, LOCKS - 1);
    return sink;
}
#elif defined(NOT_OPENED)
// A library's lock is made by its open function; the host reads without it.
static int scenario()
{
    HMODULE library = LoadLibraryA("plugin.dll");
    auto section = reinterpret_cast<CRITICAL_SECTION *(*)()>(reinterpret_cast<void *>(GetProcAddress(library, "plugin_section")));
    auto read = reinterpret_cast<int (*)(int)>(reinterpret_cast<void *>(GetProcAddress(library, "plugin_read")));
    will("never-initialized", section());
    return read(2) + sink++;
}
#elif defined(FLAG_FIRST)
// start() says that it is ready, then logs, and then makes the log's lock. Each thread has a log.
static __thread struct { bool ready; char name[11]; CRITICAL_SECTION lock; int lines; } log_file;
NOINLINE static void log_line(const char *text)
{
    if (!log_file.ready)
        return;
    EnterCriticalSection(&log_file.lock);
    log_file.lines += text[0];
    LeaveCriticalSection(&log_file.lock);
}
NOINLINE static void open_file(const char *name)
{
    lstrcpynA(log_file.name, name, sizeof log_file.name);
    log_line("opened");
}
NOINLINE static void start()
{
    log_file.ready = true;
    open_file("trace.log");
    initialize(&log_file.lock);
}
static int scenario()
{
    will("never-initialized", &log_file.lock);
    start();
    return sink;
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
