/* The stand-in for ntdll: the lock of lockdll/, and around it what a process needs to start, allocate and wait. */
#include "lock_common_arm64.h"
#include "../lockdll/lock_woa.c"

/* ---- what lock_common.c uses of Windows ---------------------------------------------------------------------------- */

void *memset(void *to, int value, SIZE_T size)
{
    volatile BYTE *at = to;
    while (size--)
        *at++ = (BYTE)value;
    return to;
}

void *memcpy(void *to, const void *from, SIZE_T size)
{
    volatile BYTE *at = to;
    const BYTE *next = from;
    while (size--)
        *at++ = *next++;
    return to;
}

NTSTATUS NtAllocateVirtualMemory(SIZE_T size, void **address);
NTSTATUS NtWaitForAlertByThreadId(const void *address);
NTSTATUS NtAlertThreadByThreadId(const void *address);
NTSTATUS NtDelayExecution(void);
NTSTATUS NtTerminateThread(void);

/* Blocks have a header of 16 bytes in front, sizes are multiples of 16, freed blocks are linked. */
typedef struct Block { SIZE_T size; struct Block *next; } Block;
static BYTE *heap_at, *heap_end;
static Block *heap_free;

FRAME void *RtlAllocateHeap(HANDLE heap, ULONG flags, SIZE_T size)
{
    Block *block, **link;
    size = (size + 31) & ~(SIZE_T)15;
    for (link = &heap_free; *link; link = &(*link)->next)
        if ((*link)->size == size)
            break;
    block = *link;
    if (block) {
        *link = block->next;
    } else {
        if (heap_at + size > heap_end) {
            void *more;
            NtAllocateVirtualMemory(0x4000, &more);
            heap_at = more;
            heap_end = heap_at + 0x4000;
        }
        block = (Block *)heap_at;
        heap_at += size;
    }
    block->size = size;
    block->next = NULL;
    if (flags & HEAP_ZERO_MEMORY)
        memset(block + 1, 0, size - sizeof *block);
    return block + 1;
}

static void NTAPI put_back(HANDLE heap, ULONG flags, void *memory)
{
    Block *block = (Block *)memory - 1;
    block->next = heap_free;
    heap_free = block;
}

void Sleep(DWORD milliseconds) { NtDelayExecution(); }

FRAME NTSTATUS NTAPI RtlWaitOnAddress(const void *address, const void *compare, SIZE_T size, const LARGE_INTEGER *timeout)
{
    if (*(const volatile LONG *)address != *(const LONG *)compare)
        return 0;
    return NtWaitForAlertByThreadId(address);
}

FRAME void NTAPI RtlWakeAddressSingle(const void *address) { NtAlertThreadByThreadId(address); }

/* As RtlRaiseException of Windows: the context is the caller's as far as it goes. */
FRAME void NTAPI RtlRaiseException(EXCEPTION_RECORD *record)
{
    CONTEXT context;
    RtlCaptureContext(&context);
    record->ExceptionAddress = (void *)context.Pc;
    NtRaiseException(record, &context, TRUE);
}

/* ---- starting ----------------------------------------------------------------------------------------------------- */

/* Run by the host before anything else, as the loader would. */
void LdrInitialize(void)
{
    system_free_heap = put_back;
    store_new_section(&loader_lock, 0, TRUE);
    store_new_section(&peb_lock, 0, TRUE);
}

typedef void (*ThreadInit)(DWORD reason, ULONG (*start)(void *), void *argument);

/* Kernel32's BaseThreadInitThunk, put here by the host. */
ThreadInit Kernel32ThreadInitThunk;

FRAME void RtlUserThreadStart(ULONG (*start)(void *), void *argument)
{
    Kernel32ThreadInitThunk(0, start, argument);
    NtTerminateThread();
}
