// Unseen: a section is used that nobody initialised. Macros choose what its memory holds and which call fails.
#include "unseen.h"

class Cache {
public:
    bool open(const char *path);
    NOINLINE void put() { EnterCriticalSection(&lock); entries++; LeaveCriticalSection(&lock); }
    NOINLINE void enter() { entries++; EnterCriticalSection(&lock); sink++; }
    NOINLINE void leave() { entries++; LeaveCriticalSection(&lock); sink++; }
    NOINLINE bool try_enter() { entries++; return (BYTE)TryEnterCriticalSection(&lock) != 0; }
    NOINLINE void tear_down() { entries = 0; DeleteCriticalSection(&lock); sink++; }
    void *owner;
    int entries;
    char path[20];
    CRITICAL_SECTION lock;
    int tail[4];
};
bool Cache::open(const char *name)
{
    HANDLE file = CreateFileA(name, GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
    if (file == INVALID_HANDLE_VALUE)
        return false; // and the section below is never made
    lstrcpynA(path, name, sizeof path);
    InitializeCriticalSection(&lock);
    return true;
}

[[maybe_unused]] static void fill(void *at, size_t size, DWORD value)
{
    for (size_t i = 0; i < size / 4; i++)
        static_cast<DWORD *>(at)[i] = value;
}

#if defined(ERROR_PATH)
static int scenario()
{
    Cache *cache = static_cast<Cache *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(Cache)));
    cache->open("c:\\no such folder\\index.bin"); // nobody looks at the answer
    act("never-initialized", &cache->lock);
    expect(&cache->lock);
    cache->put();
    return sink;
}
#elif defined(THREAD_FIRST)
// The constructor starts the thread before it makes the section.
class Poller {
public:
    explicit Poller(Waiters *w)
    {
        make_waiters(w, 1, run, this);
        act("never-initialized", &lock);
        expect(&lock);
        start_waiters(w);
        InitializeCriticalSection(&lock);
    }
    static DWORD WINAPI run(void *self) { static_cast<Poller *>(self)->poll(); return 0; }
    NOINLINE void poll() { EnterCriticalSection(&lock); rounds++; LeaveCriticalSection(&lock); }
    int rounds = 0;
    CRITICAL_SECTION lock;
};
alignas(Poller) static char storage[sizeof(Poller)];
static int scenario()
{
    Waiters waiters;
    new (storage) Poller(&waiters);
    return sink;
}
#elif defined(PER_THREAD)
// Thread-local state is made by an initialiser that only the main thread runs.
struct State { int depth; CRITICAL_SECTION lock; };
static DWORD slot;
static State *state()
{
    State *found = static_cast<State *>(TlsGetValue(slot));
    if (!found) {
        found = static_cast<State *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(State)));
        TlsSetValue(slot, found);
    }
    return found;
}
NOINLINE static DWORD WINAPI other(void *)
{
    State *mine = state();
    act("never-initialized", &mine->lock);
    expect(&mine->lock);
    EnterCriticalSection(&mine->lock);
    mine->depth++;
    LeaveCriticalSection(&mine->lock);
    return 0;
}
static int scenario()
{
    Waiters waiters;
    slot = TlsAlloc();
    make_waiters(&waiters, 1, other, NULL);
    initialize(&state()->lock);
    EnterCriticalSection(&state()->lock);
    start_waiters(&waiters);
    return leave(&state()->lock);
}
#elif defined(FILLED_WITH)
// A debug allocator fills what it gives out.
static int scenario()
{
    Cache *cache = static_cast<Cache *>(operator new(sizeof(Cache)));
    fill(cache, sizeof(Cache), FILLED_WITH);
    act("never-initialized", &cache->lock);
    expect(&cache->lock);
#if defined(TEAR_DOWN)
    cache->tear_down();
#else
#if defined(BY_TRY)
    if (!cache->try_enter())
        return 1;
#else
    cache->enter();
#endif
    expect_handle(&cache->lock);
    cache->leave();
#endif
    return sink;
}
#elif defined(LAST_ONE)
// for (i = 0; i < count - 1; i++) initialise; the last of the array is as the allocator left it.
struct Bucket { CRITICAL_SECTION lock; void *chain; int used; };
static int scenario()
{
    const int count = 5;
    Bucket *buckets = static_cast<Bucket *>(operator new(count * sizeof(Bucket)));
    fill(buckets, count * sizeof(Bucket), LAST_ONE);
    for (int i = 0; i < count - 1; i++)
        initialize(&buckets[i].lock);
    act("never-initialized", &buckets[count - 1].lock);
    expect(&buckets[count - 1].lock);
    for (int i = 0; i < count; i++) {
        EnterCriticalSection(&buckets[i].lock);
        buckets[i].used++;
        if (i == count - 1)
            expect_handle(&buckets[i].lock);
        LeaveCriticalSection(&buckets[i].lock);
    }
    return sink;
}
#elif defined(OLD_SECTION)
// An array was grown and its old block freed as it was; the sections were closed properly at their new place. A new
// object gets the old block, and its Init is skipped: it "has" the section of the one before.
static Cache *after;
static DWORD WINAPI visitor(void *) { after->put(); return 0; }
static int scenario()
{
    Waiters waiters;
    Cache *before = new Cache, *grown = static_cast<Cache *>(operator new(3 * sizeof(Cache)));
    initialize(&before->lock);
    contend_once(&before->lock);
    make_waiters(&waiters, 1, visitor, NULL);
    memcpy(static_cast<void *>(grown), before, sizeof *before);
    operator delete(before);
    DeleteCriticalSection(&grown->lock);
    after = static_cast<Cache *>(operator new(sizeof(Cache)));
    after->open("c:\\no such folder\\names.bin");
    expect_handle(&after->lock);
    act("never-initialized", &after->lock);
    EnterCriticalSection(&after->lock);
    start_waiters(&waiters);
    return leave(&after->lock);
}
#elif defined(ON_STACK)
// A local section, and what the function called before left in this piece of stack.
NOINLINE static void log_path()
{
    volatile char line[0x400];
    for (unsigned i = 0; i < sizeof line; i++)
        line[i] = "/ws/gcc_37/k/oss/"[i % 17];
    sink = line[5];
}
NOINLINE static int use_local()
{
    CRITICAL_SECTION local[8];
    CRITICAL_SECTION *one = &local[4];
    act("never-initialized", one);
    EnterCriticalSection(one);
    expect_handle(one);
    sink++;
    LeaveCriticalSection(one);
    return sink;
}
static int scenario()
{
    log_path();
    return use_local();
}
#elif defined(CLEANUP_ONLY)
// "goto cleanup" past both the initialisation and the Enter; the block held a table's entry, and its numbers pass.
struct Entry { void *links[4], *name; int columns, keyed; void *parent, *rows; ULONG_PTR spare; };
struct Report { void *links[4]; CRITICAL_SECTION lock; };
static int scenario()
{
    Entry *entry = new Entry;
    entry->name = entry;
    entry->columns = 6;
    entry->keyed = 1;
    entry->parent = NULL;
    entry->rows = new int[8];
    entry->spare = 0;
    operator delete(entry);
    Report *report = static_cast<Report *>(operator new(sizeof(Report)));
    act("never-initialized", &report->lock);
    expect_handle(&report->lock);
    return leave(&report->lock);
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
