// Second batch: a section is left by a thread that does not own it, while its owner enters and leaves; really raced, until one of the
// two meets a free section. Macros choose how the stranger comes to leave.
#include "unseen.h"

struct Channel { int id; CRITICAL_SECTION lock; volatile LONG sent; };
static Channel channels[3];
static Channel *channel = &channels[1];

// The owner: functions that lock call functions that lock.
NOINLINE static void inner() { EnterCriticalSection(&channel->lock); channel->sent++; LeaveCriticalSection(&channel->lock); }
static DWORD WINAPI owner(void *)
{
    for (;;) {
        EnterCriticalSection(&channel->lock);
        inner();
        inner();
        LeaveCriticalSection(&channel->lock);
    }
}

#if defined(FAILED_TRY)
// The answer of TryEnter is looked at, but the cleanup leaves all the same.
NOINLINE static bool flush()
{
    bool mine = (BYTE)TryEnterCriticalSection(&channel->lock) != 0;
    if (mine)
        channel->id++;
    LeaveCriticalSection(&channel->lock);
    return mine;
}
#elif defined(GUARD_TWICE)
// unlock() of a guard that does not remember it, and its destructor.
struct Guard {
    explicit Guard(CRITICAL_SECTION *s) : section(s) { EnterCriticalSection(section); }
    ~Guard() { unlock(); }
    void unlock() { LeaveCriticalSection(section); }
    CRITICAL_SECTION *section;
};
NOINLINE static bool flush()
{
    Guard guard(&channel->lock);
    channel->id++;
    guard.unlock();
    return ++sink > 0;
}
#elif defined(COMPLETION)
// The request's completion, on another thread, leaves for the one that started it.
struct Request { void (*done)(Request *); CRITICAL_SECTION *held; };
static void on_done(Request *request) { LeaveCriticalSection(request->held); sink++; }
NOINLINE static bool flush()
{
    Request request = { on_done, &channel->lock };
    Request *volatile any = &request;
    any->done(any);
    return true;
}
#else
// "goto done" before the Enter reaches the Leave behind it.
NOINLINE static bool flush()
{
    bool result = false;
    if (channel->id < 5)
        goto done;
    EnterCriticalSection(&channel->lock);
    result = true;
done:
    LeaveCriticalSection(&channel->lock);
    return result;
}
#endif

// It begins while the other one owns the section; its first Leave comes when that is over.
static volatile LONG started;
static DWORD WINAPI stranger(void *)
{
    act("not-owner", &channel->lock);
    while (!started)
        Sleep(1);
    for (;;) {
        flush();
        for (int i = 0; i < 20; i++)
            YieldProcessor();
    }
}

static int scenario()
{
    Waiters owners, strangers;
    channel->id = 1;
    initialize(&channel->lock);
    expect(&channel->lock);
    make_waiters(&owners, 1, owner, NULL);
    make_waiters(&strangers, 1, stranger, NULL);
    EnterCriticalSection(&channel->lock);
    start_waiters(&strangers);
    LeaveCriticalSection(&channel->lock);
    started = 1;
    start_waiters(&owners);
    Sleep(15000);
    return sink;
}

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
