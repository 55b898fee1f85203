// Unseen: the memory of the section was given back before the use that fails. Macros choose whose memory it was, what is there
// now and which call fails.
#include "unseen.h"
#ifdef VECTOR_GROWS
#include <vector>
namespace std { void __throw_length_error(const char *) { __builtin_trap(); } }
#endif

#ifndef CALL
#define CALL EnterCriticalSection
#endif
#ifndef PADDING_INTS
#define PADDING_INTS 6
#endif

struct Client {
    void *next, *previous;
    char peer[24];
    CRITICAL_SECTION lock;
    int state[PADDING_INTS];
};

[[maybe_unused]] NOINLINE static int use(CRITICAL_SECTION *lock)
{
    sink++;
    CALL(lock);
    return sink++;
}

// Enter and then Leave, as most code does.
[[maybe_unused]] NOINLINE static int use_both(Client *client)
{
    EnterCriticalSection(&client->lock);
    client->state[0]++;
    expect_handle(&client->lock);
    LeaveCriticalSection(&client->lock);
    return sink;
}

static Client *client;
[[maybe_unused]] static DWORD WINAPI straggler(void *)
{
    use_both(client);
    return 0;
}

[[maybe_unused]] static Client *made(void *memory)
{
    Client *one = static_cast<Client *>(memory);
    memset(static_cast<void *>(one), 0, sizeof *one);
    initialize(&one->lock);
    return one;
}

[[maybe_unused]] static void gone(const CRITICAL_SECTION *lock)
{
    act("memory-released", lock);
    expect(lock);
}

