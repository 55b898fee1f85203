// What the programs about lifetimes share: a call that will fail, a message loop, blocks that the heap gives out again.
#ifndef W_LIFE_H
#define W_LIFE_H
#include "k-common.h"
#include <stdlib.h>

#ifndef CALL
#define CALL EnterCriticalSection
#endif
[[maybe_unused]] NOINLINE static int call(CRITICAL_SECTION *lock)
{
    expect(lock);
    CALL(lock);
    return sink++;
}
[[maybe_unused]] static CRITICAL_SECTION *made(CRITICAL_SECTION *lock)
{
    initialize(lock);
    EnterCriticalSection(lock);
    sink++;
    LeaveCriticalSection(lock);
    return lock;
}
[[maybe_unused]] static void released(const CRITICAL_SECTION *lock) { act("memory-released", lock); }

// Work is posted and done later, one piece posts the next: what ran before is on no stack.
struct Job { void (*work)(void *); void *argument; };
static Job jobs[8];
static unsigned first_job, last_job;
[[maybe_unused]] static void post(void (*work)(void *), void *argument) { jobs[last_job++ % 8] = { work, argument }; }
[[maybe_unused]] NOINLINE static int run_jobs()
{
    while (first_job != last_job) {
        Job job = jobs[first_job % 8];
        jobs[first_job++ % 8] = { NULL, NULL };
        job.work(job.argument);
    }
    return sink;
}

// A thread does it and ends.
[[maybe_unused]] static void in_thread(LPTHREAD_START_ROUTINE work, void *argument)
{
    HANDLE thread = CreateThread(NULL, STACK_RESERVE, work, argument, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    WaitForSingleObject(thread, INFINITE);
    CloseHandle(thread);
}
// A thread does it in a while.
[[maybe_unused]] static void meanwhile(LPTHREAD_START_ROUTINE work, void *argument)
{
    DWORD id;
    CreateThread(NULL, STACK_RESERVE, work, argument, STACK_SIZE_PARAM_IS_A_RESERVATION, &id);
    reporter_name_thread(id, "worker");
}

[[maybe_unused]] static void *allocate(SIZE_T size) { return HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, size); }
// The heap gives a freed block out again; without it there is nothing to see.
[[maybe_unused]] static void *anew(const void *block, SIZE_T size, DWORD flags = 0)
{
    for (int i = 0; i < 300; i++) {
        void *got = HeapAlloc(GetProcessHeap(), flags, size);
        if (got == block)
            return got;
    }
    ExitProcess(3);
}
// Rows of text; which letter falls on LockCount decides whether there is anything to see: an even one.
template <class Char, unsigned Size> static inline void write_text(Char *to, unsigned count, const Char (&text)[Size], const CRITICAL_SECTION *lock)
{
    SIZE_T at = static_cast<SIZE_T>(reinterpret_cast<const char *>(&lock->LockCount) - reinterpret_cast<const char *>(to)) / sizeof(Char), first = 0;
    while (text[(at + first) % (Size - 1)] & 1)
        first++;
    for (SIZE_T i = 0; i < count; i++)
        static_cast<volatile Char *>(to)[i] = text[(i + first) % (Size - 1)];
}
#endif
