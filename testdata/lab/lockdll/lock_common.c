/* What all versions of the lock share: debug records, the event, raising a status, loading. */
#include "ntlike.h"
#include "trace.h"

/* ---- debug records ------------------------------------------------------------------------------------------- */

static DebugRecord static_debug_records[16];
static volatile LONG static_debug_used;
static LIST_ENTRY RtlCriticalSectionList = { &RtlCriticalSectionList, &RtlCriticalSectionList };
static volatile LONG list_guard;

Section loader_lock, peb_lock;

static void guard_list(void) { while (InterlockedExchange(&list_guard, 1)) Sleep(0); }
static void release_list(void) { InterlockedExchange(&list_guard, 0); }

static void (NTAPI *system_free_heap)(HANDLE, ULONG, void *);

void attach_debug_record(Section *section)
{
    LONG slot = InterlockedIncrement(&static_debug_used) - 1;
    DebugRecord *record;
    if (slot < (LONG)(sizeof static_debug_records / sizeof *static_debug_records))
        record = &static_debug_records[slot];
    else
        record = RtlAllocateHeap(process_heap(), HEAP_ZERO_MEMORY, sizeof *record);
    record->critical_section = section;
    guard_list();
    record->process_locks_list.Flink = &RtlCriticalSectionList;
    record->process_locks_list.Blink = RtlCriticalSectionList.Blink;
    RtlCriticalSectionList.Blink->Flink = &record->process_locks_list;
    RtlCriticalSectionList.Blink = &record->process_locks_list;
    release_list();
    section->debug_info = record;
}

static BOOL is_static_record(const DebugRecord *record)
{
    return record >= static_debug_records && record < static_debug_records + sizeof static_debug_records / sizeof *static_debug_records;
}

NTSTATUS NTAPI NtRaiseException(EXCEPTION_RECORD *record, CONTEXT *context, BOOL first_chance);

/* __fastfail(3), FAST_FAIL_CORRUPT_LIST_ENTRY: the exception is at the instruction itself. Wine's own int 29h ends
 * the process without asking a handler. */
#ifdef _WIN64
#define FAST_FAIL() do { \
        CONTEXT context; \
        EXCEPTION_RECORD raised = { 0xC0000409, EXCEPTION_NONCONTINUABLE, NULL, NULL, 1, { 3 } }; \
        RtlCaptureContext(&context); \
        raised.ExceptionAddress = (void *)context.Rip; \
        NtRaiseException(&raised, &context, TRUE); \
    } while (0)
#else
#define FAST_FAIL() do { } while (0)
#endif

static inline __attribute__((always_inline)) void detach_debug_record(DebugRecord *record)
{
    LIST_ENTRY *links = &record->process_locks_list;
    if (checks_links && (links->Flink->Blink != links || links->Blink->Flink != links))
        FAST_FAIL();
    guard_list();
    record->process_locks_list.Blink->Flink = record->process_locks_list.Flink;
    record->process_locks_list.Flink->Blink = record->process_locks_list.Blink;
    release_list();
    RtlZeroMemory(record, sizeof *record);
    if (!is_static_record(record))
        system_free_heap(process_heap(), 0, record);
}

/* ---- initialise and delete ------------------------------------------------------------------------------------ */

NTSTATUS store_new_section(Section *section, ULONG_PTR spin_count, BOOL with_debug_info)
{
    section->lock_count = -1;
    section->recursion_count = 0;
    section->owning_thread = 0;
    section->lock_semaphore = 0;
    section->spin_count = spin_count;
    section->debug_info = NO_DEBUG_INFO;
    if (with_debug_info)
        attach_debug_record(section);
    return 0;
}

FRAME NTSTATUS NTAPI RtlInitializeCriticalSectionAndSpinCount(Section *section, ULONG spin_count)
{
    return RtlInitializeCriticalSectionEx(section, spin_count, 0);
}

