// Fresh faults: DeleteCriticalSection had run. Macros choose who came after it.
#include "unseen.h"
#include <stdlib.h>

[[maybe_unused]] NOINLINE static void destroys(CRITICAL_SECTION *lock)
{
    act("deleted", lock);
    expect(lock);
}

#if defined(STATICS)
// Two statics, destroyed in the wrong order: the file's destructor logs, the log is gone.
struct Log {
    Log() { InitializeCriticalSection(&lock); }
    NOINLINE ~Log() { destroys(&lock); DeleteCriticalSection(&lock); }
    NOINLINE void write(const char *text)
    {
        EnterCriticalSection(&lock);
        lstrcpynA(last, text, sizeof last);
        lines++;
        LeaveCriticalSection(&lock);
    }
    int lines = 0;
    char last[48];
    CRITICAL_SECTION lock;
};
struct File {
    explicit File(Log &l) : log(l) { }
    ~File() { log.write("file closed"); sink++; }
    Log &log;
};
static Log *made_log;
static File *made_file;
static void end_log() { made_log->~Log(); }
static void end_file() { made_file->~File(); }
alignas(16) static char log_storage[sizeof(Log)], file_storage[sizeof(File)];
static int scenario()
{
    made_log = reinterpret_cast<Log *>(log_storage);
    made_file = new (file_storage) File(*made_log);
    atexit(end_file); // the file first, so that it goes last
    new (log_storage) Log;
    atexit(end_log);
    made_log->write("started");
    return 0;
}
#elif defined(BASE_FLUSHES)
// ~Writer deletes the lock; then ~Base flushes, and flush locks by way of the owner.
struct Writer;
struct Base {
    virtual ~Base();
    Writer *self = nullptr;
    int buffered = 0;
};
struct Writer : Base {
    Writer() { self = this; InitializeCriticalSection(&lock); }
    ~Writer() override { destroys(&lock); DeleteCriticalSection(&lock); }
    NOINLINE void flush() { EnterCriticalSection(&lock); buffered = 0; LeaveCriticalSection(&lock); }
    CRITICAL_SECTION lock;
};
Base::~Base() { if (buffered) self->flush(); }
static int scenario()
{
    Writer *writer = new Writer;
    writer->buffered = 17;
    Base *volatile base = writer;
    delete base;
    return sink;
}
#elif defined(LATE_JOIN)
// stop() deletes the lock first and waits for the worker afterwards.
struct Crawler {
    Crawler() { InitializeCriticalSection(&lock); }
    NOINLINE void stop()
    {
        stopping = 1;
        destroys(&lock);
        DeleteCriticalSection(&lock);
        WaitForSingleObject(thread, INFINITE);
        CloseHandle(thread);
    }
    NOINLINE int fetch() { EnterCriticalSection(&lock); int n = ++pages; LeaveCriticalSection(&lock); return n; }
    static DWORD WINAPI run(void *argument)
    {
        Crawler *crawler = static_cast<Crawler *>(argument);
        do {
            Sleep(150);
            crawler->fetch();
        } while (!crawler->stopping || crawler->pages < 1000);
        return 0;
    }
    HANDLE thread;
    volatile int stopping = 0;
    int pages = 0;
    CRITICAL_SECTION lock;
};
static int scenario()
{
    Crawler *crawler = new Crawler;
    DWORD id;
    crawler->thread = CreateThread(NULL, STACK_RESERVE, Crawler::run, crawler, STACK_SIZE_PARAM_IS_A_RESERVATION, &id);
    Sleep(400);
    crawler->stop();
    return crawler->pages;
}
#elif defined(SPINNING)
// The owner deletes what it holds while another thread still spins for it.
static CRITICAL_SECTION lock;
static HANDLE spinner;
static volatile LONG arrived;
static DWORD WINAPI spin(void *)
{
    arrived = 1;
    EnterCriticalSection(&lock);
    sink++;
    LeaveCriticalSection(&lock);
    return 0;
}
NOINLINE static void shut_down()
{
    destroys(&lock);
    DeleteCriticalSection(&lock);
    WaitForSingleObject(spinner, INFINITE);
    sink++;
}
static int scenario()
{
    DWORD id;
    InitializeCriticalSectionAndSpinCount(&lock, SPINNING);
    EnterCriticalSection(&lock);
    spinner = CreateThread(NULL, STACK_RESERVE, spin, NULL, STACK_SIZE_PARAM_IS_A_RESERVATION, &id);
    while (!arrived)
        Sleep(1);
    Sleep(30);
    shut_down();
    return sink;
}
#elif defined(TAGGED)
// A variant's lock was destroyed and a string put there; the tag was not changed, the variant destroys "its lock" once more.
struct String { const char *data; int size, room; const char *rest[3]; };
struct Variant {
    int kind, pad;
    union { CRITICAL_SECTION lock; String text; };
    NOINLINE void destroy() { if (kind == 1) DeleteCriticalSection(&lock); sink++; }
    NOINLINE void assign(const char *value, int size) { destroy(); text.data = value; text.size = size; text.room = 0; }
};
static Variant variants[4];
static int scenario()
{
    for (Variant &variant : variants) {
        variant.kind = 1;
        InitializeCriticalSection(&variant.lock);
    }
    destroys(&variants[2].lock);
    variants[2].assign("there is nothing to see in this text, it only lies in read-only storage", 71);
    for (Variant &variant : variants)
        variant.destroy();
    return sink;
}
#elif defined(TIMER)
// The service is shut down; its timer was not.
static struct { int beats; CRITICAL_SECTION lock; bool running; } service;
static VOID CALLBACK beat(void *, BOOLEAN)
{
    EnterCriticalSection(&service.lock);
    service.beats++;
    LeaveCriticalSection(&service.lock);
}
NOINLINE static void shut_down()
{
    service.running = false;
    destroys(&service.lock);
    DeleteCriticalSection(&service.lock);
    memset(&service, 0, sizeof service);
}
static int scenario()
{
    HANDLE timer;
    InitializeCriticalSection(&service.lock);
    service.running = true;
    CreateTimerQueueTimer(&timer, NULL, beat, NULL, 100, 300, 0);
    Sleep(900);
    shut_down();
    Sleep(4000);
    return service.beats;
}
#elif defined(OBSERVERS)
// An observer in a static array was destroyed without being removed; the subject notifies it.
class Observer {
public:
    void attach() { InitializeCriticalSection(&lock); attached = true; }
    NOINLINE void detach() { destroys(&lock); DeleteCriticalSection(&lock); attached = false; }
    NOINLINE void changed(int value) { EnterCriticalSection(&lock); last = value; LeaveCriticalSection(&lock); }
private:
    bool attached = false;
    int last = 0;
    CRITICAL_SECTION lock;
};
static Observer observers[5];
static int scenario()
{
    for (Observer &observer : observers)
        observer.attach();
    for (Observer &observer : observers)
        observer.changed(1);
    observers[3].detach();
    for (Observer &observer : observers)
        observer.changed(2);
    return sink;
}
#elif defined(BY_VALUE)
// A handle class without a copy constructor of its own: the parameter's destructor deletes what both point to.
class Mutex {
public:
    Mutex() : native(new CRITICAL_SECTION) { InitializeCriticalSection(native); }
    ~Mutex() { destroys(native); DeleteCriticalSection(native); }
    void lock() { EnterCriticalSection(native); }
    void unlock() { LeaveCriticalSection(native); }
private:
    CRITICAL_SECTION *native;
};
NOINLINE static int inspect(Mutex mutex) { mutex.lock(); sink++; mutex.unlock(); return sink; }
NOINLINE static int update(Mutex &mutex) { mutex.lock(); sink++; mutex.unlock(); return sink; }
static int scenario()
{
    Mutex mutex;
    inspect(mutex);
    return update(mutex);
}
#elif defined(RELOAD)
// A reload replaces the configuration and destroys the old one, which a reader has in its hands.
struct Configuration {
    explicit Configuration(int v) : version(v) { InitializeCriticalSection(&lock); }
    ~Configuration() { destroys(&lock); DeleteCriticalSection(&lock); }
    int version, reads = 0;
    CRITICAL_SECTION lock;
};
alignas(16) static char generations[2][sizeof(Configuration)];
static Configuration *volatile current;
NOINLINE static int reader(Configuration *mine, int pause)
{
    Sleep(pause);
    EnterCriticalSection(&mine->lock);
    int version = mine->version + mine->reads++;
    LeaveCriticalSection(&mine->lock);
    return version;
}
static DWORD WINAPI read(void *) { return reader(current, 0) + reader(current, 1200); }
NOINLINE static void reload()
{
    Configuration *old = current;
    current = new (generations[(old->version + 1) & 1]) Configuration(old->version + 1);
    old->~Configuration();
}
static int scenario()
{
    Waiters readers;
    current = new (generations[0]) Configuration(0);
    make_waiters(&readers, 2, read, NULL);
    start_waiters(&readers);
    reload();
    Sleep(3000);
    return current->version;
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
