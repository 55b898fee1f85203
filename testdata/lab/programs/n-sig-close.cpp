// Second batch: an event of a healthy section is closed by other code; eight kinds of program. In each the number was the program's own
// before, was closed, and went to the section's event; the second close is the mistake.
#include "unseen.h"
#include <fcntl.h>
#include <io.h>

// What takes the number after that, if anything.
[[maybe_unused]] static void take_number()
{
#if defined(TAKE_THREAD)
    CreateThread(NULL, STACK_RESERVE, pass_through, NULL, CREATE_SUSPENDED | STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
#elif defined(TAKE_FILE)
    CreateFileA("audit.log", GENERIC_WRITE, FILE_SHARE_READ, NULL, CREATE_ALWAYS, 0, NULL);
    CreateFileA("audit.idx", GENERIC_WRITE, FILE_SHARE_READ, NULL, CREATE_ALWAYS, 0, NULL);
#elif defined(TAKE_WAIT_ONLY) // may be waited for, may not be set
    CreateEventExA(NULL, NULL, 0, SYNCHRONIZE);
#endif
}

static Waiters waiters;
struct Guard {
    explicit Guard(CRITICAL_SECTION *s) : section(s) { EnterCriticalSection(section); }
    ~Guard() { LeaveCriticalSection(section); sink++; }
    CRITICAL_SECTION *section;
};
[[maybe_unused]] static void about_to_close(const CRITICAL_SECTION *lock)
{
    expect_handle(lock);
    act("handle-closed", lock);
}

#if defined(DBPOOL)
// A pool of connections: trim() closes the event of an idle one, which stays in the list; reset() closes it with the others.
struct Connection { Connection *next; HANDLE ready; int number; bool idle; };
class Pool {
public:
    Pool()
    {
        initialize(&lock);
        for (int i = 0; i < 5; i++)
            all = new Connection { all, CreateEventA(NULL, TRUE, FALSE, NULL), 1433 + i, i == 2 };
    }
    void trim() { for (Connection *c = all; c; c = c->next) if (c->idle) CloseHandle(c->ready); }
    void reset() { for (Connection *c = all; c; c = c->next) if (c->number > 1434) CloseHandle(c->ready); }
    NOINLINE void take() { EnterCriticalSection(&lock); in_use++; }
    NOINLINE int give_back() { in_use--; LeaveCriticalSection(&lock); return in_use; }
private:
    Connection *all = nullptr;
    int in_use = 0;
    wchar_t dsn[18] = L"orders@sql01";
public:
    CRITICAL_SECTION lock;
};
static DWORD WINAPI client(void *argument)
{
    Pool *pool = static_cast<Pool *>(argument);
    pool->take();
    pool->give_back();
    return 0;
}
static int scenario()
{
    Pool *pool = new Pool;
    make_waiters(&waiters, WAITERS, client, pool);
    pool->trim();
    pool->take();
    start_waiters(&waiters);
    about_to_close(&pool->lock);
    pool->reset();
    take_number();
    return pool->give_back();
}
#elif defined(LOGGER)
// reopen() keeps the number of the closed file where the new file cannot be opened; stop() closes it under the lock.
class Logger {
public:
    void start() { initialize(&lock); file = CreateFileA("service.log", GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL); }
    bool reopen(const char *path)
    {
        CloseHandle(file);
        HANDLE other = CreateFileA(path, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
        if (other == INVALID_HANDLE_VALUE)
            return false;
        file = other;
        return true;
    }
    NOINLINE int line() { Guard guard(&lock); return ++lines; }
    NOINLINE int stop()
    {
        Guard guard(&lock);
        start_waiters(&waiters);
        about_to_close(&lock);
        CloseHandle(file);
        take_number();
        return lines;
    }
private:
    int level = 2, lines = 0;
    HANDLE file;
    CRITICAL_SECTION lock;
    char prefix[24] = "[service] ";
};
static Logger logger;
static DWORD WINAPI client(void *) { return logger.line(); }
static int scenario()
{
    logger.start();
    logger.line();
    make_waiters(&waiters, WAITERS, client, NULL);
    logger.reopen("c:\\no such folder\\service.log");
    return logger.stop();
}
#elif defined(BYTE_ID)
// The protocol has one byte for a peer's number; the program uses a quarter of the handle. The 256th after it closes a stranger's.
struct Peer { unsigned char id; char name[11]; };
static Peer peers[400];
static struct Hub { int peers; CRITICAL_SECTION lock; void *queue[4]; } hub;
NOINLINE static int hang_up(const Peer *peer)
{
    CloseHandle(reinterpret_cast<HANDLE>(static_cast<ULONG_PTR>(peer->id) * 4 + (hub.peers & 0)));
    return peer->id;
}
NOINLINE static int unlock_hub() { hub.peers--; LeaveCriticalSection(&hub.lock); return hub.peers; }
static int scenario()
{
    initialize(&hub.lock);
    make_waiters(&waiters, WAITERS, pass_through, &hub.lock);
    EnterCriticalSection(&hub.lock);
    start_waiters(&waiters);
    ULONG_PTR wanted = reinterpret_cast<ULONG_PTR>(hub.lock.LockSemaphore) / 4 & 0xFF;
    for (Peer &peer : peers) {
        HANDLE accepted = CreateEventA(NULL, TRUE, FALSE, NULL);
        peer.id = static_cast<unsigned char>(reinterpret_cast<ULONG_PTR>(accepted) / 4);
        hub.peers++;
        if (peer.id == wanted)
            break;
    }
    about_to_close(&hub.lock);
    hang_up(&peers[hub.peers - 1]);
    return unlock_hub();
}
#elif defined(COMREF)
// One Release too many on an object in a cache: the last reference is dropped twice.
struct Counted {
    virtual ULONG AddRef() = 0;
    virtual ULONG Release() = 0;
};
class Stream : public Counted {
public:
    ULONG AddRef() override { return InterlockedIncrement(&references); }
    NOINLINE ULONG Release() override
    {
        LONG left = InterlockedDecrement(&references);
        if (left <= 0)
            CloseHandle(done);
        return left;
    }
    HANDLE done = CreateMutexA(NULL, FALSE, NULL);
private:
    LONG references = 1;
};
class Apartment {
public:
    Apartment() { initialize(&lock); }
    virtual NOINLINE void enter() { EnterCriticalSection(&lock); depth++; }
    virtual NOINLINE int leave() { int left = --depth; LeaveCriticalSection(&lock); return left; }
    CRITICAL_SECTION lock;
    int depth = 0;
};
static Apartment *apartment;
static DWORD WINAPI client(void *) { apartment->enter(); return apartment->leave(); }
static int scenario()
{
    apartment = new Apartment;
    Counted *volatile stream = new Stream;
    make_waiters(&waiters, WAITERS, client, NULL);
    stream->Release();
    apartment->enter();
    start_waiters(&waiters);
    about_to_close(&apartment->lock);
    stream->Release();
    return apartment->leave();
}
#elif defined(THREADPOOL)
// Workers that end are detached (handle closed), and joined with all others when the pool is resized.
static HANDLE workers[4];
static bool detached[4];
static CRITICAL_SECTION pool_lock;
static LONG jobs = 7;
static DWORD WINAPI work(void *argument)
{
    if (!argument)
        return 0;
    EnterCriticalSection(&pool_lock);
    jobs--;
    LeaveCriticalSection(&pool_lock);
    return 1;
}
NOINLINE static void detach(int i) { WaitForSingleObject(workers[i], INFINITE); CloseHandle(workers[i]); detached[i] = true; }
NOINLINE static int resize(int from)
{
    about_to_close(&pool_lock);
    for (int i = from; i < 4; i++) {
        WaitForSingleObject(workers[i], 0);
        CloseHandle(workers[i]);
        workers[i] = NULL;
    }
    take_number();
    LeaveCriticalSection(&pool_lock);
    return jobs;
}
static int scenario()
{
    initialize(&pool_lock);
    for (int i = 0; i < 4; i++)
        workers[i] = CreateThread(NULL, STACK_RESERVE, work, NULL, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    make_waiters(&waiters, WAITERS, work, &jobs);
    Sleep(200);
    detach(3);
    EnterCriticalSection(&pool_lock);
#ifdef RECURSE
    EnterCriticalSection(&pool_lock);
#endif
    start_waiters(&waiters);
#ifdef RECURSE
    LeaveCriticalSection(&pool_lock);
#endif
    return resize(2);
}
#elif defined(TIMERS)
// A timer that has fired is closed; so is one that is cancelled. This one was both.
struct Timer { HANDLE native; int (*fire)(Timer *); LONG state; };
class TimerQueue {
public:
    TimerQueue() { initialize(&lock); }
    CRITICAL_SECTION *section() { return &lock; }
    Timer *add(int (*fire)(Timer *))
    {
        Timer *timer = &timers[used++];
        *timer = { CreateWaitableTimerA(NULL, TRUE, NULL), fire, 1 };
        return timer;
    }
    NOINLINE int run(Timer *timer) { return timer->fire(timer); }
private:
    Timer timers[6];
    int used = 0;
    CRITICAL_SECTION lock;
};
static TimerQueue *queue;
static int once(Timer *timer) { CloseHandle(timer->native); return timer->state = 0; }
static int cancel_and_unlock(Timer *timer)
{
    timer->state = -1;
    about_to_close(queue->section());
    CloseHandle(timer->native);
    take_number();
    LeaveCriticalSection(queue->section());
    return timer->state;
}
static int scenario()
{
    char *room = static_cast<char *>(VirtualAlloc(NULL, 0x1000, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
    queue = new (room + 0x230) TimerQueue;
    Timer *timer = queue->add(once);
    queue->add(once);
    make_waiters(&waiters, WAITERS, pass_through, queue->section());
    queue->run(timer);
    EnterCriticalSection(queue->section());
    start_waiters(&waiters);
    timer->fire = cancel_and_unlock;
    return queue->run(timer);
}
#elif defined(CRT_FILE)
// The C library owns the handle since _open_osfhandle: CloseHandle and _close both close it.
static int descriptor;
static struct { CRITICAL_SECTION lock; long written; } journal;
NOINLINE static int finish_journal()
{
    about_to_close(&journal.lock);
    _close(descriptor);
    take_number();
    journal.written++;
    LeaveCriticalSection(&journal.lock);
    return journal.written;
}
static int scenario()
{
    initialize(&journal.lock);
    HANDLE file = CreateFileA("journal.tmp", GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    descriptor = _open_osfhandle(reinterpret_cast<intptr_t>(file), _O_BINARY);
    make_waiters(&waiters, WAITERS, pass_through, &journal.lock);
    CloseHandle(file);
    EnterCriticalSection(&journal.lock);
    start_waiters(&waiters);
    return finish_journal();
}
#elif defined(RING)
// Requests lie in a ring of eight; the one that is given up is looked up with the size of the ring before.
struct Request { HANDLE done; int sequence; };
template <int Size> struct Ring {
    Request slots[Size];
    Request &at(int sequence) { return slots[sequence % Size]; }
};
static Ring<8> ring;
static struct Device { char path[28]; CRITICAL_SECTION lock; int pending; } devices[3];
NOINLINE static void complete(int sequence) { CloseHandle(ring.at(sequence).done); }
NOINLINE static void give_up(int sequence) { CloseHandle(ring.slots[sequence % 7].done); }
NOINLINE static int unlock(Device &device) { LeaveCriticalSection(&device.lock); return --device.pending; }
static int scenario()
{
    Device &device = devices[1];
    for (Device &one : devices)
        initialize(&one.lock);
    for (int i = 8; i < 16; i++)
        ring.at(i) = { CreateEventA(NULL, TRUE, FALSE, NULL), i };
    make_waiters(&waiters, WAITERS, pass_through, &device.lock);
    complete(8);
    EnterCriticalSection(&device.lock);
    start_waiters(&waiters);
    about_to_close(&device.lock);
    give_up(14);
    take_number();
    return unlock(device);
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
