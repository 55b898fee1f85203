/* Double close as in closed.c, but the next thing that happens is a further Enter: it fails in its wait. */
#include "lab.h"

static struct { int size; CRITICAL_SECTION lock; } *queue;

static DWORD WINAPI worker(void *unused)
{
    EnterCriticalSection(&queue->lock);
    queue->size++;
    LeaveCriticalSection(&queue->lock);
    return 0;
}

int main(void)
{
    struct Waiters first, second;
    HANDLE stale;
    LAB_START();
    queue = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof *queue);
    InitializeCriticalSection(&queue->lock);
    make_waiters(&first, 1, worker, NULL);
    make_waiters(&second, 1, worker, NULL);
    EnterCriticalSection(&queue->lock);
    stale = free_a_slot();
    start_waiters(&first);
    reporter_expect(&queue->lock, queue->lock.LockSemaphore);
    CloseHandle(stale); /* the bug */
    start_waiters(&second);
    Sleep(5000);
    return 0;
}
