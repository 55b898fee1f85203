// Seventh batch: the address is that of no lock, and something else lies there. Macros choose what.
#include "k-common.h"

#if defined(ROUTES)
// i <= count
struct Route { char name[16]; CRITICAL_SECTION lock; int hops; };
static struct { Route routes[4]; char notice[96]; int count; } table = { {}, "Maintenance on Sunday, 02:00 to 04:00 UTC: all tunnels will be closed. Ask noc@example.net.", 4 };
NOINLINE static int refresh(Route *route)
{
    will("bad-pointer", &route->lock);
    EnterCriticalSection(&route->lock);
    route->hops++;
    LeaveCriticalSection(&route->lock);
    return route->hops;
}
static int scenario()
{
    for (int i = 0; i < table.count; i++) {
        lstrcpyA(table.routes[i].name, "eth0");
        initialize(&table.routes[i].lock);
    }
    for (volatile int i = 0; i <= table.count; i = i + 1)
        sink += refresh(&table.routes[i]);
    return sink;
}
#elif defined(SINK)
// A callback's context goes through void *, in as the second base, out as the class itself.
struct Counted { virtual long release() { return --references; } virtual ~Counted() { } long references; };
struct Listener { virtual int changed() = 0; virtual ~Listener() { } };
struct Watcher : Counted, Listener {
    int changed() override { return changes; }
    CRITICAL_SECTION lock;
    int changes;
    const wchar_t *folder;
};
static struct { void (*callback)(void *); void *context; } subscription;
NOINLINE static void subscribe(void (*callback)(void *), Listener *listener)
{
    subscription.callback = callback;
    subscription.context = listener;
}
static void on_change(void *context)
{
    Watcher *watcher = static_cast<Watcher *>(context);
    will("bad-pointer", &watcher->lock);
    EnterCriticalSection(&watcher->lock);
    watcher->changes++;
    LeaveCriticalSection(&watcher->lock);
}
static int scenario()
{
    Watcher *watcher = new Watcher;
    initialize(&watcher->lock);
    watcher->changes = 2;
    watcher->folder = L"C:\\Users\\Public\\Documents";
    EnterCriticalSection(&watcher->lock);
    subscribe(on_change, watcher);
    LeaveCriticalSection(&watcher->lock);
    subscription.callback(subscription.context);
    return sink;
}
#elif defined(SLOTS)
// find() gives -1, which is used as an index; before the table lies the list of ports.
struct Slot { int owner; CRITICAL_SECTION lock; char name[12]; };
static struct { int ports[10]; Slot slots[6]; } service = { { 21, 22, 23, 25, 80, 8080, 8443, 9000, 9090, 9100 }, {} };
NOINLINE static int find(const char *name)
{
    for (int i = 0; i < 6; i++)
        if (!lstrcmpA(service.slots[i].name, name))
            return i;
    return -1;
}
NOINLINE static int release(const char *name)
{
    Slot *slot = &service.slots[find(name)];
    act("bad-pointer", &slot->lock);
    EnterCriticalSection(&slot->lock);
    slot->owner = 0;
    expect_handle(&slot->lock);
    LeaveCriticalSection(&slot->lock);
    return sink++;
}
static int scenario()
{
    static const char *const names[6] = { "http", "https", "ftp", "smtp", "ssh", "dns" };
    for (int i = 0; i < 6; i++) {
        lstrcpyA(service.slots[i].name, names[i]);
        initialize(&service.slots[i].lock);
    }
    contend_once(&service.slots[1].lock);
    return release("ldap");
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
