/* As closed.c, three waiters, a section in a heap object; the function that leaves does it by a tail call (a jump), so
 * the call before the return address does not name Leave but the function that jumped. */
#include "lab.h"

struct Store { int changes; CRITICAL_SECTION lock; };

static struct Store *store;

static DWORD WINAPI worker(void *unused)
{
    EnterCriticalSection(&store->lock);
    store->changes++;
    LeaveCriticalSection(&store->lock);
    return 0;
}

__attribute__((noipa)) static void WINAPI store_unlock(CRITICAL_SECTION *lock) { LeaveCriticalSection(lock); }

__attribute__((noipa)) static int commit(struct Store *s)
{
    s->changes++;
    store_unlock(&s->lock);
    return s->changes;
}

int main(void)
{
    struct Waiters waiters;
    HANDLE stale;
    LAB_START();
    store = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof *store);
    InitializeCriticalSection(&store->lock);
    make_waiters(&waiters, 3, worker, NULL);
    EnterCriticalSection(&store->lock);
    stale = free_a_slot();
    start_waiters(&waiters);
    reporter_expect(&store->lock, store->lock.LockSemaphore);
    CloseHandle(stale); /* the bug */
    return commit(store);
}
