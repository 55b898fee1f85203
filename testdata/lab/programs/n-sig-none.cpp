// Second batch: crashes that are no lock failure, close to one: locks are held, waited for, just left or broken, and statuses are those
// that a lock call raises.
#include "unseen.h"

extern "C" __declspec(dllimport) LONG NTAPI NtClose(HANDLE handle);
extern "C" __declspec(dllimport) void NTAPI RtlRaiseStatus(LONG status);
extern "C" __declspec(dllimport) LONG NTAPI NtSetEvent(HANDLE event, LONG *previous);

class Monitor {
public:
    Monitor() { initialize(&lock); }
    NOINLINE void enter() { EnterCriticalSection(&lock); depth++; }
    NOINLINE void leave() { depth--; LeaveCriticalSection(&lock); sink++; }
    int depth = 0;
    CRITICAL_SECTION lock;
    HANDLE signal = nullptr;
    int (*callback)(int) = nullptr;
};
static Monitor *monitor;
static DWORD WINAPI user(void *) { monitor->enter(); monitor->leave(); return 0; }
struct Guard {
    explicit Guard(Monitor *m) : held(m) { held->enter(); }
    ~Guard() { held->leave(); }
    Monitor *held;
};
static Waiters waiters;
[[maybe_unused]] static void let_others_wait()
{
    make_waiters(&waiters, WAITERS, user, NULL);
    monitor->enter();
    start_waiters(&waiters);
}
// The last thing on the stack before the crash is a Leave that woke somebody.
NOINLINE static void leave_contended()
{
    let_others_wait();
    monitor->leave();
}
[[maybe_unused]] static void ask_for_close_exceptions()
{
#ifdef _WIN64
    *reinterpret_cast<ULONG *>(__readgsqword(0x60) + 0xBC) |= 0x00400000;
#else
    *reinterpret_cast<ULONG *>(__readfsdword(0x30) + 0x68) |= 0x00400000;
#endif
}

#if defined(CLOSE_IN_GUARD) // NtClose raises, while others wait for the lock that is held
NOINLINE static int crash()
{
    let_others_wait();
    monitor->signal = free_a_slot();
    ask_for_close_exceptions();
    CloseHandle(monitor->signal);
    monitor->leave();
    return sink;
}
#elif defined(EVENT_CLASS) // a class of the program's own signals an event, and raises what it is answered
struct Event {
    HANDLE native;
    NOINLINE void set()
    {
        LONG status = NtSetEvent(native, NULL);
        if (status < 0)
            RtlRaiseStatus(status);
    }
};
NOINLINE static int crash()
{
    leave_contended();
    Event event = { EVENT_CLASS };
    event.set();
    return sink;
}
#elif defined(RAISED_BY_CHECK) // "not the owner", found by the program's own check
NOINLINE static int crash()
{
    leave_contended();
    if (monitor->lock.OwningThread != reinterpret_cast<HANDLE>(static_cast<ULONG_PTR>(GetCurrentThreadId())))
        RaiseException(0xC0000264, EXCEPTION_NONCONTINUABLE, 0, NULL);
    return sink;
}
#elif defined(NULL_CALLBACK) // a callback that was not set is called under the lock
NOINLINE static int crash()
{
    let_others_wait();
    Guard guard(monitor);
    return monitor->callback(sink);
}
#elif defined(OWN_SPIN) // the program looks into a section itself, whose pages are gone
NOINLINE static int crash()
{
    CRITICAL_SECTION *old = reinterpret_cast<CRITICAL_SECTION *>(static_cast<char *>(VirtualAlloc(NULL, 0x1000, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE)) + 0x200);
    initialize(old);
    leave_contended();
    DeleteCriticalSection(old);
    VirtualFree(reinterpret_cast<char *>(old) - 0x200, 0, MEM_RELEASE);
    for (int i = 0; i < 1000 && static_cast<volatile CRITICAL_SECTION *>(old)->LockCount != -1; i++)
        YieldProcessor();
    EnterCriticalSection(old);
    return sink;
}
#elif defined(BREAK_UNDER_LOCK) // an assertion about the lock count
NOINLINE static int crash()
{
    let_others_wait();
    if (monitor->lock.LockCount != -1)
        DebugBreak();
    monitor->leave();
    return sink;
}
#elif defined(BROKEN_AND_FREED) // the event is closed and text lies over it, but what fails is the free of another block
NOINLINE static int crash()
{
    let_others_wait();
    CloseHandle(monitor->lock.LockSemaphore);
    HeapFree(GetProcessHeap(), 0, reinterpret_cast<void *>(static_cast<ULONG_PTR>(0x61706568)));
    monitor->leave();
    return sink;
}
#elif defined(THROWN_IN_GUARD) // a C++ exception under two guards
NOINLINE static int crash()
{
    leave_contended();
    Guard outer(monitor), inner(monitor);
    ULONG_PTR arguments[4] = { 0x19930520, reinterpret_cast<ULONG_PTR>(arguments), 0, 0 };
    RaiseException(0xE06D7363, EXCEPTION_NONCONTINUABLE, sizeof(void *) == 8 ? 4 : 3, arguments);
    return sink;
}
#elif defined(COPY_LOOP) // memmove out of a queue whose length is wrong, under the lock
NOINLINE static int crash()
{
    char *page = static_cast<char *>(VirtualAlloc(NULL, 0x1000, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
    leave_contended();
    Guard guard(monitor);
    memmove(page, page + 0x800, 0x900 + (sink & 1));
    return sink;
}
#elif defined(WORKER) // a worker reads through what a just left section protected
static DWORD WINAPI reader(void *)
{
    leave_contended();
    int *volatile table = NULL;
    return table[6];
}
NOINLINE static int crash()
{
    Waiters one;
    make_waiters(&one, 1, reader, NULL);
    ResumeThread(one.threads[0]);
    Sleep(3000);
    return sink;
}
#endif

int main()
{
    LAB_START();
    crowd();
    monitor = new Monitor;
    if (sink == 4711)
        leave_contended();
    return crash();
}
