/* Sixth batch, in C: what became of a structure with a lock in it. Macros choose how it was given back, and who comes. */
#include "lab.h"
#include <stdlib.h>
#include <string.h>

#define NOINLINE __attribute__((noinline, unused))
static volatile int sink;

static NOINLINE int call(CRITICAL_SECTION *lock)
{
    reporter_expect(lock, NULL);
    CALL(lock);
    return sink++;
}
static NOINLINE void touch(CRITICAL_SECTION *lock)
{
    EnterCriticalSection(lock);
    sink++;
    LeaveCriticalSection(lock);
}

#if defined(HASHED) /* a connection is closed, but the hash table still leads to its entry */
struct conn { unsigned key; struct conn *chain; char state; CRITICAL_SECTION lock; unsigned window; };
static struct conn conns[16], *buckets[8];
static struct conn *conn_find(unsigned key)
{
    struct conn *c = buckets[key % 8];
    while (c && c->key != key)
        c = c->chain;
    return c;
}
static void conn_open(struct conn *c, unsigned key)
{
    c->key = key;
    c->chain = buckets[key % 8];
    buckets[key % 8] = c;
    InitializeCriticalSection(&c->lock);
    c->state = 'E';
}
static void conn_close(struct conn *c)
{
    reporter_act("deleted", &c->lock);
    DeleteCriticalSection(&c->lock);
    c->state = 'C';
}
static int scenario(void)
{
    unsigned i;
    for (i = 0; i < 6; i++)
        conn_open(&conns[i], 100 + 8 * i);
    for (i = 0; i < 6; i++)
        touch(&conns[i].lock);
    conn_close(&conns[2]);
    return call(&conn_find(116)->lock);
}
#elif defined(EXIT_ORDER) /* exit functions run from the last to the first: the table goes before those that use it */
struct table { CRITICAL_SECTION lock; int used; void *slots[5]; };
static struct table *table;
static void leave_table(void)
{
    reporter_expect(&table->lock, NULL);
    EnterCriticalSection(&table->lock);
    table->used--;
    LeaveCriticalSection(&table->lock);
}
static void drop_table(void)
{
    reporter_act("deleted", &table->lock);
    DeleteCriticalSection(&table->lock);
}
static int scenario(void)
{
    atexit(leave_table);
    table = calloc(1, sizeof *table);
    InitializeCriticalSection(&table->lock);
    atexit(drop_table);
    touch(&table->lock);
    table->used = 1;
    exit(0);
}
#elif defined(GROWN) /* the channels moved with the table; the engine keeps the address of one */
struct channel { float gain; int number; CRITICAL_SECTION lock; float samples[250]; };
static struct channel *table, *solo;
static NOINLINE void resize(unsigned count)
{
    if (table) {
        reporter_act("memory-released", &solo->lock);
        table = realloc(table, count * sizeof *table);
    } else
        table = calloc(count, sizeof *table);
}
static int scenario(void)
{
    resize(2500);
    solo = &table[33];
    solo->number = 33;
    InitializeCriticalSection(&solo->lock);
    touch(&solo->lock);
    resize(9000);
    table[33].gain = 0.5f;
    return call(&solo->lock);
}
#elif defined(POOL_FIRST) /* the pool goes before the mutex that was made in it is destroyed */
struct pool { char name[32]; char *base; size_t used; };
struct mutex { struct pool *pool; long references; CRITICAL_SECTION lock; };
static struct mutex *mutex_create(struct pool *pool)
{
    struct mutex *m = (struct mutex *)(pool->base + pool->used);
    pool->used += (sizeof *m + 15) & ~(size_t)15;
    m->pool = pool;
    m->references = 1;
    InitializeCriticalSection(&m->lock);
    return m;
}
static NOINLINE void pool_release(struct pool *pool)
{
    HeapDestroy(*(HANDLE *)pool->base);
    pool->base = NULL;
}
static NOINLINE int mutex_destroy(CRITICAL_SECTION *lock) { return call(lock); }
static int scenario(void)
{
    static struct pool timer_pool = { "timer", NULL, 64 };
    HANDLE heap = HeapCreate(0, 0x4000, 0);
    struct mutex *m;
    CRITICAL_SECTION *lock;
    timer_pool.base = HeapAlloc(heap, HEAP_ZERO_MEMORY, 0x1000);
    *(HANDLE *)timer_pool.base = heap;
    m = mutex_create(&timer_pool);
    lock = &m->lock;
    touch(lock);
    reporter_act("memory-released", lock);
    pool_release(&timer_pool);
    return mutex_destroy(lock);
}
#elif defined(JSON_BLOCK) /* a freed job's block holds what is sent now */
struct job { int number; CRITICAL_SECTION lock; char note[52]; };
static struct job *current;
static char *body;
static void finish(struct job *j)
{
    reporter_act("memory-released", &j->lock);
    HeapFree(GetProcessHeap(), 0, j);
}
static DWORD WINAPI answer(void *ignored)
{
    int i;
    (void)ignored;
    for (i = 0; i < 300 && (void *)body != (void *)current; i++)
        body = HeapAlloc(GetProcessHeap(), 0, sizeof *current);
    lstrcpyA(body, "{\"job\":1204,\"status\":\"finished\",\"files\":[\"a.wav\",\"b.wav\"],\"ms\":310}");
    return 0;
}
static DWORD WINAPI work(void *ignored)
{
    (void)ignored;
    current = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof *current);
    current->number = 1204;
    InitializeCriticalSection(&current->lock);
    touch(&current->lock);
    finish(current);
    return 0;
}
static int scenario(void)
{
    struct Waiters threads[2];
    make_waiters(&threads[0], 1, work, NULL);
    make_waiters(&threads[1], 1, answer, NULL);
    start_waiters(&threads[0]);
    start_waiters(&threads[1]);
    return call(&current->lock);
}
#elif defined(SEGMENT) /* a segment without readers is given back to the system, one has kept an entry of it */
struct entry { char key[40]; CRITICAL_SECTION lock; unsigned size; };
struct segment { struct segment *next; int readers; struct entry entries[30]; };
static NOINLINE void segment_release(struct segment *s)
{
    if (s->readers == 0) {
        reporter_act("memory-released", &s->entries[11].lock);
        VirtualFree(s, 0, MEM_RELEASE);
    }
}
static int scenario(void)
{
    struct segment *s = VirtualAlloc(NULL, sizeof *s, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    struct entry *kept = &s->entries[11];
    int i;
    for (i = 0; i < 30; i++)
        InitializeCriticalSection(&s->entries[i].lock);
    s->readers++;
    touch(&kept->lock);
    s->readers--;
    segment_release(s);
    return call(&kept->lock);
}
#endif

int main(void)
{
    LAB_START();
    return scenario();
}
