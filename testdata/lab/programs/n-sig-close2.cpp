// Second batch: an event of a healthy section is closed by other code, and more of the ways that leads to: by a watcher, at a thread's end,
// at exit, by a plugin; and where it is Enter or Delete that fails.
#include "unseen.h"
#include <stdlib.h>

static Waiters waiters;
[[maybe_unused]] static void about_to_close(const CRITICAL_SECTION *lock)
{
    expect_handle(lock);
    act("handle-closed", lock);
}

#if defined(WATCHER)
// A thread watches a process, and closes its handle when that has ended or nobody is interested any more; stop() closes it too.
struct Watch {
    HANDLE process, cancelled, thread;
    CRITICAL_SECTION lock;
    int state;
};
static Watch *watch;
static DWORD WINAPI watcher(void *argument)
{
    Watch *mine = static_cast<Watch *>(argument);
    HANDLE both[2] = { mine->process, mine->cancelled };
    WaitForMultipleObjects(2, both, FALSE, INFINITE);
    CloseHandle(mine->process);
    Sleep(INFINITE);
    return 0;
}
NOINLINE static int stop(Watch *mine)
{
    about_to_close(&mine->lock);
    CloseHandle(mine->process);
    mine->state = 0;
    LeaveCriticalSection(&mine->lock);
    return mine->state;
}
static int scenario()
{
    DWORD id;
    watch = new Watch;
    initialize(&watch->lock);
    watch->cancelled = CreateEventA(NULL, TRUE, FALSE, NULL);
    make_waiters(&waiters, WAITERS, pass_through, &watch->lock);
    watch->thread = CreateThread(NULL, STACK_RESERVE, watcher, watch, CREATE_SUSPENDED | STACK_SIZE_PARAM_IS_A_RESERVATION, &id);
    watch->process = OpenProcess(SYNCHRONIZE, FALSE, GetCurrentProcessId());
    ResumeThread(watch->thread);
    SetEvent(watch->cancelled);
    Sleep(200);
    EnterCriticalSection(&watch->lock);
    start_waiters(&waiters);
    return stop(watch);
}
#elif defined(TLS_CALLBACK)
// Each thread has a handle of its own, which a callback closes at its end; this one has closed it already.
static DWORD slot;
static HANDLE may_end;
static CRITICAL_SECTION *lock;
static void NTAPI on_thread(void *, DWORD reason, void *)
{
    if (reason == DLL_THREAD_DETACH && TlsGetValue(slot))
        CloseHandle(TlsGetValue(slot));
}
extern "C" { __attribute__((section(".CRT$XLF"), used)) PIMAGE_TLS_CALLBACK thread_callback = on_thread; }
static DWORD WINAPI reader(void *)
{
    HANDLE own = CreateSemaphoreA(NULL, 0, 8, NULL);
    TlsSetValue(slot, own);
    CloseHandle(own);
    WaitForSingleObject(may_end, INFINITE);
    return 0;
}
NOINLINE static int unlock() { sink++; LeaveCriticalSection(lock); return sink++; }
static int scenario()
{
    Waiters readers;
    lock = place();
    initialize(lock);
    slot = TlsAlloc();
    may_end = CreateEventA(NULL, TRUE, FALSE, NULL);
    make_waiters(&waiters, WAITERS, pass_through, lock);
    make_waiters(&readers, 1, reader, NULL);
    start_waiters(&readers);
    EnterCriticalSection(lock);
    start_waiters(&waiters);
    about_to_close(lock);
    SetEvent(may_end);
    WaitForSingleObject(readers.threads[0], 5000);
    return unlock();
}
#elif defined(AT_EXIT)
// Objects are torn down in the order they were registered, not in the order they need: the store closes what the session has closed.
static struct Store { HANDLE change; CRITICAL_SECTION lock; int dirty; } store;
static void close_store()
{
    EnterCriticalSection(&store.lock);
    start_waiters(&waiters);
    about_to_close(&store.lock);
    CloseHandle(store.change);
    store.dirty = 0;
    LeaveCriticalSection(&store.lock);
}
static void close_session() { CloseHandle(store.change); }
static int scenario()
{
    initialize(&store.lock);
    store.change = CreateEventA(NULL, TRUE, FALSE, NULL);
    make_waiters(&waiters, WAITERS, pass_through, &store.lock);
    atexit(close_store);
    atexit(close_session);
    return 0;
}
#elif defined(QUEUE_ENTER)
// A queue's producer fills while consumers wait; an owner that was copied closes the number; the next consumer cannot wait for it.
class WorkQueue {
public:
    WorkQueue() { initialize(&lock); }
    NOINLINE int pop() { EnterCriticalSection(&lock); int item = items[--count & 7]; LeaveCriticalSection(&lock); return item; }
    NOINLINE void fill(Waiters *late)
    {
        EnterCriticalSection(&lock);
        start_waiters(&waiters);
        about_to_close(&lock);
        spoil();
        start_waiters(late);
        LeaveCriticalSection(&lock);
    }
    void spoil();
    HANDLE not_empty = CreateEventA(NULL, TRUE, FALSE, NULL);
private:
    int items[8] = { 5, 3, 1 };
    unsigned count = 3;
public:
    CRITICAL_SECTION lock;
};
void WorkQueue::spoil()
{
    CloseHandle(not_empty);
#if defined(TAKE_KEY)
    HKEY key;
    RegOpenKeyExA(HKEY_LOCAL_MACHINE, "Software", 0, KEY_READ, &key);
#endif
}
static WorkQueue *queue;
static DWORD WINAPI consumer(void *) { return queue->pop(); }
static DWORD WINAPI late_consumer(void *) { sink = queue->pop(); return 0; }
static int scenario()
{
    Waiters late;
    queue = new WorkQueue;
    make_waiters(&waiters, WAITERS, consumer, NULL);
    make_waiters(&late, LATE, late_consumer, NULL);
    CloseHandle(queue->not_empty);
    queue->fill(&late);
    Sleep(3000);
    return sink;
}
#elif defined(SHUTDOWN_DELETE)
// Shutdown closes all it can find, then deletes the sections, in a process that asked for exceptions from bad closes.
static struct Module { const char *name; HANDLE stop; CRITICAL_SECTION lock; } modules[4];
static void ask_for_close_exceptions()
{
#ifdef _WIN64
    *reinterpret_cast<ULONG *>(__readgsqword(0x60) + 0xBC) |= 0x00400000;
#else
    *reinterpret_cast<ULONG *>(__readfsdword(0x30) + 0x68) |= 0x00400000;
#endif
}
NOINLINE static int delete_all()
{
    for (Module &module : modules) {
        module.name = NULL;
        DeleteCriticalSection(&module.lock);
    }
    return sink;
}
static int scenario()
{
    for (Module &module : modules) {
        module.stop = CreateEventA(NULL, TRUE, FALSE, NULL);
        initialize(&module.lock);
    }
    Waiters one;
    make_waiters(&one, 1, pass_through, &modules[2].lock);
    CloseHandle(modules[1].stop);
    EnterCriticalSection(&modules[2].lock);
    start_waiters(&one);
    LeaveCriticalSection(&modules[2].lock);
    WaitForSingleObject(one.threads[0], 3000);
    about_to_close(&modules[2].lock);
    for (Module &module : modules)
        CloseHandle(module.stop);
    ask_for_close_exceptions();
    return delete_all();
}
#elif defined(HOST)
// A plugin was lent a handle and closes it when it is unloaded, as the host does that lent it.
typedef void (*use_function)(HANDLE);
typedef void (*done_function)(void);
static struct Host { CRITICAL_SECTION lock; HMODULE module; HANDLE console; char directory[40]; } host;
static FARPROC in_plugin(const char *name) { return GetProcAddress(host.module, name); }
NOINLINE static int unload()
{
    about_to_close(&host.lock);
    reinterpret_cast<done_function>(reinterpret_cast<void *>(in_plugin("plugin_done")))();
    LeaveCriticalSection(&host.lock);
    return sink;
}
static int scenario()
{
    initialize(&host.lock);
    host.module = LoadLibraryA("plugin.dll");
    make_waiters(&waiters, WAITERS, pass_through, &host.lock);
    host.console = CreateSemaphoreA(NULL, 1, 1, NULL);
    reinterpret_cast<use_function>(reinterpret_cast<void *>(in_plugin("plugin_use")))(host.console);
    CloseHandle(host.console);
    EnterCriticalSection(&host.lock);
    start_waiters(&waiters);
    return unload();
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
