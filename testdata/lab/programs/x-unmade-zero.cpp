// Seventh batch: a lock in zeroed memory that nobody has made. Macros choose why.
#include "k-common.h"

[[maybe_unused]] NOINLINE static int use(CRITICAL_SECTION *lock)
{
    will("never-initialized", lock);
    EnterCriticalSection(lock);
    sink++;
    LeaveCriticalSection(lock);
    return sink;
}

#if defined(MODULE_ORDER)
// A table of modules: the metrics begin with a line in the log, which comes after them.
static struct { int level; const char *file; CRITICAL_SECTION lock; int lines; } logger;
NOINLINE static int log_line(const char *text)
{
    sink += use(&logger.lock) + text[0];
    return ++logger.lines;
}
static int start_clock() { return sink++; }
static int start_metrics() { return log_line("metrics: on"); }
static int start_logger()
{
    logger.level = 2;
    logger.file = "service.log";
    initialize(&logger.lock);
    return log_line("log: on");
}
static void stop_clock() { sink--; }
static void stop_metrics() { log_line("metrics: off"); }
static void stop_logger() { DeleteCriticalSection(&logger.lock); }
static const struct { const char *name; int (*start)(); void (*stop)(); } modules[] = {
    { "clock", start_clock, stop_clock }, { "metrics", start_metrics, stop_metrics }, { "logger", start_logger, stop_logger } };
static int scenario()
{
    for (volatile int i = 0; i < 3; i = i + 1)
        sink += modules[i].start();
    for (volatile int i = 2; i >= 0; i = i - 1)
        modules[i].stop();
    return sink;
}
#elif defined(ONCE_EARLY)
// once(): the mark is set before the function has run, and the second caller goes past it.
static volatile LONG once_mark;
static struct { CRITICAL_SECTION lock; int pages; } spans;
NOINLINE static void make_spans()
{
    for (int i = 0; i < 30; i++) // asks the system for its page sizes
        Sleep(60);
    spans.pages = 4096;
    initialize(&spans.lock);
}
NOINLINE static int allocate(int size)
{
    if (InterlockedCompareExchange(&once_mark, 1, 0) == 0)
        make_spans();
    return use(&spans.lock) + size;
}
static DWORD WINAPI first_worker(void *) { return allocate(16); }
static int scenario()
{
    Waiters one;
    make_waiters(&one, 1, first_worker, NULL);
    start_waiters(&one);
    return allocate(32);
}
#elif defined(FUNCTION_NAME)
// The function that makes it is looked for by a name that no system has; nobody looks at the result.
typedef BOOL(WINAPI *make_function)(CRITICAL_SECTION *, DWORD, DWORD);
struct Console { int columns, rows; CRITICAL_SECTION lock; HANDLE output; };
NOINLINE static bool open_console(Console *console)
{
    make_function make = reinterpret_cast<make_function>(reinterpret_cast<void *>(GetProcAddress(GetModuleHandleA("kernel32.dll"), "InitializeCriticalSectionExW")));
    console->columns = 80;
    console->rows = 25;
    console->output = GetStdHandle(STD_OUTPUT_HANDLE);
    return make && make(&console->lock, 4000, 0);
}
static int scenario()
{
    Console console = {};
    open_console(&console);
    return use(&console.lock);
}
#elif defined(MORE_WORKERS)
// Eight workers are asked for while it runs; five were made at the start.
struct Worker { int number; short state; CRITICAL_SECTION lock; void *head, *tail; };
static struct Pool { int count; Worker *workers; } pool;
NOINLINE static void make_pool(int count)
{
    pool.workers = static_cast<Worker *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, 8 * sizeof(Worker)));
    pool.count = count;
    for (int i = 0; i < count; i++) {
        pool.workers[i].number = i + 1;
        initialize(&pool.workers[i].lock);
    }
}
NOINLINE static void set_count(int count) { pool.count = count; }
NOINLINE static int submit(unsigned hash)
{
    Worker *worker = &pool.workers[hash % pool.count];
    int result = use(&worker->lock);
    worker->state = 1;
    return result;
}
static int scenario()
{
    make_pool(5);
    EnterCriticalSection(&pool.workers[1].lock);
    LeaveCriticalSection(&pool.workers[1].lock);
    contend_once(&pool.workers[3].lock);
    set_count(8);
    return submit(0x9E3779B6);
}
#elif defined(OTHER_THREAD)
// Every thread has its own cache; only main's is made.
static __thread struct Cache { int hits; CRITICAL_SECTION lock; char last[20]; } cache;
static DWORD WINAPI request(void *)
{
    lstrcpyA(cache.last, "/index");
    return use(&cache.lock);
}
static int scenario()
{
    Waiters one;
    initialize(&cache.lock);
    EnterCriticalSection(&cache.lock);
    cache.hits++;
    LeaveCriticalSection(&cache.lock);
    make_waiters(&one, 1, request, NULL);
    start_waiters(&one);
    Sleep(4000);
    return sink;
}
#elif defined(NOT_THE_FIRST)
// Shared memory: the one who finds it made already leaves its lock to the other, who has not come to that yet.
struct Shared { DWORD version; int readers; CRITICAL_SECTION lock; char ring[400]; };
NOINLINE static Shared *attach(bool other)
{
    HANDLE mapping = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0x1000, "Local\\ContosoRing");
    bool made = GetLastError() != ERROR_ALREADY_EXISTS;
    Shared *shared = static_cast<Shared *>(MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, 0));
    if (made && other)
        shared->version = 3;
    else if (made)
        initialize(&shared->lock);
    return shared;
}
static int scenario()
{
    attach(true);
    Shared *mine = attach(false);
    mine->readers++;
    return use(&mine->lock);
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
