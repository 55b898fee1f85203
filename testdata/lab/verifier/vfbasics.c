/* Stands for vfbasics.dll: takes the place of the program's imports, keeps a list of initialised sections and checks
 * each call against it (what the stops mean: critical-sections.md 7.1, 7.2). None of its functions has a name in a dump. */
#include <windows.h>

typedef struct DebugRecord DebugRecord;
typedef struct Section { DebugRecord *debug_info; volatile LONG lock_count; LONG recursion_count; HANDLE owning_thread; HANDLE lock_semaphore; ULONG_PTR spin_count; } Section;

__declspec(dllimport) void VerifierStopMessageEx(void *layer, ULONG_PTR code, ULONG_PTR p1, ULONG_PTR p2, ULONG_PTR p3, ULONG_PTR p4, void *more);
__declspec(dllimport) void VerifierStopMessage(ULONG_PTR code, const char *m, ULONG_PTR p1, const char *d1, ULONG_PTR p2, const char *d2, ULONG_PTR p3, const char *d3, ULONG_PTR p4, const char *d4);
__declspec(dllimport) LONG NTAPI RtlInitializeCriticalSection(Section *section);
__declspec(dllimport) LONG NTAPI RtlEnterCriticalSection(Section *section);
__declspec(dllimport) LONG NTAPI RtlLeaveCriticalSection(Section *section);
__declspec(dllimport) LONG NTAPI RtlDeleteCriticalSection(Section *section);
__declspec(dllimport) LONG NTAPI NtClose(HANDLE handle);

#define FRAME __attribute__((noipa, noinline))
#define MAX_SECTIONS 64

struct Known { Section *section; DebugRecord *record; void *trace[8]; };
static struct Known known[MAX_SECTIONS];
static int layer;

static struct Known *find(Section *section)
{
    for (int i = 0; i < MAX_SECTIONS; i++)
        if (known[i].section == section)
            return &known[i];
    return NULL;
}

FRAME void stop(ULONG_PTR code, ULONG_PTR p1, ULONG_PTR p2, ULONG_PTR p3, ULONG_PTR p4)
{
    VerifierStopMessageEx(&layer, code, p1, p2, p3, p4, NULL);
    layer++;
}

#define WORD(x) ((ULONG_PTR)(x))

/* Common to Enter, Leave, Delete. */
static BOOL is_good(Section *section)
{
    struct Known *entry = find(section);
    if (!entry) {
        stop(0x210, WORD(section), WORD(section->debug_info), 0, 0);
        return FALSE;
    }
    if (section->debug_info != entry->record) {
        stop(0x205, WORD(section), WORD(section->debug_info), WORD(entry->record), WORD(entry->trace));
        return FALSE;
    }
    return TRUE;
}

FRAME void WINAPI AVrfpInitialize(Section *section)
{
    struct Known *entry = find(section);
    if (entry)
        stop(0x203, WORD(section), WORD(entry->record), WORD(entry->trace), WORD(entry->trace));
    RtlInitializeCriticalSection(section);
    if (!entry)
        entry = find(NULL);
    entry->section = section;
    entry->record = section->debug_info;
    CaptureStackBackTrace(0, 8, entry->trace, NULL);
}

FRAME void WINAPI AVrfpEnter(Section *section)
{
    is_good(section);
    RtlEnterCriticalSection(section);
    layer++;
}

FRAME void WINAPI AVrfpLeave(Section *section)
{
    HANDLE self = (HANDLE)(ULONG_PTR)GetCurrentThreadId();
    if (is_good(section)) {
        if (section->recursion_count > 0x10000)
            stop(0x207, WORD(section), WORD(section->recursion_count), 1, WORD(section->debug_info));
        else if (section->recursion_count < 1)
            stop(0x209, WORD(section), WORD(section->recursion_count), 1, WORD(section->debug_info));
        else if (section->owning_thread != self)
            stop(0x214, WORD(section), 0, 0, 0);
    }
    RtlLeaveCriticalSection(section);
    layer++;
}

FRAME void WINAPI AVrfpDelete(Section *section)
{
    if (is_good(section) && section->lock_count != -1)
        stop(0x208, WORD(section), WORD(section->lock_count), WORD(-1), WORD(section->owning_thread));
    struct Known *entry = find(section);
    if (entry)
        memset(entry, 0, sizeof *entry);
    RtlDeleteCriticalSection(section);
    layer++;
}

static void check_release(ULONG_PTR code, BYTE *start, SIZE_T size)
{
    for (int i = 0; i < MAX_SECTIONS; i++)
        if ((BYTE *)known[i].section >= start && (BYTE *)known[i].section < start + size)
            stop(code, WORD(known[i].section), WORD(known[i].trace), WORD(start), size);
}

