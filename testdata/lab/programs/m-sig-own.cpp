// Third batch: left by a thread that does not own it, really raced until one of the two meets a section that is free. Macros choose
// how the wrong Leave comes about.
#include "unseen.h"

struct Account { int id; CRITICAL_SECTION lock; volatile LONG balance; };
static Account *from, *to;
static volatile LONG running;

// The owner's functions call each other, and each locks.
NOINLINE static void deposit(Account *account) { EnterCriticalSection(&account->lock); account->balance++; LeaveCriticalSection(&account->lock); }
static DWORD WINAPI cashier(void *)
{
    for (;;) {
        EnterCriticalSection(&to->lock);
        deposit(to);
        deposit(to);
        LeaveCriticalSection(&to->lock);
    }
}

#if defined(WRONG_ONE)
// Copied code: the first one is entered, the second one left.
NOINLINE static int transfer()
{
    EnterCriticalSection(&from->lock);
    from->balance--;
    LeaveCriticalSection(&to->lock);
    return sink++;
}
#elif defined(RESUMED_ELSEWHERE)
// A task is suspended with the lock held and goes on on another thread.
struct Task { int (*next)(Task *); Account *held; int value; };
static int rest_of_task(Task *task) { task->value++; LeaveCriticalSection(&task->held->lock); return task->value; }
NOINLINE static int transfer()
{
    static Task task = { rest_of_task, NULL, 0 };
    task.held = to;
    return task.next(&task);
}
#elif defined(DEFERRED)
// A list of clean-ups is run at the end of a request, and kept for the next one.
struct Deferred { virtual void run() = 0; virtual ~Deferred() { } };
struct Unlock : Deferred { CRITICAL_SECTION *lock; void run() override { LeaveCriticalSection(lock); sink++; } };
static Deferred *deferred[4];
NOINLINE static int transfer()
{
    static Unlock unlock;
    unlock.lock = &to->lock;
    deferred[1] = &unlock;
    for (Deferred *one : deferred)
        if (one)
            one->run();
    return sink;
}
#else
// Depth is counted by the program, and the count is shared by all threads.
static volatile LONG depth = 1;
NOINLINE static int transfer()
{
    while (depth > 0) {
        LeaveCriticalSection(&to->lock);
        depth--;
    }
    return depth = 1;
}
#endif

static DWORD WINAPI teller(void *)
{
    act("not-owner", &to->lock);
    while (!running)
        Sleep(1);
    for (;;) {
        sink += transfer();
        for (int i = 0; i < 25; i++)
            YieldProcessor();
    }
}

int main()
{
    Waiters cashiers, tellers;
    LAB_START();
    crowd();
    from = static_cast<Account *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, 2 * sizeof(Account)));
    to = from + 1;
    initialize(&from->lock);
    initialize(&to->lock);
    expect(&to->lock);
    make_waiters(&cashiers, 1, cashier, NULL);
    make_waiters(&tellers, 1, teller, NULL);
    EnterCriticalSection(&to->lock);
    start_waiters(&tellers);
    LeaveCriticalSection(&to->lock);
    running = 1;
    start_waiters(&cashiers);
    Sleep(15000);
    return sink;
}
