/* Third batch, in C: tables, callbacks and cleanup as C writes them, one mistake each. */
#include "lab.h"
#include <stdlib.h>

#define NOINLINE __attribute__((noinline))
static volatile int sink;

static void note(const char *cause, const CRITICAL_SECTION *lock)
{
    reporter_act(cause, lock);
    reporter_expect(lock, NULL);
}

#if defined(TABLE_MOVES)
/* The table grows by HeapReAlloc; the command under way still has the entry that it looked up before. */
struct entry { char name[40]; int value; CRITICAL_SECTION lock; char text[6000]; };
static struct entry *table;
static int entries;
NOINLINE static struct entry *find(int at) { return &table[at]; }
NOINLINE static void grow(int to)
{
    table = HeapReAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, table, to * sizeof *table);
    sink += to;
}
NOINLINE static int set(struct entry *e, int value)
{
    if (!TryEnterCriticalSection(&e->lock))
        return -1;
    e->value = value;
    LeaveCriticalSection(&e->lock);
    return 0;
}
static int scenario(void)
{
    struct entry *e;
    table = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof *table * 600);
    for (; entries < 600; entries++)
        InitializeCriticalSection(&table[entries].lock);
    e = find(417);
    set(e, 1);
    note("memory-released", &e->lock);
    grow(700);
    return set(e, 2);
}
#elif defined(TEMPLATE)
/* New jobs are made from a template, by assignment, and the template is destroyed before they are. */
struct job { int priority; const char *queue; CRITICAL_SECTION lock; int retries; };
static struct job template_job, jobs[4];
NOINLINE static void make_template(void)
{
    template_job.priority = 5;
    template_job.queue = "default";
    template_job.retries = 3;
    InitializeCriticalSection(&template_job.lock);
}
NOINLINE static void destroy(struct job *j)
{
    DeleteCriticalSection(&j->lock);
    j->retries = -1;
}
static int scenario(void)
{
    make_template();
    reporter_act("copied", &template_job.lock);
    jobs[2] = template_job;
    jobs[2].priority = 9;
    destroy(&template_job);
    reporter_expect(&jobs[2].lock, NULL);
    destroy(&jobs[2]);
    return 0;
}
#elif defined(LONGER_STRUCTURE)
/* *to = *from, by a cast to the protocol's second version, which is longer. */
struct hello_1 { WORD version, port; DWORD flags; };
struct hello_2 { WORD version, port; DWORD flags; DWORD from[4], to[4]; };
struct client { struct hello_1 hello; CRITICAL_SECTION lock; int messages; };
static struct client clients[8];
NOINLINE static void accept_hello(struct client *c, const struct hello_2 *h) { *(struct hello_2 *)(void *)&c->hello = *h; }
NOINLINE static int count_message(struct client *c)
{
    EnterCriticalSection(&c->lock);
    c->messages++;
    LeaveCriticalSection(&c->lock);
    return c->messages;
}
static int scenario(void)
{
    static const struct hello_2 hello = { 2, 4410, 0x11, { 0x20010DB8, 0x00420000, 0x8A2E0370, 0x73340000 }, { 0x20010DB8, 0x00420001, 0, 0x10 } };
    for (int i = 0; i < 8; i++) {
        InitializeCriticalSection(&clients[i].lock);
        count_message(&clients[i]);
    }
    note("corrupted", &clients[6].lock);
    accept_hello(&clients[6], &hello);
    for (int i = 0; i < 8; i++)
        count_message(&clients[i]);
    return 0;
}
#elif defined(LEFT_THROUGH_STALE)
/* cleanup leaves the lock by way of a pointer that the same cleanup has set to a poison value. */
struct context { CRITICAL_SECTION *lock; void *scratch; int depth; };
static CRITICAL_SECTION device_lock;
NOINLINE static void poison(struct context *c)
{
    c->lock = (CRITICAL_SECTION *)(ULONG_PTR)LEFT_THROUGH_STALE;
    c->scratch = (void *)(ULONG_PTR)LEFT_THROUGH_STALE;
}
NOINLINE static int command(int failing)
{
    struct context c = { &device_lock, NULL, 1 };
    EnterCriticalSection(c.lock);
    if (failing) {
        poison(&c);
        note("bad-pointer", c.lock);
    }
    LeaveCriticalSection(c.lock);
    return c.depth;
}
static int scenario(void)
{
    InitializeCriticalSection(&device_lock);
    return command(0) + command(1);
}
#elif defined(SKIPPED_BY_SWITCH)
/* A jump into the middle of the switch for a restored state passes over the case that makes the lock. */
enum { FRESH, OPENED, RUNNING };
struct machine { int state, ticks; CRITICAL_SECTION lock; };
NOINLINE static int step(struct machine *m)
{
    switch (m->state) {
    case FRESH:
        InitializeCriticalSection(&m->lock);
        m->state = OPENED; /* fall through */
    case OPENED:
        m->ticks = 0;
        m->state = RUNNING; /* fall through */
    default:
        EnterCriticalSection(&m->lock);
        m->ticks++;
        LeaveCriticalSection(&m->lock);
    }
    return m->ticks;
}
static int scenario(void)
{
    struct machine *machines = calloc(3, sizeof *machines);
    machines[1].state = OPENED;
    note("never-initialized", &machines[1].lock);
    for (int i = 0; i < 6; i++)
        step(&machines[i % 3]);
    return 0;
}
#endif

int main(void)
{
    LAB_START();
    return scenario();
}
