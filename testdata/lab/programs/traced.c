/* Crashes of a process whose handles are traced (sets with "trace"). The section's event is made by the first waiter.
 *   CLOSED    an old handle value is closed a second time, after the section's event has taken its slot
 *   PLUGIN    the same, but the second CloseHandle is a plugin's
 *   RECYCLED  as CLOSED, and a file takes the slot before the Leave: 0xC0000024
 *   WILD      LockSemaphore is overwritten with a small number that never was a handle of this process
 *   STALE     LockSemaphore is overwritten with the value of a handle that its owner opened and closed, as it should
 *   BUSY      besides, other code opens and closes a handle of its own in the same slot, before the section has its event
 */
#include "lab.h"

struct Cache {
    long long hits;
    CRITICAL_SECTION lock;
    HANDLE changed;
    int entries;
};

static struct Cache *cache;
#ifdef PLUGIN
static void (*plugin_close)(HANDLE handle);
#endif

static DWORD WINAPI worker(void *argument)
{
    struct Cache *shared = argument;
    EnterCriticalSection(&shared->lock);
    shared->hits++;
    LeaveCriticalSection(&shared->lock);
    return 0;
}

__attribute__((noinline)) static void open_notification(void)
{
    cache->changed = CreateEventA(NULL, FALSE, FALSE, NULL);
    cache->entries++;
}

__attribute__((noinline)) static void stop_notification(void)
{
    CloseHandle(cache->changed);
    cache->entries--;
}

__attribute__((noinline)) static void shut_down(void)
{
#ifdef PLUGIN
    plugin_close(cache->changed); /* the bug */
#else
    CloseHandle(cache->changed); /* the bug */
#endif
    cache->entries = 0;
}

__attribute__((noinline)) static void touch_file(void)
{
    HANDLE file = CreateFileA("agent.log", GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ, NULL, CREATE_ALWAYS, 0, NULL);
    reporter_name_handle(file, "\\Device\\HarddiskVolume1\\ProgramData\\Contoso\\agent.log");
#ifdef RECYCLED
    cache->entries += file != NULL;
#else
    CloseHandle(file);
#endif
}

__attribute__((noinline)) static void flush(void)
{
    cache->hits++;
    LeaveCriticalSection(&cache->lock);
    cache->entries++;
}

int main(void)
{
    struct Waiters waiters;
    LAB_START();
#ifdef PLUGIN
    plugin_close = (void (*)(HANDLE))(void *)GetProcAddress(LoadLibraryA("plugin.dll"), "plugin_close");
#endif
    cache = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof *cache);
    InitializeCriticalSection(&cache->lock);
    make_waiters(&waiters, 2, worker, cache);
    EnterCriticalSection(&cache->lock);
#ifdef STALE
    start_waiters(&waiters); /* the section has its event before */
#endif
    open_notification();
    stop_notification();
#ifdef BUSY
    touch_file();
#endif
#ifdef STALE
    cache->lock.LockSemaphore = cache->changed; /* the bug */
#else
    start_waiters(&waiters);
#endif
#ifdef WILD
    cache->lock.LockSemaphore = (HANDLE)0x5C4; /* the bug */
#endif
    reporter_expect(&cache->lock, cache->lock.LockSemaphore);
#if !defined WILD && !defined STALE
    shut_down();
#endif
#ifdef RECYCLED
    touch_file();
#endif
    flush();
    return 0;
}
