// Unseen: a section in memory that two processes see. The program starts itself again as the other process.
#include "unseen.h"

#ifndef STATE_NAME
#define STATE_NAME "1"
#endif

struct Shared { int users; char title[20]; CRITICAL_SECTION lock; };
static Shared *shared;

static Shared *map()
{
#ifdef IN_FILE
    HANDLE file = CreateFileA("state.bin", GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_ALWAYS, 0, NULL);
    HANDLE mapping = CreateFileMappingA(file, NULL, PAGE_READWRITE, 0, 0x1000, NULL);
#else
    HANDLE mapping = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0x1000, "ContosoState-" STATE_NAME
#ifdef LAB_OLD
            "-old"
#endif
            );
#endif
    return static_cast<Shared *>(MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, 0x1000));
}

// The shim of the set x64-woa-events; a child of a process has it too.
static ULONG &compatibility_flags()
{
    BYTE *peb = reinterpret_cast<BYTE *>(
#ifdef _WIN64
        __readgsqword(0x60));
    return *reinterpret_cast<ULONG *>(peb + 0x2C8);
#else
        __readfsdword(0x30));
    return *reinterpret_cast<ULONG *>(peb + 0x1D8);
#endif
}

static HANDLE start_other(const char *what)
{
    STARTUPINFOA start = { };
    PROCESS_INFORMATION child;
    char name[MAX_PATH], line[64];
    start.cb = sizeof start;
    GetModuleFileNameA(NULL, name, sizeof name);
    lstrcpyA(line, what);
    if (compatibility_flags())
        lstrcatA(line, " shimmed");
    CreateProcessA(name, line, NULL, NULL, FALSE, 0, NULL, NULL, &start, &child);
    return child.hProcess;
}

NOINLINE static int enter_it(CRITICAL_SECTION *lock)
{
    sink++;
    EnterCriticalSection(lock);
    return sink++;
}

[[maybe_unused]] static DWORD WINAPI visitor(void *) { enter_it(&shared->lock); LeaveCriticalSection(&shared->lock); return 0; }

// ---- the other process ------------------------------------------------------------------------------------------------

static int other_process(bool shimmed)
{
    compatibility_flags() = shimmed ? 0x00400000 : 0;
    for (int i = 0; i < 50; i++)
        CreateEventA(NULL, FALSE, FALSE, NULL);
    shared = map();
#if defined(OTHER_WAITS)
    enter_it(&shared->lock);
#elif defined(FAR_RECORD)
    // so many sections that the record of this one lies in this process's heap, far up
    static CRITICAL_SECTION many[20];
    for (CRITICAL_SECTION &one : many)
        InitializeCriticalSection(&one);
    for (int i = 0; i < 60; i++)
        HeapAlloc(GetProcessHeap(), 0, 0x18000);
    for (int i = 0; i < 60000; i++)
        HeapAlloc(GetProcessHeap(), 0, sizeof(RTL_CRITICAL_SECTION_DEBUG));
    initialize(&shared->lock);
    EnterCriticalSection(&shared->lock);
    shared->users = 2;
    Sleep(INFINITE);
#else
    // owns it, and has a thread that waits: the event is in this process's table
    initialize(&shared->lock);
    HANDLE waiter = CreateThread(NULL, STACK_RESERVE, visitor, NULL, CREATE_SUSPENDED | STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    EnterCriticalSection(&shared->lock);
    ResumeThread(waiter);
    Sleep(500);
    shared->users = 2;
#ifdef IN_FILE
    LeaveCriticalSection(&shared->lock);
    WaitForSingleObject(waiter, INFINITE);
    return 0; // a run that ended well; the file stays
#endif
    Sleep(INFINITE);
#endif
    return 0;
}

// ---- this one -----------------------------------------------------------------------------------------------------------

static int scenario()
{
    shared = map();
#if defined(TAKEN_NUMBERS) // here those handle numbers are something else
    for (int i = 0; i < 120; i++)
        CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0x1000, NULL);
#endif
#if defined(OTHER_WAITS)
    initialize(&shared->lock);
    EnterCriticalSection(&shared->lock);
    HANDLE other = start_other("agent second");
    for (int i = 0; i < 100 && !shared->lock.LockSemaphore; i++)
        Sleep(50);
    Sleep(300);
    TerminateProcess(other, 0);
    act("cross-process", &shared->lock);
    expect_handle(&shared->lock);
    return leave(&shared->lock);
#elif defined(IN_FILE)
    Waiters waiters;
    make_waiters(&waiters, 1, visitor, NULL);
    WaitForSingleObject(start_other("agent before"), 20000);
    act("cross-process", &shared->lock);
    expect_handle(&shared->lock);
    EnterCriticalSection(&shared->lock);
    start_waiters(&waiters);
    return leave(&shared->lock);
#else
    HANDLE other = start_other("agent second");
    for (int i = 0; i < 200 && shared->users != 2; i++)
        Sleep(50);
    TerminateProcess(other, 0);
    act("cross-process", &shared->lock);
    expect_handle(&shared->lock);
    return enter_it(&shared->lock);
#endif
}

int main(int count, char **)
{
    if (count > 1)
        return other_process(count > 2);
    LAB_START();
    crowd();
    return scenario();
}
