// Who comes late: a watcher that was forgotten, a logger at the end, a timer.
#include "unseen.h"
#include <map>
#include <string>

#ifdef WATCH
// Watched folders by name. The subscribers of one that is no longer watched are told once more, of the end.
struct Folder {
    char path[48];
    int changes, state;
    CRITICAL_SECTION lock;
    DWORD last;
    explicit Folder(const char *p) : changes(0), state(1), last(0)
    {
        lstrcpynA(path, p, sizeof path);
        InitializeCriticalSection(&lock);
    }
    Folder(const Folder &) = delete;
    ~Folder()
    {
        state = 0;
        act("deleted", &lock);
        DeleteCriticalSection(&lock);
    }
};
struct Change { Folder *folder; int kind; };
class Watcher {
public:
    void add(const char *path) { folders.try_emplace(path, path); }
    void remove(const char *path)
    {
        auto at = folders.find(path);
        if (at != folders.end()) {
            changed(&at->second, 3);
            folders.erase(at);
        }
    }
    void notify(const char *path)
    {
        auto at = folders.find(path);
        if (at != folders.end())
            changed(&at->second, 1);
    }
    int deliver()
    {
        int count = 0;
        for (; out != in; out++, count++)
            apply(pending[out % 32]);
        return count;
    }
private:
    void changed(Folder *folder, int kind) { pending[in++ % 32] = { folder, kind }; }
    NOINLINE void apply(const Change &change)
    {
        Folder *folder = change.folder;
        expect(&folder->lock);
        EnterCriticalSection(&folder->lock);
        folder->changes++;
        folder->last = GetTickCount();
        LeaveCriticalSection(&folder->lock);
    }
    std::map<std::string, Folder> folders;
    Change pending[32];
    unsigned in = 0, out = 0;
};
int main()
{
    static const char *const paths[] = { "C:\\Projects", "C:\\Projects\\docs", "C:\\Users\\ann\\Pictures", "D:\\Music" };
    LAB_START();
    crowd();
    Watcher watcher;
    for (const char *path : paths)
        watcher.add(path);
    for (int i = 0; i < 20; i++) {
        watcher.notify(paths[i * 3 % 4]);
        sink += watcher.deliver();
    }
    watcher.remove(paths[2]);
    watcher.notify(paths[0]);
    sink += watcher.deliver();
    return sink;
}

#elif defined(EXIT)
// A log and a cache are shut down one after the other; the cache's own thread writes into the log when it ends.
class Log {
public:
    void start(const char *name)
    {
        InitializeCriticalSection(&lock);
        lstrcpynA(file, name, sizeof file);
        open = 1;
    }
    NOINLINE void write(const char *text)
    {
        expect(&lock);
        EnterCriticalSection(&lock);
        int size = lstrlenA(text);
        if (used + size < static_cast<int>(sizeof buffer)) {
            memcpy(buffer + used, text, size);
            used += size;
            lines++;
        }
        LeaveCriticalSection(&lock);
    }
    void stop()
    {
        EnterCriticalSection(&lock);
        used = 0;
        LeaveCriticalSection(&lock);
        act("deleted", &lock);
        DeleteCriticalSection(&lock);
        open = 0;
    }
    int lines = 0;
private:
    char file[32];
    int open = 0;
    CRITICAL_SECTION lock;
    int used = 0;
    char buffer[2048];
};
static Log log_file;
class Cache {
public:
    void start()
    {
        InitializeCriticalSection(&lock);
        make_waiters(&threads, 1, sweep, this);
        ResumeThread(threads.threads[0]);
    }
    void put(int key, int value)
    {
        EnterCriticalSection(&lock);
        entries[key % 64] = { key, value, GetTickCount() };
        LeaveCriticalSection(&lock);
    }
    void stop()
    {
        stopping = 1;
        WaitForSingleObject(threads.threads[0], 8000);
    }
private:
    static DWORD WINAPI sweep(void *argument)
    {
        Cache *cache = static_cast<Cache *>(argument);
        while (!cache->stopping) {
            Sleep(20);
            EnterCriticalSection(&cache->lock);
            for (auto &entry : cache->entries)
                if (entry.key && GetTickCount() - entry.used > 30)
                    entry.key = 0, cache->swept++;
            LeaveCriticalSection(&cache->lock);
            if (cache->swept % 16 == 7)
                log_file.write("sweep: a part of the cache was cleared\r\n");
        }
        char line[64];
        snprintf(line, sizeof line, "sweep: ends, %d entries were cleared\r\n", cache->swept);
        log_file.write(line);
        return 0;
    }
    struct Entry { int key, value; DWORD used; };
    CRITICAL_SECTION lock;
    Entry entries[64] = { };
    Waiters threads;
    volatile int stopping = 0;
    int swept = 0;
};
static Cache cache;
int main()
{
    LAB_START();
    crowd();
    log_file.start("C:\\ProgramData\\Contoso\\sync.log");
    cache.start();
    log_file.write("start\r\n");
    for (int i = 1; i < 40; i++) {
        cache.put(i * 7, i);
        if (i % 8 == 0)
            Sleep(15);
    }
    log_file.write("stop\r\n");
    log_file.stop(); // the order of start, not its reverse
    cache.stop();
    return sink;
}

