// Fresh faults: a good section was written over, so that its debug record cannot be reached. Macros choose by what, and who meets it.
#include "unseen.h"

static void hits(const CRITICAL_SECTION *lock)
{
    act("corrupted", lock);
    expect(lock);
}

// Owned by this thread, DEEP times; QUEUED others sleep for it already.
[[maybe_unused]] static void own(CRITICAL_SECTION *lock)
{
    EnterCriticalSection(lock);
#ifdef DEEP
    for (int i = 1; i < DEEP; i++)
        EnterCriticalSection(lock);
#endif
#ifdef QUEUED
    Waiters queue;
    make_waiters(&queue, QUEUED, pass_through, lock);
    start_waiters(&queue);
#endif
}

// A second thread needs the lock that this one holds.
static CRITICAL_SECTION *wanted;
[[maybe_unused]] static DWORD WINAPI visit(void *)
{
    EnterCriticalSection(wanted);
    sink++;
    LeaveCriticalSection(wanted);
    return 0;
}
[[maybe_unused]] NOINLINE static int visited(CRITICAL_SECTION *lock)
{
    Waiters visitors;
    wanted = lock;
    make_waiters(&visitors, 1, visit, NULL);
    start_waiters(&visitors);
    Sleep(5000);
    return sink;
}
[[maybe_unused]] NOINLINE static int entered(CRITICAL_SECTION *lock)
{
    sink++;
    EnterCriticalSection(lock);
    sink++;
    LeaveCriticalSection(lock);
    return sink;
}
[[maybe_unused]] NOINLINE static int deleted(CRITICAL_SECTION *lock)
{
    sink++;
    DeleteCriticalSection(lock);
    return sink++;
}

