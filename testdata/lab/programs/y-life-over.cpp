// Eighth batch: a Delete overtakes somebody who is in the middle of his Leave or Enter. Macros choose whose object it was.
#include "q-stub.h"

#if defined(GATE)
// A job's end is told through an object on the stack of the one who waits; he goes as soon as he sees it.
struct Gate { CRITICAL_SECTION lock; volatile LONG open; };
static Gate *volatile gate;
static DWORD WINAPI job(void *)
{
    Gate *mine = gate;
    EnterCriticalSection(&mine->lock);
    mine->open = 1;
    start_waiters(&waiters);
    expect(&mine->lock);
    stop_at("NtSetEvent");
    LeaveCriticalSection(&mine->lock);
    sink++;
    return 0;
}
static DWORD WINAPI requester(void *)
{
    Gate here = { };
    initialize(&here.lock);
    make_waiters(&waiters, WAITERS, pass_through, &here.lock);
    gate = &here;
    while (!here.open)
        Sleep(10);
    SuspendThread(GetCurrentThread());
    act("deleted", &here.lock);
    DeleteCriticalSection(&here.lock);
    other_done = 1;
    WaitForSingleObject(GetCurrentThread(), INFINITE);
    return here.open;
}
static int scenario()
{
    Waiters one, worker;
    make_waiters(&one, 1, requester, NULL);
    make_waiters(&worker, 1, job, NULL);
    other_thread = one.threads[0];
    ResumeThread(other_thread);
    while (!gate)
        Sleep(10);
    Sleep(200);
    start_waiters(&worker);
    Sleep(5000);
    return sink;
}
#elif defined(REFERENCES)
// The last reference is given up under the object's own lock; the next owner of the block is a zeroed table.
struct Document { virtual ~Document() { } ULONG references; char title[12]; CRITICAL_SECTION lock; };
static Document *document;
static DWORD WINAPI last_release(void *)
{
    act("deleted", &document->lock);
    DeleteCriticalSection(&document->lock);
    HeapFree(GetProcessHeap(), 0, document);
    for (int i = 0; i < 40; i++)
        HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(Document));
    other_done = 1;
    Sleep(INFINITE);
    return 0;
}
NOINLINE static void release(Document *one)
{
    EnterCriticalSection(&one->lock);
    one->references--;
    start_waiters(&waiters);
    stop_at("NtSetEvent");
    LeaveCriticalSection(&one->lock);
    sink++;
}
static int scenario()
{
    Waiters one;
    document = new Document();
    document->references = 2;
    prepare(&document->lock);
    make_waiters(&one, 1, last_release, NULL);
    other_thread = one.threads[0];
    expect(&document->lock);
    release(document);
    return sink;
}
#elif defined(MAILBOX)
// A sender is about to sleep for the mailbox when its owner throws it away.
struct Mailbox { int count; CRITICAL_SECTION lock; void *letters[6]; };
static Mailbox mailboxes[3];
static DWORD WINAPI owner(void *)
{
    Mailbox &box = mailboxes[1];
    EnterCriticalSection(&box.lock);
    SuspendThread(GetCurrentThread());
    LeaveCriticalSection(&box.lock);
    act("deleted", &box.lock);
    DeleteCriticalSection(&box.lock);
    box.count = 0;
    other_done = 1;
    Sleep(INFINITE);
    return 0;
}
NOINLINE static void send(Mailbox *box, void *letter)
{
    stop_at("NtWaitForSingleObject");
    EnterCriticalSection(&box->lock);
    box->letters[box->count++] = letter;
    LeaveCriticalSection(&box->lock);
}
static int scenario()
{
    Waiters one;
    for (Mailbox &box : mailboxes)
        initialize(&box.lock);
    make_waiters(&one, 1, owner, NULL);
    other_thread = one.threads[0];
    start_waiters(&one);
    expect(&mailboxes[1].lock);
    send(&mailboxes[1], &one);
    return mailboxes[1].count;
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
