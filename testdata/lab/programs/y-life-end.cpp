// Eighth batch: an Enter (or a second Delete) after the lock's owner has been ended. Macros choose what ended, and who comes then.
#include "k-common.h"
#include <stdlib.h>

// What the other side asks for comes byte by byte through a pipe; nothing of it is left here.
[[maybe_unused]] static HANDLE requests, sender_end;
[[maybe_unused]] static const char *to_send;
[[maybe_unused]] static DWORD WINAPI client(void *)
{
    DWORD done;
    WriteFile(sender_end, to_send, lstrlenA(to_send), &done, NULL);
    return 0;
}
[[maybe_unused]] static void connect_client(const char *text)
{
    Waiters one;
    to_send = text;
    CreatePipe(&requests, &sender_end, NULL, 0);
    make_waiters(&one, 1, client, NULL);
    start_waiters(&one);
    to_send = NULL;
}
[[maybe_unused]] NOINLINE static char next_request()
{
    char c = 0;
    DWORD done;
    return ReadFile(requests, &c, 1, &done, NULL) ? c : 0;
}

#if defined(REGISTRY)
// Statics of two files: the first to be made is the last to be destroyed, but it was made on demand.
struct Registry {
    CRITICAL_SECTION lock;
    int entries;
    void open() { initialize(&lock); }
    NOINLINE void close() { will("deleted", &lock); DeleteCriticalSection(&lock); }
    NOINLINE int remove(int count)
    {
        EnterCriticalSection(&lock);
        entries -= count;
        LeaveCriticalSection(&lock);
        return entries;
    }
};
static Registry registry;
struct Session { int open = 0; ~Session() { if (open) sink += registry.remove(open); } };
static Session session;
static void close_registry() { registry.close(); }
NOINLINE static void demand() { registry.open(); atexit(close_registry); }
static int scenario()
{
    connect_client("cs");
    for (char c = next_request(); c != 's'; c = next_request())
        demand();
    session.open = 2;
    exit(0);
}
#elif defined(POOL)
// The destructor deletes its lock and waits for its thread then.
struct Pool {
    wchar_t name[6];
    CRITICAL_SECTION lock;
    HANDLE thread, wake;
    volatile LONG stop, jobs;
};
static DWORD WINAPI run(void *argument)
{
    Pool *pool = static_cast<Pool *>(argument);
    while (!pool->stop) {
        EnterCriticalSection(&pool->lock);
        pool->jobs++;
        LeaveCriticalSection(&pool->lock);
        WaitForSingleObject(pool->wake, INFINITE);
        Sleep(100);
        if (pool->stop) {
            EnterCriticalSection(&pool->lock); // what is left to do
            pool->jobs = 0;
            LeaveCriticalSection(&pool->lock);
        }
    }
    return 0;
}
NOINLINE static void destroy(Pool *pool)
{
    pool->stop = 1;
    will("deleted", &pool->lock);
    DeleteCriticalSection(&pool->lock);
    SetEvent(pool->wake);
    WaitForSingleObject(pool->thread, INFINITE);
    delete pool;
}
static int scenario()
{
    Waiters one;
    Pool *pool = new Pool();
    initialize(&pool->lock);
    pool->wake = CreateEventA(NULL, FALSE, FALSE, NULL);
    make_waiters(&one, 1, run, pool);
    pool->thread = one.threads[0];
    start_waiters(&one);
    destroy(pool);
    return sink;
}
#elif defined(PLAYER)
// The end-of-stream callback closes the player whose loop calls it.
struct Player { virtual void ended() = 0; virtual ~Player() { } CRITICAL_SECTION lock; ULONGLONG position; int state; };
struct Deck : Player {
    NOINLINE void ended() override
    {
        if (next_request() == 'q') {
            will("deleted", &lock);
            DeleteCriticalSection(&lock);
        }
    }
};
NOINLINE static int play(Player *player)
{
    EnterCriticalSection(&player->lock);
    player->position += 4096;
    LeaveCriticalSection(&player->lock);
    player->ended();
    EnterCriticalSection(&player->lock);
    player->state = 0;
    LeaveCriticalSection(&player->lock);
    return player->state;
}
static int scenario()
{
    Deck *deck = new Deck;
    initialize(&deck->lock);
    connect_client("q");
    return play(deck);
}
#elif defined(TIMER)
// The timer is not waited for when its client goes; one more tick comes.
struct Client { char host[20]; int port; CRITICAL_SECTION lock; ULONG ticks; };
static VOID CALLBACK tick(void *argument, BOOLEAN)
{
    Client *client = static_cast<Client *>(argument);
    Sleep(300);
    EnterCriticalSection(&client->lock);
    client->ticks++;
    LeaveCriticalSection(&client->lock);
}
NOINLINE static Client *make_client()
{
    Client *one = new Client();
    lstrcpyA(one->host, "mail.contoso.com");
    one->port = 993;
    return one;
}
NOINLINE static void start(Client *one) { initialize(&one->lock); }
NOINLINE static void stop(Client *one)
{
    will("deleted", &one->lock);
    DeleteCriticalSection(&one->lock);
}
static int scenario()
{
    HANDLE timer;
    Client *one = make_client();
    connect_client("+-.");
    CreateTimerQueueTimer(&timer, NULL, tick, one, 300, 0, WT_EXECUTEDEFAULT);
    for (char c = next_request(); c != '.'; c = next_request())
        c == '+' ? start(one) : stop(one);
    Sleep(4000);
    return sink;
}
#elif defined(LISTENER)
// A listener goes while the others are told; the list that is walked is a copy.
struct Listener { CRITICAL_SECTION lock; int pending; DWORD topic; };
static Listener *listeners[4];
NOINLINE static void attach(int i)
{
    listeners[i] = new Listener();
    initialize(&listeners[i]->lock);
    listeners[i]->topic = 0x20 + i;
}
NOINLINE static void detach(int i)
{
    will("deleted", &listeners[i]->lock);
    DeleteCriticalSection(&listeners[i]->lock);
    listeners[i] = NULL;
}
NOINLINE static int tell(Listener *one)
{
    EnterCriticalSection(&one->lock);
    int pending = ++one->pending;
    LeaveCriticalSection(&one->lock);
    return pending;
}
NOINLINE static void handle_all()
{
    for (char c = next_request(); c != '.'; c = next_request())
        c >= 'a' ? detach(c - 'a') : attach(c - '0');
}
static int scenario()
{
    connect_client("0123.b.");
    handle_all();
    Listener *copy[4];
    memcpy(copy, listeners, sizeof copy);
    for (Listener *one : copy) {
        sink += tell(one);
        if (one == copy[0])
            handle_all();
    }
    return sink;
}
#elif defined(THREAD_STORE)
// A thread's own statistics, in its thread-local storage; it clears up at the end, the collector asks still.
struct Store { ULONG hits, misses; CRITICAL_SECTION lock; };
static __thread Store of_thread;
static Store *volatile stores[3];
NOINLINE static void begin_counting() { initialize(&of_thread.lock); }
NOINLINE static void end_counting()
{
    will("deleted", &of_thread.lock);
    DeleteCriticalSection(&of_thread.lock);
}
static DWORD WINAPI worker(void *argument)
{
    stores[reinterpret_cast<ULONG_PTR>(argument)] = &of_thread;
    of_thread.hits = 17;
    for (char c = next_request(); c != '.'; c = next_request())
        c == 'b' ? begin_counting() : end_counting();
    Sleep(INFINITE);
    return 0;
}
NOINLINE static ULONG collect(Store *store)
{
    EnterCriticalSection(&store->lock);
    ULONG hits = store->hits;
    LeaveCriticalSection(&store->lock);
    return hits;
}
static int scenario()
{
    Waiters one;
    connect_client("be.");
    make_waiters(&one, 1, worker, reinterpret_cast<void *>(1));
    start_waiters(&one);
    for (Store *store : stores)
        if (store)
            sink += collect(store);
    return sink;
}
#elif defined(HOST)
// The library has a shutdown() of its own; the host writes a last line through it.
typedef void (*function)(CRITICAL_SECTION **);
typedef CRITICAL_SECTION *(*holder_function)(void);
static CRITICAL_SECTION *library_lock;
NOINLINE static void library_start() { initialize(library_lock); }
NOINLINE static void library_stop()
{
    will("deleted", library_lock);
    DeleteCriticalSection(library_lock);
}
NOINLINE static int library_log(const char *text)
{
    EnterCriticalSection(library_lock);
    sink += text[0];
    LeaveCriticalSection(library_lock);
    return sink;
}
static int scenario()
{
    library_lock = reinterpret_cast<holder_function>(reinterpret_cast<void *>(GetProcAddress(LoadLibraryA("plugin.dll"), "plugin_section")))();
    connect_client("+-!");
    for (;;)
        switch (next_request()) {
        case '+': library_start(); break;
        case '-': library_stop(); break;
        default: return library_log("end");
        }
}
#elif defined(SPAN)
// The object is destroyed and its block zeroed for another class; a thread has kept the address.
struct Span { const char *name; ULONGLONG begun; CRITICAL_SECTION lock; int children; };
struct Counter { virtual int value() { return count; } virtual ~Counter() { } int count; char unused[sizeof(Span) - 3 * sizeof(void *)]; };
static Span *open_span;
static DWORD WINAPI exporter(void *argument)
{
    Span *span = static_cast<Span *>(argument);
    Sleep(600);
    EnterCriticalSection(&span->lock);
    span->children++;
    LeaveCriticalSection(&span->lock);
    return 0;
}
NOINLINE static void begin_span()
{
    open_span = new Span();
    open_span->name = "request";
    initialize(&open_span->lock);
}
NOINLINE static void end_span()
{
    will("deleted", &open_span->lock);
    DeleteCriticalSection(&open_span->lock);
    delete open_span;
    open_span = NULL;
}
NOINLINE static Counter *new_counter()
{
    return new (HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(Counter))) Counter();
}
static int scenario()
{
    Waiters one;
    Counter *volatile counters[24];
    begin_span();
    make_waiters(&one, 1, exporter, open_span);
    ResumeThread(one.threads[0]);
    end_span();
    for (auto &counter : counters)
        counter = new_counter();
    Sleep(4000);
    return counters[5]->value();
}
#elif defined(TEXT_AFTER)
// The destructor ran, the block is a line of text now. NETLIB: the handle is closed a second time; otherwise it is entered.
struct Netlib { CRITICAL_SECTION lock; int socket; char peer[28]; };
static Netlib *slots[2];
NOINLINE static void open_connection()
{
    slots[0] = slots[1] = new Netlib();
    slots[0]->socket = 0x1F4;
    initialize(&slots[0]->lock);
}
static bool told;
NOINLINE static int close_connection(Netlib *one)
{
    if (!told)
        act("deleted", &one->lock);
    told = true;
    expect(&one->lock);
    DeleteCriticalSection(&one->lock);
    delete one;
    return sink++;
}
NOINLINE static int send_on(Netlib *one)
{
    EnterCriticalSection(&one->lock);
    int socket = one->socket;
    LeaveCriticalSection(&one->lock);
    return socket;
}
NOINLINE static char *line(const char *text)
{
    char *block = static_cast<char *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Netlib)));
    for (unsigned i = 0; i < sizeof(Netlib); i++)
        block[i] = text[i % 40];
    return block;
}
static int scenario()
{
    char *volatile lines[24];
    connect_client("oclx");
    for (;;)
        switch (next_request()) {
        case 'o': open_connection(); break;
        case 'c': close_connection(slots[0]); slots[0] = NULL; break;
        case 'l':
            for (auto &one : lines)
                one = line("POST /submit?id=7 HTTP/1.1 Host: contoso");
            break;
#ifdef NETLIB
        default: return close_connection(slots[1]);
#else
        default: return send_on(slots[1]) + lines[3][0];
#endif
        }
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
