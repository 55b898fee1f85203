/* Writes a raw snapshot of its own process from the exception handler; dumpwriter.py makes the minidumps from it.
 * Everything it needs is allocated at program start, so that it takes no freed handle slot and no freed memory. */
#define BUILD_REPORTER
#include "reporter.h"
#include "../lockdll/trace.h"
#include <winternl.h>
#include <stddef.h>

#define BUFFER_SIZE (4 << 20)
#define MAX_NOTES 16
#define BIG_MAPPING (1 << 20)

#define MAX_ACTS 4

struct Act { char cause[24]; BYTE bytes[40]; DWORD readable, is_event, thread_id, pad; ULONG64 section, handle; };
struct Note { DWORD kind; DWORD pad; ULONG64 value; char text[112]; };
struct Secret { /* the label; never in a dump */
    ULONG64 section, handle, main_returns_to;
    DWORD note_count, pad;
    struct Note notes[MAX_NOTES];
};
struct Chunk { DWORD tag, pad; ULONG64 address, size; };
struct ThreadChunk { DWORD thread_id, suspend_count; ULONG64 teb, start; CONTEXT context; };
struct HandleChunk {
    ULONG64 handle;
    DWORD attributes, access, handle_count, pointer_count, has_event_info, event_type, event_state, pad;
    WCHAR type[64], name[160];
};
struct FrameChunk { ULONG64 rip, rsp, rbx, rbp, rsi, rdi, r12, r13, r14, r15; };

static HANDLE snapshot_file;
static BYTE *buffer;
static struct Secret *secret;
static struct Act *acts; /* behind the secret, on the same pages */
static LONG act_count;
static volatile LONG reported;

NTSTATUS NTAPI NtQueryEvent(HANDLE event, int what, void *out, ULONG size, ULONG *got);
void *NTAPI RtlGetUnloadEventTrace(void);

static void write_bytes(const void *bytes, SIZE_T size)
{
    DWORD written;
    WriteFile(snapshot_file, bytes, (DWORD)size, &written, NULL);
}

static void write_chunk(const char *tag, ULONG64 address, const void *bytes, SIZE_T size)
{
    struct Chunk chunk = { *(const DWORD *)tag, 0, address, size };
    write_bytes(&chunk, sizeof chunk);
    write_bytes(bytes, size);
}

/* ---- handles ---------------------------------------------------------------------------------------------------- */

struct SystemHandle {
    void *object;
    ULONG_PTR process_id, handle;
    ULONG access;
    USHORT back_trace, type_index;
    ULONG attributes, reserved;
};
struct SystemHandles { ULONG_PTR count, reserved; struct SystemHandle entries[1]; };
struct BasicObject { ULONG attributes; ACCESS_MASK access; ULONG handle_count, pointer_count, rest[10]; };

static void copy_string(WCHAR *to, SIZE_T room, const UNICODE_STRING *from)
{
    SIZE_T count = from->Length / sizeof(WCHAR);
    if (count >= room)
        count = room - 1;
    memcpy(to, from->Buffer, count * sizeof(WCHAR));
    to[count] = 0;
}

static void write_handle(const struct SystemHandle *entry)
{
    static struct HandleChunk out;
    static ULONG64 answer[256];
    HANDLE handle = (HANDLE)entry->handle;
    struct BasicObject basic = { 0 };
    ULONG got;
    memset(&out, 0, sizeof out);
    out.handle = entry->handle;
    NtQueryObject(handle, 0, &basic, sizeof basic, &got);
    out.attributes = basic.attributes;
    out.access = basic.access ? basic.access : entry->access;
    out.handle_count = basic.handle_count;
    out.pointer_count = basic.pointer_count;
    if (NtQueryObject(handle, 2, answer, sizeof answer, &got) >= 0)
        copy_string(out.type, 64, (UNICODE_STRING *)answer);
    /* Asking for the name of a File can block for ever. */
    if (wcscmp(out.type, L"File") && NtQueryObject(handle, 1, answer, sizeof answer, &got) >= 0)
        copy_string(out.name, 160, (UNICODE_STRING *)answer);
    if (!wcscmp(out.type, L"Event") && NtQueryEvent(handle, 0, answer, 8, &got) >= 0) {
        out.has_event_info = 1;
        memcpy(&out.event_type, answer, 8);
    }
    write_chunk("HNDL", out.handle, &out, sizeof out);
}

