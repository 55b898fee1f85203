// Fifth batch: a lock is left by somebody who has not entered it, while another has it; really raced until both count down at once. Macros
// choose who leaves.
#include "unseen.h"

struct Ledger { wchar_t name[6]; CRITICAL_SECTION lock; volatile LONG bookings, open_items; };
static Ledger *ledger;
static volatile LONG started;
static volatile LONG locking = 0; // "multi-threaded", as the configuration has it

NOINLINE static void book() { EnterCriticalSection(&ledger->lock); ledger->bookings++; LeaveCriticalSection(&ledger->lock); }
static DWORD WINAPI bookkeeper(void *)
{
    for (;;) {
        EnterCriticalSection(&ledger->lock);
        book();
        book();
        ledger->open_items++;
        LeaveCriticalSection(&ledger->lock);
    }
}

#if defined(WATCHDOG)
// A watchdog frees the lock when its owner has it for too long.
NOINLINE static int turn()
{
    if (ledger->lock.OwningThread)
        LeaveCriticalSection(&ledger->lock);
    return sink++;
}
#elif defined(RESUMED_ELSEWHERE)
// A task is entered on one thread and resumed on another, where its guard ends.
struct TaskGuard { CRITICAL_SECTION *lock; ~TaskGuard() { LeaveCriticalSection(lock); sink++; } };
NOINLINE static int turn()
{
    TaskGuard resumed = { &ledger->lock };
    return sink += 2;
}
#else
// Enter is skipped when the configuration says "single thread", Leave is not.
NOINLINE static void enter() { if (locking) EnterCriticalSection(&ledger->lock); }
NOINLINE static int turn()
{
    enter();
    sink++;
    LeaveCriticalSection(&ledger->lock);
    return sink;
}
#endif

static DWORD WINAPI stranger(void *)
{
    act("not-owner", &ledger->lock);
    while (!started)
        Sleep(1);
    for (;;) {
        sink += turn();
        for (int i = 0; i < 25; i++)
            YieldProcessor();
    }
}

int main()
{
    Waiters owners, strangers;
    static Ledger one = { L"2024", {}, 0, 0 };
    LAB_START();
    crowd();
    ledger = &one;
    initialize(&ledger->lock);
    expect(&ledger->lock);
    make_waiters(&owners, 1, bookkeeper, NULL);
    make_waiters(&strangers, 1, stranger, NULL);
    EnterCriticalSection(&ledger->lock);
    start_waiters(&strangers);
    LeaveCriticalSection(&ledger->lock);
    started = 1;
    start_waiters(&owners);
    Sleep(15000);
    return sink;
}
