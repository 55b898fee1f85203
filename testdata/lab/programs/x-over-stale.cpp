// Seventh batch: an object is gone, its block has a new owner with a section, and somebody still has the old address. Macros choose the old object.
#include "k-common.h"

[[maybe_unused]] static void hits(const CRITICAL_SECTION *lock) { act("corrupted", lock); }

// The old object's block becomes the new one's; without that there is nothing to see.
template <class New, class Old> static New *succeed(Old *old)
{
    delete old;
    New *next = new New;
    if (static_cast<void *>(next) != static_cast<void *>(old))
        ExitProcess(3);
    return next;
}

#if defined(REFERENCE)
// Release() by a holder that never had a reference of its own.
struct Token { Token *next; LONG references; LONG kind; char issuer[56]; };
struct Session { CRITICAL_SECTION lock; char user[32]; };
static_assert(sizeof(Token) == sizeof(Session), "one block for both");
NOINLINE static void release(Token *token)
{
    if (InterlockedDecrement(&token->references) == 0)
        delete token;
}
static int scenario()
{
    Token *token = new Token { nullptr, 1, 2, "idp.contoso.com" };
    Token *volatile cached = token;
    Session *session = succeed<Session>(token);
    lstrcpyA(session->user, "k.lindqvist");
    initialize(&session->lock);
    EnterCriticalSection(&session->lock);
    hits(&session->lock);
    release(cached);
    expect(&session->lock);
    return leave(&session->lock);
}
#elif defined(VECTOR)
// A list of pointers grows: begin, end and capacity are set anew.
struct Basket { const wchar_t *shop; long long customer; void **begin, **end, **capacity; long long total; };
struct Order { CRITICAL_SECTION lock; int number; BOOL paid; };
static_assert(sizeof(Basket) == sizeof(Order), "one block for both");
NOINLINE static void add(Basket *basket, void *item)
{
    if (basket->end >= basket->capacity || true) {
        void **larger = static_cast<void **>(operator new(12 * sizeof(void *)));
        larger[0] = item;
        basket->begin = larger;
        basket->capacity = larger + 12;
        basket->end = larger + 1;
    }
}
static int scenario()
{
    Basket *basket = new Basket();
    Basket *volatile shown = basket;
    basket->shop = L"north";
    Order *order = succeed<Order>(basket);
    order->number = 88120;
    order->paid = FALSE;
    prepare(&order->lock);
    contend(&order->lock);
    hits(&order->lock);
    add(shown, const_cast<wchar_t *>(L"lamp"));
    expect_handle(&order->lock);
    FINISH(&order->lock);
    return sink;
}
#elif defined(POSITION)
// A sprite that was removed is moved once more.
struct Sprite { void *texture; int layer, frame; float scale[4]; unsigned tint, flags; float x, y, z; int id; };
struct Channel { void *source; long long position; CRITICAL_SECTION lock; int volume; };
static_assert(sizeof(Sprite) <= sizeof(Channel), "one block for both");
NOINLINE static void move_to(volatile Sprite *sprite, float x, float y)
{
    sprite->x = x;
    sprite->y = y;
}
static int scenario()
{
    union Either { Sprite sprite; Channel channel; };
    Either *either = new Either();
    Sprite *volatile player = &either->sprite;
    Channel *channel = &succeed<Either>(either)->channel;
    channel->source = NULL;
    channel->position = 44100;
    channel->volume = 80;
    prepare(&channel->lock);
    contend(&channel->lock);
    hits(&channel->lock);
    move_to(player, 412.0f, 96.5f);
    expect_handle(&channel->lock);
    FINISH(&channel->lock);
    return sink;
}
#elif defined(UNLINK)
// A node was freed while it stood in a list; its neighbour is taken out now.
struct Job { LIST_ENTRY link; int id; char text[28]; };
struct Worker { CRITICAL_SECTION lock; int state; void *job; DWORD thread, started; };
static_assert(sizeof(Job) == sizeof(Worker), "one block for both");
static struct { LIST_ENTRY jobs; int count, limit; } queue = { { &queue.jobs, &queue.jobs }, 0, 64 };
static Job *append(int id)
{
    Job *job = new Job();
    job->id = id;
    job->link.Blink = queue.jobs.Blink;
    job->link.Flink = &queue.jobs;
    queue.jobs.Blink->Flink = &job->link;
    queue.jobs.Blink = &job->link;
    queue.count++;
    return job;
}
NOINLINE static void remove(Job *job)
{
    job->link.Blink->Flink = job->link.Flink;
    job->link.Flink->Blink = job->link.Blink;
    queue.count--;
    delete job;
}
static int scenario()
{
    Job *first = append(1), *second = append(2);
    Worker *worker = succeed<Worker>(first);
    worker->state = 1;
    worker->thread = worker->started = 0;
    initialize(&worker->lock);
    EnterCriticalSection(&worker->lock);
    worker->job = second;
    LeaveCriticalSection(&worker->lock);
    hits(&worker->lock);
    remove(second);
    expect(&worker->lock);
    DeleteCriticalSection(&worker->lock);
    return sink++;
}
#elif defined(PEAK)
// A level meter decays, in a view that was closed.
struct Meter { int left, top, width, height; float peak, hold; int color; };
struct Stream { CRITICAL_SECTION lock; int rate; };
static_assert(sizeof(Meter) == sizeof(Stream), "one block for both");
NOINLINE static void decay(Meter *meter, float level) { meter->peak = meter->peak * 0.875f + level * 0.125f; }
static int scenario()
{
    Meter *meter = new Meter();
    Meter *volatile kept = meter;
    Stream *stream = succeed<Stream>(meter);
    stream->rate = 48000;
    prepare(&stream->lock);
    contend(&stream->lock);
    hits(&stream->lock);
    for (int i = 0; i < 5; i++)
        decay(kept, 0.31f + 0.07f * i);
    expect_handle(&stream->lock);
    FINISH(&stream->lock);
    return sink;
}
#elif defined(PEER)
// A connection's peer address is filled in when accept() ends, long after the connection was given up.
struct Address { short family; unsigned short port; BYTE ip[4]; char zero[8]; };
struct Accept { void *socket; void *event; int bytes, flags; Address peer; int state; };
struct Host { CRITICAL_SECTION lock; char name[8]; };
static_assert(sizeof(Accept) == sizeof(Host), "one block for both");
NOINLINE static void accepted(volatile Accept *accept)
{
    static const Address from = { 2, 0x50C3, { 192, 168, 4, 17 }, { } };
    memcpy(const_cast<Address *>(&accept->peer), &from, sizeof from);
    accept->state = 1;
}
static int scenario()
{
    Accept *accept = new Accept();
    Accept *volatile pending = accept;
    Host *host = succeed<Host>(accept);
    lstrcpyA(host->name, "printer");
    prepare(&host->lock);
    contend(&host->lock);
    hits(&host->lock);
    accepted(pending);
    expect(&host->lock);
    FINISH(&host->lock);
    return sink;
}
#elif defined(RESULT)
// A call ends with an error; where it is to be written is another's since.
struct Request { char url[56]; LONG result; LONG retries; };
struct Download { char file[32]; CRITICAL_SECTION lock; };
static_assert(sizeof(Request) <= sizeof(Download), "one block for both");
NOINLINE static void complete(volatile LONG *result, LONG value) { *result = value; }
static int scenario()
{
    union Either { Request request; Download download; };
    Either *either = new Either();
    LONG *volatile result = &either->request.result;
    lstrcpyA(either->request.url, "https://updates.contoso.com/feed");
    Download *download = &succeed<Either>(either)->download;
    lstrcpyA(download->file, "feed.xml");
    prepare(&download->lock);
    EnterCriticalSection(&download->lock);
    hits(&download->lock);
    complete(result, static_cast<LONG>(0x80072EE2)); // a timeout
    expect_handle(&download->lock);
    FINISH(&download->lock);
    return sink;
}
#elif defined(LINKS)
// next = prev = NULL, in a node whose block is a section's debug record now.
static CRITICAL_SECTION others[18], lock;
struct Node { int id, kind; void *owner; Node *next, *previous; long long stamp; int state; };
NOINLINE static void take_out(volatile Node *node) { node->next = node->previous = NULL; }
static int scenario()
{
    for (auto &other : others)
        InitializeCriticalSection(&other);
    Node *node = new Node();
    Node *volatile selected = node;
    delete node;
    initialize(&lock);
    if (static_cast<void *>(lock.DebugInfo) != node)
        ExitProcess(3);
    EnterCriticalSection(&lock);
    LeaveCriticalSection(&lock);
    hits(&lock);
    take_out(selected);
    expect(&lock);
    DeleteCriticalSection(&lock);
    return sink++;
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
