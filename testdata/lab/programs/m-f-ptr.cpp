// Third batch: what is passed never was a section. Macros choose where the value came from.
#include "unseen.h"
#include <stdarg.h>

static CRITICAL_SECTION *wrong(const volatile void *pointer)
{
    CRITICAL_SECTION *lock = static_cast<CRITICAL_SECTION *>(const_cast<void *>(pointer));
    act("bad-pointer", lock);
    expect(lock);
    return lock;
}

#if defined(SLOT_ID)
// The registry hands out ids (generation and slot); the callback's user data is taken for the object itself.
struct Peer { char address[20]; int failures; CRITICAL_SECTION lock; };
struct Registry {
    Peer *peers[16];
    int generation = SLOT_ID;
    NOINLINE ULONG_PTR add(int at, Peer *peer) { peers[at] = peer; return static_cast<ULONG_PTR>(generation) << 16 | at; }
};
static Registry registry;
typedef bool (*probe_function)(void *user);
NOINLINE static bool probe(void *user)
{
    Peer *peer = static_cast<Peer *>(user);
    if (!TryEnterCriticalSection(wrong(&peer->lock)))
        return false;
    peer->failures = 0;
    LeaveCriticalSection(&peer->lock);
    return true;
}
static int scenario()
{
    volatile probe_function probing = probe;
    ULONG_PTR id = 0;
    for (int i = 0; i < 6; i++) {
        Peer *peer = new Peer;
        lstrcpyA(peer->address, "10.20.4.117:7780");
        initialize(&peer->lock);
        id = registry.add(i, peer);
    }
    return probing(reinterpret_cast<void *>(id));
}
#elif defined(ENCODED)
// Hooks are stored encoded, as a hardening; one of the two readers was not changed.
struct Hook { void *target; void *lock; };
static Hook hooks[4];
NOINLINE static void install(int at, CRITICAL_SECTION *lock) { hooks[at] = { EncodePointer(reinterpret_cast<void *>(&install)), EncodePointer(lock) }; }
NOINLINE static int uninstall(Hook *hook)
{
    CRITICAL_SECTION *lock = wrong(hook->lock);
    EnterCriticalSection(lock);
    hook->target = NULL;
    LeaveCriticalSection(lock);
    return sink++;
}
static int scenario()
{
    static CRITICAL_SECTION guards[2];
    for (int i = 0; i < 2; i++) {
        initialize(&guards[i]);
        install(i, &guards[i]);
    }
    return uninstall(&hooks[1]);
}
#elif defined(MINUS_ONE_INDEX)
// index_of() says -1 for "not there", its caller keeps that in an unsigned; the lock is left on the way out of the loop.
struct Lane { ULONG_PTR vehicles; CRITICAL_SECTION lock; int state; };
static Lane lanes[12];
NOINLINE static int index_of(int state)
{
    for (int i = 0; i < 12; i++)
        if (lanes[i].state == state)
            return i;
    return -1;
}
NOINLINE static int release_lane(int state)
{
    unsigned at = index_of(state);
    lanes[at % 12].vehicles = 0;
    LeaveCriticalSection(wrong(&lanes[at].lock));
    return static_cast<int>(at);
}
static int scenario()
{
    for (int i = 0; i < 12; i++) {
        lanes[i].state = i % 3;
        initialize(&lanes[i].lock);
    }
    EnterCriticalSection(&lanes[7].lock);
    return release_lane(5);
}
#elif defined(TEXT_OVER_POINTER)
// The pointer to a shared lock lies behind a title, which was copied in with its length taken for characters.
struct Window { int id; WCHAR title[14]; CRITICAL_SECTION *shared; int dirty; };
NOINLINE static void set_title(Window *window, const WCHAR *text, int bytes) { memcpy(window->title, text, bytes); }
NOINLINE static bool invalidate(Window *window)
{
    if (!TryEnterCriticalSection(window->shared))
        return false;
    window->dirty++;
    LeaveCriticalSection(window->shared);
    return true;
}
static int scenario()
{
    static CRITICAL_SECTION shared;
    Window *windows = static_cast<Window *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, 4 * sizeof(Window)));
    initialize(&shared);
    for (int i = 0; i < 4; i++) {
        windows[i].shared = &shared;
        set_title(&windows[i], L"Untitled", 18);
        sink += invalidate(&windows[i]);
    }
    set_title(&windows[2], L"Invoice 2019-113 (draft)", offsetof(Window, shared) - offsetof(Window, title) + sizeof(void *));
    wrong(windows[2].shared);
    return invalidate(&windows[2]);
}
#elif defined(WRONG_ARGUMENT)
// A variadic release(count, ...) is given a weight where a lock belongs.
NOINLINE static int release_all(int count, ...)
{
    va_list list;
    va_start(list, count);
    for (int i = 0; i < count; i++)
        LeaveCriticalSection(i + 1 < count ? va_arg(list, CRITICAL_SECTION *) : wrong(va_arg(list, CRITICAL_SECTION *)));
    va_end(list);
    return sink++;
}
static int scenario()
{
    static CRITICAL_SECTION a, b;
    volatile double weight = 0.7;
    initialize(&a);
    initialize(&b);
    EnterCriticalSection(&a);
    EnterCriticalSection(&b);
    return release_all(3, &b, &a, weight);
}
#elif defined(RECORD_OF_NULL)
// find() answers NULL, and the record around it begins before zero.
struct Lease { CRITICAL_SECTION lock; WCHAR holder[30]; int days; LIST_ENTRY by_date; };
static LIST_ENTRY leases = { &leases, &leases };
NOINLINE static LIST_ENTRY *find(int days)
{
    for (LIST_ENTRY *at = leases.Flink; at != &leases; at = at->Flink)
        if (CONTAINING_RECORD(at, Lease, by_date)->days >= days)
            return at;
    return NULL;
}
NOINLINE static int renew(int days)
{
    Lease *lease = CONTAINING_RECORD(find(days), Lease, by_date);
    EnterCriticalSection(wrong(&lease->lock));
    lease->days += days;
    LeaveCriticalSection(&lease->lock);
    return lease->days;
}
static int scenario()
{
    for (int i = 1; i < 5; i++) {
        Lease *lease = new Lease;
        lstrcpyW(lease->holder, L"accounts");
        lease->days = 7 * i;
        initialize(&lease->lock);
        lease->by_date = { leases.Flink, &leases };
        leases.Flink->Blink = &lease->by_date;
        leases.Flink = &lease->by_date;
    }
    return renew(21) + renew(90);
}
#elif defined(ERROR_CODE)
// open() answers a pointer or, by a cast, the error that it met; close() asks for NULL only.
struct Volume { CRITICAL_SECTION lock; int blocks; };
NOINLINE static Volume *open_volume(int blocks)
{
    if (blocks > 4096)
        return reinterpret_cast<Volume *>(static_cast<LONG_PTR>(static_cast<LONG>(ERROR_CODE)));
    Volume *made = new Volume;
    initialize(&made->lock);
    made->blocks = blocks;
    return made;
}
NOINLINE static void close_volume(Volume *volume)
{
    if (!volume)
        return;
    DeleteCriticalSection(&volume->lock);
    delete volume;
}
static int scenario()
{
    Volume *volumes[3] = { open_volume(100), NULL, open_volume(8192) };
    wrong(&volumes[2]->lock);
    for (Volume *volume : volumes)
        close_volume(volume);
    return sink;
}
#elif defined(TOMBSTONE)
// Removed entries of the hash table are marked by a 1 in place of the pointer; the walk asks for 0 only.
struct Entry { ULONG hash; int uses; CRITICAL_SECTION lock; };
static Entry *entries[32];
NOINLINE static int total()
{
    int uses = 0;
    for (Entry *entry : entries)
        if (entry) {
            if (reinterpret_cast<ULONG_PTR>(entry) < 0x10000)
                wrong(&entry->lock);
            if (!TryEnterCriticalSection(&entry->lock))
                continue; // its owner counts it later
            uses += entry->uses;
            LeaveCriticalSection(&entry->lock);
        }
    return uses;
}
static int scenario()
{
    for (int i = 0; i < 32; i += 5) {
        entries[i] = new Entry;
        entries[i]->uses = i;
        initialize(&entries[i]->lock);
    }
    sink += total();
    entries[15] = reinterpret_cast<Entry *>(TOMBSTONE);
    return total();
}
#elif defined(BEHIND_TABLE)
// Locks are left from the last to the first, beginning one too high: there the table's own counts lie.
struct Table { CRITICAL_SECTION *locks[5]; int count, room; };
static Table table;
NOINLINE static void lock_all(Table *t)
{
    for (int i = 0; i < t->count; i++)
        EnterCriticalSection(t->locks[i]);
}
NOINLINE static void unlock_all(Table *t)
{
    wrong(t->locks[t->count]);
    for (int i = t->count; i >= 0; i--)
        LeaveCriticalSection(t->locks[i]);
}
static int scenario()
{
    table.count = 5;
    table.room = BEHIND_TABLE;
    for (CRITICAL_SECTION *&lock : table.locks) {
        lock = new CRITICAL_SECTION;
        initialize(lock);
    }
    lock_all(&table);
    unlock_all(&table);
    return sink;
}
#elif defined(OTHER_LOCK)
// Gates have one of two kinds of lock, behind a void *; this one has the other kind: a slim lock, counts and a name.
struct SlimGate { SRWLOCK slim; int readers, writers; const char *name; ULONG_PTR limit; CONDITION_VARIABLE changed; };
struct Gate { bool slim; void *lock; };
static SlimGate slim_gate = { SRWLOCK_INIT, 6, 2, "catalogue", 64, CONDITION_VARIABLE_INIT };
static CRITICAL_SECTION plain_gate;
static Gate gates[2] = { { false, &plain_gate }, { true, &slim_gate } };
NOINLINE static int pass(Gate *gate)
{
    CRITICAL_SECTION *lock = static_cast<CRITICAL_SECTION *>(gate->lock);
    if (gate->slim)
        wrong(lock);
    EnterCriticalSection(lock);
    sink++;
    LeaveCriticalSection(lock);
    return sink;
}
static int scenario()
{
    initialize(&plain_gate);
    for (int i = 0; i < 2; i++)
        sink += pass(&gates[i]);
    return sink;
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
