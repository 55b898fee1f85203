// Eighth batch: the address is another thing's. Macros choose which.
#include "k-common.h"

#if defined(EMPTY_LIST)
// The first entry of a list that is empty: its head, taken for an entry.
struct Client { LIST_ENTRY link; unsigned id; CRITICAL_SECTION lock; char peer[16]; };
static struct { LIST_ENTRY head; char path[64]; unsigned count; } clients;
NOINLINE static int first_id()
{
    Client *client = CONTAINING_RECORD(clients.head.Flink, Client, link);
    will("bad-pointer", &client->lock);
    EnterCriticalSection(&client->lock);
    unsigned id = client->id;
    LeaveCriticalSection(&client->lock);
    return id;
}
NOINLINE static void add(unsigned id)
{
    Client *client = new Client();
    initialize(&client->lock);
    client->id = id;
    client->link.Flink = client->link.Blink = &clients.head;
    clients.head.Flink = clients.head.Blink = &client->link;
    clients.count++;
}
static int scenario()
{
    clients.head.Flink = clients.head.Blink = &clients.head;
    lstrcpyA(clients.path, "D:\\Server\\clients.db");
    add(12);
    clients.head.Flink = clients.head.Blink = &clients.head; // it hangs up
    clients.count--;
    return first_id();
}
#elif defined(COUNTED_FROM_ONE)
// Lane 4 of four.
struct Lane { int id; char name[12]; CRITICAL_SECTION lock; };
static struct { Lane lanes[4]; volatile float gains[14]; } desk = {
    { { 1, "vocals", { } }, { 2, "guitar", { } }, { 3, "bass", { } }, { 4, "drums", { } } }, { 1.0f, 0.8f, 0.5f, 0.25f, 0.8f, 0.5f, 0.75f, 0.6f, 0.9f, 0.7f, 1.0f, 1.0f, 0.3f, 0.2f }
};
template <class F> NOINLINE static int locked(Lane &lane, F work)
{
    if (&lane == &desk.lanes[0] + 4)
        will("bad-pointer", &lane.lock);
    EnterCriticalSection(&lane.lock);
    int result = work(lane);
    LeaveCriticalSection(&lane.lock);
    return result;
}
static int scenario()
{
    int sum = 0;
    for (Lane &lane : desk.lanes)
        initialize(&lane.lock);
    for (volatile int i = 1; i <= 4; i = i + 1)
        sum += locked(desk.lanes[i], [](Lane &lane) { return lane.id; });
    return sum;
}
#elif defined(WRONG_CONTEXT)
// A timer gets the logger for its context and takes it for a session.
struct Session { ULONGLONG id; CRITICAL_SECTION lock; int state; char user[40]; };
struct Logger { FILE *file; char line[80]; int level; };
static struct Timer { int (*tick)(void *); void *context; int period; } timers[3];
static int tick(void *context)
{
    Session *session = static_cast<Session *>(context);
    act("bad-pointer", &session->lock);
    expect_handle(&session->lock);
    EnterCriticalSection(&session->lock);
    session->state++;
    LeaveCriticalSection(&session->lock);
    return session->state;
}
static Session *session;
static Logger *logger;
NOINLINE static void set_up()
{
    session = new Session();
    initialize(&session->lock);
    logger = new Logger();
    lstrcpyA(logger->line, "[debug] started by service control, level 3");
    logger->level = 3;
    timers[0] = { tick, logger, 500 };
}
NOINLINE static int run_timers()
{
    int result = 0;
    for (Timer &timer : timers)
        if (timer.tick) {
            Sleep(timer.period);
            result += timer.tick(timer.context);
        }
    return result;
}
static int scenario()
{
    set_up();
    return run_timers();
}
#elif defined(TEXT_NODE)
// A cursor's node was freed; its block is a path by now, and two letters of it are taken for the node's cache.
struct Cache { int pages; CRITICAL_SECTION lock; };
struct Node { Node *next; int key; Cache *cache; int flags[6]; };
struct Cursor { Node *node; };
NOINLINE static void drop(Cursor *cursor)
{
    Cache *cache = cursor->node->cache;
    will("bad-pointer", &cache->lock);
    DeleteCriticalSection(&cache->lock);
    cache->pages = 0;
}
static int scenario()
{
    Cursor cursor = { new Node() };
    cursor.node->cache = new Cache();
    initialize(&cursor.node->cache->lock);
    delete cursor.node;
    wchar_t *path = static_cast<wchar_t *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Node)));
    lstrcpyW(path, L"D:\\\x041E\x0442\x0447\x0451\x0442\x044B");
    drop(&cursor);
    return path[2];
}
#elif defined(INT_RESULT)
// Without its declaration the function "returns" an int.
struct Peer { char name[40]; CRITICAL_SECTION lock; int open; };
static Peer *peers;
NOINLINE static int peer_of(int index) { return static_cast<int>(reinterpret_cast<ULONG_PTR>(&peers[index])); }
NOINLINE static int close_peer(int index)
{
    Peer *peer = reinterpret_cast<Peer *>(static_cast<INT_PTR>(peer_of(index)));
    will("bad-pointer", &peer->lock);
    EnterCriticalSection(&peer->lock);
    peer->open = 0;
    LeaveCriticalSection(&peer->lock);
    return sink++;
}
static int scenario()
{
    peers = reinterpret_cast<Peer *>(pages(0x4000, reinterpret_cast<void *>(0x19A3C0000ull)));
    for (int i = 0; i < 20; i++) {
        initialize(&peers[i].lock);
        peers[i].open = 1;
    }
    return close_peer(11);
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
