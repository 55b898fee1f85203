// Fresh faults: nobody had initialised the section. Macros choose why not, and what the memory held instead.
#include "unseen.h"

static CRITICAL_SECTION *raw(CRITICAL_SECTION *lock)
{
    act("never-initialized", lock);
    expect(lock);
    return lock;
}

#if defined(DOUBLE_CHECKED)
// The instance is published before its constructor is done; the constructor reads the configuration first.
class Registry {
public:
    static Registry *instance()
    {
        if (!single) {
            single = static_cast<Registry *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(Registry)));
            single->construct();
        }
        return single;
    }
    NOINLINE int count()
    {
        EnterCriticalSection(raw(&lock));
        int n = entries;
        LeaveCriticalSection(&lock);
        return n;
    }
private:
    NOINLINE void construct()
    {
        read_configuration();
        InitializeCriticalSection(&lock);
        entries = 1;
    }
    NOINLINE void read_configuration() { Sleep(DOUBLE_CHECKED); version = 3; }
    static Registry *volatile single;
    int version, entries;
    CRITICAL_SECTION lock;
};
Registry *volatile Registry::single;
static DWORD WINAPI second(void *) { Sleep(300); return Registry::instance()->count(); }
static int scenario()
{
    Waiters threads;
    make_waiters(&threads, 1, second, NULL);
    ResumeThread(threads.threads[0]);
    return Registry::instance()->count();
}
#elif defined(NO_CONSTRUCTOR)
// An arena that fills what it hands out; the cast to the class was there, the placement new was not.
struct Task { Task *next; int kind, tries; CRITICAL_SECTION lock; void (*run)(Task *); Task() { InitializeCriticalSection(&lock); } };
NOINLINE static void *arena_get(SIZE_T size)
{
    static char *base;
    static SIZE_T used;
    if (!base)
        base = static_cast<char *>(VirtualAlloc(NULL, 0x4000, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
    DWORD *block = reinterpret_cast<DWORD *>(base + used);
    for (SIZE_T i = 0; i < size / sizeof(DWORD); i++)
        block[i] = NO_CONSTRUCTOR;
    used += (size + 15) & ~static_cast<SIZE_T>(15);
    return block;
}
NOINLINE static int schedule(Task *task)
{
    EnterCriticalSection(raw(&task->lock));
    task->tries++;
    LeaveCriticalSection(&task->lock);
    return task->kind;
}
static int scenario()
{
    for (int i = 0; i < 5; i++)
        new (arena_get(sizeof(Task))) Task;
    Task *task = static_cast<Task *>(arena_get(sizeof(Task)));
    task->kind = 4;
    return schedule(task);
}
#elif defined(STACK_FILL)
// A build with stack checks fills each frame; the local guard's section is made only if somebody else may come.
NOINLINE static int parse(int threads)
{
    struct { int depth; CRITICAL_SECTION lock; int tokens[12]; } state;
    memset(static_cast<void *>(&state), STACK_FILL, sizeof state);
    if (threads > 1)
        InitializeCriticalSection(&state.lock);
    EnterCriticalSection(raw(&state.lock));
    state.tokens[0] = 1;
    LeaveCriticalSection(&state.lock);
    return state.tokens[0];
}
static int scenario() { return parse(1); }
#elif defined(STACK_RESIDUE)
// A local section was declared and not initialised; another function's table had been there.
NOINLINE static int table()
{
    volatile int rows[300];
    for (int i = 0; i < 300; i++)
        rows[i] = 0x5000 + 8 * i;
    return rows[9];
}
NOINLINE static int compress(int level)
{
    CRITICAL_SECTION locks[8];
    int blocks[30];
    blocks[level] = 1;
    EnterCriticalSection(raw(&locks[3]));
    blocks[level]++;
    LeaveCriticalSection(&locks[3]);
    return blocks[level];
}
static int scenario()
{
    sink = table();
    return compress(sink & 7);
}
#elif defined(EARLY_PLUGIN)
// Plugins are loaded before the log is made; a plugin's global object logs when it is constructed.
static struct { int lines; CRITICAL_SECTION lock; char last[64]; } host_log;
extern "C" __declspec(dllexport) NOINLINE int host_write(const char *text)
{
    EnterCriticalSection(raw(&host_log.lock));
    lstrcpynA(host_log.last, text, sizeof host_log.last);
    host_log.lines++;
    LeaveCriticalSection(&host_log.lock);
    return host_log.lines;
}
static int scenario()
{
    HMODULE plugin = LoadLibraryA("plugin.dll");
    InitializeCriticalSection(&host_log.lock);
    host_write("host is up");
    return plugin != NULL;
}
#elif defined(UNSHARED)
// Caches that are not shared need no lock and get none; one method forgets to ask.
class Cache {
public:
    explicit Cache(bool is_shared) : shared(is_shared) { if (shared) InitializeCriticalSection(&lock); }
    void put(int key) { if (shared) EnterCriticalSection(&lock); keys[size++ & 7] = key; if (shared) LeaveCriticalSection(&lock); }
    NOINLINE void clear() { EnterCriticalSection(raw(&lock)); size = 0; LeaveCriticalSection(&lock); }
    void *operator new(size_t n) { return HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, n); }
private:
    bool shared;
    int size = 0, keys[8] = { };
    CRITICAL_SECTION lock;
};
static int scenario()
{
    Cache *caches[2] = { new Cache(true), new Cache(false) };
    for (int i = 0; i < 12; i++)
        caches[i % 2]->put(40 + i);
    caches[1]->clear();
    return 0;
}
#elif defined(PER_THREAD)
// Each thread's context is made on first use; only main's way to it makes the lock as well.
struct Context { int depth, jobs; CRITICAL_SECTION lock; };
static DWORD slot;
NOINLINE static Context *context()
{
    Context *mine = static_cast<Context *>(TlsGetValue(slot));
    if (!mine) {
        mine = static_cast<Context *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof *mine));
        TlsSetValue(slot, mine);
    }
    return mine;
}
NOINLINE static int work()
{
    Context *mine = context();
    EnterCriticalSection(mine->depth ? &mine->lock : raw(&mine->lock));
    mine->jobs++;
    LeaveCriticalSection(&mine->lock);
    return mine->jobs;
}
static DWORD WINAPI worker(void *) { return work(); }
static int scenario()
{
    slot = TlsAlloc();
    context()->depth = 1;
    InitializeCriticalSection(&context()->lock);
    work();
    Waiters workers;
    make_waiters(&workers, 1, worker, NULL);
    start_waiters(&workers);
    Sleep(2000);
    return sink;
}
#elif defined(OLD_TEXT)
// A recycled block from a free list, as its last owner left it: a request line.
struct Upload { Upload *next; int part, parts; CRITICAL_SECTION lock; char path[60]; };
alignas(16) static char recycled[3][sizeof(Upload)];
NOINLINE static int store(Upload *upload)
{
    EnterCriticalSection(raw(&upload->lock));
    upload->part++;
    LeaveCriticalSection(&upload->lock);
    return upload->part;
}
static int scenario()
{
    for (unsigned i = 0; i < sizeof(Upload); i++)
        recycled[1][i] = "PUT /archive/2023/bilder/img_0042.jpg HTTP/1.1\r\nHost: files.contoso.com\r\n"[(i + 5) % 73];
    Upload *upload = reinterpret_cast<Upload *>(recycled[1]);
    upload->next = NULL;
    upload->part = 0;
    upload->parts = 12;
    return store(upload);
}
#elif defined(BY_HAND)
// { NULL, -1 } as an initialiser, because it "has always worked": it does until two threads meet.
static CRITICAL_SECTION settings_lock = { NULL, -1, 0, NULL, NULL, BY_HAND };
static int settings[6];
NOINLINE static int change(int which, int milliseconds)
{
    EnterCriticalSection(&settings_lock);
    settings[which]++;
    Sleep(milliseconds);
    LeaveCriticalSection(&settings_lock);
    return settings[which];
}
static DWORD WINAPI other(void *) { return change(2, 0); }
static int scenario()
{
    Waiters threads;
    make_waiters(&threads, 1, other, NULL);
    change(1, 0);
    raw(&settings_lock);
    ResumeThread(threads.threads[0]);
    return change(3, 4000);
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
