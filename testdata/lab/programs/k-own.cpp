// Fourth batch: a Leave too many meets a lock that another thread has; really raced until both count down at once. Macros choose whose
// mistake it is.
#include "unseen.h"

struct Inbox { int id; CRITICAL_SECTION lock; volatile LONG mails, errors; };
static Inbox *inbox;
static volatile LONG go;

NOINLINE static void deliver() { EnterCriticalSection(&inbox->lock); inbox->mails++; LeaveCriticalSection(&inbox->lock); }
static DWORD WINAPI server(void *)
{
    for (;;) {
        EnterCriticalSection(&inbox->lock);
        deliver();
        deliver();
        LeaveCriticalSection(&inbox->lock);
    }
}

#if defined(ERROR_PATH)
// parse() leaves on an error, its caller leaves at its end in any case: this one has never entered.
NOINLINE static bool parse(int mail)
{
    if (mail % 3) {
        LeaveCriticalSection(&inbox->lock);
        return false;
    }
    return true;
}
NOINLINE static int handle() { return parse(static_cast<int>(inbox->mails | 1) * 2) ? 1 : sink++; }
#elif defined(BUSY)
// "if it is busy, do without": but the guard leaves without having entered.
struct TryGuard { bool got; TryGuard() : got(TryEnterCriticalSection(&inbox->lock)) { } ~TryGuard() { LeaveCriticalSection(&inbox->lock); } };
NOINLINE static int handle()
{
    TryGuard guard;
    return guard.got ? 0 : sink++;
}
#elif defined(UI_RELEASES)
// A dialog is the "lock" of the user interface: its close button calls unlock() of what the worker locked.
struct Dialog { virtual void closed() { LeaveCriticalSection(&inbox->lock); sink++; } virtual ~Dialog() { } };
NOINLINE static int handle()
{
    static Dialog dialog;
    Dialog *volatile shown = &dialog;
    shown->closed();
    return sink;
}
#else
// A completion on a pool's thread leaves what the thread that issued the request entered.
static void completed(void *context) { LeaveCriticalSection(static_cast<CRITICAL_SECTION *>(context)); }
static void (*volatile completion)(void *) = completed;
NOINLINE static int handle() { completion(&inbox->lock); return sink++; }
#endif

static DWORD WINAPI client(void *)
{
    act("not-owner", &inbox->lock);
    while (!go)
        Sleep(1);
    for (;;) {
        sink += handle();
        for (int i = 0; i < 30; i++)
            YieldProcessor();
    }
}

int main()
{
    Waiters servers, clients;
    LAB_START();
    crowd();
    inbox = static_cast<Inbox *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(Inbox)));
    initialize(&inbox->lock);
    expect(&inbox->lock);
    make_waiters(&servers, 1, server, NULL);
    make_waiters(&clients, 1, client, NULL);
    EnterCriticalSection(&inbox->lock);
    start_waiters(&clients);
    LeaveCriticalSection(&inbox->lock);
    go = 1;
    start_waiters(&servers);
    Sleep(15000);
    return sink;
}
