/* A text in front of the section runs over it before Enter. Enter succeeds, because the lowest bits of the letters that
 * are LockCount now say "free, nobody woken", and repairs OwningThread and RecursionCount; Leave then signals a text.
 * The old algorithm enters only a LockCount of -1: there only LockSemaphore is hit, and the thread that has to wait
 * raises, in Enter. */
#include "lab.h"

struct Job {
    char title[16];
    CRITICAL_SECTION lock;
    int state;
};

static struct Job *job;

#ifdef LAB_OLD
static DWORD WINAPI late_worker(void *unused)
{
    EnterCriticalSection(&job->lock);
    job->state++;
    LeaveCriticalSection(&job->lock);
    return 0;
}

static void overwrite(void) { *(const char **)&job->lock.LockSemaphore = job->title; }

static void use(void)
{
    struct Waiters waiters;
    make_waiters(&waiters, 1, late_worker, NULL);
    EnterCriticalSection(&job->lock);
    start_waiters(&waiters);
    Sleep(5000);
}
#else
static void overwrite(void)
{
    static const char text[] = "backup of mail, to: co-workers of the west wing, and to the archive";
    memcpy(job->title, text, sizeof job->title + sizeof job->lock);
}

__attribute__((noinline)) static void use(void)
{
    EnterCriticalSection(&job->lock);
    job->state++;
    LeaveCriticalSection(&job->lock);
    job->state++;
}
#endif

int main(void)
{
    LAB_START();
    job = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof *job);
    InitializeCriticalSection(&job->lock);
    overwrite(); /* the bug */
    reporter_expect(&job->lock, job->lock.LockSemaphore);
    use();
    return 0;
}