static void write_handles(void)
{
    struct SystemHandles *all = (struct SystemHandles *)buffer;
    ULONG got;
    ULONG_PTR i;
    if (NtQuerySystemInformation(64, buffer, BUFFER_SIZE, &got) < 0)
        return;
    for (i = 0; i < all->count; i++)
        if (all->entries[i].process_id == GetCurrentProcessId())
            write_handle(&all->entries[i]);
}

/* ---- threads ---------------------------------------------------------------------------------------------------- */

static SYSTEM_PROCESS_INFORMATION *find_own_process(void)
{
    ULONG got;
    BYTE *at = buffer;
    if (NtQuerySystemInformation(5, buffer, BUFFER_SIZE, &got) < 0)
        return NULL;
    for (;;) {
        SYSTEM_PROCESS_INFORMATION *process = (SYSTEM_PROCESS_INFORMATION *)at;
        if ((ULONG_PTR)process->UniqueProcessId == GetCurrentProcessId())
            return process;
        if (!process->NextEntryOffset)
            return NULL;
        at += process->NextEntryOffset;
    }
}

struct ThreadBasic { LONG exit_status; void *teb; HANDLE process, thread; ULONG_PTR affinity; LONG priority, base; };

static void write_thread(DWORD thread_id, CONTEXT *crash_context)
{
    static DECLSPEC_ALIGN(16) struct ThreadChunk out;
    BOOL self = thread_id == GetCurrentThreadId();
    HANDLE thread = OpenThread(THREAD_ALL_ACCESS, FALSE, thread_id);
    struct ThreadBasic basic = { 0 };
    ULONG_PTR start = 0;
    ULONG got;
    memset(&out, 0, sizeof out);
    out.thread_id = thread_id;
    if (!self)
        SuspendThread(thread);
    NtQueryInformationThread(thread, 0, &basic, sizeof basic, &got);
    NtQueryInformationThread(thread, 9, &start, sizeof start, &got);
    out.teb = (ULONG_PTR)basic.teb;
    out.start = start;
    out.context.ContextFlags = CONTEXT_ALL;
    if (self)
        out.context = *crash_context;
    else
        GetThreadContext(thread, &out.context);
    write_chunk("THRD", thread_id, &out, sizeof out);
    CloseHandle(thread);
}

/* The thread records behind SYSTEM_PROCESS_INFORMATION; mingw's header does not declare them. */
struct SystemThread { LARGE_INTEGER times[3]; ULONG wait_time; void *start; HANDLE process, thread; LONG rest[6]; };

static void write_threads(CONTEXT *crash_context)
{
    static DWORD ids[64];
    SYSTEM_PROCESS_INFORMATION *process = find_own_process();
    struct SystemThread *threads;
    ULONG i, count;
    if (!process)
        return;
#ifdef _WIN64
    threads = (struct SystemThread *)((BYTE *)process + 0x100);
#else
    threads = (struct SystemThread *)((BYTE *)process + 0xB8);
#endif
    count = process->NumberOfThreads < 64 ? process->NumberOfThreads : 64;
    for (i = 0; i < count; i++)
        ids[i] = (DWORD)(ULONG_PTR)threads[i].thread;
    for (i = 0; i < count; i++)
        write_thread(ids[i], crash_context);
}

/* ---- memory ----------------------------------------------------------------------------------------------------- */

static BOOL is_readable(const MEMORY_BASIC_INFORMATION *info)
{
    return info->State == MEM_COMMIT && !(info->Protect & (PAGE_GUARD | PAGE_NOACCESS)) && info->Protect != 0;
}

