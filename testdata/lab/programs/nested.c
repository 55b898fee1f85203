/* As closed.c with one waiter, but the report is written from the unhandled-exception filter, where 0xC0000008 comes
 * nested in 0xC0000025. */
#include "lab.h"

static CRITICAL_SECTION lock;
static int value;

static DWORD WINAPI worker(void *unused)
{
    EnterCriticalSection(&lock);
    value++;
    LeaveCriticalSection(&lock);
    return 0;
}

__attribute__((noinline)) static void finish(void)
{
    value++;
    LeaveCriticalSection(&lock);
    value++;
}

int main(void)
{
    struct Waiters waiters;
    HANDLE stale;
    reporter_start(REPORT_UNHANDLED);
    reporter_main_returns_to(__builtin_return_address(0));
    AddVectoredExceptionHandler(0, (PVECTORED_EXCEPTION_HANDLER)(void *)GetProcAddress(GetModuleHandleA("cslab.dll"), "RtlDispatchException"));
    InitializeCriticalSection(&lock);
    make_waiters(&waiters, 1, worker, NULL);
    EnterCriticalSection(&lock);
    stale = free_a_slot();
    start_waiters(&waiters);
    reporter_expect(&lock, lock.LockSemaphore);
    CloseHandle(stale); /* the bug */
    finish();
    return 0;
}