FRAME BOOL WINAPI AVrfpHeapFree(HANDLE heap, DWORD flags, void *block)
{
    check_release(0x202, block, HeapSize(heap, 0, block));
    if (*(DWORD *)block == 0xF0F0F0F0)
        VerifierStopMessage(0xF, "corrupted suffix pattern", WORD(heap), "Heap handle", WORD(block), "Heap block", HeapSize(heap, 0, block), "Block size", 0, "Corruption address");
    return HeapFree(heap, flags, block);
}

FRAME BOOL WINAPI AVrfpVirtualFree(void *start, SIZE_T size, DWORD type)
{
    MEMORY_BASIC_INFORMATION info;
    VirtualQuery(start, &info, sizeof info);
    check_release(0x212, start, info.RegionSize);
    return VirtualFree(start, size, type);
}

FRAME BOOL WINAPI AVrfpUnmapViewOfFile(const void *start)
{
    MEMORY_BASIC_INFORMATION info;
    VirtualQuery(start, &info, sizeof info);
    check_release(0x213, (BYTE *)start, info.RegionSize);
    return UnmapViewOfFile(start);
}

FRAME BOOL WINAPI AVrfpFreeLibrary(HMODULE module)
{
    IMAGE_NT_HEADERS *nt = (IMAGE_NT_HEADERS *)((BYTE *)module + ((IMAGE_DOS_HEADER *)module)->e_lfanew);
    for (int i = 0; i < MAX_SECTIONS; i++)
        if ((BYTE *)known[i].section >= (BYTE *)module && (BYTE *)known[i].section < (BYTE *)module + nt->OptionalHeader.SizeOfImage)
            stop(0x201, WORD(known[i].section), WORD(known[i].trace), WORD(L"plugin.dll"), WORD(module));
    return FreeLibrary(module);
}

FRAME BOOL WINAPI AVrfpCloseHandle(HANDLE handle)
{
    if (!handle)
        stop(0x303, 0, 0, 0, 0);
    return NtClose(handle) >= 0;
}

/* The Handles layer sees the kernel's exception first. */
FRAME LONG NTAPI AVrfpVectoredExceptionHandler(EXCEPTION_POINTERS *pointers)
{
    if (pointers->ExceptionRecord->ExceptionCode == 0xC0000008)
        stop(0x300, 0xC0000008, WORD(pointers->ExceptionRecord), WORD(pointers->ContextRecord), 0);
    return EXCEPTION_CONTINUE_SEARCH;
}

static const struct { const char *name; void *substitute; } SUBSTITUTES[] = {
    { "InitializeCriticalSection", AVrfpInitialize }, { "EnterCriticalSection", AVrfpEnter }, { "LeaveCriticalSection", AVrfpLeave },
    { "DeleteCriticalSection", AVrfpDelete }, { "HeapFree", AVrfpHeapFree }, { "VirtualFree", AVrfpVirtualFree },
    { "UnmapViewOfFile", AVrfpUnmapViewOfFile }, { "FreeLibrary", AVrfpFreeLibrary }, { "CloseHandle", AVrfpCloseHandle },
};

static void substitute(void **slot, const char *name)
{
    DWORD previous;
    for (unsigned i = 0; i < sizeof SUBSTITUTES / sizeof *SUBSTITUTES; i++)
        if (!lstrcmpA(name, SUBSTITUTES[i].name)) {
            VirtualProtect(slot, sizeof *slot, PAGE_READWRITE, &previous);
            *slot = SUBSTITUTES[i].substitute;
            VirtualProtect(slot, sizeof *slot, previous, &previous);
        }
}

/* The program's import address table. */
static void hook(BYTE *image)
{
    IMAGE_NT_HEADERS *nt = (IMAGE_NT_HEADERS *)(image + ((IMAGE_DOS_HEADER *)image)->e_lfanew);
    IMAGE_IMPORT_DESCRIPTOR *dll = (IMAGE_IMPORT_DESCRIPTOR *)(image + nt->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_IMPORT].VirtualAddress);
    for (; dll->Name; dll++) {
        IMAGE_THUNK_DATA *name = (IMAGE_THUNK_DATA *)(image + dll->OriginalFirstThunk);
        void **slot = (void **)(image + dll->FirstThunk);
        for (; name->u1.AddressOfData; name++, slot++)
            if (!IMAGE_SNAP_BY_ORDINAL(name->u1.Ordinal))
                substitute(slot, (char *)((IMAGE_IMPORT_BY_NAME *)(image + name->u1.AddressOfData))->Name);
    }
}

BOOL WINAPI DllMain(HINSTANCE module, DWORD reason, void *reserved)
{
    (void)module;
    (void)reserved;
    if (reason == DLL_PROCESS_ATTACH)
        hook((BYTE *)GetModuleHandleA(NULL));
    return TRUE;
}

/* Called through GetProcAddress once the reporter's handler is there: vectored handlers run in order. */
__declspec(dllexport) void watch_handles(void) { AddVectoredExceptionHandler(1, AVrfpVectoredExceptionHandler); }