FRAME NTSTATUS NTAPI NtClose(HANDLE handle);

FRAME NTSTATUS NTAPI RtlDeleteCriticalSection(Section *section)
{
    NTSTATUS status = 0;
    if (section->lock_semaphore && section->lock_semaphore != NO_EVENT)
        status = NtClose(section->lock_semaphore);
    if (section->debug_info && section->debug_info != NO_DEBUG_INFO)
        detach_debug_record(section->debug_info);
    RtlZeroMemory(section, sizeof *section);
    return status;
}

/* The event of a section is made by the first thread that has to wait; losing the race means closing one's own. */
HANDLE section_event(Section *section)
{
    HANDLE event;
    if (section->lock_semaphore)
        return section->lock_semaphore;
    if (NtCreateEvent(&event, CS_EVENT_ACCESS, NULL, 1 /* SynchronizationEvent */, FALSE) < 0)
        event = NO_EVENT;
    else
        TRACED(TRACE_OPEN, event, NtCreateEvent);
    if (InterlockedCompareExchangePointer(&section->lock_semaphore, event, NULL) != NULL && event != NO_EVENT)
        NtCloseService(event);
    return section->lock_semaphore;
}

/* ---- raising ------------------------------------------------------------------------------------------------- */

void NTAPI RtlRaiseException(EXCEPTION_RECORD *record);

#ifdef _WIN64
/* As on Windows x64: exception address and context are inside RtlRaiseStatus itself. */
FRAME void NTAPI RtlRaiseStatus(NTSTATUS status)
{
    CONTEXT context;
    EXCEPTION_RECORD record;
    RtlCaptureContext(&context);
    record.ExceptionCode = status;
    record.ExceptionFlags = EXCEPTION_NONCONTINUABLE;
    record.ExceptionRecord = NULL;
    record.ExceptionAddress = (void *)context.Rip;
    record.NumberParameters = 0;
    context.ContextFlags = CONTEXT_FULL | CONTEXT_SEGMENTS;
    RtlRaiseStatus(NtRaiseException(&record, &context, TRUE));
}
#else
struct CallerRegisters { ULONG edi, esi, ebx, ebp, return_address; NTSTATUS status; };

static ULONG flags_register(void)
{
    ULONG flags;
    __asm__("pushfl\n\tpopl %0" : "=r"(flags));
    return flags;
}

static void fill_context(CONTEXT *context)
{
    RtlZeroMemory(context, sizeof *context);
    context->ContextFlags = CONTEXT_FULL;
    __asm__("mov %%cs, %0" : "=r"(context->SegCs));
    __asm__("mov %%ss, %0" : "=r"(context->SegSs));
    __asm__("mov %%ds, %0" : "=r"(context->SegDs));
    __asm__("mov %%es, %0" : "=r"(context->SegEs));
    __asm__("mov %%fs, %0" : "=r"(context->SegFs));
    __asm__("mov %%gs, %0" : "=r"(context->SegGs));
    context->EFlags = flags_register();
}

/* As on Windows x86: the context is the caller's, EIP the return address of its call, ESP past the argument. */
__attribute__((noreturn, used)) void raise_for_caller(struct CallerRegisters *caller)
{
    CONTEXT context;
    EXCEPTION_RECORD record;
    fill_context(&context);
    context.Edi = caller->edi;
    context.Esi = caller->esi;
    context.Ebx = caller->ebx;
    context.Ebp = caller->ebp;
    context.Eip = caller->return_address;
    context.Esp = (ULONG)(caller + 1);
    record.ExceptionCode = caller->status;
    record.ExceptionFlags = EXCEPTION_NONCONTINUABLE;
    record.ExceptionRecord = NULL;
    record.ExceptionAddress = (void *)caller->return_address;
    record.NumberParameters = 0;
    NtRaiseException(&record, &context, TRUE);
    for (;;) { }
}
#endif