#if defined(RECEIVE)
// A datagram is a few bytes longer than the buffer before the lock, which its receiver holds.
struct Peer { int id; char datagram[36]; CRITICAL_SECTION lock; void *route; };
NOINLINE static void receive(char *to, const char *from, int size)
{
    for (int i = 0; i < size; i++)
        to[i] = from[i];
}
static int scenario()
{
    Peer *peer = new Peer;
    initialize(&peer->lock);
    own(&peer->lock);
    hits(&peer->lock);
    receive(peer->datagram, "NOTIFY * HTTP/1.1 HOST: 239.255.255.250:1900 NTS", 36 + sizeof(void *));
    return visited(&peer->lock);
}
#elif defined(WIDE_PATH)
// A path of MAX_PATH characters at most, in room for fewer; the lock is idle.
struct Folder { int files; WCHAR path[22]; CRITICAL_SECTION lock; };
static Folder folders[3];
static int scenario()
{
    Folder *folder = &folders[1];
    for (Folder &one : folders) {
        initialize(&one.lock);
        entered(&one.lock);
    }
    hits(&folder->lock);
    lstrcpyW(folder->path, L"C:\\Users\\Public\\Documents\\");
    return entered(&folder->lock);
}
#elif defined(MATRIX)
// for (i <= n): one value too many behind the row.
struct Filter { int taps, pad; double row[6]; CRITICAL_SECTION lock; };
NOINLINE static void load(double *row, int n)
{
    for (int i = 0; i <= n; i++)
        row[i] = 0.8125 * (i + 1);
}
static int scenario()
{
    Filter *filter = new Filter;
    initialize(&filter->lock);
    own(&filter->lock);
    hits(&filter->lock);
    load(filter->row, 6);
    return visited(&filter->lock);
}
#elif defined(UPPER_HALF)
// One write of four bytes, with an index that is off by one the other way round.
struct Meter { int counters[4]; CRITICAL_SECTION lock; };
static Meter meters[4];
NOINLINE static void count(int *counters, int index, int value) { counters[index] = value; }
static int scenario()
{
    for (Meter &meter : meters)
        initialize(&meter.lock);
    own(&meters[2].lock);
    hits(&meters[2].lock);
    count(meters[2].counters, 3 + sizeof(void *) / 4, UPPER_HALF);
    return visited(&meters[2].lock);
}
#elif defined(DANGLING_WRITER)
// Not the section: its debug record took a block of the heap whose last owner still writes to it.
static CRITICAL_SECTION early[20];
static int scenario()
{
    for (CRITICAL_SECTION &one : early) // those that ntdll holds ready are used up
        initialize(&one);
    CRITICAL_SECTION *lock = static_cast<CRITICAL_SECTION *>(VirtualAlloc(NULL, 0x1000, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
    InitializeCriticalSection(lock);
    hits(lock);
    char *stale = reinterpret_cast<char *>(lock->DebugInfo);
    for (unsigned i = 0; i + 4 <= sizeof(RTL_CRITICAL_SECTION_DEBUG); i += 4)
        *reinterpret_cast<float *>(stale + i) = 12.5f + i;
    return deleted(lock);
}
#elif defined(INT_TABLE)
// A table of offsets runs over DebugInfo and LockCount.
struct Font { int size; int offsets[15]; CRITICAL_SECTION lock; };
static Font *font;
NOINLINE static void index_glyphs(int *offsets, int count)
{
    for (int i = 0; i < count; i++)
        offsets[i] = 16 + 24 * i;
}
static int scenario()
{
    font = new Font;
    initialize(&font->lock);
    entered(&font->lock);
    hits(&font->lock);
    index_glyphs(font->offsets, 15 + offsetof(CRITICAL_SECTION, RecursionCount) / sizeof(int));
    return entered(&font->lock);
}
#elif defined(LIST_LINK)
// insert() through a wrong cast: the link goes to the first word of an object whose first member is its lock.
struct Node { Node *next; int weight[11]; };
struct Bus { CRITICAL_SECTION lock; int devices; };
static Node *volatile list;
NOINLINE static void insert(void *anything)
{
    Node *node = static_cast<Node *>(anything);
    node->next = list;
    list = node;
}
static int scenario()
{
    Bus *bus = new Bus;
    Node *first = static_cast<Node *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(Node)));
    for (int i = 0; i < 11; i++)
        first->weight[i] = i % 2 ? 0 : 8 + i;
    initialize(&bus->lock);
    insert(first);
    hits(&bus->lock);
    insert(bus);
    return deleted(&bus->lock);
}
#elif defined(CLEARED_FRONT)
// The header before the lock is cleared by a size that counts one field more than there is.
struct Head { int from, to; void *buffer; };
struct Stream { Head head; CRITICAL_SECTION lock; int state; };
struct LongerHead { int from, to; void *buffer; ULONG_PTR position; int whence; };
static int scenario()
{
    Stream *stream = new Stream;
    initialize(&stream->lock);
    own(&stream->lock);
    hits(&stream->lock);
    memset(static_cast<void *>(&stream->head), 0, offsetof(LongerHead, whence) + sizeof(int));
    return visited(&stream->lock);
}
#elif defined(FILE_TIME)
// GetSystemTimeAsFileTime into the wrong member: eight bytes, and the lock is waited for.
struct Lease { FILETIME granted; CRITICAL_SECTION lock; int days; };
static int scenario()
{
    Lease *lease = new Lease;
    FILETIME *volatile expires = &lease->granted + 1;
    initialize(&lease->lock);
    own(&lease->lock);
    hits(&lease->lock);
    *expires = { 0xB81D2C60, 0x01DA7F34 };
    return visited(&lease->lock);
}
#elif defined(GUID_COPY)
// A class id is stored where an older version of the structure had room for it.
struct Factory { int servers; CRITICAL_SECTION lock; };
static const GUID id = { 0x6B29FC40, 0xCA47, 0x1067, { 0xB2, 0x1D, 0x00, 0xDD, 0x01, 0x06, 0x62, 0xDA } };
static int scenario()
{
    Factory *factory = new Factory;
    initialize(&factory->lock);
    entered(&factory->lock);
    hits(&factory->lock);
    memcpy(static_cast<void *>(&factory->lock), &id, sizeof id);
    return entered(&factory->lock);
}
#elif defined(HANDLE_TABLE)
// A table of events is filled past its end.
struct Dispatcher { int count; HANDLE ready[5]; CRITICAL_SECTION lock; };
static Dispatcher dispatcher;
static int scenario()
{
    initialize(&dispatcher.lock);
    contend_once(&dispatcher.lock);
    hits(&dispatcher.lock);
    HANDLE *ready = dispatcher.ready;
    for (dispatcher.count = 0; dispatcher.count < 7; dispatcher.count++)
        *const_cast<HANDLE volatile *>(&ready[dispatcher.count]) = CreateEventA(NULL, FALSE, FALSE, NULL);
    return entered(&dispatcher.lock);
}
#elif defined(FLIPPED)
// One bit, as bad memory or a stray |= does it.
static struct { int a[3]; CRITICAL_SECTION lock; } cell;
static int scenario()
{
    initialize(&cell.lock);
    contend_once(&cell.lock);
    own(&cell.lock);
    hits(&cell.lock);
    cell.lock.DebugInfo = reinterpret_cast<RTL_CRITICAL_SECTION_DEBUG *>(reinterpret_cast<ULONG_PTR>(cell.lock.DebugInfo) ^ static_cast<ULONG_PTR>(1) << FLIPPED);
    return visited(&cell.lock);
}
#elif defined(CHUNK_HEADER)
// An allocator on a static buffer splits a chunk at the wrong place: the new chunk's header lies on a section.
struct Chunk { SIZE_T size; ULONG used; ULONG canary; };
struct Stage { CRITICAL_SECTION lock; int inputs, outputs; };
alignas(16) static char heap[0x800];
NOINLINE static void split(Chunk *chunk, SIZE_T at)
{
    Chunk *rest = reinterpret_cast<Chunk *>(reinterpret_cast<char *>(chunk) + at);
    *rest = { chunk->size - at, 0, 0xC0FFEE };
    chunk->size = at;
}
static int scenario()
{
    Chunk *chunk = reinterpret_cast<Chunk *>(heap);
    *chunk = { sizeof heap, 1, 0xC0FFEE };
    Stage *stage = reinterpret_cast<Stage *>(heap + 0x120);
    initialize(&stage->lock);
    entered(&stage->lock);
    hits(&stage->lock);
    split(chunk, 0x120);
    return entered(&stage->lock);
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
