// Fourth batch: access violations that are no lock failure, with locks held, waited for, just left, deleted or broken.
#include "k-common.h"

struct Item { Item *next; int key; char *text; CRITICAL_SECTION lock; };
static Item *item;
struct Guard { CRITICAL_SECTION *lock; explicit Guard(CRITICAL_SECTION *l) : lock(l) { EnterCriticalSection(l); } ~Guard() { LeaveCriticalSection(lock); sink++; } };
[[maybe_unused]] NOINLINE static int use_well(Item *one) { Guard guard(&one->lock); return ++one->key; }

#if defined(FREED_UNDER_LOCK) // HeapFree of a wild pointer, under a lock that others want
NOINLINE static int crash()
{
    contend(&item->lock);
    item->text = reinterpret_cast<char *>(static_cast<ULONG_PTR>(0x6E696B30));
    HeapFree(GetProcessHeap(), 0, item->text);
    LeaveCriticalSection(&item->lock);
    return sink;
}
#elif defined(LIST_WALK) // a lock's guard, and a list whose node is gone
NOINLINE static int crash()
{
    Guard guard(&item->lock);
    int sum = 0;
    item->next = reinterpret_cast<Item *>(pages(0x1000));
    VirtualFree(item->next, 0, MEM_RELEASE);
    for (Item *at = item; at; at = at->next)
        sum += at->key;
    return sum;
}
#elif defined(OBJECT_GONE) // the program touches a field beside the lock, in memory that is gone
NOINLINE static int crash()
{
    Item *gone = reinterpret_cast<Item *>(pages(0x1000));
    initialize(&gone->lock);
    use_well(gone);
    VirtualFree(gone, 0, MEM_RELEASE);
    gone->key++;
    EnterCriticalSection(&gone->lock);
    return sink;
}
#elif defined(OWN_SPINLOCK) // a spin lock of the program's own, through a NULL pointer with a lock's offset
struct SpinLock { void *debug; volatile LONG count; };
NOINLINE static int acquire(SpinLock *lock)
{
    while (InterlockedExchange(&lock->count, 1))
        Sleep(0);
    return sink++;
}
NOINLINE static int crash()
{
    use_well(item);
    SpinLock *volatile none = NULL;
    return acquire(none);
}
#elif defined(VIRTUAL_UNDER_LOCK) // a virtual function of a freed object, called under a lock
struct Listener { virtual int changed(Item *) = 0; };
NOINLINE static int crash()
{
    Guard guard(&item->lock);
    void **object = static_cast<void **>(HeapAlloc(GetProcessHeap(), 0, 64));
    memset(object, 0xDD, 64);
    return reinterpret_cast<Listener *volatile &>(object)->changed(item);
}
#elif defined(DELETED_NEARBY) // deleted by a proper shutdown; then a NULL
NOINLINE static int crash()
{
    DeleteCriticalSection(&item->lock);
    char *volatile text = item->text;
    return text[12];
}
#elif defined(READ_DEBUG_INFO) // a monitor of the program's own reads the debug record of a lock that has been deleted
NOINLINE static int contention(CRITICAL_SECTION *lock) { return static_cast<int>(lock->DebugInfo->ContentionCount); }
NOINLINE static int crash()
{
    use_well(item);
    DeleteCriticalSection(&item->lock);
    return contention(&item->lock);
}
#elif defined(OTHER_THREAD) // the thread that has the lock crashes, this one waits for it
static DWORD WINAPI owner(void *)
{
    Guard guard(&item->lock);
    Sleep(300);
    return static_cast<DWORD>(*static_cast<volatile int *>(reinterpret_cast<int *>(static_cast<ULONG_PTR>(0x18))));
}
NOINLINE static int crash()
{
    Waiters one;
    make_waiters(&one, 1, owner, NULL);
    ResumeThread(one.threads[0]);
    Sleep(100);
    return use_well(item);
}
#elif defined(STACK_SMASHED) // a function returns to text, after a Leave
NOINLINE static int crash()
{
    use_well(item);
    int (*volatile callback)(Item *) = reinterpret_cast<int (*)(Item *)>(static_cast<ULONG_PTR>(0x6C6C6F63));
    return callback(item);
}
#elif defined(BROKEN_NEARBY) // a lock's bytes are text, but the crash comes before anybody wants it
NOINLINE static int crash()
{
    memset(static_cast<void *>(&item->lock), 'G', sizeof item->lock);
    item->text = reinterpret_cast<char *>(static_cast<ULONG_PTR>(0x47474747));
    return item->text[0];
}
#endif

int main()
{
    LAB_START();
    crowd();
    item = new Item();
    initialize(&item->lock);
    make_waiters(&waiters, WAITERS, pass_through, &item->lock);
    use_well(item);
    return crash();
}
