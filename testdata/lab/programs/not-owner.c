/* Two threads leave at the same moment, only one of them owns the section. When both find RecursionCount 1, the slower
 * one meets a free LockCount: 0xC0000264. The threads try until it happens. */
#include "lab.h"

static CRITICAL_SECTION list_lock;
static volatile LONG round_number, arrived;

__attribute__((noinline)) static void leave_list(void)
{
    LeaveCriticalSection(&list_lock);
    InterlockedIncrement(&arrived);
}

/* Leaves what it never entered: the bug. */
static DWORD WINAPI intruder(void *unused)
{
    LONG seen = 0;
    for (;;) {
        while (round_number == seen)
            YieldProcessor();
        seen = round_number;
        leave_list();
    }
}

int main(void)
{
    struct Waiters threads;
    LAB_START();
    InitializeCriticalSection(&list_lock);
    reporter_expect(&list_lock, NULL);
    make_waiters(&threads, 1, intruder, NULL);
    start_waiters(&threads);
    for (LONG round = 1; round < 50000000; round++) {
        arrived = 0;
        EnterCriticalSection(&list_lock);
        round_number = round;
        for (LONG delay = round % 64; delay; delay--)
            __asm__ volatile("");
        leave_list();
        while (arrived < 2)
            YieldProcessor();
    }
    return 0;
}
