// Seventh batch: what another thread or an earlier call still writes, and counters that run past their place. Macros choose.
#include "k-common.h"

[[maybe_unused]] static void hits(const CRITICAL_SECTION *lock) { act("corrupted", lock); }

#if defined(RECEIVED)
// A call that was not over when its function returned: the count of bytes goes to where that function had it.
static DWORD *volatile received;
static HANDLE arrived;
static DWORD WINAPI deliver(void *)
{
    WaitForSingleObject(arrived, INFINITE);
    *received = 1460;
    return 0;
}
static int scenario()
{
    struct Local { int kind; CRITICAL_SECTION lock; char name[16]; } local;
    Waiters worker;
    make_waiters(&worker, 1, deliver, NULL);
    arrived = CreateEventA(NULL, FALSE, FALSE, NULL);
    start_waiters(&worker);
    lstrcpyA(local.name, "inbox");
    local.kind = 2;
    // The frame of the function that asked lay here.
    received = reinterpret_cast<DWORD *>(reinterpret_cast<char *>(&local) + offsetof(Local, lock.LockSemaphore));
    prepare(&local.lock);
    contend(&local.lock);
    hits(&local.lock);
    SetEvent(arrived);
    WaitForSingleObject(worker.threads[0], INFINITE);
    expect_handle(&local.lock);
    FINISH(&local.lock);
    return sink + local.kind;
}
#elif defined(LATENCIES)
// A ring of the last values: the one before the first is at -1.
static struct Statistics { CRITICAL_SECTION lock; double ring[8]; volatile int at; unsigned total; } statistics[3];
NOINLINE static void record(Statistics *to, double seconds)
{
    to->ring[to->at - 1] = seconds;
    to->at = (to->at + 1) % 8;
}
static DWORD WINAPI sample(void *argument)
{
    record(static_cast<Statistics *>(argument), 0.0153);
    return 0;
}
static int scenario()
{
    Statistics *of_disk = &statistics[1];
    Waiters sampler;
    prepare(&of_disk->lock);
    make_waiters(&sampler, 1, sample, of_disk);
    contend(&of_disk->lock);
    hits(&of_disk->lock);
    start_waiters(&sampler);
    expect_handle(&of_disk->lock);
    FINISH(&of_disk->lock);
    return sink;
}
#elif defined(STREAM_POSITION)
// A reader that was closed goes on by the size of what it has read.
struct Reader { void *file; long long start; long long position; };
NOINLINE static void advance(volatile Reader *reader, int bytes) { reader->position += bytes; }
class Cache {
public:
    virtual ~Cache() { }
    int entries = 40;
    CRITICAL_SECTION lock;
    void *slots[3];
};
static int scenario()
{
    Cache *cache = new Cache;
    // Where the reader was before the cache came.
    Reader *volatile reader = reinterpret_cast<Reader *>(reinterpret_cast<char *>(&cache->lock.LockSemaphore) - offsetof(Reader, position));
    prepare(&cache->lock);
    contend(&cache->lock);
    cache->slots[0] = CreateFileA("cache.tmp", GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    hits(&cache->lock);
    advance(reader, sizeof(DWORD));
    expect_handle(&cache->lock);
    FINISH(&cache->lock);
    return sink;
}
#elif defined(GROUPED)
// A number is written from its last digit to its first, with separators that were not counted.
struct Counter { int unit; CRITICAL_SECTION lock; char digits[12]; int updates; };
NOINLINE static char *group(char *volatile last, unsigned long long number)
{
    char *to = last;
    for (int n = 0; number; n++, number /= 10) {
        if (n && n % 3 == 0)
            *to-- = ',';
        *to-- = static_cast<char>('0' + number % 10);
    }
    return to + 1;
}
static int scenario()
{
    Counter *counter = new Counter();
    counter->unit = 1;
    prepare(&counter->lock);
    EnterCriticalSection(&counter->lock);
    group(counter->digits + 10, 86400);
    hits(&counter->lock);
    group(counter->digits + 10, 18446744073709ull);
    expect_handle(&counter->lock);
    FINISH(&counter->lock);
    return sink;
}
#elif defined(CAPTION)
// A translated caption is longer than the English one.
struct Window { void *handle; wchar_t caption[20]; CRITICAL_SECTION lock; int left, top; };
NOINLINE static void set_caption(volatile wchar_t *to, const wchar_t *text)
{
    while ((*to++ = *text++) != 0) { }
}
static int scenario()
{
    Window *window = new Window();
    initialize(&window->lock);
    set_caption(window->caption, L"Print queue");
    EnterCriticalSection(&window->lock);
    window->left = 40;
    window->top = 32;
    LeaveCriticalSection(&window->lock);
    hits(&window->lock);
    set_caption(window->caption, L"Очередь печати - Отчёт за март");
    expect(&window->lock);
    EnterCriticalSection(&window->lock);
    return sink++;
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