#elif defined(POOL)
// Timers' targets come from a pool of slots. Removing a target does not remove what a timer's thread has taken out already.
struct Target {
    Target *next_free;
    char name[20];
    int period, fired;
    CRITICAL_SECTION lock;
};
static Target slots[24];
static Target *free_slots;
static struct { Target *target; DWORD due; } schedule[24];
static int scheduled;
static CRITICAL_SECTION schedule_lock;
static HANDLE wake;

static Target *add_target(const char *name, int period)
{
    Target *target = free_slots;
    free_slots = target->next_free;
    target->next_free = NULL;
    lstrcpynA(target->name, name, sizeof target->name);
    target->period = period;
    target->fired = 0;
    InitializeCriticalSection(&target->lock);
    EnterCriticalSection(&schedule_lock);
    schedule[scheduled].target = target;
    schedule[scheduled++].due = GetTickCount() + period;
    LeaveCriticalSection(&schedule_lock);
    return target;
}
NOINLINE static void remove_target(Target *target)
{
    EnterCriticalSection(&schedule_lock);
    for (int i = 0; i < scheduled; i++)
        if (schedule[i].target == target)
            schedule[i--] = schedule[--scheduled];
    LeaveCriticalSection(&schedule_lock);
    act("deleted", &target->lock);
    DeleteCriticalSection(&target->lock);
    target->next_free = free_slots;
    free_slots = target;
}
NOINLINE static void fire(Target *target)
{
    expect(&target->lock);
    EnterCriticalSection(&target->lock);
    target->fired++;
    LeaveCriticalSection(&target->lock);
}
static DWORD WINAPI run_timers(void *)
{
    Target *due[24];
    for (int round = 0; round < 60; round++) {
        int count = 0;
        WaitForSingleObject(wake, 25);
        EnterCriticalSection(&schedule_lock);
        DWORD now = GetTickCount();
        for (int i = 0; i < scheduled; i++)
            if (static_cast<int>(now - schedule[i].due) >= 0) {
                due[count++] = schedule[i].target;
                schedule[i].due = now + schedule[i].target->period;
            }
        LeaveCriticalSection(&schedule_lock);
        for (int i = 0; i < count; i++) {
            fire(due[i]);
            Sleep(12); // what it does takes a while
        }
    }
    return 0;
}
int main()
{
    static const char *const names[] = { "autosave", "clock", "mail", "blink", "backup", "weather" };
    Waiters timer;
    Target *targets[6];
    LAB_START();
    crowd();
    for (auto &slot : slots) {
        slot.next_free = free_slots;
        free_slots = &slot;
    }
    InitializeCriticalSection(&schedule_lock);
    wake = CreateEventA(NULL, FALSE, FALSE, NULL);
    make_waiters(&timer, 1, run_timers, NULL);
    for (int i = 0; i < 6; i++)
        targets[i] = add_target(names[i], 20 + 5 * i);
    ResumeThread(timer.threads[0]);
    for (int i = 5; i >= 2; i--) {
        Sleep(90);
        remove_target(targets[i]);
    }
    WaitForSingleObject(timer.threads[0], 8000);
    return sink;
}
#endif
