/* The little of the Windows headers that lockdll/ and the ARM64 programs need. The TEB is in x18, where x64 has it in gs. */
#ifndef LAB_WINDOWS_H
#define LAB_WINDOWS_H
typedef unsigned char BYTE, BOOLEAN;
typedef unsigned short USHORT, WCHAR;
typedef int BOOL, INT;
typedef long LONG, NTSTATUS;
typedef unsigned long ULONG, DWORD, ACCESS_MASK;
typedef unsigned long long ULONG_PTR, SIZE_T, ULONG64;
typedef long long LONG_PTR, LONG64;
typedef void *HANDLE, *HMODULE, *HINSTANCE, *PVOID;
typedef union { LONG64 QuadPart; } LARGE_INTEGER;
typedef struct LIST_ENTRY { struct LIST_ENTRY *Flink, *Blink; } LIST_ENTRY;
#define NULL ((void *)0)
#define TRUE 1
#define FALSE 0
#define NTAPI
#define WINAPI
#define STATUS_INVALID_HANDLE 0xC0000008L
#define EXCEPTION_NONCONTINUABLE 1
#define EXCEPTION_CONTINUE_SEARCH 0
#define HEAP_ZERO_MEMORY 8
#define PAGE_EXECUTE_READ 0x20
#define PAGE_EXECUTE_READWRITE 0x40
#define DLL_PROCESS_ATTACH 1
#define CONTEXT_FULL 0x400007
#define CONTEXT_SEGMENTS 0

typedef struct EXCEPTION_RECORD {
    ULONG ExceptionCode, ExceptionFlags;
    struct EXCEPTION_RECORD *ExceptionRecord;
    void *ExceptionAddress;
    ULONG NumberParameters;
    ULONG_PTR ExceptionInformation[15];
} EXCEPTION_RECORD;

typedef struct CONTEXT {
    ULONG ContextFlags, Cpsr;
    ULONG64 X[29], Fp, Lr, Sp, Pc;
    ULONG64 V[64];
    ULONG Fpcr, Fpsr, Bcr[8];
    ULONG64 Bvr[8];
    ULONG Wcr[2];
    ULONG64 Wvr[2];
} CONTEXT;

typedef struct EXCEPTION_POINTERS { EXCEPTION_RECORD *ExceptionRecord; CONTEXT *ContextRecord; } EXCEPTION_POINTERS;

/* RTL_CRITICAL_SECTION under its public name. */
typedef struct CRITICAL_SECTION {
    void *DebugInfo;
    LONG LockCount, RecursionCount;
    HANDLE OwningThread, LockSemaphore;
    ULONG_PTR SpinCount;
} CRITICAL_SECTION;

static inline BYTE *lab_teb(void)
{
    BYTE *teb;
    __asm__("mov %0, x18" : "=r"(teb));
    return teb;
}
#define __readgsqword(offset) (*(volatile ULONG64 *)(lab_teb() + (offset)))
#define YieldProcessor() __asm__ volatile("yield")

static inline LONG InterlockedExchange(volatile LONG *target, LONG value) { return __atomic_exchange_n(target, value, __ATOMIC_SEQ_CST); }
static inline LONG InterlockedIncrement(volatile LONG *target) { return __atomic_add_fetch(target, 1, __ATOMIC_SEQ_CST); }
static inline LONG InterlockedCompareExchange(volatile LONG *target, LONG value, LONG old)
{
    __atomic_compare_exchange_n(target, &old, value, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    return old;
}
#define InterlockedCompareExchangePointer(target, value, old) lab_exchange_pointer((void *volatile *)(target), (value), (old))
static inline void *lab_exchange_pointer(void *volatile *target, void *value, void *old)
{
    __atomic_compare_exchange_n(target, &old, value, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    return old;
}
static inline BOOLEAN InterlockedBitTestAndReset(LONG *target, LONG bit)
{
    return (__atomic_fetch_and(target, ~(1L << bit), __ATOMIC_SEQ_CST) >> bit) & 1;
}
void *memset(void *to, int value, SIZE_T size);
void *memcpy(void *to, const void *from, SIZE_T size);
#define RtlZeroMemory(to, size) memset((to), 0, (size))
#define RtlCopyMemory(to, from, size) memcpy((to), (from), (size))
#endif
