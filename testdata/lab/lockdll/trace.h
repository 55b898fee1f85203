/* Handle tracing as the kernel does it for !htrace and Application Verifier: each open, close and reference to an invalid
 * handle with the stack of the caller. The table lies at a fixed address that never goes into a dump: on Windows it is the
 * kernel's. Only sets with "trace" have it. */
#ifndef TRACE_H
#define TRACE_H
#include <windows.h>

#define TRACE_OPEN 1
#define TRACE_CLOSE 2
#define TRACE_BADREF 3
#define TRACE_DEPTH 32
#define TRACE_ROOM 256

struct TraceEntry { /* AVRF_HANDLE_OPERATION, avrfsdk.h */
    ULONG64 handle;
    ULONG process_id, thread_id, operation, spare;
    ULONG depth, index;
    ULONG64 return_addresses[TRACE_DEPTH];
};
struct TraceTable { volatile LONG count, pad[3]; struct TraceEntry entries[TRACE_ROOM]; };

#define TRACE_ADDRESS ((void *)(ULONG_PTR)0x6ff00000)
#define TRACE_TABLE ((struct TraceTable *)TRACE_ADDRESS)

#ifdef TRACE
static inline void trace_start(void)
{
    VirtualAlloc(TRACE_ADDRESS, sizeof(struct TraceTable), MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
}

/* The stack above the function that this is inlined in, behind the address that the service itself returns to. */
#ifdef _WIN64
static inline __attribute__((always_inline)) void trace_walk(struct TraceEntry *entry)
{
    CONTEXT c;
    RtlCaptureContext(&c);
    while (entry->depth < TRACE_DEPTH) {
        ULONG64 base, establisher;
        void *data;
        RUNTIME_FUNCTION *function = RtlLookupFunctionEntry(c.Rip, &base, NULL);
        if (!function)
            break;
        RtlVirtualUnwind(0, base, c.Rip, function, &c, &data, &establisher, NULL);
        if (!c.Rip)
            break;
        entry->return_addresses[entry->depth++] = c.Rip;
    }
}
#else
static inline __attribute__((always_inline)) void trace_walk(struct TraceEntry *entry)
{
    ULONG *frame = (ULONG *)__builtin_frame_address(0);
    ULONG high = __readfsdword(4), low = __readfsdword(8);
    while (entry->depth < TRACE_DEPTH && (ULONG)frame >= low && (ULONG)frame < high - 8 && !((ULONG)frame & 3) && frame[1]) {
        entry->return_addresses[entry->depth++] = frame[1];
        if (frame[0] <= (ULONG)frame)
            break;
        frame = (ULONG *)frame[0];
    }
}
#endif

/* `service` is the stub: the address it returns to from the kernel, behind its system call, is the innermost. */
__attribute__((noinline)) static void trace_record(ULONG operation, HANDLE handle, const void *service)
{
    LONG at = InterlockedIncrement(&TRACE_TABLE->count) - 1;
    struct TraceEntry *entry = &TRACE_TABLE->entries[at % TRACE_ROOM];
    ZeroMemory(entry, sizeof *entry);
    entry->handle = (ULONG_PTR)handle;
    entry->process_id = GetCurrentProcessId();
    entry->thread_id = GetCurrentThreadId();
    entry->operation = operation;
    if (service)
        entry->return_addresses[entry->depth++] = (ULONG_PTR)service + (sizeof(void *) == 8 ? 0x14 : 0xC);
    trace_walk(entry);
}
#define TRACED(operation, handle, service) trace_record(operation, handle, (const void *)(ULONG_PTR)(service))
/* Only an empty slot is a bad reference, not an object of another type. */
#define TRACED_FAILURE(status, handle, service) do { if ((ULONG)(status) == 0xC0000008) TRACED(TRACE_BADREF, handle, service); } while (0)
#else
#define trace_start() ((void)0)
#define TRACED(operation, handle, service) ((void)0)
#define TRACED_FAILURE(status, handle, service) ((void)0)
#endif
#endif
