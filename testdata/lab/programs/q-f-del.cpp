// Fifth batch, faults: an Enter after the lock was deleted. Macros choose who deletes, and who comes after that.
#include "k-common.h"
#include <stdlib.h>

struct Store { int revision; CRITICAL_SECTION lock; char path[20]; LONG items; };
[[maybe_unused]] static Store *store;
[[maybe_unused]] NOINLINE static LONG use(Store *one)
{
    EnterCriticalSection(&one->lock);
    LONG items = ++one->items;
    LeaveCriticalSection(&one->lock);
    return items;
}
[[maybe_unused]] static Store *open_store(Store *one)
{
    initialize(&one->lock);
    lstrcpyA(one->path, "C:\\Data\\store.db");
    one->revision = 11;
    use(one);
    return one;
}
[[maybe_unused]] NOINLINE static void close_store(Store *one)
{
    will("deleted", &one->lock);
    DeleteCriticalSection(&one->lock);
    one->revision = 0;
}

#if defined(OBSERVER)
// The destructor tells its observers, when its lock is gone; one of them asks for the number of items.
struct Observer { virtual void closed(Store *one) = 0; virtual ~Observer() { } };
struct List : Observer { NOINLINE void closed(Store *one) override { sink += use(one); sink++; } };
NOINLINE static void destroy(Store *one, Observer *observer)
{
    will("deleted", &one->lock);
    DeleteCriticalSection(&one->lock);
    observer->closed(one);
    one->path[0] = 0;
}
static int scenario()
{
    List list;
    Observer *volatile observer = &list;
    destroy(open_store(new Store()), observer);
    return sink;
}
#elif defined(REFRESH_THREAD)
// A refresh thread is asked to stop, but not waited for.
static volatile LONG stop;
static DWORD WINAPI refresh(void *)
{
    while (!stop) {
        use(store);
        Sleep(300);
    }
    return use(store); // one last time
}
static int scenario()
{
    static Store single;
    Waiters thread;
    store = open_store(&single);
    make_waiters(&thread, 1, refresh, NULL);
    start_waiters(&thread);
    stop = 1;
    close_store(store);
    Sleep(3000);
    return sink;
}
#elif defined(REOPEN)
// close(), and open() that keeps the lock which the first open() made.
static int scenario()
{
    static struct { bool made; Store store; } document;
    for (int i = 0; i < 2; i++) {
        if (!document.made)
            open_store(&document.store);
        document.made = true;
        use(&document.store);
        close_store(&document.store);
    }
    return sink;
}
#elif defined(DLL_DETACH)
// The library's detach routine deletes; the host still calls into it.
typedef CRITICAL_SECTION *(*holder_function)(void);
static int scenario()
{
    CRITICAL_SECTION *lock = reinterpret_cast<holder_function>(reinterpret_cast<void *>(GetProcAddress(LoadLibraryA("plugin.dll"), "plugin_section")))();
    initialize(lock);
    EnterCriticalSection(lock);
    LeaveCriticalSection(lock);
    will("deleted", lock);
    DeleteCriticalSection(lock);
    EnterCriticalSection(lock);
    return sink++;
}
#elif defined(MOVED_FROM)
// "Moved from": the move constructor makes a lock of its own and deletes the other's; the old object is asked once more.
static int scenario()
{
    Store *from = open_store(new Store()), *to = new Store();
    initialize(&to->lock);
    to->items = from->items;
    memcpy(to->path, from->path, sizeof to->path);
    close_store(from);
    return use(from) + use(to);
}
#elif defined(CLEANUP_LOOP)
// Entries are closed from the last to the first; closing one asks the one behind it.
static Store stores[5];
NOINLINE static void close_all()
{
    for (int i = 4; i >= 0; i--) {
        close_store(&stores[i]);
        if (i % 2 == 0 && i < 4)
            sink += use(&stores[i + 1]);
    }
}
static int scenario()
{
    for (Store &one : stores)
        open_store(&one);
    close_all();
    return sink;
}
#elif defined(EXIT_LOG)
// quick exit: exit handlers have deleted the log's lock, a pool's thread logs its end.
static DWORD WINAPI pool_thread(void *) { Sleep(500); return use(store); }
static void close_log()
{
    will("deleted", &store->lock);
    DeleteCriticalSection(&store->lock);
    Sleep(3000); // flushes
    sink++;
}
static int scenario()
{
    Waiters thread;
    store = open_store(new Store());
    make_waiters(&thread, 1, pool_thread, NULL);
    atexit(close_log);
    ResumeThread(thread.threads[0]);
    exit(0);
}
#elif defined(WEAK_CACHE)
// A cache keeps the address without a reference.
static Store *cache[3];
static int scenario()
{
    cache[1] = open_store(new Store());
    close_store(cache[1]);
    cache[0] = open_store(new Store());
    for (Store *one : cache)
        if (one)
            sink += use(one);
    return sink;
}
#elif defined(FAILED_OPEN)
// open() fails half-way and cleans up; its caller closes with a last use.
NOINLINE static bool open_both(Store *one)
{
    open_store(one);
    if (GetFileAttributesA("missing.db") != INVALID_FILE_ATTRIBUTES)
        return true;
    close_store(one);
    return false;
}
static int scenario()
{
    Store *one = new Store();
    if (!open_both(one))
        return use(one);
    return sink;
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
