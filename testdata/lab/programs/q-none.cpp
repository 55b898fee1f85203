// Fifth batch: crashes that are no lock failure: a status or an access violation near a lock that is held, waited for, or just left.
#include "k-common.h"
#include <stdlib.h>

extern "C" __declspec(dllimport) LONG NTAPI NtSetEvent(HANDLE event, LONG *before);
extern "C" __declspec(dllimport) void NTAPI RtlRaiseStatus(LONG status);

struct Shelf { int row; char *label; CRITICAL_SECTION lock; int (*weigh)(Shelf *); Shelf *next; };
static Shelf *shelf;
struct Guard { CRITICAL_SECTION *lock; explicit Guard(CRITICAL_SECTION *l) : lock(l) { EnterCriticalSection(l); } ~Guard() { LeaveCriticalSection(lock); sink++; } };
[[maybe_unused]] NOINLINE static int use_well() { Guard guard(&shelf->lock); return ++shelf->row; }
[[maybe_unused]] static char *freed_page()
{
    char *page = pages(0x1000);
    VirtualFree(page, 0, MEM_RELEASE);
    return page;
}

#if defined(TWO_OWNERS) // a handle with two owners, both on this stack; the lock is held and wanted
struct Owner { HANDLE handle; ~Owner() { CloseHandle(handle); sink++; } };
NOINLINE static int crash()
{
    contend(&shelf->lock);
    Owner first = { CreateMutexA(NULL, FALSE, NULL) };
    Owner second = first;
    be_strict();
    return first.handle == second.handle ? sink++ : 0;
}
#elif defined(WORKER_CLOSES) // a worker's CloseHandle raises while this thread sleeps in Enter
static DWORD WINAPI closer(void *)
{
    EnterCriticalSection(&shelf->lock);
    Sleep(800);
    HANDLE stale = free_a_slot();
    be_strict();
    CloseHandle(stale);
    LeaveCriticalSection(&shelf->lock);
    return 0;
}
NOINLINE static int crash()
{
    Waiters one;
    make_waiters(&one, 1, closer, NULL);
    start_waiters(&one);
    EnterCriticalSection(&shelf->lock);
    LeaveCriticalSection(&shelf->lock);
    return sink;
}
#elif defined(CHECKED_CALL) // every status of the system is raised by the program's own check
NOINLINE static void check(LONG status) { if (status < 0) RtlRaiseStatus(status); }
NOINLINE static int crash()
{
    use_well();
    check(NtSetEvent(CHECKED_CALL, NULL));
    return sink++;
}
#elif defined(OWN_STATUS) // a class of the program's own raises it, under a lock
NOINLINE static void fail(DWORD status) { RaiseException(status, EXCEPTION_NONCONTINUABLE, 0, NULL); }
NOINLINE static int crash()
{
    contend(&shelf->lock);
    Guard guard(&shelf->lock);
    if (!ReleaseMutex(free_a_slot()))
        fail(OWN_STATUS);
    return sink++;
}
#elif defined(NULL_UNDER_LOCK) // a member of NULL, under a lock that others want
NOINLINE static int crash()
{
    contend(&shelf->lock);
    shelf->next->row = 5;
    LeaveCriticalSection(&shelf->lock);
    return sink;
}
#elif defined(ITERATOR) // a list's element went with its page, the guard is in force
NOINLINE static int crash()
{
    Guard guard(&shelf->lock);
    int rows = 0;
    shelf->next = reinterpret_cast<Shelf *>(freed_page());
    for (Shelf *one = shelf; one; one = one->next)
        rows += one->row;
    return rows;
}
#elif defined(IN_COMPARE_CALLBACK) // qsort's comparison enters, leaves, and then follows a stale pointer
static char *stale;
static int compare(const void *a, const void *b)
{
    use_well();
    return *static_cast<const int *>(a) - *static_cast<const int *>(b) + *stale;
}
NOINLINE static int crash()
{
    int rows[5] = { 5, 2, 4, 1, 3 };
    stale = freed_page();
    qsort(rows, 5, sizeof(int), compare);
    return rows[0];
}
#elif defined(NULL_FUNCTION) // a function pointer that was never set
NOINLINE static int crash()
{
    Guard guard(&shelf->lock);
    return shelf->weigh(shelf) + 1;
}
#elif defined(FREE_AFTER_LEAVE) // HeapFree of a pointer that was never set, just after a Leave
NOINLINE static int crash()
{
    shelf->label = reinterpret_cast<char *>(static_cast<ULONG_PTR>(0x65746E58));
    use_well();
    HeapFree(GetProcessHeap(), 0, shelf->label);
    return sink++;
}
#elif defined(OWN_RECORD) // a structure of the program's own, at NULL, whose counter is where a debug record has it
struct Statistics { void *links[4]; LONG entries, contentions; };
NOINLINE static void count(Statistics *statistics) { statistics->contentions++; }
NOINLINE static int crash()
{
    use_well();
    Statistics *volatile none = NULL;
    count(none);
    return sink++;
}
#elif defined(CONSTANT_TEXT) // a constant is written to, while the lock is held
NOINLINE static void cut(char *text) { text[3] = 0; }
NOINLINE static int crash()
{
    contend(&shelf->lock);
    cut(const_cast<char *>("Shelf B"));
    LeaveCriticalSection(&shelf->lock);
    return sink;
}
#elif defined(UNINITIALIZED_NEARBY) // a lock that was never made is near, but nobody has asked for it
NOINLINE static int crash()
{
    Shelf *other = static_cast<Shelf *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(Shelf)));
    use_well();
    sink += other->label[0];
    EnterCriticalSection(&other->lock);
    return sink;
}
#endif

int main()
{
    LAB_START();
    crowd();
    shelf = static_cast<Shelf *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(Shelf)));
    shelf->row = 2;
    prepare(&shelf->lock);
    sink += crash();
    return sink;
}