#if defined(UNMAPPED)
static int scenario()
{
    HANDLE mapping = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0x3000, NULL);
    char *view = static_cast<char *>(MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, 0));
    client = made(view + 0x1100);
    EnterCriticalSection(&client->lock);
    gone(&client->lock);
    UnmapViewOfFile(view);
    return use(&client->lock);
}
#elif defined(RELEASED)
static int scenario()
{
    client = made(VirtualAlloc(NULL, 0x1000, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
    EnterCriticalSection(&client->lock);
    LeaveCriticalSection(&client->lock);
    gone(&client->lock);
    VirtualFree(client, 0, MEM_RELEASE);
    return use(&client->lock);
}
#elif defined(DECOMMITTED)
// A pool gives the pages of its second slab back.
static int scenario()
{
    char *pool = static_cast<char *>(VirtualAlloc(NULL, 0x20000, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
    client = made(pool + 0x10000 + 5 * sizeof(Client));
    EnterCriticalSection(&client->lock);
    gone(&client->lock);
    VirtualFree(pool + 0x10000, 0x10000, MEM_DECOMMIT);
    return use(&client->lock);
}
#elif defined(NO_ACCESS)
// A pool protects the slabs that it does not use.
static int scenario()
{
    char *pool = static_cast<char *>(VirtualAlloc(NULL, 0x4000, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
    DWORD before;
    client = made(pool + 0x2000);
    EnterCriticalSection(&client->lock);
    gone(&client->lock);
    VirtualProtect(pool + 0x2000, 0x2000, PAGE_NOACCESS, &before);
    return use(&client->lock);
}
#elif defined(THREAD_STACK)
// The section was a local of a thread that has ended.
static DWORD WINAPI short_lived(void *)
{
    char local[sizeof(Client)];
    client = made(local);
    gone(&client->lock);
    return sink;
}
static DWORD WINAPI nothing(void *) { return 0; }
static int scenario()
{
    Waiters threads, more;
    make_waiters(&threads, 1, short_lived, NULL);
    make_waiters(&more, 2, nothing, NULL);
    start_waiters(&threads);
    start_waiters(&more);
    return use(&client->lock);
}
#elif defined(BLOCK_GETS)
// The block went back to the heap, and to somebody else; a thread that outlives the object enters.
static int scenario()
{
    Waiters waiters;
    client = made(new Client);
    make_waiters(&waiters, 1, straggler, NULL);
    EnterCriticalSection(&client->lock);
    LeaveCriticalSection(&client->lock);
    gone(&client->lock);
    delete client;
#if BLOCK_GETS == 0 // zeroed memory
    HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(Client));
#else // text
    char *text = static_cast<char *>(operator new(sizeof(Client)));
    for (unsigned i = 0; i < sizeof(Client); i++)
        text[i] = "[section]\r\nkey=c:\\works\\go\\"[(i + 9) % 27];
    memcpy(text + offsetof(Client, lock.LockCount), "cook", 4);
#endif
    start_waiters(&waiters);
    Sleep(1000);
    return sink;
}
#elif defined(FREED_FILL)
// A debug allocator with its own slabs fills what is given back and keeps it from use for a while.
static int scenario()
{
    Waiters waiters;
    char *slab = static_cast<char *>(VirtualAlloc(NULL, 0x10000, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
    client = made(slab + 0x400);
    make_waiters(&waiters, 1, straggler, NULL);
    EnterCriticalSection(&client->lock);
    LeaveCriticalSection(&client->lock);
    gone(&client->lock);
    memset(static_cast<void *>(client), FREED_FILL, sizeof(Client));
    start_waiters(&waiters);
    Sleep(1000);
    return sink;
}
#elif defined(VECTOR_GROWS)
// A reference into a vector is kept while the vector grows: the elements live elsewhere now, and are gone with it.
struct Slot {
    void *links[4];
    CRITICAL_SECTION lock;
    int pad[PADDING_INTS];
};
static int scenario()
{
    Waiters waiters;
    std::vector<Slot> *slots = new std::vector<Slot>(2);
    CRITICAL_SECTION *kept = &slots->front().lock;
    for (Slot &slot : *slots)
        initialize(&slot.lock);
    make_waiters(&waiters, WAITERS, pass_through, kept);
    EnterCriticalSection(kept);
    start_waiters(&waiters);
    reporter_expect(kept, kept->LockSemaphore);
    act("memory-released", kept);
    slots->resize(5);
    for (Slot &slot : *slots)
        if (slot.lock.DebugInfo)
            DeleteCriticalSection(&slot.lock);
    return use(kept);
}
#elif defined(PLUGIN)
typedef CRITICAL_SECTION *(*enter_function)(void);
static int scenario()
{
    HMODULE plugin = LoadLibraryA("plugin.dll");
    CRITICAL_SECTION *lock = reinterpret_cast<enter_function>(reinterpret_cast<void *>(GetProcAddress(plugin, "plugin_enter")))();
    gone(lock);
    FreeLibrary(plugin);
    return use(lock);
}
#elif defined(MAPPED_ANEW)
// The address was given back, and something else (zeroed, as the system gives it) lies there now.
static int scenario()
{
    client = made(VirtualAlloc(NULL, 0x1000, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
    EnterCriticalSection(&client->lock);
    LeaveCriticalSection(&client->lock);
    gone(&client->lock);
    VirtualFree(client, 0, MEM_RELEASE);
    VirtualAlloc(client, 0x1000, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    return use(&client->lock);
}
#elif defined(DEAD_FRAME)
// A local of a function that returned; the frame of the next one cleared it and sleeps there. Another thread enters.
static CRITICAL_SECTION *shared;
static DWORD WINAPI user(void *)
{
    use(shared);
    return 0;
}
NOINLINE static void register_local()
{
    char frame[0x600];
    Client *local = made(frame + 0x200);
    EnterCriticalSection(&local->lock);
    LeaveCriticalSection(&local->lock);
    shared = &local->lock;
    gone(shared);
}
NOINLINE static void next(Waiters *waiters)
{
    char buffer[0x600];
    memset(buffer, 0, sizeof buffer);
    start_waiters(waiters);
    sink += buffer[17];
}
static int scenario()
{
    Waiters waiters;
    make_waiters(&waiters, 1, user, NULL);
    register_local();
    next(&waiters);
    return sink;
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
