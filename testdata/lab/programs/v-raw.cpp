// Tuning: memory in which no section was made (RAW), or no longer is (GONE), and crashes that are none of a lock (NONE).
#include "unseen.h"

#ifndef CALL
#define CALL EnterCriticalSection
#endif

struct Unit { ULONG_PTR head[2]; CRITICAL_SECTION lock; ULONG_PTR tail[5]; };
static Unit *unit;

static void fill(void *at, SIZE_T size, DWORD value)
{
    for (SIZE_T i = 0; i < size / 4; i++)
        static_cast<DWORD *>(at)[i] = value;
}
[[maybe_unused]] static Unit *slab() { return reinterpret_cast<Unit *>(static_cast<char *>(VirtualAlloc(NULL, 0x2000, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE)) + 0x8C0); }
[[maybe_unused]] NOINLINE static int use(CRITICAL_SECTION *lock)
{
    sink++;
    CALL(lock);
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
[[maybe_unused]] static DWORD WINAPI visitor(void *) { use_both(&unit->lock); return 0; }
static void did(const char *cause)
{
    act(cause, &unit->lock);
    expect(&unit->lock);
}
// What old contents look like; the section begins two words in.
enum { TEXT, WIDE, POINTERS, INTEGERS, DOUBLES };
[[maybe_unused]] static void old_contents(int kind)
{
    char *bytes = reinterpret_cast<char *>(unit);
    for (unsigned i = 0; i < sizeof(Unit); i++)
        if (kind == TEXT)
            bytes[i] = "Set-Cookie: session=oswego; path=/work/sock\r\n"[(i + 0) % 45];
        else if (kind == WIDE && i % 2 == 0)
            *reinterpret_cast<WCHAR *>(bytes + i) = L"googlewookswsco"[i / 2 % 15];
        else if (kind == POINTERS && i % sizeof(void *) == 0)
            *reinterpret_cast<void **>(bytes + i) = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, 64);
        else if (kind == INTEGERS && i % 4 == 0)
            *reinterpret_cast<int *>(bytes + i) = 0x1003 + static_cast<int>(i) * 16;
        else if (kind == DOUBLES && i % 8 == 0)
            *reinterpret_cast<double *>(bytes + i) = 1.5 * (i + 1);
}

