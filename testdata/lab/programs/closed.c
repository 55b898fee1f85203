/* Double close: an old handle value is closed a second time, after the section's event has taken its slot. */
#include "lab.h"

static CRITICAL_SECTION job_lock;
static volatile LONG jobs_done;

static DWORD WINAPI worker(void *unused)
{
    (void)unused;
    EnterCriticalSection(&job_lock);
    jobs_done++;
    LeaveCriticalSection(&job_lock);
    return 0;
}

__attribute__((noinline)) static void finish_job(void)
{
    jobs_done++;
    LeaveCriticalSection(&job_lock);
    jobs_done++;
}

int main(void)
{
    struct Waiters waiters;
    HANDLE stale;
    LAB_START();
    InitializeCriticalSection(&job_lock);
    make_waiters(&waiters, 2, worker, NULL);
    EnterCriticalSection(&job_lock);
    stale = free_a_slot();
    start_waiters(&waiters);
    reporter_expect(&job_lock, job_lock.LockSemaphore);
    CloseHandle(stale); /* the bug */
    finish_job();
    return 0;
}