static void write_memory(void)
{
    MEMORY_BASIC_INFORMATION info;
    BYTE *at = NULL;
    while (VirtualQuery(at, &info, sizeof info) == sizeof info) {
        BYTE *end = (BYTE *)info.BaseAddress + info.RegionSize;
        write_chunk("MEMI", (ULONG_PTR)info.BaseAddress, &info, sizeof info);
        if (is_readable(&info) && info.AllocationBase != buffer && info.AllocationBase != secret && info.AllocationBase != TRACE_ADDRESS
            && !(info.Type == MEM_MAPPED && info.RegionSize > BIG_MAPPING) && info.RegionSize < (64u << 20))
            write_chunk("MEMD", (ULONG_PTR)info.BaseAddress, info.BaseAddress, info.RegionSize);
        if (end <= at)
            break;
        at = end;
    }
}

/* ---- the rest --------------------------------------------------------------------------------------------------- */

static void write_modules(void)
{
    PEB *peb = NtCurrentTeb()->ProcessEnvironmentBlock;
    LIST_ENTRY *head = (LIST_ENTRY *)((BYTE *)peb->Ldr + (sizeof(void *) == 8 ? 0x10 : 0x0C)); /* load order */
    LIST_ENTRY *at;
    for (at = head->Flink; at != head; at = at->Flink) {
        BYTE *entry = (BYTE *)at;
        ULONG_PTR base = *(ULONG_PTR *)(entry + 6 * sizeof(void *));
        UNICODE_STRING *path = (UNICODE_STRING *)(entry + 9 * sizeof(void *));
        write_chunk("MODU", base, path->Buffer, path->Length);
    }
}

#ifdef _WIN64
/* Ground truth for an unwinder, in the system's own words. */
static void write_truth(const CONTEXT *crash_context)
{
    static DECLSPEC_ALIGN(16) CONTEXT c;
    int depth;
    c = *crash_context;
    for (depth = 0; depth < 64 && c.Rip; depth++) {
        struct FrameChunk frame = { c.Rip, c.Rsp, c.Rbx, c.Rbp, c.Rsi, c.Rdi, c.R12, c.R13, c.R14, c.R15 };
        ULONG64 base, establisher;
        void *data;
        RUNTIME_FUNCTION *function = RtlLookupFunctionEntry(c.Rip, &base, NULL);
        write_chunk("TRUE", depth, &frame, sizeof frame);
        if (function) {
            RtlVirtualUnwind(0, base, c.Rip, function, &c, &data, &establisher, NULL);
        } else {
            if (depth > 0)
                break;
            c.Rip = *(ULONG64 *)c.Rsp; /* a leaf, such as a service stub; only the first frame can be one */
            c.Rsp += 8;
        }
    }
}
#else
static void write_truth(const CONTEXT *crash_context) { (void)crash_context; }
#endif

/* The table of the traced sets; others have no memory there. */
static void write_trace(void)
{
    MEMORY_BASIC_INFORMATION info;
    struct TraceTable *table = TRACE_TABLE;
    if (VirtualQuery(table, &info, sizeof info) == sizeof info && info.State == MEM_COMMIT && info.AllocationBase == TRACE_ADDRESS)
        write_chunk("TRAC", table->count, table->entries, sizeof table->entries);
}

static void write_snapshot(EXCEPTION_POINTERS *pointers)
{
    write_handles(); /* first: what follows opens handles */
    write_chunk("EXCR", GetCurrentThreadId(), pointers->ExceptionRecord, sizeof *pointers->ExceptionRecord);
    write_chunk("CTX ", (ULONG_PTR)pointers->ContextRecord, pointers->ContextRecord, sizeof(CONTEXT));
    write_chunk("PEB ", (ULONG_PTR)NtCurrentTeb()->ProcessEnvironmentBlock, secret, sizeof *secret);
    for (LONG i = 0; i < act_count; i++)
        write_chunk("ACT ", i, &acts[i], sizeof *acts);
    write_chunk("PID ", GetCurrentProcessId(), "", 0);
    write_chunk("SELF", (ULONG_PTR)snapshot_file, "", 0);
    write_threads(pointers->ContextRecord);
    write_modules();
    write_chunk("UNLD", 0, RtlGetUnloadEventTrace(), 16 * (sizeof(void *) == 8 ? 104 : 88));
    write_truth(pointers->ContextRecord);
    write_trace();
    write_memory();
    write_chunk("END ", 0, "", 0);
}

