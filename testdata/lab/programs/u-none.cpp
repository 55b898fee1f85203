// Unseen: crashes that are no lock failure. A contended Leave has always come and gone before, and its return addresses lie on
// the stack; most crash with locks held or waited for.
#include "unseen.h"

extern "C" __declspec(dllimport) LONG NTAPI NtClose(HANDLE handle);
extern "C" __declspec(dllimport) void NTAPI RtlRaiseStatus(LONG status);

static CRITICAL_SECTION lock, outer;
struct Guard {
    CRITICAL_SECTION *section;
    explicit Guard(CRITICAL_SECTION *s) : section(s) { EnterCriticalSection(section); }
    ~Guard() { LeaveCriticalSection(section); }
};

[[maybe_unused]] static void ask_for_close_exceptions()
{
#ifdef _WIN64
    *reinterpret_cast<ULONG *>(__readgsqword(0x60) + 0xBC) |= 0x00400000;
#else
    *reinterpret_cast<ULONG *>(__readfsdword(0x30) + 0x68) |= 0x00400000;
#endif
}

NOINLINE static void leave_contended()
{
    Waiters waiters;
    make_waiters(&waiters, 2, pass_through, &lock);
    EnterCriticalSection(&lock);
    start_waiters(&waiters);
    LeaveCriticalSection(&lock);
    sink++;
}

static Waiters held_up;
[[maybe_unused]] static void let_others_wait()
{
    make_waiters(&held_up, 3, pass_through, &lock);
    EnterCriticalSection(&lock);
    start_waiters(&held_up);
}

#if defined(STRICT_NTCLOSE)
NOINLINE static int crash() { ask_for_close_exceptions(); sink++; NtClose(reinterpret_cast<HANDLE>(static_cast<ULONG_PTR>(0x7D8))); return sink; }
#elif defined(STRICT_IN_DESTRUCTOR)
// ~Connection leaves its section and closes its handle, which is closed
struct Connection {
    HANDLE socket;
    ~Connection() { LeaveCriticalSection(&outer); CloseHandle(socket); }
};
NOINLINE static int crash()
{
    ask_for_close_exceptions();
    Connection connection = { free_a_slot() };
    EnterCriticalSection(&outer);
    return sink++;
}
#elif defined(STRICT_WAITED_FOR)
NOINLINE static int crash() { let_others_wait(); ask_for_close_exceptions(); CloseHandle(free_a_slot()); LeaveCriticalSection(&lock); return sink; }
#elif defined(HEAP_HEADER)
NOINLINE static int crash() { Guard a(&outer); HeapFree(GetProcessHeap(), 0, reinterpret_cast<void *>(static_cast<ULONG_PTR>(0x6E6F6974))); return sink; }
#elif defined(HEAP_NEAR_LEAVE)
// the freed thing was part of what the section protects; Leave has just returned, its frame is not yet written over
struct Held { ~Held() { LeaveCriticalSection(&lock); HeapFree(GetProcessHeap(), 0, block); } void *block; };
NOINLINE static int crash()
{
    Held held = { reinterpret_cast<void *>(static_cast<ULONG_PTR>(0x2C)) };
    EnterCriticalSection(&lock);
    return sink++;
}
#elif defined(THROWN)
NOINLINE static int crash()
{
    Guard a(&lock);
    ULONG_PTR arguments[3] = { 0x19930520, reinterpret_cast<ULONG_PTR>(&arguments), 0 };
    RaiseException(0xE06D7363, EXCEPTION_NONCONTINUABLE, 3, arguments);
    return sink;
}
#elif defined(ASSERTED)
NOINLINE static int crash() { let_others_wait(); if (sink) DebugBreak(); return sink; }
#elif defined(FREED_VTABLE)
struct Shape { virtual ~Shape() { } virtual int area() { return 1; } void *data[3]; };
NOINLINE static int crash()
{
    Guard a(&lock);
    Shape *volatile shape = new Shape;
    memset(static_cast<void *>(shape), 0xDD, sizeof(Shape));
    return shape->area() + sink;
}
#elif defined(IN_COMPARE)
static int compare(const void *a, const void *) { return **static_cast<int *const *>(a); }
NOINLINE static int crash()
{
    Guard a(&lock);
    int *pointers[3] = { reinterpret_cast<int *>(0x24), reinterpret_cast<int *>(0x14), NULL };
    qsort(pointers, 3, sizeof(int *), compare);
    return sink;
}
#elif defined(NEAR_THE_SECTION)
// the faulting address is a page behind the section's; the section itself is well
NOINLINE static int crash()
{
    char *page = static_cast<char *>(VirtualAlloc(NULL, 0x1000, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
    CRITICAL_SECTION *last = reinterpret_cast<CRITICAL_SECTION *>(page + 0x1000) - 1;
    initialize(last);
    EnterCriticalSection(last);
    reinterpret_cast<volatile ULONG_PTR *>(last + 1)[sink & 0] = 5;
    LeaveCriticalSection(last);
    return sink;
}
#elif defined(OWN_STATUS)
NOINLINE static int crash() { Guard a(&outer); sink++; RtlRaiseStatus(OWN_STATUS); return sink; }
#elif defined(FAILED_SETEVENT)
// "if (!SetEvent(h)) RaiseException(...)", right after a Leave
NOINLINE static int crash()
{
    HANDLE event = free_a_slot();
    LeaveCriticalSection((EnterCriticalSection(&lock), &lock));
    if (!SetEvent(event))
        RaiseException(0xC0000008, EXCEPTION_NONCONTINUABLE, 0, NULL);
    return sink;
}
#elif defined(BROKEN_SECTION_NEARBY)
// the section's event is closed, as bad as it gets; but the crash is another one, before anybody leaves
NOINLINE static int crash()
{
    let_others_wait();
    CloseHandle(lock.LockSemaphore);
    volatile int *values = reinterpret_cast<volatile int *>(static_cast<ULONG_PTR>(sink & 0));
    values[3] = 1;
    LeaveCriticalSection(&lock);
    return sink;
}
#endif

int main()
{
    LAB_START();
    crowd();
    initialize(&lock);
    initialize(&outer);
    leave_contended();
    return crash();
}
