/* One bit of LockSemaphore is flipped by code that sets a flag through a wrong pointer. Static section, two waiters. */
#include "lab.h"

__declspec(dllimport) LONG NTAPI RtlLeaveCriticalSection(CRITICAL_SECTION *section);

static CRITICAL_SECTION cache_lock;
static int cache_hits;

static DWORD WINAPI worker(void *unused)
{
    EnterCriticalSection(&cache_lock);
    cache_hits++;
    LeaveCriticalSection(&cache_lock);
    return 0;
}

__attribute__((noinline)) static void set_dirty(volatile ULONG_PTR *flags) { *flags ^= 0x100; }

__attribute__((noinline)) static void leave_cache(void)
{
    cache_hits++;
    RtlLeaveCriticalSection(&cache_lock);
    cache_hits++;
}

int main(void)
{
    struct Waiters waiters;
    LAB_START();
    InitializeCriticalSection(&cache_lock);
    make_waiters(&waiters, 2, worker, NULL);
    EnterCriticalSection(&cache_lock);
    start_waiters(&waiters);
    set_dirty((volatile ULONG_PTR *)&cache_lock.LockSemaphore); /* the bug */
    reporter_expect(&cache_lock, cache_lock.LockSemaphore);
    leave_cache();
    return 0;
}