static BOOL is_target(DWORD code)
{
    return code == 0xC0000005 || code == 0xC0000008 || code == 0xC0000024 || code == 0xC0000022 || code == 0xC0000264
        || code == 0xC0000025 || code == 0xC0000409 || code == 0x80000003 || code == 0xE06D7363;
}

static LONG WINAPI on_exception(EXCEPTION_POINTERS *pointers)
{
    if (!is_target(pointers->ExceptionRecord->ExceptionCode))
        return EXCEPTION_CONTINUE_SEARCH;
    if (InterlockedExchange(&reported, 1))
        Sleep(INFINITE);
    write_snapshot(pointers);
    TerminateProcess(GetCurrentProcess(), 0);
    return EXCEPTION_CONTINUE_SEARCH;
}

/* The shim database of Windows 10 would have set this before the process started. */
static void set_compatibility_flags(void)
{
    BYTE *peb = (BYTE *)NtCurrentTeb()->ProcessEnvironmentBlock;
    char text[16] = "";
    GetEnvironmentVariableA("LAB_COMPAT", text, sizeof text);
    *(ULONG *)(peb + (sizeof(void *) == 8 ? 0x2C8 : 0x1D8)) = text[0] && text[2] == '4' ? 0x00400000 : 0;
    SetEnvironmentVariableA("LAB_COMPAT", NULL);
}

void reporter_start(int mode)
{
    set_compatibility_flags();
    snapshot_file = CreateFileA("snapshot.bin", GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    buffer = VirtualAlloc(NULL, BUFFER_SIZE, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
    secret = VirtualAlloc(NULL, sizeof *secret + MAX_ACTS * sizeof *acts, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
    acts = (struct Act *)(secret + 1);
    if (mode == REPORT_UNHANDLED)
        SetUnhandledExceptionFilter(on_exception);
    else
        AddVectoredExceptionHandler(0, on_exception);
}

void reporter_expect(const volatile void *section, HANDLE handle)
{
    secret->section = (ULONG_PTR)section;
    secret->handle = (ULONG_PTR)handle;
}

void reporter_main_returns_to(void *address) { secret->main_returns_to = (ULONG_PTR)address; }

static void add_note(DWORD kind, ULONG64 value, const char *text)
{
    struct Note *note = &secret->notes[secret->note_count++];
    note->kind = kind;
    note->value = value;
    lstrcpynA(note->text, text, sizeof note->text);
}

void reporter_name_handle(HANDLE handle, const char *name) { add_note(1, (ULONG_PTR)handle, name); }
void reporter_name_thread(DWORD thread_id, const char *name) { add_note(2, thread_id, name); }

void reporter_act(const char *cause, const volatile void *section)
{
    struct Act *act = &acts[act_count];
    static ULONG64 answer[64];
    SIZE_T got = 0;
    ULONG size;
    if (act_count == MAX_ACTS)
        return;
    act_count++;
    lstrcpynA(act->cause, cause, sizeof act->cause);
    act->section = (ULONG_PTR)section;
    act->thread_id = GetCurrentThreadId();
    act->readable = ReadProcessMemory(GetCurrentProcess(), (const void *)section, act->bytes, sizeof(CRITICAL_SECTION), &got);
    act->handle = *(ULONG_PTR *)(act->bytes + (sizeof(void *) == 8 ? 0x18 : 0x10));
    if (act->readable && act->handle && NtQueryObject((HANDLE)(ULONG_PTR)act->handle, 2, answer, sizeof answer, &size) >= 0)
        act->is_event = !wcscmp(((UNICODE_STRING *)answer)->Buffer, L"Event");
}
