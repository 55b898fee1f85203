/* Third batch, in C: handles closed twice, and tables whose entries move. */
#include "lab.h"
#include <stdlib.h>
#include <string.h>

#define NOINLINE __attribute__((noinline))
#ifndef WAITERS
#define WAITERS 2
#endif
static volatile int sink;
static struct Waiters waiters;

static DWORD WINAPI visit(void *argument)
{
    EnterCriticalSection(argument);
    sink++;
    LeaveCriticalSection(argument);
    return 0;
}
static inline void act(const char *cause, CRITICAL_SECTION *lock)
{
    reporter_expect(lock, lock->LockSemaphore);
    reporter_act(cause, lock);
}

#if defined(HANGUPS)
/* Sessions in a list: hang_up() ends one and marks nothing; the idle check finds it again. */
struct session { struct session *next; HANDLE socket; unsigned idle; char peer[20]; };
static struct { struct session *first; unsigned count; CRITICAL_SECTION lock; } server;
static void add(unsigned idle)
{
    struct session *s = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof *s);
    s->next = server.first;
    s->socket = CreateSemaphoreA(NULL, 0, 4, NULL);
    s->idle = idle;
    lstrcpyA(s->peer, "192.168.7.20:49152");
    server.first = s;
    server.count++;
}
static void hang_up(struct session *s) { CloseHandle(s->socket); server.count--; }
NOINLINE static int check_idle(unsigned limit)
{
    struct session *s;
    EnterCriticalSection(&server.lock);
    start_waiters(&waiters);
    act("handle-closed", &server.lock);
    for (s = server.first; s; s = s->next)
        if (s->idle > limit)
            hang_up(s);
#ifdef TAKE_JOB
    CreateJobObjectA(NULL, NULL);
#endif
    LeaveCriticalSection(&server.lock);
    return server.count;
}
static int scenario(void)
{
    InitializeCriticalSection(&server.lock);
    add(3);
    add(90);
    add(1);
    make_waiters(&waiters, WAITERS, visit, &server.lock);
    hang_up(server.first->next);
    return check_idle(60);
}
#elif defined(COMPACTED)
/* Removing an element moves the last one into its place; the count is decremented too late, so the last one is closed at the end as well. */
static HANDLE open_ones[16];
static int used;
static CRITICAL_SECTION table_lock;
NOINLINE static void remove_at(int i) { CloseHandle(open_ones[i]); open_ones[i] = open_ones[used - 1]; }
NOINLINE static int remove_rest(int from)
{
    int i;
    act("handle-closed", &table_lock);
    for (i = from; i < used; i++)
        CloseHandle(open_ones[i]);
#ifdef TAKE_DIRECTORY
    CreateFileA(".", GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
    CreateFileA(".", GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
#endif
    LeaveCriticalSection(&table_lock);
    return used;
}
static int scenario(void)
{
    InitializeCriticalSectionAndSpinCount(&table_lock, 600);
    for (used = 0; used < 6; used++)
        open_ones[used] = CreateEventA(NULL, TRUE, FALSE, NULL);
    make_waiters(&waiters, WAITERS, visit, &table_lock);
    remove_at(1);
    CreateSemaphoreA(NULL, 0, 2, NULL);
    remove_at(1);
    EnterCriticalSection(&table_lock);
    EnterCriticalSection(&table_lock);
    start_waiters(&waiters);
    LeaveCriticalSection(&table_lock);
    return remove_rest(4);
}
#elif defined(PER_CPU)
/* One block for each processor, with a lock of its own. The loop that stops them has one more than there are, and block 0 is stopped twice. */
struct __attribute__((aligned(64))) block { HANDLE wake; CRITICAL_SECTION lock; unsigned long long ticks; };
static struct block blocks[4];
static void stop(unsigned i) { CloseHandle(blocks[i & 3].wake); }
NOINLINE static int stop_all(unsigned from)
{
    struct block *own = &blocks[2];
    unsigned i;
    act("handle-closed", &own->lock);
    for (i = from; i <= 4; i++)
        stop(i);
    own->ticks++;
    LeaveCriticalSection(&own->lock);
    return (int)own->ticks;
}
static int scenario(void)
{
    int i;
    for (i = 0; i < 4; i++) {
        InitializeCriticalSection(&blocks[i].lock);
        blocks[i].wake = CreateEventA(NULL, FALSE, FALSE, NULL);
    }
    make_waiters(&waiters, WAITERS, visit, &blocks[2].lock);
    stop(0);
    EnterCriticalSection(&blocks[2].lock);
    start_waiters(&waiters);
    return stop_all(3);
}
#elif defined(HANDED_OVER)
/* A callback's context is handed to two workers; each believes that it is the last to use it. */
struct context { HANDLE completed; CRITICAL_SECTION lock; volatile LONG result; };
static DWORD WINAPI worker(void *argument)
{
    struct context *c = argument;
    c->result++;
    SetEvent(c->completed);
    CloseHandle(c->completed);
    Sleep(INFINITE);
    return 0;
}
NOINLINE static int collect(struct context *c, struct Waiters *second)
{
    EnterCriticalSection(&c->lock);
    start_waiters(&waiters);
    act("handle-closed", &c->lock);
    start_waiters(second);
    LeaveCriticalSection(&c->lock);
    return c->result;
}
static int scenario(void)
{
    struct Waiters first, second;
    struct context *c = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, 0x90);
    InitializeCriticalSection(&c->lock);
    c->completed = CreateEventA(NULL, TRUE, FALSE, NULL);
    make_waiters(&first, 1, worker, c);
    make_waiters(&second, 1, worker, c);
    make_waiters(&waiters, WAITERS, visit, &c->lock);
    start_waiters(&first);
    return collect(c, &second);
}
#elif defined(SIGN_LOST)
/* An open() that failed returns -1 as a number of 16 bits; "- 0x10000 + n" of the logging macro makes another handle of it. */
struct record { short kind; unsigned short handle; char text[12]; };
static struct record records[6];
static CRITICAL_SECTION journal_lock;
NOINLINE static void end(const struct record *r, unsigned base) { CloseHandle((HANDLE)(ULONG_PTR)(base + r->handle - 0xFFFF)); }
NOINLINE static int flush(unsigned base)
{
    act("handle-closed", &journal_lock);
    end(&records[4], base);
    records[4].kind = 0;
    LeaveCriticalSection(&journal_lock);
    return records[4].kind;
}
static int scenario(void)
{
    InitializeCriticalSection(&journal_lock);
    records[4].handle = (unsigned short)-1;
    make_waiters(&waiters, WAITERS, visit, &journal_lock);
    EnterCriticalSection(&journal_lock);
    start_waiters(&waiters);
    return flush((unsigned)(ULONG_PTR)journal_lock.LockSemaphore);
}
#elif defined(REALLOCATED)
/* A table grows by HeapReAlloc while an entry is locked; the entries' old block is given back, their events are not closed yet: the
 * shrink that follows deletes the sections of what it cuts off, one of which is a copy of the locked one. */
struct entry { unsigned id; CRITICAL_SECTION lock; char tag[12]; };
static struct entry *entries;
static int count;
NOINLINE static int give_back(struct entry *e)
{
    reporter_expect(&e->lock, e->lock.LockSemaphore);
    e->id |= 0x8000;
    LeaveCriticalSection(&e->lock);
    return e->id;
}
static void duplicate(int from)
{
    entries = HeapReAlloc(GetProcessHeap(), 0, entries, (count + 1) * sizeof *entries);
    entries[count] = entries[from];
    count++;
}
static void drop_last(void) { DeleteCriticalSection(&entries[--count].lock); }
static int scenario(void)
{
    int i;
    entries = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, 8 * sizeof *entries);
    for (count = 0; count < 3; count++) {
        entries[count].id = 40 + count;
        InitializeCriticalSection(&entries[count].lock);
    }
    make_waiters(&waiters, WAITERS, visit, &entries[1].lock);
    EnterCriticalSection(&entries[1].lock);
    start_waiters(&waiters);
    reporter_act("copied", &entries[1].lock);
    for (i = 0; i < 2; i++)
        duplicate(1);
    drop_last();
    return give_back(&entries[1]);
}
#elif defined(SHIFTED)
/* The first of a line of jobs is removed: it is deleted, the others move up, and the place at the end is deleted as "free". */
struct job { CRITICAL_SECTION lock; void (*run)(void); int priority; };
static struct job jobs[6];
static int jobs_used = 5;
NOINLINE static void remove_first(void)
{
    DeleteCriticalSection(&jobs[0].lock);
    memmove(&jobs[0], &jobs[1], (jobs_used - 1) * sizeof *jobs);
    jobs_used--;
    DeleteCriticalSection(&jobs[jobs_used].lock);
}
NOINLINE static int done(int i)
{
    reporter_expect(&jobs[i].lock, jobs[i].lock.LockSemaphore);
    jobs[i].priority = -1;
    LeaveCriticalSection(&jobs[i].lock);
    return i;
}
static int scenario(void)
{
    int i;
    for (i = 0; i < jobs_used; i++)
        InitializeCriticalSection(&jobs[i].lock);
    make_waiters(&waiters, WAITERS, visit, &jobs[4].lock);
    EnterCriticalSection(&jobs[4].lock);
    start_waiters(&waiters);
    reporter_act("copied", &jobs[4].lock);
    remove_first();
    return done(3);
}
#endif

int main(void)
{
    LAB_START();
    return scenario();
}
