/* The part of the native API the lock DLL needs, with the names of the documented fields. */
#ifndef NTLIKE_H
#define NTLIKE_H
#include <windows.h>
#include <winternl.h>

typedef struct DebugRecord {
    USHORT type;
    USHORT creator_back_trace_index;
    struct Section *critical_section;
    LIST_ENTRY process_locks_list;
    ULONG entry_count;
    ULONG contention_count;
    ULONG flags;
    USHORT creator_back_trace_index_high;
    USHORT spare;
} DebugRecord;

typedef struct Section {
    DebugRecord *debug_info;
    volatile LONG lock_count;
    LONG recursion_count;
    HANDLE owning_thread;
    HANDLE lock_semaphore;
    ULONG_PTR spin_count;
} Section;

/* Every exported function stays a frame of its own: no inlining, no change of its calling convention. */
#define FRAME __attribute__((noipa, noinline))

#define NO_DEBUG_INFO ((DebugRecord *)(LONG_PTR)-1)
#define NO_EVENT ((HANDLE)(LONG_PTR)-1)
#define FLAG_NO_DEBUG_INFO 0x01000000u
#define FLAG_DYNAMIC_SPIN 0x02000000u
#define STATUS_RESOURCE_NOT_OWNED ((NTSTATUS)0xC0000264)
#define CS_EVENT_ACCESS 0x00100003u

#ifdef _WIN64
#define PEB_NT_GLOBAL_FLAG 0xBC
#define PEB_APP_COMPAT_FLAGS 0x2C8
#define PEB_OFFSET_HEAP 0x30
#else
#define PEB_NT_GLOBAL_FLAG 0x68
#define PEB_APP_COMPAT_FLAGS 0x1D8
#define PEB_OFFSET_HEAP 0x18
#endif

static inline BYTE *current_peb(void)
{
#ifdef _WIN64
    return (BYTE *)__readgsqword(0x60);
#else
    return (BYTE *)__readfsdword(0x30);
#endif
}

static inline HANDLE current_thread_id(void)
{
#ifdef _WIN64
    return (HANDLE)__readgsqword(0x48);
#else
    return (HANDLE)(ULONG_PTR)__readfsdword(0x24);
#endif
}

static inline HANDLE process_heap(void) { return *(HANDLE *)(current_peb() + PEB_OFFSET_HEAP); }

/* Services: byte copies of the system's own stubs, see stubs.S. */
NTSTATUS NTAPI NtSetEvent(HANDLE event, LONG *previous);
NTSTATUS NTAPI NtWaitForSingleObject(HANDLE handle, BOOLEAN alertable, LARGE_INTEGER *timeout);
NTSTATUS NTAPI NtCloseService(HANDLE handle);
NTSTATUS NTAPI NtSetEventService(HANDLE event, LONG *previous);
NTSTATUS NTAPI NtCreateEvent(HANDLE *event, ACCESS_MASK access, OBJECT_ATTRIBUTES *attributes, ULONG type, BOOLEAN state);

/* lock_common.c */
void NTAPI RtlRaiseStatus(NTSTATUS status) __attribute__((noreturn));
void NTAPI RtlpNotOwnerCriticalSection(Section *section);
void attach_debug_record(Section *section);
HANDLE section_event(Section *section);
NTSTATUS store_new_section(Section *section, ULONG_PTR spin_count, BOOL with_debug_info);
extern Section loader_lock, peb_lock;

/* the algorithm, too */
void use_heap_lock(Section *section, BOOL slow);
extern const BOOL checks_links;

/* the algorithm: lock_old.c, lock_new.c or lock_woa.c */
NTSTATUS NTAPI RtlInitializeCriticalSection(Section *section);
NTSTATUS NTAPI RtlInitializeCriticalSectionEx(Section *section, ULONG spin_count, ULONG flags);
#endif
