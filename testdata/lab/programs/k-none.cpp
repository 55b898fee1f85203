// Fourth batch: crashes that are no lock failure, though their status is one of a lock's, or a lock is held, waited for or just left.
#include "k-common.h"

extern "C" __declspec(dllimport) LONG NTAPI NtSetEvent(HANDLE event, LONG *before);
extern "C" __declspec(dllimport) void NTAPI RtlRaiseStatus(LONG status);
extern "C" __declspec(dllimport) LONG NTAPI NtClose(HANDLE handle);

struct Cache { wchar_t name[12]; CRITICAL_SECTION lock; char *lines[4]; int count; };
static Cache *cache;
struct Guard {
    explicit Guard(Cache *c) : locked(c) { EnterCriticalSection(&locked->lock); }
    ~Guard() { LeaveCriticalSection(&locked->lock); sink++; }
    Cache *locked;
};
[[maybe_unused]] NOINLINE static int use_well() { Guard guard(cache); return ++cache->count; }

#if defined(CLOSE_UNDER_LOCK) // CloseHandle raises while this thread has the lock and others sleep for it
NOINLINE static int crash()
{
    HANDLE file = CreateFileA("line.tmp", GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    contend(&cache->lock);
    CloseHandle(file);
    be_strict();
    CloseHandle(file);
    LeaveCriticalSection(&cache->lock);
    return sink;
}
#elif defined(CLOSE_AFTER_LEAVE) // the guard has left, the owner of the handle, one scope further out, closes
struct Owner { HANDLE handle; ~Owner() { NtClose(handle); } };
NOINLINE static int crash()
{
    Owner owner = { free_a_slot() };
    be_strict();
    {
        Guard guard(cache);
        cache->count += 2;
    }
    return use_well();
}
#elif defined(SAFE_HANDLE) // a library's handle class throws its own structured exception
NOINLINE static HANDLE checked(HANDLE handle)
{
    DWORD flags;
    if (!GetHandleInformation(handle, &flags))
        RaiseException(SAFE_HANDLE, EXCEPTION_NONCONTINUABLE, 0, NULL);
    return handle;
}
NOINLINE static int crash()
{
    Guard guard(cache);
    return SetEvent(checked(free_a_slot()));
}
#elif defined(OWN_GATE) // a gate of the program's own signals its event and raises what it gets
struct Gate {
    CRITICAL_SECTION *next;
    LONG count;
    HANDLE event;
    NOINLINE void open()
    {
        if (InterlockedDecrement(&count) >= 0) {
            LONG status = NtSetEvent(event, NULL);
            if (status < 0)
                RtlRaiseStatus(status);
        }
    }
};
NOINLINE static int crash()
{
    static Gate gate = { NULL, 2, NULL };
    gate.next = &cache->lock;
    use_well();
    gate.event = OWN_GATE;
    gate.open();
    return sink;
}
#elif defined(MUTEX_CLASS) // a recursive mutex of the program's own checks its owner
class RecursiveMutex {
public:
    void lock() { EnterCriticalSection(&cache->lock); owner = GetCurrentThreadId(); }
    NOINLINE void unlock()
    {
        if (owner != GetCurrentThreadId())
            RaiseException(0xC0000264, 0, 0, NULL);
        LeaveCriticalSection(&cache->lock);
    }
    DWORD owner = 0;
};
NOINLINE static int crash()
{
    RecursiveMutex mutex;
    mutex.lock();
    mutex.owner++;
    mutex.unlock();
    return sink;
}
#elif defined(COPY_UNDER_LOCK) // a line's pointer is stale; others sleep
NOINLINE static int crash()
{
    contend(&cache->lock);
    char *line = pages(0x1000), copy[32];
    cache->lines[2] = line;
    VirtualFree(line, 0, MEM_RELEASE);
    for (int i = 0; i < 32; i++)
        copy[i] = static_cast<volatile char *>(cache->lines[2])[i];
    LeaveCriticalSection(&cache->lock);
    return copy[3];
}
#elif defined(OWN_DESTRUCTOR) // the guard has left, then the destructor of the object that held it reads through NULL
struct Session { Guard guard; int *count; NOINLINE ~Session() { sink++; } };
NOINLINE static int finish(Session *session) { session->~Session(); return *session->count; }
NOINLINE static int crash()
{
    static char storage[sizeof(Session)];
    Session *session = reinterpret_cast<Session *>(storage);
    new (&session->guard) Guard(cache);
    session->count = NULL;
    return finish(session);
}
#elif defined(BROKEN_EVENT_NEARBY) // a section's event has been closed, which nobody has met; the crash is a NULL pointer's
NOINLINE static int crash()
{
    contend(&cache->lock);
    CloseHandle(cache->lock.LockSemaphore);
    int *volatile nothing = NULL;
    sink = *nothing;
    LeaveCriticalSection(&cache->lock);
    return sink;
}
#endif

int main()
{
    LAB_START();
    crowd();
    cache = new Cache();
    lstrcpyW(cache->name, L"tiles");
    initialize(&cache->lock);
    make_waiters(&waiters, WAITERS, pass_through, &cache->lock);
    use_well();
    return crash();
}
