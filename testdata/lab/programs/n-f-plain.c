/* Fresh faults, in C: servers and tables as C writes them, one mistake each. */
#include "lab.h"
#include <stdlib.h>

#define NOINLINE __attribute__((noinline))
static volatile int sink;

#if defined(STOPPED_EARLY)
/* The loop that makes the slots stops at a port that is taken; the rest of the table is used all the same. */
struct slot { int port, in_use; CRITICAL_SECTION lock; };
static struct slot *slots;
NOINLINE static int open_slots(int count, int taken)
{
    slots = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, count * sizeof *slots);
    for (int i = 0; i < count; i++) {
        if (8000 + i == taken)
            return -1;
        slots[i].port = 8000 + i;
        InitializeCriticalSection(&slots[i].lock);
    }
    return 0;
}
NOINLINE static void use_slot(struct slot *s)
{
    EnterCriticalSection(&s->lock);
    s->in_use++;
    LeaveCriticalSection(&s->lock);
}
static int scenario(void)
{
    open_slots(8, 8005);
    reporter_act("never-initialized", &slots[5].lock);
    reporter_expect(&slots[5].lock, NULL);
    for (int i = 0; i < 8; i++)
        use_slot(&slots[i]);
    return 0;
}
#elif defined(GOTO_CLEANUP)
/* "goto cleanup" before the lock was made; the structure came from a recycled block with a line of text in it. */
struct request { char *url; int status; CRITICAL_SECTION lock; int body_size; };
static char recycled[3 * sizeof(struct request)];
NOINLINE static int handle(struct request *r, int size)
{
    int result = -1;
    r->url = NULL;
    r->status = 0;
    if (size > 100)
        goto cleanup;
    InitializeCriticalSection(&r->lock);
    r->body_size = size;
    result = 0;
cleanup:
    HeapFree(GetProcessHeap(), 0, r->url);
    DeleteCriticalSection(&r->lock);
    return result;
}
static int scenario(void)
{
    struct request *r = (struct request *)(void *)(recycled + sizeof *r);
    for (unsigned i = 0; i < sizeof recycled; i++)
        recycled[i] = "User-Agent: contoso-sync/3.1 (build 2207; en-GB)\r\n"[i % 50];
    reporter_act("never-initialized", &r->lock);
    reporter_expect(&r->lock, NULL);
    return handle(r, 4096);
}
#elif defined(DEBUG_ALLOCATOR)
/* The program's allocator fills new blocks with BAADF00D, as a heap under a debugger does. */
struct player { int id, score; CRITICAL_SECTION lock; };
NOINLINE static void *filled(SIZE_T size)
{
    DWORD *block = HeapAlloc(GetProcessHeap(), 0, size);
    for (SIZE_T i = 0; i < size / 4; i++)
        block[i] = 0xBAADF00D;
    return block;
}
NOINLINE static void add_score(struct player *p, int points)
{
    EnterCriticalSection(&p->lock);
    p->score += points;
    LeaveCriticalSection(&p->lock);
}
static int scenario(void)
{
    struct player *players[3];
    for (int i = 0; i < 3; i++) {
        players[i] = filled(sizeof *players[i]);
        players[i]->id = i;
        players[i]->score = 0;
        if (i != 2)
            InitializeCriticalSection(&players[i]->lock);
    }
    reporter_act("never-initialized", &players[2]->lock);
    reporter_expect(&players[2]->lock, NULL);
    for (int i = 0; i < 3; i++)
        add_score(players[i], 10);
    return 0;
}
#elif defined(SHUT_DOWN_TWICE)
/* shutdown() from the control handler's path and from main's end; it locks before it destroys. */
static CRITICAL_SECTION server_lock;
static int open_sockets = 4;
NOINLINE static void server_shutdown(void)
{
    EnterCriticalSection(&server_lock);
    while (open_sockets > 0)
        open_sockets--;
    LeaveCriticalSection(&server_lock);
    reporter_act("deleted", &server_lock);
    reporter_expect(&server_lock, NULL);
    DeleteCriticalSection(&server_lock);
}
NOINLINE static int serve(int requests)
{
    for (int i = 0; i < requests; i++)
        sink += i;
    if (sink > 10)
        server_shutdown();
    return sink;
}
static int scenario(void)
{
    InitializeCriticalSection(&server_lock);
    serve(6);
    server_shutdown();
    return 0;
}
#elif defined(DEFAULTS)
/* The default table is constant; lookups that find nothing use it as if it were an entry. */
struct option { const char *name; int value; CRITICAL_SECTION lock; };
static const struct option defaults = { "timeout", 30, { NULL, -1, 0, NULL, NULL, 0 } };
static struct option options[3];
NOINLINE static struct option *find(const char *name)
{
    for (int i = 0; i < 3; i++)
        if (options[i].name && !lstrcmpA(options[i].name, name))
            return &options[i];
    return (struct option *)(void *)&defaults;
}
NOINLINE static void set(const char *name, int value)
{
    struct option *o = find(name);
    reporter_act("bad-pointer", &o->lock);
    reporter_expect(&o->lock, NULL);
    EnterCriticalSection(&o->lock);
    o->value = value;
    LeaveCriticalSection(&o->lock);
}
static int scenario(void)
{
    for (int i = 0; i < 3; i++)
        InitializeCriticalSection(&options[i].lock);
    set("retries", 5);
    return 0;
}
#endif

int main(void)
{
    LAB_START();
    return scenario();
}
