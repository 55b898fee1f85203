// Third batch: what lies where the section should be was never made one, is no section any more, or is another object; it passes the
// gates all the same.
#include "unseen.h"

static CRITICAL_SECTION *shared;
[[maybe_unused]] NOINLINE static int use(CRITICAL_SECTION *lock)
{
    EnterCriticalSection(lock);
    expect_handle(lock);
    sink++;
    LeaveCriticalSection(lock);
    return sink;
}
[[maybe_unused]] NOINLINE static int only_leave(CRITICAL_SECTION *lock)
{
    sink++;
    LeaveCriticalSection(lock);
    return sink++;
}
[[maybe_unused]] static DWORD WINAPI straggler(void *) { return use(shared); }
static void did(const char *cause, CRITICAL_SECTION *lock)
{
    shared = lock;
    expect_handle(lock);
    act(cause, lock);
}
[[maybe_unused]] static void spread(void *at, SIZE_T size, const char *text)
{
    for (SIZE_T i = 0, n = lstrlenA(text); i < size; i++)
        static_cast<char *>(at)[i] = text[i % n];
}
[[maybe_unused]] static char *pages(void *where = NULL) { return static_cast<char *>(VirtualAlloc(where, 0x2000, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE)); }

#if defined(RAW_UNION)
// A static variant holds a path or a lock, as its tag says; the tag is not looked at.
static struct Variant { int tag; union { char path[120]; struct { void *owner[2]; CRITICAL_SECTION lock; } shared; }; } variants[4];
static int scenario()
{
    Variant *variant = &variants[2];
    variant->tag = 1;
    spread(variant->path, 96, "c:\\work\\cok\\");
    did("never-initialized", &variant->shared.lock);
    return use(shared);
}
#elif defined(RAW_FILE)
// A data file is mapped; this version of its header has room for a lock, the file's has the first records there.
struct Header { char magic[8]; unsigned version, count; CRITICAL_SECTION lock; };
struct Record { unsigned id, next; };
static int scenario()
{
    HANDLE file = CreateFileA("orders.dat", GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    HANDLE mapping = CreateFileMappingA(file, NULL, PAGE_READWRITE, 0, 0x1000, NULL);
    Header *header = static_cast<Header *>(MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, 0));
    Record *records = reinterpret_cast<Record *>(&header->version + 2);
    memcpy(header->magic, "ORDERS3", 8);
    header->version = 3;
    header->count = 400;
    for (unsigned i = 0; i < 400; i++)
        records[i] = { 0x10000003 + 4 * i, 0x1FFFF + 0x11 * i };
    reinterpret_cast<unsigned *>(&header->lock.LockCount)[0] |= 3;
    did("never-initialized", &header->lock);
    return use(shared);
}
#elif defined(RAW_OBJECT)
// The base's open() is not called; the object's own fields are right, between them lies what the block's last owner left.
class Stream {
public:
    explicit Stream(int id) : number(id) { }
    virtual int read() { return use(&lock); }
    int number;
    const char *mode = "r";
    CRITICAL_SECTION lock;
    Stream *next = NULL;
    unsigned position = 0;
};
static int scenario()
{
    char *room = static_cast<char *>(operator new(sizeof(Stream)));
    for (unsigned i = 0; i < sizeof(Stream) / 4; i++)
        reinterpret_cast<unsigned *>(room)[i] = 0xFF3F2F1Fu + 0x10 * i; // pixels
    Stream *stream = new (room) Stream(4), *volatile any = stream;
    did("never-initialized", &stream->lock);
    return any->read();
}
#elif defined(RAW_STACK)
// A local section of a function that another with a table of doubles has run before.
NOINLINE static void filter()
{
    double taps[180];
    for (int i = 0; i < 180; i++)
        taps[i] = i % 2 ? 0.6 : 1.2;
    sink = static_cast<int>(taps[sink & 127]);
}
NOINLINE static int later(bool make)
{
    struct { char name[0x140]; CRITICAL_SECTION lock; char rest[0x100]; } local;
    if (make)
        initialize(&local.lock);
    act("never-initialized", &local.lock);
    EnterCriticalSection(&local.lock);
    expect_handle(&local.lock);
    sink++;
    LeaveCriticalSection(&local.lock);
    return sink;
}
static int scenario() { filter(); return later(sink == 81); }
#elif defined(RAW_WAITED)
// A buffered file's record, in a block that is given out as a session: it looks owned, and Enter waits.
struct Record { char *buffer; int size, used; void *owner; const char *path; ULONG_PTR times[3]; };
static int scenario()
{
    char *block = pages() + 0x4B0;
    Record *record = reinterpret_cast<Record *>(block);
    *record = { new char[256], 4096, 310, new int[2], "c:\\data\\november.csv", { 7, 0, 0 } };
    did("never-initialized", reinterpret_cast<CRITICAL_SECTION *>(record));
    EnterCriticalSection(shared);
    return sink++;
}
#elif defined(RAW_SINGLETON)
// A singleton is published before its lock is made: another thread uses it in between.
struct Registry { int plugins; CRITICAL_SECTION lock; void *first; };
static Registry *volatile registry;
static DWORD WINAPI early(void *) { return use(&registry->lock); }
static int scenario()
{
    Waiters threads;
    char *block = static_cast<char *>(HeapAlloc(GetProcessHeap(), 0, 0x100));
    memset(block, RAW_SINGLETON, 0x100);
    make_waiters(&threads, 1, early, NULL);
    registry = reinterpret_cast<Registry *>(block + 0x20);
    did("never-initialized", &registry->lock);
    start_waiters(&threads);
    Sleep(3000);
    initialize(&registry->lock);
    return sink;
}
#elif defined(GONE_POOL)
// A session goes back to its pool while others wait for it, and its block becomes a frame of a picture; nothing was deleted.
struct Session { int id; char peer[24]; CRITICAL_SECTION lock; unsigned bytes[8]; };
static Waiters waiters;
static int scenario()
{
    Session *pool = reinterpret_cast<Session *>(pages()), *session = pool + 9;
    initialize(&session->lock);
    make_waiters(&waiters, WAITERS, pass_through, &session->lock);
    EnterCriticalSection(&session->lock);
    start_waiters(&waiters);
    did("memory-released", &session->lock);
    unsigned *pixels = reinterpret_cast<unsigned *>(session);
    for (unsigned i = 0; i < sizeof(Session) / 4; i++)
        pixels[i] = 0xFF604020 + 0x020202 * i;
    session->lock.LockCount = -10; // the picture's sign and stride come to lie on the counts
    session->lock.RecursionCount = 1;
    expect_handle(&session->lock);
    return only_leave(&session->lock);
}
#elif defined(GONE_GROWN)
// A vector has grown: the element that a thread still points to was deleted, its block has the numbers of a table now.
struct Column { CRITICAL_SECTION lock; double sum; };
static int scenario()
{
    Waiters threads;
    Column *columns = reinterpret_cast<Column *>(pages());
    for (int i = 0; i < 4; i++)
        initialize(&columns[i].lock);
    make_waiters(&threads, 1, straggler, NULL);
    did("memory-released", &columns[2].lock);
    for (int i = 0; i < 4; i++)
        DeleteCriticalSection(&columns[i].lock);
    unsigned *numbers = reinterpret_cast<unsigned *>(columns);
    for (unsigned i = 0; i < 4 * sizeof(Column) / 4; i++)
        numbers[i] = 0x04C11DB7u * (i | 1) | 3;
    expect_handle(&columns[2].lock);
    start_waiters(&threads);
    Sleep(3000);
    return sink;
}
#elif defined(GONE_DLL)
// The plugin was unloaded; a buffer has its addresses now, with a text where its section was.
typedef CRITICAL_SECTION *(*Holder)(void);
static int scenario()
{
    HMODULE plugin = LoadLibraryA("plugin.dll");
    CRITICAL_SECTION *lock = reinterpret_cast<Holder>(reinterpret_cast<void *>(GetProcAddress(plugin, "plugin_section")))();
    char *base = reinterpret_cast<char *>(plugin);
    initialize(lock);
    did("memory-released", lock);
    FreeLibrary(plugin);
    SIZE_T size = (reinterpret_cast<char *>(lock) - base + 0x2000) & ~static_cast<SIZE_T>(0xFFF);
    char *text = static_cast<char *>(VirtualAlloc(base, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
    spread(text, size, "codekeysoundwordgridsockcostkind");
    expect_handle(lock);
    return use(lock);
}
#elif defined(GONE_VIEW)
// One window of a file is unmapped, the next one comes to lie at its address; the lock was in the first.
static int scenario()
{
    HANDLE mapping = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0x40000, NULL);
    char *view = static_cast<char *>(MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, 0x10000));
    char *next = static_cast<char *>(MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0x10000, 0x10000));
    for (int i = 0; i < 0x800; i++)
        reinterpret_cast<unsigned short *>(next)[i] = static_cast<unsigned short>(0x0103 + 0x10 * i);
    UnmapViewOfFile(next);
    CRITICAL_SECTION *lock = reinterpret_cast<CRITICAL_SECTION *>(view + 0x280);
    initialize(lock);
    did("memory-released", lock);
    UnmapViewOfFile(view);
    sink += MapViewOfFileEx(mapping, FILE_MAP_WRITE, 0, 0x10000, 0x10000, view) == view;
    expect_handle(lock);
    return use(lock);
}
#elif defined(GONE_LOCAL)
// A request's section was a local; its function has returned, and a table of its successor lies there. The same thread leaves it.
NOINLINE static void begin_request()
{
    struct { char head[0x200]; CRITICAL_SECTION lock; char tail[0x200]; } local;
    local.head[0] = 1;
    initialize(&local.lock);
    EnterCriticalSection(&local.lock);
    did("memory-released", &local.lock);
}
NOINLINE static int end_request()
{
    volatile int weights[0x180];
    for (int i = 0; i < 0x180; i++)
        weights[i] = 1;
    int *count = reinterpret_cast<int *>(const_cast<LONG *>(&shared->LockCount));
    if (count > weights && count < weights + 0x180)
        *count = 70; // one row is longer
    expect_handle(shared);
    return only_leave(shared) + weights[sink & 63];
}
static int scenario() { begin_request(); return end_request(); }
#elif defined(GONE_STRINGS)
// The end of a string table's block is given back when it shrinks; the lock was at its end, other strings come there.
static int scenario()
{
    char *table = static_cast<char *>(HeapAlloc(GetProcessHeap(), 0, 0x800));
    CRITICAL_SECTION *lock = reinterpret_cast<CRITICAL_SECTION *>(table + 0x700);
    initialize(lock);
    did("memory-released", lock);
    table = static_cast<char *>(HeapReAlloc(GetProcessHeap(), HEAP_REALLOC_IN_PLACE_ONLY, table, 0x200));
    for (int i = 0; i < 60; i++)
        spread(HeapAlloc(GetProcessHeap(), 0, 0x58), 0x58, "goodscheckshopsgiftscardskeycoke");
    expect_handle(lock);
    return use(lock);
}
#elif defined(WRONG_INDIRECTION)
// The address of the pointer, where the pointer was meant.
static CRITICAL_SECTION real_lock;
static struct Current { CRITICAL_SECTION *lock; int users, closed; void *owner; const char *name; ULONG_PTR rest[4]; } current;
static int scenario()
{
    initialize(&real_lock);
    current = { &real_lock, 58, 1, new int, "current", {} };
    void *volatile wrong = &current;
    did("bad-pointer", static_cast<CRITICAL_SECTION *>(wrong));
    return only_leave(shared);
}
#elif defined(WRONG_OFFSET)
// A header of the last version: the member is where the statistics are now, in the middle of an object that is quite healthy.
struct Node { char name[16]; unsigned statistics[20]; CRITICAL_SECTION lock; };
static int scenario()
{
    Node *node = new Node;
    memcpy(node->name, "edge-07", 8);
    for (unsigned i = 0; i < 20; i++)
        node->statistics[i] = 0x3FFFF + 0x5A000 * i;
    initialize(&node->lock);
    did("bad-pointer", reinterpret_cast<CRITICAL_SECTION *>(&node->statistics[4]));
    return use(shared);
}
#elif defined(WRONG_UNIT)
// A pointer to the object's text, which was the first member once.
struct Label { void *font; char text[72]; CRITICAL_SECTION lock; };
static Label labels[3];
static int scenario()
{
    for (Label &label : labels)
        initialize(&label.lock);
    spread(labels[1].text, 71, "Save work, close sockets ok?");
    labels[1].text[offsetof(CRITICAL_SECTION, LockCount)] = 's';
    did("bad-pointer", reinterpret_cast<CRITICAL_SECTION *>(labels[1].text));
    return use(shared);
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
