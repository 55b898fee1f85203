/* No lock failure: a contended Leave succeeded just before, its return addresses still lie on the stack, and then
 * other code faults (with HEAP: inside ntdll's heap function, on a bad pointer). */
#include "lab.h"

static CRITICAL_SECTION lock;
static int shared;

static DWORD WINAPI worker(void *unused)
{
    EnterCriticalSection(&lock);
    shared++;
    LeaveCriticalSection(&lock);
    return 0;
}

__attribute__((noinline)) static void use_lock(void)
{
    shared++;
    LeaveCriticalSection(&lock);
    shared++;
}

/* Its local buffer is not filled: it shows what earlier calls left there. */
__attribute__((noinline)) static int crash(char *bad)
{
    volatile char scratch[768];
    scratch[0] = 1;
#ifdef HEAP
    HeapFree(GetProcessHeap(), 0, bad);
#else
    *bad = scratch[0];
#endif
    return scratch[0];
}

int main(void)
{
    struct Waiters waiters;
    LAB_START();
    InitializeCriticalSection(&lock);
    make_waiters(&waiters, 1, worker, NULL);
    EnterCriticalSection(&lock);
    start_waiters(&waiters);
    use_lock();
    return crash((char *)(ULONG_PTR)0x6F6C6C60);
}
