/* Eighth batch, plain C: an overlapped request's event has two owners; a session's structure is assigned. */
#include "lab.h"
#include <string.h>

#define NOINLINE __attribute__((noinline))
#ifndef WAITERS
#define WAITERS 2
#endif
static volatile int sink;
static struct Waiters waiters;

static DWORD WINAPI pass(void *lock)
{
    EnterCriticalSection(lock);
    sink++;
    LeaveCriticalSection(lock);
    return 0;
}
static void prepare(CRITICAL_SECTION *lock)
{
#ifdef SPIN
    InitializeCriticalSectionAndSpinCount(lock, SPIN);
#else
    InitializeCriticalSection(lock);
#endif
    make_waiters(&waiters, WAITERS, pass, lock);
}

#if defined(OVERLAPPED_EVENT)
/* The request is copied into the list of pending ones; cancelling closes the event of the copy, completion that of the original. */
struct request { OVERLAPPED o; char buffer[32]; int state; };
static struct { struct request pending[4]; int count; CRITICAL_SECTION lock; DWORD cancelled; } port;
NOINLINE static void cancel_all(void)
{
    while (port.count > 0) {
        CloseHandle(port.pending[--port.count].o.hEvent);
        port.cancelled++;
    }
}
NOINLINE static void complete(struct request *one)
{
    one->state = 3;
    CloseHandle(one->o.hEvent);
}
static int run(void)
{
    struct request one;
    memset(&one, 0, sizeof one);
    prepare(&port.lock);
    one.o.hEvent = CreateEventA(NULL, TRUE, FALSE, NULL);
    port.pending[port.count++] = one;
    cancel_all();
    EnterCriticalSection(&port.lock);
    start_waiters(&waiters);
    reporter_act("handle-closed", &port.lock);
    reporter_expect(&port.lock, port.lock.LockSemaphore);
    complete(&one);
    LeaveCriticalSection(&port.lock);
    return sink + one.state;
}
#elif defined(ADOPTED)
/* *session = *incoming, and the incoming one is freed as any session: with its lock. */
struct session { int id; char user[20]; CRITICAL_SECTION lock; struct session *next; LONGLONG bytes; };
static struct session *sessions;
NOINLINE static void session_free(struct session *s)
{
    DeleteCriticalSection(&s->lock);
    HeapFree(GetProcessHeap(), 0, s);
}
NOINLINE static void adopt(struct session *slot, struct session *incoming)
{
    struct session *next = slot->next;
    *slot = *incoming;
    slot->next = next;
    reporter_act("copied", &incoming->lock);
    reporter_expect(&slot->lock, incoming->lock.LockSemaphore);
    session_free(incoming);
}
static int run(void)
{
    struct session *incoming = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof *incoming);
    sessions = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, 2 * sizeof *sessions);
    incoming->id = 4471;
    strcpy(incoming->user, "guest-4471");
    prepare(&incoming->lock);
    EnterCriticalSection(&incoming->lock);
    start_waiters(&waiters);
    adopt(&sessions[1], incoming);
    sessions[1].bytes += 512;
    LeaveCriticalSection(&sessions[1].lock);
    return sink;
}
#endif

int main(void)
{
    LAB_START();
    return run();
}
