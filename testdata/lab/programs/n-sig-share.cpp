// Second batch: a producer and its consumer, two processes that live, share a ring with a section in it. The event is in the table of
// the process that had to wait first; its number means nothing here, or something else.
#include "unseen.h"
#include <stdio.h>
#include <stdlib.h>

struct Ring { ULONG_PTR head, tail; volatile LONG stage; int slots[0x60]; CRITICAL_SECTION lock; char owner[16]; };
static Ring *ring;

static Ring *map(DWORD of)
{
    char name[48];
    sprintf(name, "Local\\contoso-ring-%lu", of);
    HANDLE mapping = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, sizeof(Ring), name);
    return static_cast<Ring *>(MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, 0));
}
static ULONG &compatibility_flags()
{
#ifdef _WIN64
    return *reinterpret_cast<ULONG *>(__readgsqword(0x60) + 0x2C8);
#else
    return *reinterpret_cast<ULONG *>(__readfsdword(0x30) + 0x1D8);
#endif
}
static void wait_for_stage(LONG stage) { for (int i = 0; i < 400 && ring->stage < stage; i++) Sleep(50); }

NOINLINE static int lock_ring() { sink++; EnterCriticalSection(&ring->lock); return sink++; }
NOINLINE static int unlock_ring() { ring->head++; LeaveCriticalSection(&ring->lock); return sink++; }

// ---- the consumer ----------------------------------------------------------------------------------------------------------
static DWORD WINAPI in_line(void *) { lock_ring(); unlock_ring(); return 0; }
static int consumer(DWORD producer, ULONG flags)
{
    compatibility_flags() = flags;
    HANDLE parent = OpenProcess(SYNCHRONIZE, FALSE, producer);
    for (int i = 0; i < 70; i++)
        CreateSemaphoreA(NULL, 0, 1, NULL);
    ring = map(producer);
#ifdef CONSUMER_OWNS
    InitializeCriticalSection(&ring->lock);
    lock_ring();
#endif
    for (int i = 0; i < WAITERS; i++)
        CreateThread(NULL, STACK_RESERVE, in_line, NULL, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    Sleep(500);
    ring->stage = 2;
    WaitForSingleObject(parent, 30000);
    ExitProcess(0);
}

// ---- the producer ------------------------------------------------------------------------------------------------------------
static void start_consumer()
{
    STARTUPINFOA start = { };
    PROCESS_INFORMATION child;
    char program[MAX_PATH], line[64];
    start.cb = sizeof start;
    GetModuleFileNameA(NULL, program, sizeof program);
    sprintf(line, "consumer %lu %lu", GetCurrentProcessId(), compatibility_flags());
    CreateProcessA(program, line, NULL, NULL, FALSE, 0, NULL, NULL, &start, &child);
}
static int scenario()
{
    ring = map(GetCurrentProcessId());
    lstrcpyA(ring->owner, "producer");
#ifdef NUMBERS_IN_USE
    for (int i = 0; i < 140; i++)
        CreateMutexA(NULL, FALSE, NULL);
#endif
#ifdef CONSUMER_OWNS
    start_consumer();
    wait_for_stage(2);
    act("cross-process", &ring->lock);
    expect_handle(&ring->lock);
    return lock_ring();
#else
    initialize(&ring->lock);
    lock_ring();
    start_consumer();
    wait_for_stage(2);
    act("cross-process", &ring->lock);
    expect_handle(&ring->lock);
    return unlock_ring();
#endif
}

int main(int count, char **arguments)
{
    if (count > 2)
        return consumer(strtoul(arguments[1], NULL, 10), strtoul(arguments[2], NULL, 10));
    LAB_START();
    crowd();
    return scenario();
}
