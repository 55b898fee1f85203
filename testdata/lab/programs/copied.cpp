// A growing array moves its elements with memcpy and destroys the old ones: the section that is left is a byte copy, the
// event was closed with the original. Two waiters still sleep on the original's event.
#include "lab.h"

struct Slot {
    int id;
    CRITICAL_SECTION lock;
};

struct Slots {
    Slot *items;
    int count;

    void create()
    {
        count = 2;
        items = static_cast<Slot *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, count * sizeof(Slot)));
        for (int i = 0; i < count; i++)
            InitializeCriticalSection(&items[i].lock);
    }

    __attribute__((noinline)) void grow()
    {
        Slot *bigger = static_cast<Slot *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, 2 * count * sizeof(Slot)));
        memcpy(bigger, items, count * sizeof(Slot)); // the bug
        for (int i = 0; i < count; i++)
            DeleteCriticalSection(&items[i].lock);
        for (int i = count; i < 2 * count; i++)
            InitializeCriticalSection(&bigger[i].lock);
        items = bigger;
        count *= 2;
    }

    __attribute__((noinline)) void leave(int i)
    {
        items[i].id++;
        LeaveCriticalSection(&items[i].lock);
        items[i].id++;
    }
};

static Slots slots;

static DWORD WINAPI worker(void *)
{
    EnterCriticalSection(&slots.items[1].lock);
    LeaveCriticalSection(&slots.items[1].lock);
    return 0;
}

int main()
{
    Waiters waiters;
    LAB_START();
    slots.create();
    make_waiters(&waiters, 2, worker, nullptr);
    EnterCriticalSection(&slots.items[1].lock);
    start_waiters(&waiters);
    slots.grow();
    reporter_expect(&slots.items[1].lock, slots.items[1].lock.LockSemaphore);
    slots.leave(1);
    return 0;
}
