// Sixth batch: crashes that no lock call made, beside locks that are held, wanted, or just left. Macros choose the crash.
#include "k-common.h"
#include <stdlib.h>
#include <string.h>

extern "C" __declspec(dllimport) LONG NTAPI NtSetEvent(HANDLE event, LONG *before);
extern "C" __declspec(dllimport) LONG NTAPI NtClose(HANDLE handle);
extern "C" __declspec(dllimport) void NTAPI RtlRaiseStatus(LONG status);

struct Station { int id; float temperature; CRITICAL_SECTION lock; char *name; HANDLE alarm; Station *next; };
static Station *station;
struct Locked { CRITICAL_SECTION *lock; explicit Locked(CRITICAL_SECTION *l) : lock(l) { EnterCriticalSection(l); } ~Locked() { LeaveCriticalSection(lock); sink++; } };
NOINLINE static float measure() { Locked locked(&station->lock); return station->temperature += 0.5f; }
[[maybe_unused]] static char *page_that_was() { char *page = pages(0x1000); VirtualFree(page, 0, MEM_RELEASE); return page; }

#if defined(FIND_HANDLE)
// What FindFirstFile gave is closed by CloseHandle; others want the lock that is held.
NOINLINE static int crash()
{
    WIN32_FIND_DATAA found;
    contend(&station->lock);
    HANDLE search = FindFirstFileA("*.exe", &found);
    be_strict();
    CloseHandle(search);
    LeaveCriticalSection(&station->lock);
    return sink++;
}
#elif defined(WATCH_POINT)
// close() under a guard, then the destructor, just after the lock was left.
struct WatchPoint {
    HANDLE directory = CreateEventA(NULL, FALSE, FALSE, NULL);
    NOINLINE void close() { Locked locked(&station->lock); CloseHandle(directory); }
    NOINLINE ~WatchPoint() { CloseHandle(directory); }
};
NOINLINE static int crash()
{
    WatchPoint point;
    point.close();
    be_strict();
    return sink++;
}
#elif defined(POP_AT_EXIT)
// A thread that ends closes its own handle, which its list's owner has closed; main waits for the lock meanwhile.
static HANDLE own;
NOINLINE static void pop() { CloseHandle(own); }
static DWORD WINAPI plugin(void *)
{
    EnterCriticalSection(&station->lock);
    Sleep(900);
    pop();
    LeaveCriticalSection(&station->lock);
    return 0;
}
NOINLINE static int crash()
{
    Waiters one;
    make_waiters(&one, 1, plugin, NULL);
    own = one.threads[0];
    ResumeThread(own);
    Sleep(300);
    CloseHandle(own);
    be_strict();
    EnterCriticalSection(&station->lock);
    LeaveCriticalSection(&station->lock);
    return sink;
}
#elif defined(EXIT_HANDLER)
// A static object's clean-up at exit closes what main has closed, when the locks are deleted already.
static void task_ends()
{
    sink++;
    CloseHandle(station->alarm);
    sink++;
}
NOINLINE static int crash()
{
    atexit(task_ends);
    station->alarm = CreateEventA(NULL, TRUE, FALSE, NULL);
    sink += static_cast<int>(measure());
    DeleteCriticalSection(&station->lock);
    CloseHandle(station->alarm);
    be_strict();
    exit(sink);
}
#elif defined(PIPE_SERVICE)
// Ends of a pipe are closed by its destructor and by its service, through NtClose, while threads sleep for the service's lock.
struct Pipe { HANDLE source, sink_end; NOINLINE ~Pipe() { NtClose(sink_end); NtClose(source); } };
NOINLINE static int crash()
{
    Pipe pipe;
    CreatePipe(&pipe.source, &pipe.sink_end, NULL, 0);
    CloseHandle(pipe.source);
    CloseHandle(pipe.sink_end);
    contend(&station->lock);
    be_strict();
    return sink++;
}
#elif defined(HANDLE_CHECK)
// A wrapper raises the status of a bad handle itself, when it is asked for one that was released.
struct SafeHandle {
    HANDLE value;
    NOINLINE HANDLE get() const
    {
        if (!value)
            RaiseException(HANDLE_CHECK, 0, 0, NULL);
        return value;
    }
};
NOINLINE static int crash()
{
    SafeHandle alarm = { NULL };
    sink += static_cast<int>(measure());
    Locked locked(&station->lock);
    SetEvent(alarm.get());
    return sink++;
}
#elif defined(NATIVE_CHECK)
// The program calls the native interface, and raises what comes back.
NOINLINE static void succeed(LONG status) { if (status < 0) RtlRaiseStatus(status); }
NOINLINE static int crash()
{
    contend(&station->lock);
    station->alarm = NATIVE_CHECK;
    succeed(NtSetEvent(station->alarm, NULL));
    LeaveCriticalSection(&station->lock);
    return sink++;
}
#elif defined(COPY_FROM_GONE)
// memcpy from a frame buffer that was given back, with the lock held and wanted.
NOINLINE static int crash()
{
    static char frame[0x400];
    char *source = page_that_was();
    contend(&station->lock);
    for (unsigned i = 0; i < sizeof frame; i++)
        frame[i] = source[i];
    LeaveCriticalSection(&station->lock);
    return frame[9];
}
#elif defined(IN_LIBRARY)
// A library is asked for the level of samples that are not there, under a guard.
NOINLINE static int crash()
{
    typedef int (*level_function)(const short *, int);
    level_function level = reinterpret_cast<level_function>(reinterpret_cast<void *>(GetProcAddress(LoadLibraryA("plugin.dll"), "sound_level")));
    Locked locked(&station->lock);
    return level(NULL, 512) + sink++;
}
#elif defined(DEAD_OBJECT)
// A listener whose page has gone is called after the lock was left.
struct Listener { virtual int heard(float) = 0; };
NOINLINE static int crash()
{
    Listener *listener = reinterpret_cast<Listener *>(page_that_was() + 0x60);
    float temperature = measure();
    return listener->heard(temperature) + 1;
}
#elif defined(WORKER_FAULTS)
// A worker has the lock and follows a NULL link; main sleeps in Enter.
static DWORD WINAPI worker(void *)
{
    EnterCriticalSection(&station->lock);
    Sleep(800);
    station->next->temperature = 0;
    LeaveCriticalSection(&station->lock);
    return 0;
}
NOINLINE static int crash()
{
    Waiters one;
    make_waiters(&one, 1, worker, NULL);
    start_waiters(&one);
    EnterCriticalSection(&station->lock);
    LeaveCriticalSection(&station->lock);
    return sink;
}
#elif defined(FREE_TEXT)
// A name that was never allocated is freed, with the lock held and others asleep.
NOINLINE static int crash()
{
    contend(&station->lock);
    station->name = reinterpret_cast<char *>(static_cast<ULONG_PTR>(0x2B00001C));
    HeapFree(GetProcessHeap(), 0, station->name);
    LeaveCriticalSection(&station->lock);
    return sink++;
}
#endif

int main()
{
    LAB_START();
    crowd();
    station = static_cast<Station *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(Station)));
    station->id = 10384;
    prepare(&station->lock);
    sink += crash();
    return sink;
}
