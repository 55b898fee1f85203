/* Sixth batch, in C: one mistake each in the code of a small server that writes into a lock. Macros choose the mistake. */
#include "lab.h"
#include <stdio.h>
#include <string.h>

#ifndef WAITERS
#define WAITERS 0
#endif
#define NOINLINE __attribute__((noinline, unused))

static struct Waiters waiters __attribute__((unused)), late_one __attribute__((unused));
static volatile int sink;

static NOINLINE DWORD WINAPI want(void *argument)
{
    EnterCriticalSection(argument);
    sink++;
    LeaveCriticalSection(argument);
    return 0;
}
/* This thread has the lock, others sleep for it, one more will come. */
static NOINLINE void own(CRITICAL_SECTION *lock)
{
    make_waiters(&waiters, WAITERS, want, lock);
    make_waiters(&late_one, 1, want, lock);
    EnterCriticalSection(lock);
    start_waiters(&waiters);
}
static NOINLINE int let_come(CRITICAL_SECTION *lock)
{
    reporter_expect(lock, NULL);
    start_waiters(&late_one);
    Sleep(4000);
    return sink;
}

#if defined(ENTRY_KEY) /* strcpy of a key that came over the network */
struct entry { struct entry *next; char key[12]; CRITICAL_SECTION lock; unsigned hash; };
static NOINLINE void set_key(struct entry *e, const char *key)
{
    volatile char *to = e->key;
    while ((*to++ = *key++) != 0) { }
}
static int work(void)
{
    static struct entry table[6];
    struct entry *e = &table[4];
    InitializeCriticalSection(&e->lock);
    e->next = &table[1];
    e->hash = 0x811C9DC5;
    reporter_act("corrupted", &e->lock);
    set_key(e, "session.storage.gc_maxlifetime.default");
    EnterCriticalSection(&e->lock);
    reporter_expect(&e->lock, e->lock.LockSemaphore);
    sink++;
    LeaveCriticalSection(&e->lock);
    return sink++;
}
#elif defined(PARENT) /* an index one too high: the parent's address goes into the next structure */
struct group { int id; char name[20]; };
struct user { CRITICAL_SECTION lock; int id; struct group *groups[3]; };
static struct user users[4];
static NOINLINE void join(struct user *u, int n, struct group *g)
{
    struct group *volatile *groups = u->groups;
    groups[n] = g;
}
static int work(void)
{
    struct group *g = HeapAlloc(GetProcessHeap(), 0, sizeof *g);
    g->id = 513;
    strcpy(g->name, "Domain Users");
    for (int i = 0; i < 4; i++)
        InitializeCriticalSection(&users[i].lock);
    reporter_act("corrupted", &users[2].lock);
    for (int i = 0; i <= 3; i++)
        join(&users[1], i, g);
    reporter_expect(&users[2].lock, NULL);
    DeleteCriticalSection(&users[2].lock);
    return sink++;
}
#elif defined(RELOAD) /* the table is cleared, its locks are not made again */
static struct { char host[24]; CRITICAL_SECTION lock; int port; } servers[5];
static NOINLINE void reload(void)
{
    memset(servers, 0, sizeof servers);
    for (int i = 0; i < 5; i++) {
        sprintf(servers[i].host, "db%d.contoso.com", i);
        servers[i].port = 1433;
    }
}
static int work(void)
{
    for (int i = 0; i < 5; i++)
        InitializeCriticalSection(&servers[i].lock);
    reporter_act("corrupted", &servers[3].lock);
    reload();
    reporter_expect(&servers[3].lock, NULL);
    EnterCriticalSection(&servers[3].lock);
    return sink++;
}
#elif defined(WIDE_COUNT) /* the size of a buffer of characters, in wide ones */
static struct { int state; char buffer[64]; CRITICAL_SECTION lock; DWORD received; char peer[16]; } connection;
static NOINLINE void clear(void *buffer, size_t count) { memset(buffer, 0, count * sizeof(wchar_t)); }
static int work(void)
{
    connection.state = 3;
    connection.received = 61;
    strcpy(connection.peer, "192.168.17.40");
    strcpy(connection.buffer, "HELO mail.contoso.com");
    InitializeCriticalSection(&connection.lock);
    reporter_act("corrupted", &connection.lock);
    clear(connection.buffer, sizeof connection.buffer);
    reporter_expect(&connection.lock, NULL);
    EnterCriticalSection(&connection.lock);
    return sink++;
}
#elif defined(LIST_HEAD) /* a list is emptied through a pointer to what was its head */
struct head { void *first; };
struct pool { int size; CRITICAL_SECTION lock; void *spare[4]; };
static NOINLINE void empty(struct head *list) { *(void *volatile *)&list->first = NULL; }
static int work(void)
{
    struct pool *p = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof *p);
    p->size = 4;
    InitializeCriticalSection(&p->lock);
    own(&p->lock);
    reporter_act("corrupted", &p->lock);
    empty((struct head *)&p->lock);
    return let_come(&p->lock);
}
#elif defined(HARDWARE_ADDRESS) /* one adapter more than the table has room for */
static struct { struct { BYTE address[6]; WORD mtu; } adapters[4]; CRITICAL_SECTION lock; int count; } network;
static NOINLINE void add(const BYTE *address)
{
    BYTE *to = network.adapters[network.count++].address;
    for (int i = 0; i < 6; i++)
        ((volatile BYTE *)to)[i] = address[i];
}
static int work(void)
{
    static const BYTE addresses[5][6] = { { 0x00, 0x1B, 0x63, 0x84, 0x45, 0xE6 }, { 0x00, 0x0C, 0x29, 0x1F, 0x77, 0xA0 }, { 0x00, 0x50, 0x56, 0xC0, 0x00, 0x08 },
                                          { 0x02, 0x00, 0x4C, 0x4F, 0x4F, 0x50 }, { 0x3C, 0x97, 0x0E, 0x22, 0xD1, 0x9B } };
    InitializeCriticalSection(&network.lock);
    reporter_act("corrupted", &network.lock);
    for (int i = 0; i < 5; i++)
        add(addresses[i]);
    reporter_expect(&network.lock, NULL);
    DeleteCriticalSection(&network.lock);
    return sink++;
}
#endif

int main(void)
{
    LAB_START();
    return work();
}