FRAME void NTAPI RtlpNotOwnerCriticalSection(Section *section)
{
    if (section)
        RtlRaiseStatus(STATUS_RESOURCE_NOT_OWNED);
}

/* ---- services with user-mode parts ------------------------------------------------------------------------------ */

/* Under FLG_ENABLE_CLOSE_EXCEPTIONS the kernel returns here instead of to the stub. The exception is continuable. */
static void raise_from_dispatcher(NTSTATUS status, CONTEXT *context, void *address)
{
    EXCEPTION_RECORD record;
    context->ContextFlags = CONTEXT_FULL | CONTEXT_SEGMENTS;
    record.ExceptionCode = status;
    record.ExceptionFlags = 0;
    record.ExceptionRecord = NULL;
    record.ExceptionAddress = address;
    record.NumberParameters = 0;
    NtRaiseException(&record, context, TRUE);
}

/* What the dispatcher of Windows does when a handler continues an exception that cannot be continued; Wine's x64
 * dispatcher does not chain the records. The program "nested" installs this as a vectored handler. */
FRAME LONG NTAPI RtlDispatchException(EXCEPTION_POINTERS *pointers)
{
    EXCEPTION_RECORD record;
    if (!(pointers->ExceptionRecord->ExceptionFlags & EXCEPTION_NONCONTINUABLE) || pointers->ExceptionRecord->ExceptionRecord)
        return EXCEPTION_CONTINUE_SEARCH;
    RtlZeroMemory(&record, sizeof record);
    record.ExceptionCode = 0xC0000025;
    record.ExceptionFlags = EXCEPTION_NONCONTINUABLE;
    record.ExceptionRecord = pointers->ExceptionRecord;
    RtlRaiseException(&record);
    return EXCEPTION_CONTINUE_SEARCH;
}

#ifdef _WIN64
FRAME NTSTATUS NTAPI KiRaiseUserExceptionDispatcher(NTSTATUS status)
{
    CONTEXT context;
    *(ULONG *)(__readgsqword(0x30) + 0x2C0) = status; /* TEB.ExceptionCode */
    RtlCaptureContext(&context);
    raise_from_dispatcher(status, &context, (void *)context.Rip);
    return status;
}
#else
NTSTATUS NTAPI KiRaiseUserExceptionDispatcher(NTSTATUS status); /* stubs.S: keeps EBP and passes what it saved */

struct DispatcherFrame { ULONG edi, esi, ebx; };

__attribute__((used)) void raise_in_dispatcher(struct DispatcherFrame *frame, ULONG ebp, NTSTATUS status)
{
    CONTEXT context;
    *(ULONG *)(__readfsdword(0x18) + 0x1A4) = status; /* TEB.ExceptionCode */
    fill_context(&context);
    context.Edi = frame->edi;
    context.Esi = frame->esi;
    context.Ebx = frame->ebx;
    context.Ebp = ebp;
    context.Esp = (ULONG)frame;
    context.Eip = (ULONG)__builtin_return_address(0);
    raise_from_dispatcher(status, &context, (void *)context.Eip);
}
#endif

FRAME NTSTATUS NTAPI NtClose(HANDLE handle)
{
    NTSTATUS status = NtCloseService(handle);
    TRACED(status < 0 ? TRACE_BADREF : TRACE_CLOSE, handle, NULL);
    if (status == (NTSTATUS)STATUS_INVALID_HANDLE && (*(ULONG *)(current_peb() + PEB_NT_GLOBAL_FLAG) & 0x00400000))
        return KiRaiseUserExceptionDispatcher(status);
    return status;
}

/* The same for SetEvent, which is how Leave meets it: handle tracing, Application Verifier, strict handle checks. */
FRAME NTSTATUS NTAPI strict_set_event(HANDLE event, LONG *previous)
{
    NTSTATUS status = NtSetEventService(event, previous);
    if (status == (NTSTATUS)STATUS_INVALID_HANDLE)
        return KiRaiseUserExceptionDispatcher(status);
    return status;
}

