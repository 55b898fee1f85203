// Eighth batch: somebody comes before the lock is made. Macros choose who.
#include "k-common.h"

[[maybe_unused]] NOINLINE static int enter(CRITICAL_SECTION *lock)
{
    will("never-initialized", lock);
    EnterCriticalSection(lock);
    sink++;
    LeaveCriticalSection(lock);
    return sink;
}

#if defined(EARLY_STATIC)
// A global's constructor wants a number from a registry whose own constructor comes later.
struct Registry {
    int next = 1;
    CRITICAL_SECTION lock;
    Registry() { initialize(&lock); }
    NOINLINE int number() { return enter(&lock) + next++; }
};
extern Registry registry;
struct Filter {
    int id;
    NOINLINE Filter()
    {
        LAB_START();
        crowd();
        id = registry.number();
    }
};
static Filter filter;
Registry registry;
int main() { return filter.id; }
#elif defined(ONCE_RACE)
// "once": the first one counts the flag up and then makes the lock, the second one sees the flag.
static volatile LONG once;
static struct { char path[40]; CRITICAL_SECTION lock; int entries; } cache;
NOINLINE static void read_settings()
{
    lstrcpyA(cache.path, "C:\\ProgramData\\Contoso\\cache");
    for (int i = 0; i < 60; i++)
        Sleep(50);
}
NOINLINE static int lookup(int key)
{
    if (InterlockedExchange(&once, 1) == 0) {
        read_settings();
        initialize(&cache.lock);
    }
    enter(&cache.lock);
    return key + cache.entries;
}
static DWORD WINAPI second(void *) { Sleep(300); return lookup(7); }
int main()
{
    Waiters others;
    LAB_START();
    crowd();
    make_waiters(&others, 1, second, NULL);
    ResumeThread(others.threads[0]);
    return lookup(3);
}
#elif defined(BASE_REGISTERS)
// The base class' constructor registers the object with a dispatcher; the derived class' lock is made after it. The block was a list's node.
struct Sampler;
static Sampler *volatile registered;
struct Node { Node *next; int type, length; Node *previous; const char *text; ULONG_PTR hash; void *owner; };
struct Source {
    int rate;
    NOINLINE explicit Source(Sampler *self);
};
struct Sampler : Source {
    CRITICAL_SECTION lock;
    short gain;
    NOINLINE Sampler() : Source(this), gain(12) { initialize(&lock); }
};
Source::Source(Sampler *self) : rate(44100)
{
    registered = self;
    for (int i = 0; i < 60; i++) // opens its device
        Sleep(50);
}
static DWORD WINAPI dispatcher(void *)
{
    CRITICAL_SECTION *lock;
    while (!registered)
        Sleep(10);
    lock = &registered->lock;
    act("never-initialized", lock);
    expect_handle(lock);
    EnterCriticalSection(lock);
    sink = registered->gain;
    LeaveCriticalSection(lock);
    return 0;
}
int main()
{
    Waiters one;
    LAB_START();
    crowd();
    static Node list = { &list, 0, 0, &list, "", 0, NULL };
    Sampler *sampler = static_cast<Sampler *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Sampler) + 16));
    Node *node = reinterpret_cast<Node *>(&sampler->lock); // the earlier tenant
    *node = { &list, 2, 17, &list, "Line in (rear, 2)", 0x91E10DA5, &list };
    sink = node->type;
    asm volatile("" : : "r"(node) : "memory");
    make_waiters(&one, 1, dispatcher, NULL);
    ResumeThread(one.threads[0]);
    new (sampler) Sampler;
    return sink;
}
#elif defined(DLL_INIT)
// The library wants codec_init() before anything else.
int main()
{
    LAB_START();
    crowd();
    HMODULE codec = LoadLibraryA("plugin.dll");
    auto decode = reinterpret_cast<int (*)(int)>(reinterpret_cast<void *>(GetProcAddress(codec, "codec_decode")));
    return decode(5);
}
#elif defined(FRESH_THREAD)
// Each thread has its own lock; the main thread's was made by start().
static __thread struct { int depth; void *top; CRITICAL_SECTION lock; } state;
static CRITICAL_SECTION *mine() { return &state.lock; }
static DWORD WINAPI job(void *)
{
    enter(mine());
    return 0;
}
NOINLINE static void start()
{
    initialize(mine());
    state.depth = 1;
}
int main()
{
    Waiters one;
    LAB_START();
    crowd();
    start();
    make_waiters(&one, 1, job, NULL);
    start_waiters(&one);
    Sleep(4000);
    return sink;
}
#endif
