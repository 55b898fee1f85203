/* Eighth batch: nobody makes the lock, in C. Macros choose how. */
#include "lab.h"
#include <stdio.h>
#include <string.h>

static volatile int sink;

#if defined(UNUSED_INIT)
/* mmap_init_lock() exists, and nobody calls it. */
static CRITICAL_SECTION string_lock;
static struct { char *text; unsigned length; } strings[32];
void mmap_init_lock(void) { InitializeCriticalSection(&string_lock); }
void mmap_done_lock(void) { DeleteCriticalSection(&string_lock); }
static __attribute__((noinline)) int intern(const char *text)
{
    int at;
    reporter_act("never-initialized", &string_lock);
    reporter_expect(&string_lock, NULL);
    EnterCriticalSection(&string_lock);
    for (at = 0; at < 31 && strings[at].text; at++)
        ;
    strings[at].text = (char *)text;
    strings[at].length = strlen(text);
    LeaveCriticalSection(&string_lock);
    return at;
}
static int scenario(void) { return intern("INBOX") + intern("Sent"); }
#elif defined(STATIC_INITIALIZER)
/* A port's PTHREAD_MUTEX_INITIALIZER. It serves as long as nobody has to wait. */
#define PTHREAD_MUTEX_INITIALIZER { NULL, -1, 0, NULL, NULL, 0 }
static CRITICAL_SECTION monitor_lock = PTHREAD_MUTEX_INITIALIZER;
static int regions = 4;
static DWORD WINAPI monitor(void *argument)
{
    (void)argument;
    EnterCriticalSection(&monitor_lock);
    regions++;
    LeaveCriticalSection(&monitor_lock);
    return 0;
}
static int scenario(void)
{
    struct Waiters one;
    reporter_act("never-initialized", &monitor_lock);
    reporter_expect(&monitor_lock, NULL);
    EnterCriticalSection(&monitor_lock);
    regions--;
    LeaveCriticalSection(&monitor_lock);
    make_waiters(&one, 1, monitor, NULL);
    EnterCriticalSection(&monitor_lock);
    start_waiters(&one);
    Sleep(4000);
    LeaveCriticalSection(&monitor_lock);
    return regions;
}
#elif defined(FAILED_OPEN)
/* open fails before the lock is made; close takes everything apart. malloc gave a block that was a path. */
struct stream { HANDLE file; int mode; char *buffer; CRITICAL_SECTION lock; unsigned position; };
static __attribute__((noinline)) void stream_close(struct stream *stream)
{
    if (stream->file != INVALID_HANDLE_VALUE)
        CloseHandle(stream->file);
    reporter_act("never-initialized", &stream->lock);
    reporter_expect(&stream->lock, NULL);
    DeleteCriticalSection(&stream->lock);
    HeapFree(GetProcessHeap(), 0, stream->buffer);
    HeapFree(GetProcessHeap(), 0, stream);
}
static __attribute__((noinline)) struct stream *stream_open(const char *path)
{
    struct stream *stream = HeapAlloc(GetProcessHeap(), 0, sizeof *stream);
    stream->buffer = NULL;
    stream->mode = 1;
    stream->file = CreateFileA(path, GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
    if (stream->file == INVALID_HANDLE_VALUE) {
        stream_close(stream);
        return NULL;
    }
    InitializeCriticalSection(&stream->lock);
    stream->position = 0;
    return stream;
}
static int scenario(void)
{
    /* the heap gives the block again */
    char *path = HeapAlloc(GetProcessHeap(), 0, sizeof(struct stream));
    memcpy(path, "C:\\Program Files\\Contoso\\Studio\\sounds\\click.wav", sizeof(struct stream));
    sink = path[3];
    HeapFree(GetProcessHeap(), 0, path);
    return stream_open("Z:\\sounds\\alarm.wav") != NULL;
}
#elif defined(SHORT_TABLE)
/* A table for as many locks as the library says; the library has grown since: only those of the first pass are made. */
struct table { int made, count; CRITICAL_SECTION locks[9]; };
static __attribute__((noinline)) void locks_done(struct table *table)
{
    for (int i = 0; i < table->count; i++) {
        if (i == table->made) {
            reporter_act("never-initialized", &table->locks[i]);
            reporter_expect(&table->locks[i], NULL);
        }
        DeleteCriticalSection(&table->locks[i]);
    }
}
static int scenario(void)
{
    struct table *table = HeapAlloc(GetProcessHeap(), 0, sizeof *table);
    for (unsigned i = 0; i < sizeof *table / 4; i++) /* was a bitmap */
        ((volatile DWORD *)table)[i] = 0xFF203040u + 0x00010203u * i;
    table->made = 0;
    table->count = 6;
    while (table->made < table->count)
        InitializeCriticalSection(&table->locks[table->made++]);
    table->count = 8;
    locks_done(table);
    return sink;
}
#elif defined(POOL_GROWS)
/* A pool makes the locks of its first slots; when it grows, it forgets them. */
struct slot { struct slot *next; int used; CRITICAL_SECTION lock; char name[20]; };
static struct slot *free_slots;
static struct slot *pool;
static int pool_size;
static __attribute__((noinline)) void pool_create(int count)
{
    pool = VirtualAlloc(NULL, 64 * sizeof *pool, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    for (int i = count - 1; i >= 0; i--) {
        InitializeCriticalSection(&pool[i].lock);
        pool[i].next = free_slots;
        free_slots = &pool[i];
    }
    pool_size = count;
}
static __attribute__((noinline)) void pool_grow(int count)
{
    for (int i = pool_size + count - 1; i >= pool_size; i--) {
        pool[i].next = free_slots;
        free_slots = &pool[i];
    }
    pool_size += count;
}
static __attribute__((noinline)) struct slot *pool_take(const char *name)
{
    struct slot *slot;
    if (!free_slots)
        pool_grow(4);
    slot = free_slots;
    free_slots = slot->next;
    slot->used = 1;
    strcpy(slot->name, name);
    return slot;
}
static __attribute__((noinline)) void slot_use(struct slot *slot)
{
    if (pool_size > 4) {
        reporter_act("never-initialized", &slot->lock);
        reporter_expect(&slot->lock, NULL);
    }
    EnterCriticalSection(&slot->lock);
    slot->used++;
    LeaveCriticalSection(&slot->lock);
}
static int scenario(void)
{
    char name[20];
    pool_create(4);
    for (int i = 0; i < 6; i++) {
        sprintf(name, "client %d", i + 1);
        slot_use(pool_take(name));
    }
    return sink;
}
#endif

int main(void)
{
    LAB_START();
    return scenario();
}
