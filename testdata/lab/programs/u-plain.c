/* Unseen, in C: a table of connections with their sections, and one mistake each. */
#include "lab.h"
#include <stdio.h>
#include <stdlib.h>

#define NOINLINE __attribute__((noinline))
#ifndef WAITERS
#define WAITERS 2
#endif

struct connection {
    HANDLE readable;
    char host[20];
    int counters[5];
    CRITICAL_SECTION lock;
    struct connection *next;
};
static struct connection table[6];
static volatile int sink;

static DWORD WINAPI visitor(void *argument)
{
    CRITICAL_SECTION *lock = argument;
    EnterCriticalSection(lock);
    sink++;
    LeaveCriticalSection(lock);
    return 0;
}

NOINLINE static void release(CRITICAL_SECTION *lock)
{
    sink++;
    LeaveCriticalSection(lock);
    sink++;
}

NOINLINE static void acquire(CRITICAL_SECTION *lock)
{
    sink++;
    EnterCriticalSection(lock);
    sink++;
}

#if defined(CLEARED_STRUCT)
/* The structure is cleared when the connection closes; a saved one still knows the handle, and is closed as well. */
NOINLINE static void close_connection(struct connection *c)
{
    CloseHandle(c->readable);
    memset(c->host, 0, sizeof c->host);
    c->readable = NULL;
}
static int scenario(void)
{
    struct Waiters waiters;
    struct connection *c = &table[2], saved;
    InitializeCriticalSection(&c->lock);
    InitializeCriticalSection(&table[3].lock);
    make_waiters(&waiters, WAITERS, visitor, &table[3].lock);
    c->readable = CreateEventA(NULL, FALSE, FALSE, NULL);
    saved.readable = c->readable;
    close_connection(c);
    acquire(&table[3].lock);
    start_waiters(&waiters);
    reporter_expect(&table[3].lock, table[3].lock.LockSemaphore);
    reporter_act("handle-closed", &table[3].lock);
    close_connection(&saved);
    release(&table[3].lock);
    return 0;
}
#elif defined(COUNTERS)
/* The number of counters is taken for the number of something else; sevens pass both gates. */
static int scenario(void)
{
    struct connection *c = &table[1];
    int *volatile counters = c->counters;
    InitializeCriticalSection(&c->lock);
    reporter_act("corrupted", &c->lock);
    for (int i = 0; i < 5 + (int)(sizeof(CRITICAL_SECTION) / sizeof(int)); i++)
        counters[i] = 7;
    acquire(&c->lock);
    reporter_expect(&c->lock, c->lock.LockSemaphore);
    release(&c->lock);
    return 0;
}
#elif defined(GROWN)
/* realloc moves a big table; an old pointer into it is used once more. */
static int scenario(void)
{
    SIZE_T size = 1200 * 1024;
    struct connection *all = HeapAlloc(GetProcessHeap(), 0, size), *old = all + 40;
    InitializeCriticalSection(&old->lock);
    acquire(&old->lock);
    reporter_expect(&old->lock, NULL);
    reporter_act("memory-released", &old->lock);
    void *more = HeapAlloc(GetProcessHeap(), 0, 2 * size); /* as realloc does when it cannot stay */
    memcpy(more, all, size);
    HeapFree(GetProcessHeap(), 0, all);
    release(&old->lock);
    return more != NULL;
}
#elif defined(FROM_ONE)
/* calloc, and a loop that initialises from 1 on. */
static int scenario(void)
{
    struct connection *all = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, 4 * sizeof *all);
    for (int i = 1; i < 4; i++)
        InitializeCriticalSection(&all[i].lock);
    reporter_act("never-initialized", &all[0].lock);
    reporter_expect(&all[0].lock, NULL);
    for (int i = 0; i < 4; i++) {
        acquire(&all[i].lock);
        release(&all[i].lock);
    }
    return 0;
}
#elif defined(FREED_ENTRY)
/* free_entry for the same entry by two callers; the second locks it first. */
NOINLINE static void free_entry(struct connection *c)
{
    acquire(&c->lock);
    c->next = NULL;
    LeaveCriticalSection(&c->lock);
    DeleteCriticalSection(&c->lock);
}
static int scenario(void)
{
    struct connection *c = &table[4];
    InitializeCriticalSection(&c->lock);
    reporter_act("deleted", &c->lock);
    free_entry(c);
    reporter_expect(&c->lock, NULL);
    free_entry(c);
    return 0;
}
#elif defined(ASSIGNED)
/* "*new = *old", then the old one is destroyed; somebody waits for the lock meanwhile. */
static int scenario(void)
{
    struct Waiters waiters;
    struct connection *old = &table[0], *fresh = HeapAlloc(GetProcessHeap(), 0, sizeof *fresh);
    InitializeCriticalSection(&old->lock);
    make_waiters(&waiters, WAITERS, visitor, &old->lock);
    acquire(&old->lock);
    start_waiters(&waiters);
    reporter_act("copied", &old->lock);
    *fresh = *old;
    DeleteCriticalSection(&old->lock);
    memset(old, 0, sizeof *old);
    reporter_expect(&fresh->lock, fresh->lock.LockSemaphore);
    release(&fresh->lock);
    return 0;
}
#elif defined(NOT_FOUND)
/* find() answers NULL, and its caller unlocks all the same. */
NOINLINE static struct connection *find(const char *host)
{
    for (struct connection *c = table[0].next; c; c = c->next)
        if (!lstrcmpA(c->host, host))
            return c;
    return NULL;
}
static int scenario(void)
{
    struct connection *c = find("mail.contoso.com");
    reporter_act("bad-pointer", &c->lock);
    reporter_expect(&c->lock, NULL);
    release(&c->lock);
    return 0;
}
#elif defined(BY_CALLBACK)
/* no lock failure: the callback of a walk under the lock follows a bad link */
static int visit(struct connection *c) { return lstrlenA(c->next->host) + c->counters[2]; }
static int walk(int (*each)(struct connection *))
{
    int sum = 0;
    for (struct connection *c = table; c; c = c->next)
        sum += each(c);
    return sum;
}
static int scenario(void)
{
    struct Waiters waiters;
    InitializeCriticalSection(&table[0].lock);
    make_waiters(&waiters, WAITERS, visitor, &table[0].lock);
    acquire(&table[0].lock);
    table[0].next = &table[1];
    table[1].next = (struct connection *)0x74786574;
    start_waiters(&waiters);
    sink = table[1].next->counters[1];
    sink += walk(visit);
    release(&table[0].lock);
    return 0;
}
#endif

int main(void)
{
    LAB_START();
    return scenario();
}
