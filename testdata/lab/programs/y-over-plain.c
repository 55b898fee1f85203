/* Eighth batch, in C: one write that goes too far each, in a table of devices. Macros choose the write. */
#include "lab.h"
#include <string.h>

#ifndef WAITERS
#define WAITERS 1
#endif
#define NOINLINE __attribute__((noinline, unused))
static volatile int sink;

#if defined(DIGITS) /* a number is written from its last digit on, and has more of them than there is room for */
struct meter {
    CRITICAL_SECTION lock;
    char digits[8];
    int unit;
};
static struct meter meters[4];
static struct Waiters waiters;

static DWORD WINAPI read_meter(void *argument)
{
    struct meter *m = argument;
    EnterCriticalSection(&m->lock);
    sink += m->unit;
    LeaveCriticalSection(&m->lock);
    return 0;
}
static NOINLINE void format(struct meter *m, unsigned long long value)
{
    volatile char *p = m->digits + sizeof m->digits;
    do
        *--p = (char)('0' + value % 10);
    while (value /= 10);
}
static NOINLINE int update(struct meter *m, unsigned long long value)
{
    EnterCriticalSection(&m->lock);
    start_waiters(&waiters);
    reporter_act("corrupted", &m->lock);
    format(m, value);
    reporter_expect(&m->lock, m->lock.LockSemaphore);
    LeaveCriticalSection(&m->lock);
    return m->unit;
}
static int scenario(void)
{
    int i;
    for (i = 0; i < 4; i++) {
        InitializeCriticalSection(&meters[i].lock);
        format(&meters[i], 7040u + 11u * i);
        meters[i].unit = 3;
    }
    make_waiters(&waiters, WAITERS, read_meter, &meters[2]);
    return update(&meters[2], 184467440737095ull);
}
#elif defined(BUCKETS) /* the remainder of a negative number */
struct node {
    struct node *next;
    int key, serial, uses;
};
struct map {
    char name[12];
    CRITICAL_SECTION lock;
    struct node *buckets[8];
    int count;
};
static NOINLINE void insert(struct map *map, int key, int serial)
{
    struct node *n = HeapAlloc(GetProcessHeap(), 0, sizeof *n), *volatile *bucket = map->buckets + key % 8;
    n->next = *bucket;
    n->key = key;
    n->serial = serial;
    n->uses = 1;
    *bucket = n;
    map->count++;
}
static NOINLINE int destroy(struct map *map)
{
    reporter_expect(&map->lock, NULL);
    DeleteCriticalSection(&map->lock);
    return HeapFree(GetProcessHeap(), 0, map);
}
static int scenario(void)
{
    struct map *map = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof *map);
    strcpy(map->name, "devices");
    InitializeCriticalSection(&map->lock);
    insert(map, 8101, 551);
    insert(map, 8126, 552);
    reporter_act("corrupted", &map->lock);
    insert(map, -8126, 553);
    return destroy(map);
}
#elif defined(STREET) /* a text and its end are longer than the field */
struct contact {
    int id;
    char street[20];
    CRITICAL_SECTION lock;
    char city[16];
    struct contact *next;
};
static struct contact contacts[6];

static NOINLINE void set_text(char *to, const char *text)
{
    volatile char *out = to;
    while ((*out++ = *text++) != 0)
        ;
}
static NOINLINE int change(struct contact *c)
{
    reporter_expect(&c->lock, NULL);
    EnterCriticalSection(&c->lock);
    c->id |= 0x4000;
    LeaveCriticalSection(&c->lock);
    return c->id;
}
static int scenario(void)
{
    int i;
    for (i = 0; i < 6; i++) {
        contacts[i].id = 300 + i;
        InitializeCriticalSection(&contacts[i].lock);
        set_text(contacts[i].city, "Linz");
    }
    reporter_act("corrupted", &contacts[3].lock);
    set_text(contacts[3].street, "Untere Donaulaende 74, 3.OG.");
    return change(&contacts[3]);
}
#elif defined(SLOT) /* what is prepared for the next guest is in use */
struct slot {
    int state;
    char user[12];
    CRITICAL_SECTION lock;
    void *data;
    DWORD since;
};
static struct slot *slots[4];

static NOINLINE void renew(struct slot *s)
{
    memset(s, 0, sizeof *s);
    s->state = 1;
    strcpy(s->user, "guest");
}
static NOINLINE int log_on(struct slot *s)
{
    reporter_expect(&s->lock, NULL);
    EnterCriticalSection(&s->lock);
    s->state = 2;
    LeaveCriticalSection(&s->lock);
    return s->state;
}
static NOINLINE void set_up(void)
{
    int i;
    for (i = 0; i < 4; i++) {
        slots[i] = HeapAlloc(GetProcessHeap(), 0, sizeof *slots[i]);
        InitializeCriticalSection(&slots[i]->lock);
        slots[i]->state = 0;
    }
    EnterCriticalSection(&slots[2]->lock);
    LeaveCriticalSection(&slots[2]->lock);
    reporter_act("corrupted", &slots[2]->lock);
    renew(slots[2]);
}
static int scenario(void)
{
    set_up();
    return log_on(slots[2]);
}
#endif

int main(void)
{
    LAB_START();
    return scenario();
}