/* Stands for the heap code of ntdll: it touches the block's header before anything else. */
FRAME BOOLEAN NTAPI RtlFreeHeap(HANDLE heap, ULONG flags, void *block)
{
    volatile ULONG *header;
    if (*(ULONG *)((BYTE *)heap + 0x10) == 0xEEFFEEFFu) { /* the heap of the program heap-lock */
        use_heap_lock((Section *)((BYTE *)heap + (sizeof(void *) == 8 ? 0x2A0 : 0x258)), flags & 1);
        return TRUE;
    }
    if (!block)
        return TRUE;
    header = (volatile ULONG *)((BYTE *)block - 2 * sizeof(void *));
    if (*header == 0xFFFFFFFF)
        return FALSE;
    system_free_heap(heap, flags, block);
    return TRUE;
}

/* ---- loading --------------------------------------------------------------------------------------------------- */

NTSTATUS NTAPI LdrGetDllHandle(const WCHAR *path, ULONG *flags, UNICODE_STRING *name, HMODULE *module);
NTSTATUS NTAPI LdrGetProcedureAddress(HMODULE module, ANSI_STRING *name, ULONG ordinal, void **address);
NTSTATUS NTAPI NtProtectVirtualMemory(HANDLE process, void **address, SIZE_T *size, ULONG protection, ULONG *previous);

static void *system_function(const char *name)
{
    UNICODE_STRING dll;
    ANSI_STRING function;
    HMODULE module = NULL;
    void *address = NULL;
    RtlInitUnicodeString(&dll, L"ntdll.dll");
    RtlInitAnsiString(&function, name);
    LdrGetDllHandle(NULL, NULL, &dll, &module);
    LdrGetProcedureAddress(module, &function, 0, &address);
    return address;
}

static void install_stub(void *stub, const char *name)
{
    void *page = stub;
    SIZE_T size = 32;
    ULONG previous;
    NtProtectVirtualMemory((HANDLE)-1, &page, &size, PAGE_EXECUTE_READWRITE, &previous);
    RtlCopyMemory(stub, system_function(name), 32);
    page = stub;
    size = 32;
    NtProtectVirtualMemory((HANDLE)-1, &page, &size, PAGE_EXECUTE_READ, &previous);
}

/* Lets the stub jump to a function of this DLL. */
static void redirect(BYTE *stub, void *function)
{
    void *page = stub;
    SIZE_T size = 32;
    ULONG previous;
    LONG distance = (LONG)((BYTE *)function - (stub + 5));
    NtProtectVirtualMemory((HANDLE)-1, &page, &size, PAGE_EXECUTE_READWRITE, &previous);
    stub[0] = 0xE9;
    RtlCopyMemory(stub + 1, &distance, 4);
    page = stub;
    size = 32;
    NtProtectVirtualMemory((HANDLE)-1, &page, &size, PAGE_EXECUTE_READ, &previous);
}

BOOL WINAPI DllMain(HINSTANCE module, DWORD reason, void *reserved)
{
    (void)module;
    (void)reserved;
    if (reason != DLL_PROCESS_ATTACH)
        return TRUE;
    trace_start();
    install_stub(NtSetEvent, "NtSetEvent");
    install_stub(NtSetEventService, "NtSetEvent");
    if (GetEnvironmentVariableA("LAB_STRICT", NULL, 0))
        redirect((BYTE *)NtSetEvent, strict_set_event);
    install_stub(NtWaitForSingleObject, "NtWaitForSingleObject");
    install_stub(NtCloseService, "NtClose");
    install_stub(NtCreateEvent, "NtCreateEvent");
    system_free_heap = system_function("RtlFreeHeap");
    store_new_section(&loader_lock, 0, TRUE);
    store_new_section(&peb_lock, 0, TRUE);
    return TRUE;
}
