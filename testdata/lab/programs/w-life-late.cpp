// Sixth batch: somebody comes after an object's lock was deleted. Macros choose whose object it is, and who comes.
#include "w-life.h"

#if defined(CALLBACK_DELETES)
// The callback removes the add-on, and with it the call that is being done.
struct AddonCall {
    void *addon;
    int window, passes;
    void (*run)(AddonCall *);
    CRITICAL_SECTION lock;
    char method[24];
};
static void on_close(AddonCall *one)
{
    one->window = 0;
    will("deleted", &one->lock);
    DeleteCriticalSection(&one->lock);
    HeapFree(GetProcessHeap(), 0, one);
}
NOINLINE static void make_call(AddonCall *one)
{
    for (int i = one->passes; i > 0; i--) {
        EnterCriticalSection(&one->lock);
        if (one->window)
            one->run(one);
        LeaveCriticalSection(&one->lock);
    }
}
static int scenario()
{
    AddonCall *one = static_cast<AddonCall *>(allocate(sizeof *one));
    made(&one->lock);
    one->window = 10025;
    one->passes = 2;
    one->run = on_close;
    lstrcpyA(one->method, "onAction");
    make_call(one);
    return sink;
}
#elif defined(REFERENCES)
// What the other end says decides; bytes still come for a peer that has said goodbye.
struct Peer { char host[20]; LONG references; CRITICAL_SECTION lock; ULONG bytes; };
static Peer peers[12];
static volatile char heard[] = "c4c7b4b7d7b4b7"; // overwritten as it is read
NOINLINE static void on_event(char kind, Peer *one)
{
    if (kind == 'c') {
        lstrcpyA(one->host, "10.0.4.17:6881");
        one->references++;
        initialize(&one->lock);
    } else if (kind == 'b') {
        EnterCriticalSection(&one->lock);
        one->bytes += 1500;
        LeaveCriticalSection(&one->lock);
    } else if (--one->references == 0) {
        will("deleted", &one->lock);
        DeleteCriticalSection(&one->lock);
        memset(static_cast<void *>(one), 0, sizeof *one);
    }
}
static int scenario()
{
    for (int i = 0; heard[i]; i += 2) {
        char kind = heard[i], which = heard[i + 1];
        heard[i] = heard[i + 1] = ' ';
        on_event(kind, &peers[which - '0']);
    }
    return sink;
}
#elif defined(RECONNECT)
// A reconnect closes the session; opening it again fails before the lock is made.
struct Link { int socket; wchar_t name[12]; CRITICAL_SECTION lock; ULONG sent; };
static Link *uplink;
static bool open_link(const char *address)
{
    if (!*address)
        return false; // cannot be resolved
    uplink->socket = 300;
    made(&uplink->lock);
    return true;
}
static void close_link()
{
    will("deleted", &uplink->lock);
    DeleteCriticalSection(&uplink->lock);
    uplink->socket = -1;
}
NOINLINE static void transmit(ULONG size)
{
    EnterCriticalSection(&uplink->lock);
    uplink->sent += size;
    LeaveCriticalSection(&uplink->lock);
}
static int scenario()
{
    const char *addresses[2] = { "192.168.0.2", "" };
    uplink = static_cast<Link *>(allocate(sizeof(Link)));
    for (const char *address : addresses) {
        if (uplink->socket)
            close_link();
        if (!open_link(address))
            sink++;
        transmit(64);
    }
    return sink;
}
#elif defined(STOP_TIMEOUT)
// The destructor waits for its thread, but not long enough.
class Watcher {
    HANDLE stop, thread;
    wchar_t folder[16];
    CRITICAL_SECTION lock;
    LONG changes;
    static DWORD WINAPI run(void *argument) { return static_cast<Watcher *>(argument)->watch(); }
    NOINLINE DWORD watch()
    {
        while (WaitForSingleObject(stop, 50) == WAIT_TIMEOUT)
            ;
        Sleep(900); // a slow share
        EnterCriticalSection(&lock);
        changes = 0;
        LeaveCriticalSection(&lock);
        return 0;
    }
public:
    Watcher() : folder(L"\\\\srv\\public"), changes(0)
    {
        made(&lock);
        stop = CreateEventA(NULL, TRUE, FALSE, NULL);
        thread = CreateThread(NULL, STACK_RESERVE, run, this, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    }
    ~Watcher()
    {
        SetEvent(stop);
        WaitForSingleObject(thread, 200);
        will("deleted", &lock);
        DeleteCriticalSection(&lock);
    }
};
static int scenario()
{
    Watcher *watcher = new Watcher;
    Sleep(200);
    delete watcher;
    Sleep(3000);
    return sink;
}
#elif defined(BASE_DESTRUCTOR)
// The base flushes under a lock that is a member of what is derived from it.
struct Device {
    CRITICAL_SECTION *guard;
    int pending;
    explicit Device(CRITICAL_SECTION *g) : guard(g), pending(3) { }
    NOINLINE void flush()
    {
        EnterCriticalSection(guard);
        pending = 0;
        LeaveCriticalSection(guard);
    }
    virtual ~Device() { flush(); }
};
struct Printer : Device {
    int pages, copies;
    CRITICAL_SECTION lock;
    Printer() : Device(&lock), pages(4), copies(1) { made(&lock); }
    ~Printer()
    {
        will("deleted", &lock);
        DeleteCriticalSection(&lock);
    }
};
static int scenario()
{
    Device *volatile device = new Printer;
    device->flush();
    delete device;
    return sink;
}
#elif defined(WINDOW_MESSAGES)
// A timer's message is still in the queue when the window is destroyed.
struct View { int style; RECT place; CRITICAL_SECTION lock; HANDLE icon; };
static View view;
static volatile char messages[] = "cptdt"; // what the user does; overwritten as it is read
NOINLINE static void on_message(char kind)
{
    switch (kind) {
    case 'c':
        initialize(&view.lock);
        view.style = 0x10CF;
        break;
    case 'd':
        will("deleted", &view.lock);
        DeleteCriticalSection(&view.lock);
        memset(static_cast<void *>(&view), 0, sizeof view);
        break;
    default:
        EnterCriticalSection(&view.lock);
        view.place.right++;
        LeaveCriticalSection(&view.lock);
    }
}
static int scenario()
{
    for (int i = 0; messages[i]; i++) {
        char kind = messages[i];
        messages[i] = '.';
        on_message(kind);
    }
    return sink;
}
#elif defined(WORK_ITEM)
// The request has timed out and is gone; its completion comes in the thread pool.
struct Request { ULONG id; char verb[8]; CRITICAL_SECTION lock; int state; char url[44]; };
static DWORD WINAPI complete(void *argument)
{
    Request *one = static_cast<Request *>(argument);
    Sleep(900);
    EnterCriticalSection(&one->lock);
    one->state = 200;
    LeaveCriticalSection(&one->lock);
    return 0;
}
static int scenario()
{
    static Request requests[3];
    Request *one = &requests[1];
    made(&one->lock);
    one->id = 4711;
    lstrcpyA(one->url, "https://api.contoso.com/v2/items?page=3");
    QueueUserWorkItem(complete, one, WT_EXECUTELONGFUNCTION);
    Sleep(300);
    one->state = 408;
    will("deleted", &one->lock);
    DeleteCriticalSection(&one->lock);
    Sleep(3000);
    return sink;
}
#elif defined(OPTIONAL_VALUE)
// An optional value was reset, and is read without asking whether it is there.
template <class Value> struct Optional {
    bool has;
    alignas(Value) char bytes[sizeof(Value)];
    Value &operator*() { return *reinterpret_cast<Value *>(bytes); }
    void emplace() { new (bytes) Value; has = true; }
    void reset()
    {
        (**this).~Value();
        has = false;
    }
};
struct Statistics {
    LONG hits, misses;
    CRITICAL_SECTION lock;
    Statistics() : hits(0), misses(0) { made(&lock); }
    ~Statistics()
    {
        will("deleted", &lock);
        DeleteCriticalSection(&lock);
    }
    NOINLINE void hit()
    {
        EnterCriticalSection(&lock);
        hits++;
        LeaveCriticalSection(&lock);
    }
};
static __thread Optional<Statistics> of_thread_statistics;
static DWORD WINAPI request(void *resets)
{
    Optional<Statistics> &mine = of_thread_statistics;
    mine.emplace();
    for (int i = 0; i < 3; i++) {
        (*mine).hit();
        if (i == 1 && resets)
            mine.reset();
    }
    return 0;
}
static int scenario()
{
    in_thread(request, &jobs);
    return sink;
}
#elif defined(DOUBLE_DELETE)
// An error path deletes the cursor, its owner deletes it once more; the block has a query in between.
struct Cursor {
    int row, columns;
    void *statement;
    CRITICAL_SECTION lock;
    char text[40];
    Cursor() : row(0), columns(5), statement(NULL) { made(&lock); }
    ~Cursor()
    {
        statement = NULL;
        DeleteCriticalSection(&lock);
    }
};
struct Query { Cursor *cursor; ~Query() { delete cursor; } };
static char *sql;
NOINLINE static bool fetch(Query &query)
{
    if (query.cursor->row++ == 0)
        return true;
    will("deleted", &query.cursor->lock);
    delete query.cursor; // the connection is lost
    return false;
}
static int scenario()
{
    Query query = { new Cursor };
    const Cursor *before = query.cursor;
    while (fetch(query))
        sink++;
    sql = static_cast<char *>(anew(before, sizeof(Cursor)));
    lstrcpyA(sql, "UPDATE accounts SET balance = balance - 100 WHERE owner = 'miller' AND open = 1");
    return sink;
}
#elif defined(REOPENING)
// The broker is closed and opened again by one thread while another publishes.
struct Broker { ULONG sequence; char server[28]; CRITICAL_SECTION lock; int retries; };
static Broker broker;
static DWORD WINAPI publish(void *)
{
    for (;;) {
        EnterCriticalSection(&broker.lock);
        broker.sequence++;
        LeaveCriticalSection(&broker.lock);
        Sleep(400);
    }
}
NOINLINE static void open_broker(const char *server)
{
    lstrcpyA(broker.server, server);
    initialize(&broker.lock);
}
NOINLINE static void close_broker()
{
    will("deleted", &broker.lock);
    DeleteCriticalSection(&broker.lock);
}
static int scenario()
{
    open_broker("mq1.contoso.com");
    meanwhile(publish, NULL);
    Sleep(600);
    close_broker();
    Sleep(2000); // looks for the other server
    open_broker("mq2.contoso.com");
    return sink;
}
#elif defined(CAPTURED)
// A continuation has captured an object by reference; it runs when the object's owner has closed it.
template <class Function> static void later(Function function)
{
    Function *kept = new Function(function);
    post([](void *argument) { (*static_cast<Function *>(argument))(); }, kept);
}
struct Download {
    LONGLONG size, done;
    CRITICAL_SECTION lock;
    void close()
    {
        will("deleted", &lock);
        DeleteCriticalSection(&lock);
        size = 0;
    }
};
NOINLINE static void begin(Download &one)
{
    made(&one.lock);
    one.size = 1 << 20;
    later([&one] {
        EnterCriticalSection(&one.lock);
        one.done = one.size;
        LeaveCriticalSection(&one.lock);
        later([&one] { one.close(); });
        later([&one] { EnterCriticalSection(&one.lock); sink++; LeaveCriticalSection(&one.lock); });
    });
}
static int scenario()
{
    begin(*static_cast<Download *>(allocate(sizeof(Download))));
    return run_jobs();
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