#if defined(FILLED)
// The program's own pool fills what it hands out; the one who uses it never initialises it.
static int scenario()
{
    unit = slab();
    fill(unit, sizeof(Unit), FILLED);
    did("never-initialized");
#if defined(SECOND) // the first gets in
    Waiters later;
    make_waiters(&later, 1, visitor, NULL);
    EnterCriticalSection(&unit->lock);
    start_waiters(&later);
    Sleep(5000); // what lies in SpinCount makes it spin for long
    return sink;
#elif defined(BOTH)
    return use_both(&unit->lock);
#else
    return use(&unit->lock);
#endif
}
#elif defined(OLD)
static int scenario()
{
    unit = slab();
    old_contents(OLD);
    did("never-initialized");
    expect_handle(&unit->lock);
    return use_both(&unit->lock);
}
#elif defined(OLD_SHIFTED)
// The block held an object with a section at another place, and was recycled as it was.
static int scenario()
{
    unit = slab();
    CRITICAL_SECTION *old = reinterpret_cast<CRITICAL_SECTION *>(reinterpret_cast<char *>(&unit->lock) + OLD_SHIFTED);
    initialize(old);
    contend_once(old);
    did("never-initialized");
    return use(&unit->lock);
}
#elif defined(HALF_MADE)
// Zeroed, and a constructor of the program's own sets what it knows: the first gets in, the second needs the record.
static int scenario()
{
    Waiters later;
    unit = static_cast<Unit *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(Unit)));
    unit->lock.LockCount = -1;
    unit->lock.SpinCount = HALF_MADE;
    did("never-initialized");
    make_waiters(&later, 1, visitor, NULL);
    EnterCriticalSection(&unit->lock);
    start_waiters(&later);
    return sink;
}
#elif defined(ON_STACK)
NOINLINE static int table()
{
    volatile int rows[256];
    for (int i = 0; i < 256; i++)
        rows[i] = 0x2003 + 4 * i;
    return rows[17];
}
NOINLINE static int local()
{
    CRITICAL_SECTION locks[12];
    act("never-initialized", &locks[5]);
    expect(&locks[5]);
    return use_both(&locks[5]);
}
static int scenario() { sink = table(); return local(); }
#elif defined(REUSED)
// Given back to a pool, and given out to somebody else; the old user comes once more.
static int scenario()
{
    unit = slab();
    initialize(&unit->lock);
    EnterCriticalSection(&unit->lock);
    LeaveCriticalSection(&unit->lock);
    did("memory-released");
    old_contents(REUSED);
    expect_handle(&unit->lock);
#ifdef BOTH
    return use_both(&unit->lock);
#else
    return use(&unit->lock);
#endif
}
#elif defined(FREE_LIST)
// The pool keeps its list in the first word of each free block, which was DebugInfo.
struct Free { Free *next; };
static Free *list;
NOINLINE static void give_back(void *block)
{
    Free *free_one = static_cast<Free *>(block);
    free_one->next = list;
    list = free_one;
}
static CRITICAL_SECTION *kept;
static DWORD WINAPI late(void *) { use(kept); return 0; }
static int scenario()
{
    Waiters later;
    struct Block { CRITICAL_SECTION lock; ULONG_PTR rest[4]; } *blocks = reinterpret_cast<Block *>(slab());
    kept = &blocks[3].lock;
    initialize(kept);
    make_waiters(&later, 1, late, NULL);
    if (FREE_LIST > 1) // not the last of the list
        give_back(&blocks[7]);
    EnterCriticalSection(kept);
    act("memory-released", kept);
    expect(kept);
    give_back(&blocks[3]);
#if FREE_LIST == 1
    start_waiters(&later);
    return sink;
#else
    return use(kept);
#endif
}
#elif defined(DEAD_FRAME)
NOINLINE static void register_local()
{
    char frame[0x500];
    unit = reinterpret_cast<Unit *>(frame + 0x180);
    initialize(&unit->lock);
    EnterCriticalSection(&unit->lock);
    LeaveCriticalSection(&unit->lock);
    did("memory-released");
}
NOINLINE static void compute(Waiters *waiters)
{
    double samples[0x100];
    for (int i = 0; i < 0x100; i++)
        samples[i] = 0.75 * (i + 1);
    start_waiters(waiters);
    sink += static_cast<int>(samples[sink & 15]);
}
static int scenario()
{
    Waiters later;
    make_waiters(&later, 1, visitor, NULL);
    register_local();
    compute(&later);
    return sink;
}
#elif defined(OTHER_VIEW)
// The view was unmapped, and another file's lies at its address now.
static int scenario()
{
    HANDLE first = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0x1000, NULL);
    HANDLE second = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0x1000, NULL);
    char *view = static_cast<char *>(MapViewOfFile(first, FILE_MAP_WRITE, 0, 0, 0));
    unit = reinterpret_cast<Unit *>(view + 0x200);
    initialize(&unit->lock);
    did("memory-released");
    UnmapViewOfFile(view);
    if (MapViewOfFileEx(second, FILE_MAP_WRITE, 0, 0, 0, view) != view)
        return 1;
    old_contents(OTHER_VIEW);
    return use_both(&unit->lock);
}
#elif defined(NONE)
// A section that was written over is about; the crash is the program's own.
NOINLINE static int crash()
{
#if NONE == 1 // the wrapper looks into a section by a wild pointer, before it calls
    CRITICAL_SECTION *volatile lock = reinterpret_cast<CRITICAL_SECTION *>(static_cast<char *>(VirtualAlloc(NULL, 0x1000, MEM_RESERVE, PAGE_READWRITE)) + 0x3C0);
    if (lock->RecursionCount == 0)
        EnterCriticalSection(lock);
#elif NONE == 2 // the copy that has overrun the section goes on to the end of the pages
    char *to = reinterpret_cast<char *>(unit->head);
    for (unsigned i = 0;; i++)
        const_cast<volatile char *>(to)[i] = "GET /contoso/logo HTTP/1.1\r\n"[i % 28];
#elif NONE == 3 // the owner's block is freed twice, with a section in it that looks used
    HeapFree(GetProcessHeap(), 0, reinterpret_cast<void *>(unit->tail[2]));
#endif
    return sink;
}
static int scenario()
{
    Waiters waiters;
    unit = slab();
    initialize(&unit->lock);
    make_waiters(&waiters, 2, pass_through, &unit->lock);
    EnterCriticalSection(&unit->lock);
    start_waiters(&waiters);
    LeaveCriticalSection(&unit->lock); // its frame stays on the stack
    EnterCriticalSection(&unit->lock);
    fill(unit->tail, sizeof unit->tail, 0x30);
    return crash();
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
