// What the w-over-* programs share: memory that has a new owner, who wants the lock, who meets what was written.
#ifndef W_OVER_H
#define W_OVER_H
#include "k-common.h"
#include <stdlib.h>
#include <string.h>

#ifndef CALL
#define CALL EnterCriticalSection
#endif

// A block that is given back and given out again: whoever kept its address writes into the next owner's object.
[[maybe_unused]] static void *block(SIZE_T size) { return HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, size); }
[[maybe_unused]] static void *next_owner(void *old, SIZE_T size)
{
    HeapFree(GetProcessHeap(), 0, old);
    for (int i = 0; i < 400; i++) {
        void *taken = block(size);
        if (taken == old)
            return taken;
    }
    ExitProcess(3);
}

template <class T> static T *inside(CRITICAL_SECTION *lock, SIZE_T bytes) { return reinterpret_cast<T *>(reinterpret_cast<char *>(lock) + bytes); }

// OWNED: this thread has the lock, WAITERS sleep for it, and one more will come.
[[maybe_unused]] static void make(CRITICAL_SECTION *lock)
{
    initialize(lock);
#ifdef OWNED
    make_waiters(&waiters, WAITERS, pass_through, lock);
    make_waiters(&late_one, 1, pass_through, lock);
    EnterCriticalSection(lock);
    if (WAITERS)
        start_waiters(&waiters);
#endif
    act("corrupted", lock);
}
[[maybe_unused]] NOINLINE static int meet(CRITICAL_SECTION *lock)
{
    expect(lock);
#ifdef OWNED
    start_waiters(&late_one);
    Sleep(4000);
#else
    CALL(lock);
#endif
    return sink++;
}

// Enter passes by chance, Leave signals what it finds.
[[maybe_unused]] NOINLINE static int use(CRITICAL_SECTION *lock)
{
    EnterCriticalSection(lock);
    expect_handle(lock);
    sink++;
    sink += leave(lock);
    return sink;
}
#endif
