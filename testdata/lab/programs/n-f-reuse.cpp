// Fresh faults: the section's memory was given back and belongs to somebody else now, or is kept empty. An old user comes once more.
#include "unseen.h"

static void goes(const CRITICAL_SECTION *lock)
{
    act("memory-released", lock);
    expect(lock);
}

#if defined(HEAP_BLOCK)
// A subscription's block went to a histogram; the publisher's list still has the old pointer.
struct Subscription {
    int topic, priority;
    CRITICAL_SECTION lock;
    int pending;
    NOINLINE void deliver() { EnterCriticalSection(&lock); pending++; LeaveCriticalSection(&lock); }
};
static Subscription *subscriptions[3];
NOINLINE static int *histogram(int columns)
{
    int *counts = static_cast<int *>(HeapAlloc(GetProcessHeap(), 0, columns * sizeof(int)));
    for (int i = 0; i < columns; i++)
        counts[i] = 5200 + 36 * i;
    return counts;
}
static int scenario()
{
    for (auto &subscription : subscriptions) {
        subscription = new Subscription;
        InitializeCriticalSection(&subscription->lock);
        subscription->deliver();
    }
    goes(&subscriptions[1]->lock);
    delete subscriptions[1];
    int *counts = histogram(sizeof(Subscription) / sizeof(int));
    for (auto subscription : subscriptions)
        subscription->deliver();
    return counts[0];
}
#elif defined(OTHER_CLASS)
// The block has an object of another class, alive and in its own list, when the session is closed by its old address.
class Session {
public:
    Session() : lock() { InitializeCriticalSection(&lock); }
    virtual ~Session() { }
    NOINLINE void close() { EnterCriticalSection(&lock); state = 3; LeaveCriticalSection(&lock); }
    int state = 1;
    CRITICAL_SECTION lock;
    void *peer = nullptr;
};
class Tooltip {
public:
    Tooltip(int x, int y) : box { x, y, x + 240, y + 36 } { next = first; first = this; }
    virtual ~Tooltip() { }
    virtual int area() { return (box[2] - box[0]) * (box[3] - box[1]); }
    static Tooltip *first;
    int delay = 500;
    int box[4];
    Tooltip *next;
    int colors[6] = { 0x202020, 0xF0F0E0, 0, 2, 4, 6 };
};
Tooltip *Tooltip::first;
static int scenario()
{
    Session *session = new Session;
    session->close();
    goes(&session->lock);
    HeapFree(GetProcessHeap(), 0, session);
    for (int i = 0; i < 4; i++)
        new Tooltip(640 + 16 * i, 480);
    sink += Tooltip::first->area();
    session->close();
    return sink;
}
#elif defined(POOL)
// A memory pool with a header per chunk fills what is given back.
struct Chunk { char state[4]; int size; int line, reserved; };
struct Transaction { ULONG_PTR number; CRITICAL_SECTION lock; int rows[7]; };
alignas(16) static char memory[24 * (sizeof(Chunk) + sizeof(Transaction))];
NOINLINE static Transaction *pool_get(int index)
{
    Chunk *chunk = reinterpret_cast<Chunk *>(memory + index * (sizeof(Chunk) + sizeof(Transaction)));
    *chunk = { { 'U', 'S', 'E', 'D' }, sizeof(Transaction), 100 + index, 0 };
    return reinterpret_cast<Transaction *>(chunk + 1);
}
NOINLINE static void pool_put(Transaction *transaction)
{
    Chunk *chunk = reinterpret_cast<Chunk *>(transaction) - 1;
    memcpy(chunk->state, "FREE", 4);
    memset(static_cast<void *>(transaction), POOL, chunk->size);
}
NOINLINE static int commit(Transaction *transaction)
{
    EnterCriticalSection(&transaction->lock);
    int rows = transaction->rows[0];
    LeaveCriticalSection(&transaction->lock);
    return rows;
}
static int scenario()
{
    Transaction *all[6];
    for (int i = 0; i < 6; i++) {
        all[i] = pool_get(i);
        all[i]->number = 7000 + i;
        InitializeCriticalSection(&all[i]->lock);
    }
    goes(&all[4]->lock);
    pool_put(all[4]);
    pool_put(all[1]);
    return commit(all[4]);
}
#elif defined(DEAD_FRAME)
// A request with a lock lived in a frame that has returned; another function's vertices lie there, and the worker comes.
static CRITICAL_SECTION *of_request;
static DWORD WINAPI complete(void *)
{
    EnterCriticalSection(of_request);
    sink++;
    LeaveCriticalSection(of_request);
    return 0;
}
NOINLINE static void submit()
{
    char frame[0x700];
    of_request = reinterpret_cast<CRITICAL_SECTION *>(frame + 0x340);
    initialize(of_request);
    EnterCriticalSection(of_request);
    sink++;
    LeaveCriticalSection(of_request);
    goes(of_request);
}
NOINLINE static int render(Waiters *workers)
{
    volatile struct { int x, y; } vertices[0x100];
    for (int i = 0; i < 0x100; i++) {
        vertices[i].x = 8 * i;
        vertices[i].y = 1080 - 4 * i;
    }
    start_waiters(workers);
    return vertices[sink & 15].x;
}
static int scenario()
{
    Waiters workers;
    make_waiters(&workers, 1, complete, NULL);
    submit();
    return render(&workers);
}
#elif defined(BLOCK_TEXT)
// The ring of a logger took over the block of a channel; whoever closes the channel deletes its section.
struct Channel { CRITICAL_SECTION lock; int id, flags; char name[16]; };
NOINLINE static void close_channel(Channel *channel)
{
    sink++;
    DeleteCriticalSection(&channel->lock);
    channel->id = -1;
}
static int scenario()
{
    Channel *channel = new Channel;
    InitializeCriticalSection(&channel->lock);
    goes(&channel->lock);
    delete channel;
    char *ring = static_cast<char *>(operator new(sizeof(Channel)));
    for (unsigned i = 0; i < sizeof(Channel); i++)
        ring[i] = "2024-03-11 08:14:57 INFO  listener up on port 8443\n"[i % 51];
    close_channel(channel);
    return ring[3];
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
