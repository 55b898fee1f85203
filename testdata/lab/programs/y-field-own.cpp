// Eighth batch: one Leave too many, really raced until both count down at once. Macros choose how it comes about.
#include "unseen.h"

class Console { public: CRITICAL_SECTION lock; volatile LONG lines, flags; const char *title; };
static Console *console;
static volatile LONG started;

NOINLINE static void print_line() { EnterCriticalSection(&console->lock); console->lines++; LeaveCriticalSection(&console->lock); }
static DWORD WINAPI printer(void *) { for (;;) print_line(); }

#if defined(GIVES_UP)
// The guard gives up after some tries; its destructor leaves in any case.
struct Brief {
    Console *of;
    bool owns = false;
    explicit Brief(Console *c) : of(c) { for (int i = 0; i < 3 && !owns; i++) owns = TryEnterCriticalSection(&of->lock); }
    ~Brief() { LeaveCriticalSection(&of->lock); }
};
NOINLINE static int turn()
{
    Brief brief(console);
    if (brief.owns)
        console->flags ^= 4;
    return sink++;
}
#elif defined(UNLOCKED_INSIDE)
// A function that is called under the lock has come to leave it, too.
NOINLINE static void process_events()
{
    console->flags &= ~2;
    LeaveCriticalSection(&console->lock);
}
NOINLINE static int turn()
{
    EnterCriticalSection(&console->lock);
    console->flags |= 2;
    process_events();
    LeaveCriticalSection(&console->lock);
    return sink++;
}
#else
// The error path jumps to the Leave at the end, from before the Enter.
static volatile int wanted = -1;
NOINLINE static int turn()
{
    int result = -1;
    if (wanted < 0)
        goto end;
    EnterCriticalSection(&console->lock);
    result = console->lines + wanted;
end:
    LeaveCriticalSection(&console->lock);
    sink += result;
    return result;
}
#endif

static DWORD WINAPI other(void *)
{
    act("not-owner", &console->lock);
    while (!started)
        Sleep(1);
    for (;;) {
        sink += turn();
        for (int i = 0; i < 20; i++)
            YieldProcessor();
    }
}

int main()
{
    Waiters printers, others;
    LAB_START();
    crowd();
    console = new Console { {}, 0, 0, "Build" };
    initialize(&console->lock);
    expect(&console->lock);
    make_waiters(&printers, 1, printer, NULL);
    make_waiters(&others, 1, other, NULL);
    EnterCriticalSection(&console->lock);
    start_waiters(&others);
    LeaveCriticalSection(&console->lock);
    started = 1;
    start_waiters(&printers);
    Sleep(15000);
    return sink;
}
