// Third batch: DeleteCriticalSection had run. Macros choose who came after it.
#include "unseen.h"

static void goes(const CRITICAL_SECTION *lock)
{
    act("deleted", lock);
    expect(lock);
}

#if defined(MISSING_REFERENCE)
// A second holder did not count itself; the last release destroys the object and keeps its block for the next one.
struct Connection {
    char peer[24];
    long references;
    CRITICAL_SECTION lock;
    Connection *next_free;
    int sent;
};
static Connection *spare;
NOINLINE static void release(Connection *connection)
{
    if (--connection->references)
        return;
    goes(&connection->lock);
    DeleteCriticalSection(&connection->lock);
    connection->next_free = spare;
    spare = connection;
}
NOINLINE static int send(Connection *connection, int bytes)
{
    EnterCriticalSection(&connection->lock);
    connection->sent += bytes;
    LeaveCriticalSection(&connection->lock);
    return connection->sent;
}
static int scenario()
{
    Connection *connection = new Connection, *second;
    lstrcpyA(connection->peer, "mail.contoso.com:25");
    connection->references = 1;
    connection->sent = 0;
    initialize(&connection->lock);
    second = connection;
    sink += send(connection, 10);
    release(connection);
    return send(second, 20);
}
#elif defined(UNDER_CALLBACK)
// An item's observer removes the item, with its lock, from within a call that the item makes while it holds the lock.
struct Item;
typedef void (*observer)(Item *);
struct Item { CRITICAL_SECTION lock; int value; observer changed; };
NOINLINE static void set_value(Item *item, int value);
NOINLINE static void removed(Item *item)
{
    item->changed = NULL;
    goes(&item->lock);
    DeleteCriticalSection(&item->lock);
    set_value(item, 0);
    sink++;
}
NOINLINE static void set_value(Item *item, int value)
{
    EnterCriticalSection(&item->lock);
    item->value = value;
    if (item->changed)
        item->changed(item);
    LeaveCriticalSection(&item->lock);
    sink++;
}
static int scenario()
{
    Item *item = new Item;
    initialize(&item->lock);
    item->value = 1;
    item->changed = NULL;
    set_value(item, 2);
    item->changed = removed;
    set_value(item, 3);
    return sink;
}
#elif defined(MEMBER_GOES_FIRST)
// A member's destructor writes its end to the owner's log, whose lock, declared later, is destroyed already.
struct Lock {
    CRITICAL_SECTION native;
    Lock() { initialize(&native); }
    NOINLINE ~Lock() { goes(&native); DeleteCriticalSection(&native); sink++; }
};
struct Service;
struct Task {
    Service *owner;
    explicit Task(Service *s) : owner(s) { }
    NOINLINE ~Task();
};
struct Service {
    Task task;
    int lines = 0;
    Lock log_lock;
    Service() : task(this) { }
    NOINLINE void log() { EnterCriticalSection(&log_lock.native); lines++; LeaveCriticalSection(&log_lock.native); }
};
Task::~Task() { owner->log(); sink++; }
NOINLINE static int run_service()
{
    Service service;
    service.log();
    return service.lines;
}
static int scenario() { return run_service(); }
#elif defined(STATE_BEHIND)
// close() keeps statistics where the lock was (a union), and reset() closes once more because the state was not changed.
struct Totals { double seconds, bytes, errors, highest, lowest; };
struct Endpoint {
    int state, port;
    union { CRITICAL_SECTION lock; Totals totals; };
};
NOINLINE static void close_endpoint(Endpoint *endpoint)
{
    if (endpoint->state != 1)
        return;
    DeleteCriticalSection(&endpoint->lock);
    endpoint->totals = { 12.5, 98304.0, 2.25, 31.75, 0.5 };
}
static int scenario()
{
    static Endpoint endpoints[3];
    for (Endpoint &endpoint : endpoints) {
        endpoint.state = 1;
        endpoint.port = 8443;
        initialize(&endpoint.lock);
    }
    goes(&endpoints[1].lock);
    close_endpoint(&endpoints[1]);
    close_endpoint(&endpoints[1]);
    return sink;
}
#elif defined(OTHERS_ASLEEP)
// The object is destroyed by its owner, with two threads asleep for its lock; then it is used once more.
struct Cache { int entries; CRITICAL_SECTION lock; bool closed; };
static Cache cache;
NOINLINE static void shut_down()
{
    EnterCriticalSection(&cache.lock);
    Waiters readers;
    make_waiters(&readers, 2, pass_through, &cache.lock);
    start_waiters(&readers);
    cache.closed = true;
    goes(&cache.lock);
    DeleteCriticalSection(&cache.lock);
    sink++;
}
NOINLINE static int flush()
{
    EnterCriticalSection(&cache.lock);
    cache.entries = 0;
    LeaveCriticalSection(&cache.lock);
    return sink++;
}
static int scenario()
{
    initialize(&cache.lock);
    flush();
    shut_down();
    return flush();
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
