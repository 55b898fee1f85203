// Fourth batch, faults: a section that nobody has initialised. Macros choose why not, and what lies there.
#include "k-common.h"

#ifndef CALL
#define CALL EnterCriticalSection
#endif
[[maybe_unused]] NOINLINE static int call(CRITICAL_SECTION *lock)
{
    will("never-initialized", lock);
    CALL(lock);
    return sink++;
}
[[maybe_unused]] static void fill(void *to, SIZE_T size, const char *pattern, SIZE_T length)
{
    for (SIZE_T i = 0; i < size; i++)
        static_cast<volatile char *>(to)[i] = pattern[i % length];
}
struct Registry { int entries; CRITICAL_SECTION lock; void *buckets[8]; };

#if defined(BEFORE_CONSTRUCTION)
// Constructors of one file run before those of another, and use the other's registry.
static Registry registry;
NOINLINE static void register_type(const char *name) { sink += name[0]; call(&registry.lock); registry.entries++; }
static void construct_types() { register_type("png"); }
static void construct_registry() { initialize(&registry.lock); }
static void (*const constructors[])() = { construct_types, construct_registry };
static int scenario()
{
    for (auto constructor : constructors)
        constructor();
    return registry.entries;
}
#elif defined(INIT_FAILED)
// Initialize() gives up before it comes to the lock; its result is thrown away.
static int scenario()
{
    Registry *registry = static_cast<Registry *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(Registry)));
    if (LoadLibraryA("contoso-missing.dll"))
        initialize(&registry->lock);
    return call(&registry->lock);
}
#elif defined(LAST_ONE)
// for (i = 1; i < n; i++)
static Registry registries[6];
static int scenario()
{
    for (int i = 1; i < 6; i++)
        initialize(&registries[i].lock);
    return call(&registries[INDEX].lock);
}
#elif defined(FLAG_FIRST)
// "initialised" is set first, the lock is made then; a second thread comes in between.
static volatile LONG initialised;
static Registry registry;
NOINLINE static Registry *get()
{
    if (!InterlockedExchange(&initialised, 1)) {
        Sleep(1500); // reads its configuration
        initialize(&registry.lock);
    }
    return &registry;
}
static DWORD WINAPI second(void *) { Sleep(200); return call(&get()->lock); }
static int scenario()
{
    Waiters one;
    make_waiters(&one, 1, second, NULL);
    ResumeThread(one.threads[0]);
    return get()->entries;
}
#elif defined(COPY_CONSTRUCTOR)
// A copy constructor copies everything but the lock, and does not make one either. The block was a text.
struct Channel {
    char name[16];
    CRITICAL_SECTION lock;
    Channel() { initialize(&lock); }
    Channel(const Channel &other) { memcpy(name, other.name, sizeof name); }
};
static int scenario()
{
    static Channel first;
    lstrcpyA(first.name, "general");
    void *block = HeapAlloc(GetProcessHeap(), 0, sizeof(Channel));
    fill(block, sizeof(Channel), "x: 10; y: 20; ", 14);
    return call(&(new (block) Channel(first))->lock);
}
#elif defined(LOCAL_FILL)
// A local, filled by the compiler's checks of debug builds.
NOINLINE static int parse()
{
    struct { CRITICAL_SECTION lock; volatile int tokens[20]; } parser;
    static const BYTE pattern = LOCAL_FILL;
    fill(&parser, sizeof parser, reinterpret_cast<const char *>(&pattern), 1);
    parser.tokens[0] = 1;
    return call(&parser.lock);
}
static int scenario() { return parse(); }
#elif defined(LOCAL_RESIDUE)
// A local, with what a function before had there.
NOINLINE static int measure(int n)
{
    volatile ULONG_PTR widths[80];
    for (int i = 0; i < 80; i++)
        widths[i] = 640 + 16 * i;
    return static_cast<int>(widths[n]);
}
NOINLINE static int layout()
{
    struct { volatile int a[30]; CRITICAL_SECTION lock; volatile int b[40]; } local;
    asm volatile("" : : "r"(&local) : "memory");
    return call(&local.lock);
}
static int scenario() { sink = measure(3); return layout(); }
#elif defined(HEAP_FILL)
// The heap fills new blocks; the class has no constructor.
static int scenario()
{
    static const DWORD pattern = HEAP_FILL;
    Registry *registry = static_cast<Registry *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Registry)));
    fill(registry, sizeof *registry, reinterpret_cast<const char *>(&pattern), 4);
    registry->entries = 0;
    return call(&registry->lock);
}
#elif defined(CLEAN_UP)
// goto fail: the clean-up destroys what the function had not made yet.
NOINLINE static int build(const char *path)
{
    Registry *registry = static_cast<Registry *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Registry)));
    fill(registry, sizeof *registry, "0.25,0.50,0.75,", 15);
    if (GetFileAttributesA(path) == INVALID_FILE_ATTRIBUTES)
        goto fail;
    initialize(&registry->lock);
    return 1;
fail:
    return call(&registry->lock);
}
static int scenario() { return build("missing.cfg"); }
#elif defined(PER_THREAD)
// A thread that the library did not start has no context of its own but a zeroed one.
static __thread Registry context;
static DWORD WINAPI foreign(void *) { return call(&context.lock); }
static int scenario()
{
    Waiters one;
    initialize(&context.lock);
    make_waiters(&one, 1, foreign, NULL);
    start_waiters(&one);
    Sleep(4000);
    return sink;
}
#elif defined(RESERVED_PAGES)
// A table in fresh pages, whose rows are made when they are first used; this one is asked for its lock before.
static int scenario()
{
    Registry *rows = reinterpret_cast<Registry *>(pages(0x4000));
    for (int i = 0; i < 9; i++)
        initialize(&rows[i].lock);
    return call(&rows[30].lock);
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
