// Fifth batch, faults: a lock that nobody has made yet, or ever. Macros choose why, and what lies in its place.
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
[[maybe_unused]] static void repeat(void *to, SIZE_T size, const void *pattern, SIZE_T length)
{
    for (SIZE_T i = 0; i < size; i++)
        static_cast<volatile char *>(to)[i] = static_cast<const char *>(pattern)[i % length];
}
struct Engine { wchar_t name[8]; int state; CRITICAL_SECTION lock; void *queue[4]; };

#if defined(STATIC_LIBRARY)
// contoso_init() is never called: its user thinks that the library does it by itself.
static Engine engine;
NOINLINE static int library_call(int option) { engine.state = option; return call(&engine.lock); }
static int scenario() { return library_call(3); }
#elif defined(ONCE_SKIPPED)
// "already initialised" comes from a saved configuration.
static struct { bool ready; Engine engine; } saved;
NOINLINE static void load() { saved.ready = true; lstrcpyW(saved.engine.name, L"main"); }
static int scenario()
{
    load();
    if (!saved.ready)
        initialize(&saved.engine.lock);
    return call(&saved.engine.lock);
}
#elif defined(VALUE_INITIALIZED)
// A second constructor forgets it: the object is zeroed, its other fields are set.
struct Job { int priority; CRITICAL_SECTION lock; const char *text; };
static int scenario()
{
    Job *job = static_cast<Job *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(Job)));
    job->priority = 5;
    job->text = "index";
    return call(&job->lock);
}
#elif defined(LAST_OF_TABLE)
// i < COUNT - 1
static Engine engines[7];
static int scenario()
{
    for (int i = 0; i < 6; i++) {
        initialize(&engines[i].lock);
        engines[i].state = 1;
    }
    int turn = 0;
    for (Engine &one : engines) {
        turn++;
        if (turn == 7)
            return call(&one.lock);
        EnterCriticalSection(&one.lock);
        LeaveCriticalSection(&one.lock);
    }
    return sink;
}
#elif defined(WORKER_FIRST)
// The thread is started at the beginning of the constructor, the lock is made at its end.
static DWORD WINAPI work(void *argument) { return call(&static_cast<Engine *>(argument)->lock); }
NOINLINE static void construct(Engine *engine)
{
    Waiters one;
    make_waiters(&one, 1, work, engine);
    ResumeThread(one.threads[0]);
    for (int i = 0; i < 40; i++) // reads its tables
        Sleep(50);
    initialize(&engine->lock);
}
static int scenario()
{
    Engine *engine = static_cast<Engine *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(Engine)));
    construct(engine);
    return sink;
}
#elif defined(OLD_BLOCK)
// malloc, in a block that was a list of names.
static int scenario()
{
    static const char names[] = "kilo lima mike november oscar papa quebec romeo ";
    Engine *engine = static_cast<Engine *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Engine)));
    repeat(engine, sizeof *engine, names, sizeof names - 1);
    engine->state = 0;
    lstrcpyW(engine->name, L"audio");
    reinterpret_cast<volatile char *>(&engine->lock.LockCount)[0] = 'l';
    return call(&engine->lock);
}
#elif defined(LOCAL_OBJECT)
// A local object without a constructor, where a deeper call had its numbers.
NOINLINE static int deep(int n)
{
    volatile double table[64];
    for (int i = 0; i < 64; i++)
        table[i] = 2.5 * (i + 2);
    return static_cast<int>(table[n]);
}
NOINLINE static int shallow()
{
    struct { volatile char before[160]; CRITICAL_SECTION lock; volatile char behind[120]; } local;
    asm volatile("" : : "r"(&local) : "memory");
    return call(&local.lock);
}
static int scenario() { sink = deep(2); return shallow(); }
#elif defined(DEBUG_FILL)
// A debug build's fill for new memory; some fields are set.
static int scenario()
{
    static const DWORD fill = DEBUG_FILL;
    Engine *engine = static_cast<Engine *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Engine)));
    repeat(engine, sizeof *engine, &fill, 4);
    engine->state = 1;
    engine->queue[0] = engine->queue[1] = NULL;
    return call(&engine->lock);
}
#elif defined(DESTROY_UNMADE)
// The destructor runs for an object whose start() never came.
struct Player {
    int volume;
    CRITICAL_SECTION lock;
    Player() : volume(70) { }
    NOINLINE ~Player() { call(&lock); volume = 0; }
};
static int scenario()
{
    static const ULONG old[4] = { 0x00300031, 0x00380034, 0x002E0030, 0x00360032 };
    void *block = HeapAlloc(GetProcessHeap(), 0, sizeof(Player));
    repeat(block, sizeof(Player), old, sizeof old);
    delete new (block) Player;
    return sink;
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
