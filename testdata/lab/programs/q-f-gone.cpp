// Fifth batch, faults: the memory of a lock is not its any more. Macros choose what memory it was, and what is there now.
#include "k-common.h"
#include <stdlib.h>

#ifndef CALL
#define CALL EnterCriticalSection
#endif
[[maybe_unused]] NOINLINE static int call(CRITICAL_SECTION *lock)
{
    expect(lock);
    CALL(lock);
    return sink++;
}
[[maybe_unused]] static CRITICAL_SECTION *used_well(CRITICAL_SECTION *lock)
{
    initialize(lock);
    EnterCriticalSection(lock);
    sink++;
    LeaveCriticalSection(lock);
    return lock;
}
static void released(const CRITICAL_SECTION *lock) { act("memory-released", lock); }
static CRITICAL_SECTION *shared;
[[maybe_unused]] static DWORD WINAPI comes_late(void *) { Sleep(500); return call(shared); }
struct Region { char tag[16]; CRITICAL_SECTION lock; LONG used; };

#if defined(HELPER_LIBRARY)
// FreeLibrary while a pointer to the library's lock is kept.
typedef CRITICAL_SECTION *(*holder_function)(void);
static int scenario()
{
    HMODULE library = LoadLibraryA("plugin.dll");
    shared = used_well(reinterpret_cast<holder_function>(reinterpret_cast<void *>(GetProcAddress(library, "plugin_section")))());
#ifdef BY_THREAD
    Waiters one;
    make_waiters(&one, 1, comes_late, NULL);
    ResumeThread(one.threads[0]);
#endif
    released(shared);
    FreeLibrary(library);
#ifdef BY_THREAD
    Sleep(4000);
#endif
    return call(shared);
}
#elif defined(UNMAP_UNDER_GUARD)
// The view of the shared index is renewed while its lock's guard is in force.
struct Guard { CRITICAL_SECTION *lock; explicit Guard(CRITICAL_SECTION *l) : lock(l) { EnterCriticalSection(l); } ~Guard() { call(lock); } };
NOINLINE static int renew(Region *region, HANDLE mapping)
{
    Guard guard(&region->lock);
    region->used++;
    released(&region->lock);
    UnmapViewOfFile(region);
    return MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0x10000, 0x80000) ? sink++ : 0; // it has become larger than its file
}
static int scenario()
{
    HANDLE mapping = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0x40000, NULL);
    char *view = static_cast<char *>(MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, 0));
    Region *region = reinterpret_cast<Region *>(view);
    used_well(&region->lock);
    return renew(region, mapping);
}
#elif defined(GUARD_PAGES)
// A page allocator for debugging takes all access from freed blocks.
static int scenario()
{
    DWORD before;
    char *block = pages(0x2000);
    Region *region = reinterpret_cast<Region *>(block + 0x1000 - sizeof(Region));
    lstrcpyA(region->tag, "block 77");
    used_well(&region->lock);
    released(&region->lock);
    VirtualProtect(block, 0x1000, PAGE_NOACCESS, &before);
    return call(&region->lock);
}
#elif defined(HEAP_OF_PLUGIN)
// A subsystem's heap is destroyed with all that is in it; its timer comes once more.
static int scenario()
{
    HANDLE heap = HeapCreate(0, 0x10000, 0);
    for (int i = 0; i < 30; i++)
        HeapAlloc(heap, 0, 200 + 8 * i);
    Region *region = static_cast<Region *>(HeapAlloc(heap, HEAP_ZERO_MEMORY, sizeof(Region)));
    shared = used_well(&region->lock);
    Waiters timer;
    make_waiters(&timer, 1, comes_late, NULL);
    released(shared);
    HeapDestroy(heap);
    start_waiters(&timer);
    Sleep(4000);
    return sink;
}
#elif defined(BIG_BUFFER)
// A large block is grown; a reference to the header in the old one stays.
static int scenario()
{
    struct Big { Region header; char data[0x180000]; };
    Big *big = static_cast<Big *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Big)));
    Region &header = big->header;
    used_well(&header.lock);
    Big *more = static_cast<Big *>(HeapAlloc(GetProcessHeap(), 0, 2 * sizeof(Big)));
    memcpy(static_cast<void *>(more), big, 0x1000);
    released(&header.lock);
    HeapFree(GetProcessHeap(), 0, big);
    return call(&header.lock);
}
#elif defined(FIBER_STACK)
// A coroutine's stack is freed with a lock on it.
static int scenario()
{
    char *stack = pages(0x8000);
    CRITICAL_SECTION *lock = used_well(reinterpret_cast<CRITICAL_SECTION *>(stack + 0x7E40));
    released(lock);
    VirtualFree(stack, 0, MEM_RELEASE);
    return call(lock);
}
#elif defined(TRIMMED)
// An arena gives its upper half back to the system.
static int scenario()
{
    char *arena = pages(0x40000);
    Region *region = reinterpret_cast<Region *>(arena + 0x31200);
    EnterCriticalSection(used_well(&region->lock));
    released(&region->lock);
    VirtualFree(arena + 0x20000, 0x20000, MEM_DECOMMIT);
    return call(&region->lock);
}
#elif defined(TEXT_BLOCK)
// delete this; the block is a string's now.
static int scenario()
{
    static const char text[] = "SELECT id, name, price FROM articles WHERE stock > 0 ORDER BY name LIMIT 50";
    Region *region = static_cast<Region *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Region)));
    used_well(&region->lock);
    released(&region->lock);
    HeapFree(GetProcessHeap(), 0, region);
    char *string = static_cast<char *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Region)));
    for (unsigned i = 0; i < sizeof(Region); i++)
        static_cast<volatile char *>(string)[i] = text[i];
    static_cast<volatile char *>(string)[16 + offsetof(CRITICAL_SECTION, LockCount)] = 'r';
    return call(&region->lock);
}
#elif defined(TREE_NODE)
// The block is a tree's node now: its pointers are live ones, and those of a constant.
struct Node { const char *key; Node *parent; ULONG_PTR colour; const char *value; Node *children[2]; ULONG_PTR size; };
static int scenario()
{
    char *block = static_cast<char *>(HeapAlloc(GetProcessHeap(), 0, 96));
    CRITICAL_SECTION *lock = used_well(reinterpret_cast<CRITICAL_SECTION *>(block));
    released(lock);
    HeapFree(GetProcessHeap(), 0, block);
    Node *node = static_cast<Node *>(HeapAlloc(GetProcessHeap(), 0, 96));
    *node = { "window.left, the key that is read first", node, 1, "constant", { NULL, NULL }, 96 };
    sink += node->key[0];
    return call(lock);
}
#elif defined(QUARANTINE)
// The allocator fills what is freed.
static int scenario()
{
    Region *region = static_cast<Region *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Region)));
    used_well(&region->lock);
    released(&region->lock);
    for (unsigned i = 0; i < sizeof(Region) / 4; i++)
        reinterpret_cast<volatile ULONG *>(region)[i] = QUARANTINE;
    return call(&region->lock);
}
#elif defined(RING_REUSED)
// A frame allocator begins again at its start; the new frame's numbers are where an old object was.
static int scenario()
{
    static char ring[4096];
    Region *region = reinterpret_cast<Region *>(ring + 512);
    used_well(&region->lock);
    released(&region->lock);
    volatile ULONG *words = reinterpret_cast<volatile ULONG *>(ring);
    for (int i = 0; i < 1024; i++)
        words[i] = 0x31700000 + 0x10 * (i % 300);
    return call(&region->lock);
}
#elif defined(CALLER_RETURNED)
// A thread was given the address of a local; the function has returned, another's locals are there.
NOINLINE static void begin()
{
    CRITICAL_SECTION lock;
    shared = used_well(&lock);
    released(shared);
}
NOINLINE static int other_work(int n)
{
    volatile ULONGLONG numbers[120];
    for (int i = 0; i < 120; i++)
        numbers[i] = 0x350000000ull + 2 * i;
    return call(shared) + static_cast<int>(numbers[n]);
}
static int scenario() { begin(); return other_work(4); }
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
