/* closed.c with a chain main -> level_a -> level_b -> level_c -> Leave, in which every level keeps known values in
 * nonvolatile registers and saves its caller's in another way: the test of an unwinder. See registers.S. */
#include "lab.h"

void level_a(CRITICAL_SECTION *section);

static CRITICAL_SECTION lock;

static DWORD WINAPI worker(void *unused)
{
    EnterCriticalSection(&lock);
    LeaveCriticalSection(&lock);
    return 0;
}

int main(void)
{
    struct Waiters waiters;
    HANDLE stale;
    LAB_START();
    InitializeCriticalSection(&lock);
    make_waiters(&waiters, 5, worker, NULL);
    EnterCriticalSection(&lock);
    stale = free_a_slot();
    start_waiters(&waiters);
    reporter_expect(&lock, lock.LockSemaphore);
    CloseHandle(stale); /* the bug */
    level_a(&lock);
    return 0;
}
