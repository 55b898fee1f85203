// Second batch: where the section should be lies something that was never made one (RAW), that no longer is (GONE), or that is another
// object (WRONG). What lies there passes the gates of Enter and Leave.
#include "unseen.h"

[[maybe_unused]] NOINLINE static int unlock(CRITICAL_SECTION *lock)
{
    sink++;
    LeaveCriticalSection(lock);
    return sink++;
}
[[maybe_unused]] NOINLINE static int use_both(CRITICAL_SECTION *lock)
{
    EnterCriticalSection(lock);
    expect_handle(lock);
    sink++;
    LeaveCriticalSection(lock);
    return sink;
}
static CRITICAL_SECTION *shared;
[[maybe_unused]] static DWORD WINAPI straggler(void *) { return use_both(shared); }
[[maybe_unused]] NOINLINE static int enter(CRITICAL_SECTION *lock)
{
    expect_handle(lock);
    sink++;
    EnterCriticalSection(lock);
    return sink++;
}
static void did(const char *cause, CRITICAL_SECTION *lock)
{
    shared = lock;
    expect_handle(lock);
    act(cause, lock);
}
// What other objects of the program look like.
struct Item { Item *next; int length, capacity; char *text; void *owner; ULONG_PTR spins; void *more[4]; };
[[maybe_unused]] static void make_item(void *at, int length, int capacity)
{
    Item *item = static_cast<Item *>(at);
    item->next = new Item;
    item->length = length;
    item->capacity = capacity;
    item->text = new char[64];
    item->owner = new int[4];
    item->spins = 0;
}
[[maybe_unused]] static void repeat(void *at, SIZE_T size, const char *text)
{
    for (SIZE_T i = 0, n = lstrlenA(text); i < size; i++)
        static_cast<char *>(at)[i] = text[i % n];
}
// A pool with blocks of one size that are not cleared.
[[maybe_unused]] static char *pool_block(int i)
{
    static char *pool;
    if (!pool)
        pool = static_cast<char *>(VirtualAlloc(NULL, 0x4000, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
    return pool + 0x180 * i;
}

#if defined(RAW_ITEM)
// The constructor returns early; the block was a list's item before, and Enter takes its length for a section that is owned.
static int scenario()
{
    char *block = pool_block(5);
    make_item(block + 2 * sizeof(void *), RAW_ITEM, 64);
    reinterpret_cast<void **>(block)[0] = NULL;
    did("never-initialized", reinterpret_cast<CRITICAL_SECTION *>(block + 2 * sizeof(void *)));
    return enter(shared);
}
#elif defined(RAW_DISTANCES)
// All distances are "infinite", 0x7F in every byte, in a static area that a later part of the program uses for its own structures.
static struct { int distance[200]; } scratch;
static int scenario()
{
    memset(&scratch, 0x7F, sizeof scratch);
    did("never-initialized", reinterpret_cast<CRITICAL_SECTION *>(&scratch.distance[84]));
    return use_both(shared);
}
#elif defined(RAW_BUFFER)
// A buffer that a file was read into is given out again as an object; only its first fields are set.
struct Download { const char *state; int percent; void *next; CRITICAL_SECTION lock; };
static const char *const states[] = { "queued", "running" };
static int scenario()
{
    Download *download = reinterpret_cast<Download *>(pool_block(9));
    repeat(download, 0x180, "gks-cookies/www.contosowork.com/og/oskgwco;\n");
    download->state = states[sink & 1];
    download->percent = 0;
    download->next = NULL;
    did("never-initialized", &download->lock);
    return use_both(&download->lock);
}
#elif defined(RAW_CLEANUP)
// The error path unlocks what was neither made nor entered. Numbers of rows lie there.
static int scenario()
{
    char *block = pool_block(3);
    int *rows = reinterpret_cast<int *>(block);
    for (int i = 0; i < 0x180 / 4; i++)
        rows[i] = 1;
    CRITICAL_SECTION *lock = reinterpret_cast<CRITICAL_SECTION *>(block + 64);
    lock->LockCount = 46; // rows, where the others are columns: 1
    did("never-initialized", lock);
    return unlock(lock);
}
#elif defined(RAW_LOCAL)
// A local section whose initialisation is in the branch that was not taken; a formatted line lay there.
NOINLINE static void log_line()
{
    char line[0x600];
    repeat(line, sizeof line, "[work] sock: ok\n");
    sink = line[sink & 63];
}
NOINLINE static int with_local(bool many)
{
    struct { char head[0x100]; CRITICAL_SECTION lock; char tail[0x180]; } local;
    CRITICAL_SECTION *lock = &local.lock;
    if (many)
        initialize(lock);
    act("never-initialized", lock);
    EnterCriticalSection(lock);
    expect_handle(lock);
    sink++;
    LeaveCriticalSection(lock);
    return sink;
}
static int scenario() { log_line(); return with_local(sink == 9999); }
#elif defined(RAW_FILL)
// An allocator fills what it hands out; the class that derives forgets to call its base's open().
static int scenario()
{
    char *block = static_cast<char *>(HeapAlloc(GetProcessHeap(), 0, 0xC0));
    memset(block, RAW_FILL, 0xC0);
    did("never-initialized", reinterpret_cast<CRITICAL_SECTION *>(block + 0x30));
    return use_both(shared);
}
#elif defined(GONE_TEXT)
// The object was freed, its section never deleted; a request's text has the block, when another thread locks the object.
struct Client { ULONG_PTR id; char name[24]; CRITICAL_SECTION lock; int rest[12]; };
static int scenario()
{
    Waiters waiters;
    Client *client = new Client;
    initialize(&client->lock);
    make_waiters(&waiters, 1, straggler, NULL);
    EnterCriticalSection(&client->lock);
    LeaveCriticalSection(&client->lock);
    did("memory-released", &client->lock);
    operator delete(client);
    char *text = static_cast<char *>(operator new(sizeof(Client)));
    repeat(text, sizeof(Client), "GET /work/go/cookies/ok?k=os HTTP/1.1\r\n");
    memcpy(reinterpret_cast<char *>(client) + offsetof(Client, lock.LockCount), "sock", 4);
    start_waiters(&waiters);
    Sleep(2000);
    return sink;
}
#elif defined(GONE_ITEM)
// Deleted and given back as it should be; but one thread still knows the address, where a list's item is now.
static int scenario()
{
    Waiters waiters;
    char *block = pool_block(6);
    CRITICAL_SECTION *lock = reinterpret_cast<CRITICAL_SECTION *>(block + 16);
    initialize(lock);
    make_waiters(&waiters, 1, straggler, NULL);
    did("memory-released", lock);
    DeleteCriticalSection(lock);
    make_item(lock, 38, 40);
    expect_handle(lock);
    start_waiters(&waiters);
    Sleep(2000);
    return sink;
}
#elif defined(GONE_FRAME)
// The section was a local of a function that has returned; a table of the one that runs now lies over it, and a thread still uses it.
NOINLINE static void start_job()
{
    char frame[0x700];
    CRITICAL_SECTION *lock = reinterpret_cast<CRITICAL_SECTION *>(frame + 0x300);
    initialize(lock);
    EnterCriticalSection(lock);
    LeaveCriticalSection(lock);
    did("memory-released", lock);
}
NOINLINE static int next_job(Waiters *waiters)
{
    unsigned colors[0x1C0];
    for (unsigned i = 0; i < 0x1C0; i++)
        colors[i] = 0xFF20406Fu + 0x100 * i;
    start_waiters(waiters);
    Sleep(2000);
    return colors[sink & 15];
}
static int scenario()
{
    Waiters waiters;
    make_waiters(&waiters, 1, straggler, NULL);
    start_job();
    return next_job(&waiters);
}
#elif defined(GONE_ARENA)
// An arena is reset at the end of a request, while one of its objects is locked and waited for; the next request's fields go there.
static struct { char *base; SIZE_T used; } arena;
static void *from_arena(SIZE_T size)
{
    void *out = arena.base + arena.used;
    arena.used += (size + 15) & ~15;
    return out;
}
struct Field { const char *name; void *value; };
NOINLINE static void next_request(SIZE_T header)
{
    arena.used = 0;
    from_arena(header); // a buffer that is filled later
    Field *fields = static_cast<Field *>(from_arena(4 * sizeof(Field)));
    for (int i = 0; i < 4; i++)
        fields[i] = { "content-type", from_arena(32) };
}
static int scenario()
{
    Waiters waiters;
    arena.base = static_cast<char *>(VirtualAlloc(NULL, 0x10000, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
    char *object = static_cast<char *>(from_arena(0x200));
    CRITICAL_SECTION *lock = reinterpret_cast<CRITICAL_SECTION *>(object + 0x80 - offsetof(CRITICAL_SECTION, LockSemaphore));
    initialize(lock);
    make_waiters(&waiters, WAITERS, pass_through, lock);
    EnterCriticalSection(lock);
    start_waiters(&waiters);
    did("memory-released", lock);
    next_request(0x80);
    expect_handle(lock);
    return unlock(lock);
}
#elif defined(WRONG_CLASS)
// A void* that should be the lock is a static object of another class, which has a vtable and counters of its own.
struct Report { virtual ~Report() { } virtual int pages() { return columns; } int columns = 90, copies = 1; const char *title = "sales"; const char *printer = "\\\\print01\\a4"; void *rest[5] = { }; };
static Report report;
static int scenario()
{
    void *volatile context = &report;
    sink += report.pages();
    did("bad-pointer", static_cast<CRITICAL_SECTION *>(context));
    return unlock(shared);
}
#elif defined(WRONG_INDEX)
// index == count: behind the table lie the sizes of its pages.
struct Shard { CRITICAL_SECTION lock; void *root; };
static struct { Shard shards[4]; unsigned sizes[32]; int count; } store;
static int scenario()
{
    for (Shard &shard : store.shards)
        initialize(&shard.lock);
    store.count = 4;
    for (unsigned i = 0; i < 32; i++)
        store.sizes[i] = 0x2FFFF + 0x10000 * (i & 7);
    did("bad-pointer", &store.shards[store.count].lock);
    return use_both(&store.shards[store.count].lock);
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
