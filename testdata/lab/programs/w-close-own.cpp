// Sixth batch: a lock is left by a thread that does not have it, while another does; really raced until both count down at once. Macros
// choose the mistake.
#include "unseen.h"

struct Console { char title[12]; CRITICAL_SECTION lock; volatile LONG lines, cursor; };
static Console *console;
[[maybe_unused]] static Console *second;
static volatile LONG go;
static volatile LONG closing = 1;

NOINLINE static void print(int count)
{
    EnterCriticalSection(&console->lock);
    console->lines += count;
    LeaveCriticalSection(&console->lock);
}
// The rightful user, with recursion as in most programs.
static DWORD WINAPI output(void *)
{
    for (;;) {
        EnterCriticalSection(&console->lock);
        print(1);
        print(2);
        console->cursor++;
        LeaveCriticalSection(&console->lock);
    }
}

#if defined(CLOSE_TWICE)
// A shutdown unlocks in a function that it calls, and then once more.
NOINLINE static void handle_close()
{
    closing = 0;
    LeaveCriticalSection(&console->lock);
}
NOINLINE static int turn()
{
    EnterCriticalSection(&console->lock);
    closing = 1;
    if (closing)
        handle_close();
    LeaveCriticalSection(&console->lock);
    return sink++;
}
#elif defined(EARLY_FAIL)
// The check that fails comes before the lock is taken, the label it jumps to unlocks.
NOINLINE static int turn()
{
    int size = closing - 1, result = -1;
    if (size == 0)
        goto fail;
    EnterCriticalSection(&console->lock);
    result = size;
fail:
    LeaveCriticalSection(&console->lock);
    return result;
}
#elif defined(TRY_IGNORED)
// TryEnter's answer is put into a variable that nobody reads.
struct TryGuard {
    CRITICAL_SECTION *lock;
    BOOL entered;
    explicit TryGuard(CRITICAL_SECTION *l) : lock(l), entered(TryEnterCriticalSection(l)) { }
    ~TryGuard() { LeaveCriticalSection(lock); }
};
NOINLINE static int turn()
{
    TryGuard guard(&console->lock);
    return sink += 3;
}
#elif defined(WRONG_OBJECT)
// Its own console is entered, the other one is left.
NOINLINE static int turn()
{
    EnterCriticalSection(&second->lock);
    second->lines++;
    LeaveCriticalSection(&console->lock);
    return sink;
}
#elif defined(UNLOCK_AROUND)
// The caller of a callback unlocks around it and believes that it is locked.
typedef int (*callback_function)(Console *);
static int on_line(Console *of) { return of->cursor; }
NOINLINE static int turn()
{
    static callback_function volatile callback = on_line;
    LeaveCriticalSection(&console->lock);
    int result = callback(console);
    EnterCriticalSection(&console->lock);
    LeaveCriticalSection(&console->lock);
    return result;
}
#else
// A lock as a signal: one thread enters, the one that is done leaves.
struct Handover { virtual void done() = 0; virtual ~Handover() { } };
struct LockHandover : Handover { NOINLINE void done() override { LeaveCriticalSection(&console->lock); sink++; } };
NOINLINE static int turn()
{
    static LockHandover handover;
    Handover *volatile any = &handover;
    any->done();
    return sink;
}
#endif

static DWORD WINAPI stranger(void *)
{
    act("not-owner", &console->lock);
    while (!go)
        Sleep(1);
    for (;;) {
        sink += turn();
        for (int i = 0; i < 30; i++)
            YieldProcessor();
    }
}

int main()
{
    Waiters owners, strangers;
    LAB_START();
    crowd();
    console = new Console();
    second = new Console();
    lstrcpyA(console->title, "Console 1");
    lstrcpyA(second->title, "Console 2");
    initialize(&second->lock);
    initialize(&console->lock);
    expect(&console->lock);
    make_waiters(&owners, 1, output, NULL);
    make_waiters(&strangers, 1, stranger, NULL);
    EnterCriticalSection(&console->lock);
    start_waiters(&strangers);
    LeaveCriticalSection(&console->lock);
    go = 1;
    start_waiters(&owners);
    Sleep(20000);
    return sink;
}
