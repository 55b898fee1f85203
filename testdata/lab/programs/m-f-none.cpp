// Third batch: no lock failed. The crash is the program's own, beside locks that are held, waited for, damaged or just left.
#include "unseen.h"

static CRITICAL_SECTION shared_lock, log_lock;
struct Scope {
    CRITICAL_SECTION *section;
    explicit Scope(CRITICAL_SECTION *s) : section(s) { EnterCriticalSection(section); }
    ~Scope() { LeaveCriticalSection(section); }
};
[[maybe_unused]] static void others_sleep(CRITICAL_SECTION *lock, int count)
{
    Waiters sleepers;
    make_waiters(&sleepers, count, pass_through, lock);
    start_waiters(&sleepers);
}
// Goes through the slow paths of Enter and Leave, which leave their return addresses below.
static DWORD WINAPI holds_a_while(void *argument)
{
    Scope scope(static_cast<CRITICAL_SECTION *>(argument));
    Sleep(300);
    return 0;
}
NOINLINE static void wait_and_leave(CRITICAL_SECTION *lock)
{
    DWORD id;
    CreateThread(NULL, STACK_RESERVE, holds_a_while, lock, STACK_SIZE_PARAM_IS_A_RESERVATION, &id);
    Sleep(100);
    EnterCriticalSection(lock);
    others_sleep(lock, 1);
    LeaveCriticalSection(lock);
    sink++;
}

#if defined(CLEARS_NULL)
// The C library clears a buffer that could not be had, under a lock that others sleep for.
struct Surface { int width, height; void *bits; };
NOINLINE static void clear(Surface *surface)
{
    Scope scope(&shared_lock);
    others_sleep(&shared_lock, 2);
    memset(surface->bits, sink, surface->width * surface->height * 4);
}
static int crash()
{
    Surface surface = { 640, 480, NULL };
    surface.bits = HeapAlloc(GetProcessHeap(), 0, static_cast<SIZE_T>(-1) / 2);
    clear(&surface);
    return sink;
}
#elif defined(FIELD_OF_NULL)
// A count behind NULL is raised, right after an Enter that had to wait: the address is one that a failed Enter writes to as well.
struct Statistics { char head[sizeof(void *) == 8 ? 0x24 : 0x14]; int contended; };
static Statistics *volatile statistics;
NOINLINE static int counted_enter(CRITICAL_SECTION *lock)
{
    wait_and_leave(lock);
    EnterCriticalSection(lock);
    statistics->contended++;
    LeaveCriticalSection(lock);
    return sink;
}
static int crash() { return counted_enter(&shared_lock); }
#elif defined(LITERAL)
// A name is cut in place; it is a literal.
NOINLINE static int cut(char *name)
{
    Scope scope(&log_lock);
    for (int i = 0; name[i]; i++)
        if (name[i] == '.')
            name[i] = 0;
    return name[0];
}
static int crash() { return cut(const_cast<char *>("report.final.txt")); }
#elif defined(HEAP_FILL)
// The destructor frees a member that was never assigned, after it had left and destroyed its lock.
struct Batch {
    CRITICAL_SECTION own;
    void *rows, *index;
    Batch() { initialize(&own); rows = HeapAlloc(GetProcessHeap(), 0, 100); }
    NOINLINE ~Batch()
    {
        { Scope scope(&own); HeapFree(GetProcessHeap(), 0, rows); }
        DeleteCriticalSection(&own);
        HeapFree(GetProcessHeap(), 0, index);
    }
};
static int crash()
{
    void *block = HeapAlloc(GetProcessHeap(), 0, sizeof(Batch));
    memset(block, HEAP_FILL, sizeof(Batch));
    Batch *batch = new (block) Batch;
    batch->~Batch();
    return sink;
}
#elif defined(OWN_STATISTICS)
// The program looks into its locks' debug records by itself, also where there is none.
NOINLINE static DWORD contentions(CRITICAL_SECTION *const *locks, int count)
{
    DWORD sum = 0;
    for (int i = 0; i < count; i++)
        sum += locks[i]->DebugInfo->ContentionCount;
    return sum;
}
static int crash()
{
    static CRITICAL_SECTION quiet;
    initialize(&quiet);
    leave((EnterCriticalSection(&quiet), &quiet));
    CRITICAL_SECTION *locks[3] = { &quiet, &shared_lock, &log_lock };
    return static_cast<int>(contentions(locks, 3));
}
#elif defined(UNSET_IN_THREAD)
// Each thread has a context, which only main's start sets; a worker reads from its own, under a lock that one sleeps for.
struct Context { int depth, budget; };
static DWORD context_slot;
NOINLINE static int budget() { return static_cast<Context *>(TlsGetValue(context_slot))->budget; }
static DWORD WINAPI work(void *)
{
    Scope scope(&shared_lock);
    others_sleep(&shared_lock, 1);
    return budget();
}
static int crash()
{
    Waiters workers;
    context_slot = TlsAlloc();
    TlsSetValue(context_slot, new Context { 1, 50 });
    sink += budget();
    make_waiters(&workers, 1, work, NULL);
    start_waiters(&workers);
    WaitForSingleObject(workers.threads[0], INFINITE);
    return sink;
}
#elif defined(NO_THREAD_FUNCTION)
// A thread is started with a function that a plugin did not export; its argument is a lock that others sleep for.
static int crash()
{
    LPTHREAD_START_ROUTINE run = reinterpret_cast<LPTHREAD_START_ROUTINE>(reinterpret_cast<void *>(GetProcAddress(GetModuleHandleA("kernel32.dll"), "plugin_run")));
    DWORD id;
    EnterCriticalSection(&shared_lock);
    others_sleep(&shared_lock, 3);
    HANDLE thread = CreateThread(NULL, STACK_RESERVE, run, &shared_lock, STACK_SIZE_PARAM_IS_A_RESERVATION, &id);
    WaitForSingleObject(thread, INFINITE);
    LeaveCriticalSection(&shared_lock);
    return sink;
}
#elif defined(GOES_ON)
// A text has run over an idle lock and over the pointer behind it; the pointer is what is used.
struct Entry { char key[20]; CRITICAL_SECTION own; const int *value; };
static Entry entries[3];
NOINLINE static void set_key(Entry *entry, const char *key, int room)
{
    for (int i = 0; i < room && key[i]; i++)
        entry->key[i] = key[i];
}
NOINLINE static int value_of(const Entry *entry) { return *entry->value; }
static int crash()
{
    static const int zero = 0;
    for (Entry &entry : entries) {
        InitializeCriticalSection(&entry.own);
        leave((EnterCriticalSection(&entry.own), &entry.own));
        entry.value = &zero;
    }
    set_key(&entries[1], "HKEY_CURRENT_USER\\Software\\Contoso\\Editor\\Recent files\\Projects\\Last opened", sizeof(Entry));
    return value_of(&entries[1]);
}
#endif

int main()
{
    LAB_START();
    crowd();
    initialize(&shared_lock);
    initialize(&log_lock);
    wait_and_leave(&log_lock);
    return crash();
}
