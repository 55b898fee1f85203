// Held-out crashes that are no lock failure, though locks are all around.
#include "lab.h"

#define NOINLINE __attribute__((noinline))
static CRITICAL_SECTION lock, outer;
static volatile int sink;
extern "C" __declspec(dllimport) void NTAPI RtlRaiseStatus(LONG status);

static DWORD WINAPI worker(void *)
{
    EnterCriticalSection(&lock);
    sink++;
    LeaveCriticalSection(&lock);
    return 0;
}

struct Guard {
    CRITICAL_SECTION *section;
    explicit Guard(CRITICAL_SECTION *s) : section(s) { EnterCriticalSection(section); }
    ~Guard() { LeaveCriticalSection(section); }
};

static void ask_for_close_exceptions(void)
{
#ifdef _WIN64
    *reinterpret_cast<ULONG *>(__readgsqword(0x60) + 0xBC) |= 0x00400000;
#else
    *reinterpret_cast<ULONG *>(__readfsdword(0x30) + 0x68) |= 0x00400000;
#endif
}

NOINLINE static void leave_contended(void)
{
    Waiters waiters;
    make_waiters(&waiters, 2, worker, NULL);
    EnterCriticalSection(&lock);
    start_waiters(&waiters);
    LeaveCriticalSection(&lock);
    sink++;
}

#if defined(AV_SHALLOW)
// the crashing frame is exactly over the frames of the Leave that returned: nothing has cleaned them
NOINLINE static int crash(void) { volatile int *bad = reinterpret_cast<volatile int *>(0x18); return *bad; }
#elif defined(AV_GUARD)
NOINLINE static int crash(void) { Guard a(&outer); Guard b(&lock); *reinterpret_cast<volatile int *>(0x0C) = sink; return sink; }
#elif defined(AV_ON_SECTION)
// the program's own code faults at the address where a section's field would be
NOINLINE static int crash(void)
{
    struct Object { int a[2]; volatile int count; CRITICAL_SECTION lock; };
    Object *object = static_cast<Object *>(VirtualAlloc(NULL, 0x1000, MEM_RESERVE, PAGE_NOACCESS));
    object->count++;
    EnterCriticalSection(&object->lock);
    return 0;
}
#elif defined(RAISE_STATUS)
NOINLINE static int crash(void) { sink++; RtlRaiseStatus(0xC0000008); return sink; }
#elif defined(RAISE_EXCEPTION)
NOINLINE static int crash(void) { Guard a(&outer); RaiseException(0xC0000008, 0, 0, NULL); return sink; }
#elif defined(CLOSE_BUSY)
// CloseHandle raises, while other threads sleep in Enter and this one holds the section they wait for
NOINLINE static int crash(void)
{
    Waiters waiters;
    ask_for_close_exceptions();
    make_waiters(&waiters, 3, worker, NULL);
    Guard a(&lock);
    start_waiters(&waiters);
    CloseHandle(reinterpret_cast<HANDLE>(static_cast<ULONG_PTR>(0x4D4)));
    return sink;
}
#elif defined(CLOSE_OF_EVENT)
// CloseHandle(section.LockSemaphore value) a second time: the section of the other thread is broken too, but did not fail
NOINLINE static int crash(void)
{
    Waiters waiters;
    ask_for_close_exceptions();
    make_waiters(&waiters, 1, worker, NULL);
    EnterCriticalSection(&lock);
    start_waiters(&waiters);
    HANDLE event = lock.LockSemaphore;
    CloseHandle(event);
    CloseHandle(event);
    LeaveCriticalSection(&lock);
    return sink;
}
#elif defined(H_CALLBACK)
static BOOL CALLBACK on_locale(char *) { *reinterpret_cast<volatile int *>(0x24) = 1; return FALSE; }
NOINLINE static int crash(void) { Guard a(&lock); EnumSystemLocalesA(on_locale, LCID_INSTALLED); return sink; }
#elif defined(CALL_NULL)
NOINLINE static int crash(void) { Guard a(&lock); void (*volatile f)(CRITICAL_SECTION *) = NULL; f(&lock); return sink; }
#elif defined(AV_IN_HEAP_WITH_ARG)
NOINLINE static int crash(void) { Guard a(&lock); return HeapFree(GetProcessHeap(), 0, reinterpret_cast<void *>(static_cast<ULONG_PTR>(0x30))); }
#endif

int main(void)
{
    LAB_START();
    InitializeCriticalSection(&lock);
    InitializeCriticalSection(&outer);
    leave_contended();
    return crash();
}
