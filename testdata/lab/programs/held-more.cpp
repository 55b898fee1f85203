// Held-out variants that fit nowhere else: a section shared with another process, an overrun that stops in LockCount,
// a waiter that meets an overwritten LockSemaphore.
#include "lab.h"

#define NOINLINE __attribute__((noinline))
static volatile int sink;

NOINLINE static int leave_it(CRITICAL_SECTION *section)
{
    sink++;
    LeaveCriticalSection(section);
    return sink++;
}

NOINLINE static int enter_it(CRITICAL_SECTION *section)
{
    sink++;
    EnterCriticalSection(section);
    return sink++;
}

static DWORD WINAPI worker(void *argument)
{
    enter_it(static_cast<CRITICAL_SECTION *>(argument));
    LeaveCriticalSection(static_cast<CRITICAL_SECTION *>(argument));
    return 0;
}

#if defined(CROSS_PROCESS)
// Shared memory with a section in it, used by two processes: the second one waits, the event is in its handle table.
struct Shared { int users; CRITICAL_SECTION lock; };
static Shared *map(void)
{
    HANDLE mapping = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0x1000, "ContosoShared");
    return static_cast<Shared *>(MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, 0x1000));
}
static int scenario(void)
{
    STARTUPINFOA start = { };
    PROCESS_INFORMATION child;
    char name[MAX_PATH];
    Shared *shared = map();
    start.cb = sizeof start;
    InitializeCriticalSection(&shared->lock);
    EnterCriticalSection(&shared->lock);
    GetModuleFileNameA(NULL, name, sizeof name);
    CreateProcessA(name, const_cast<char *>("worker child"), NULL, NULL, FALSE, 0, NULL, NULL, &start, &child);
    for (int i = 0; i < 100 && !shared->lock.LockSemaphore; i++)
        Sleep(50);
    Sleep(300);
    TerminateProcess(child.hProcess, 0);
    reporter_expect(&shared->lock, shared->lock.LockSemaphore);
    return leave_it(&shared->lock);
}
static int child(void)
{
    for (int i = 0; i < 40; i++)
        CreateEventA(NULL, FALSE, FALSE, NULL);
    enter_it(&map()->lock);
    return 0;
}
#elif defined(LOCK_COUNT_HIT)
// 12 bytes too many (x86: 8): DebugInfo and LockCount are text, the rest is sound. The owner leaves.
static struct { char title[16]; CRITICAL_SECTION lock; } window;
static int scenario(void)
{
    InitializeCriticalSection(&window.lock);
    EnterCriticalSection(&window.lock);
    memcpy(window.title, "Quarterly report of 2026, 3rd draft", 16 + sizeof(void *) + 4);
    window.lock.LockCount = 0x67726F63; // "corg": odd, as text can be
    reporter_expect(&window.lock, NULL);
    return leave_it(&window.lock);
}
#elif defined(WAITER_TEXT) || defined(WAITER_SMALL)
static struct { CRITICAL_SECTION lock; int values[6]; } table;
static int scenario(void)
{
    Waiters first, second;
    InitializeCriticalSection(&table.lock);
    make_waiters(&first, 1, worker, &table.lock);
    make_waiters(&second, 1, worker, &table.lock);
    EnterCriticalSection(&table.lock);
    start_waiters(&first);
#ifdef WAITER_TEXT
    memcpy(&table.lock.LockSemaphore, "name=bob", sizeof(void *));
#else
    table.lock.LockSemaphore = reinterpret_cast<HANDLE>(static_cast<ULONG_PTR>(0x3E8)); // 1000
#endif
    reporter_expect(&table.lock, table.lock.LockSemaphore);
    start_waiters(&second);
    LeaveCriticalSection(&table.lock);
    return 0;
}
#endif

int main(int count, char **arguments)
{
#ifdef CROSS_PROCESS
    if (count > 1)
        return child();
#endif
    (void)count;
    (void)arguments;
    LAB_START();
    return scenario();
}
