/* A heap whose lock the heap functions enter and leave by themselves, as Windows 10 does: its event is closed by
 * mistake, and HeapFree raises without a frame of RtlLeaveCriticalSection. The heap is a header with a lock and a
 * LockVariable, listed in the PEB; nothing is ever allocated from it. */
#include "lab.h"

#ifdef _WIN64
#define LOCK_AT 0x2A0
#define LOCK_VARIABLE_AT 0x168
#define PEB_HEAP_COUNT 0xE8
#define PEB_HEAPS 0xF0
#define PEB ((BYTE *)__readgsqword(0x60))
#else
#define LOCK_AT 0x258
#define LOCK_VARIABLE_AT 0xC8
#define PEB_HEAP_COUNT 0x88
#define PEB_HEAPS 0x90
#define PEB ((BYTE *)__readfsdword(0x30))
#endif
#define LAB_HEAP 0xEEFFEEFFu /* tells the look-alike's RtlFreeHeap that this heap has a lock */

static volatile int done;

static HANDLE make_heap(void)
{
    BYTE *heap = VirtualAlloc(NULL, 0x10000, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
    void **heaps = HeapAlloc(GetProcessHeap(), 0, 8 * sizeof *heaps);
    ULONG count = *(ULONG *)(PEB + PEB_HEAP_COUNT);
    *(ULONG *)(heap + 0x10) = LAB_HEAP;
    InitializeCriticalSectionAndSpinCount((CRITICAL_SECTION *)(heap + LOCK_AT), 4000);
    *(void **)(heap + LOCK_VARIABLE_AT) = heap + LOCK_AT;
    if (count > 7)
        count = 7;
    memcpy(heaps, *(void **)(PEB + PEB_HEAPS), count * sizeof *heaps);
    heaps[count] = heap;
    *(void ***)(PEB + PEB_HEAPS) = heaps;
    *(ULONG *)(PEB + PEB_HEAP_COUNT) = count + 1;
    return heap;
}

static DWORD WINAPI worker(void *heap)
{
    Sleep(300);
    HeapFree(heap, 0, (BYTE *)heap + 0x1000);
    done++;
    return 0;
}

static DWORD WINAPI closer(void *stale)
{
    Sleep(800);
    CloseHandle(stale); /* the bug, while the lock's owner is at work */
    return 0;
}

__attribute__((noinline)) static void free_block(HANDLE heap) { HeapFree(heap, 1, (BYTE *)heap + 0x2000); done++; }

int main(void)
{
    struct Waiters waiters, other;
    HANDLE heap, stale;
    CRITICAL_SECTION *lock;
    LAB_START();
    heap = make_heap();
    lock = (CRITICAL_SECTION *)((BYTE *)heap + LOCK_AT);
    make_waiters(&waiters, 2, worker, heap);
    stale = CreateEventA(NULL, FALSE, FALSE, NULL);
    make_waiters(&other, 1, closer, stale);
    CloseHandle(stale);
    ResumeThread(other.threads[0]);
    for (int i = 0; i < waiters.count; i++)
        ResumeThread(waiters.threads[i]);
    reporter_expect(lock, stale);
    free_block(heap); /* flag 1: holds the lock for 1.5 s */
    return 0;
}
