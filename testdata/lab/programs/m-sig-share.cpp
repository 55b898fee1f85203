// Third batch: a log that several processes write to lies in a named section object, with a critical section in it, which may not be shared.
// The event that it has was made by the other process; its number means nothing here.
#include "unseen.h"
#include <stdlib.h>

struct Log { char magic[8]; volatile LONG phase; unsigned write_at; wchar_t writer[16]; CRITICAL_SECTION lock; char lines[0x400]; };
static Log *shared_log;

static void attach(DWORD family)
{
    char name[64];
    sprintf(name, "Local\\contoso-log-%lx", family);
    HANDLE mapping = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0x2000, name);
    shared_log = static_cast<Log *>(MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, 0));
}
static void reach(LONG phase) { for (int i = 0; i < 500 && shared_log->phase < phase; i++) Sleep(20); }
NOINLINE static int write_line(const char *line)
{
    EnterCriticalSection(&shared_log->lock);
    for (; *line; line++)
        shared_log->lines[shared_log->write_at++ & 0x3FF] = *line;
    LeaveCriticalSection(&shared_log->lock);
    return sink++;
}
static DWORD WINAPI writer(void *argument) { return write_line(static_cast<const char *>(argument)); }

// ---- the other process ----------------------------------------------------------------------------------------------------------
static int other_process(DWORD family, ULONG spare_handles)
{
    HANDLE parent = OpenProcess(SYNCHRONIZE, FALSE, family);
    for (ULONG i = 0; i < spare_handles; i++)
        CreateEventA(NULL, FALSE, FALSE, NULL);
    attach(family);
#ifdef EVENT_LEFT_BEHIND // it makes the lock, and has its event from its own threads; then it ends
    InitializeCriticalSection(&shared_log->lock);
    EnterCriticalSection(&shared_log->lock);
    HANDLE thread = CreateThread(NULL, 0, writer, const_cast<char *>("started\n"), 0, NULL);
    Sleep(300);
    LeaveCriticalSection(&shared_log->lock);
    WaitForSingleObject(thread, 3000);
    shared_log->phase = 1;
    ExitProcess(0);
#else
    for (int i = 0; i < WAITERS; i++)
        CreateThread(NULL, 0, writer, const_cast<char *>("ready\n"), 0, NULL);
    Sleep(500);
    shared_log->phase = 1;
    WaitForSingleObject(parent, 30000);
    ExitProcess(0);
#endif
}

// ---- this one --------------------------------------------------------------------------------------------------------------------
static int scenario()
{
    STARTUPINFOA start = { };
    PROCESS_INFORMATION other;
    char program[MAX_PATH], line[48];
    start.cb = sizeof start;
    attach(GetCurrentProcessId());
    memcpy(shared_log->magic, "LOG0003", 8);
    memcpy(shared_log->writer, L"dispatcher", 22);
    GetModuleFileNameA(NULL, program, sizeof program);
    sprintf(line, "log %lu 90", GetCurrentProcessId());
#ifdef EVENT_LEFT_BEHIND
    Waiters own;
    make_waiters(&own, WAITERS, writer, const_cast<char *>("job 7\n"));
    CreateProcessA(program, line, NULL, NULL, FALSE, 0, NULL, NULL, &start, &other);
    reach(1);
    act("cross-process", &shared_log->lock);
    expect_handle(&shared_log->lock);
    EnterCriticalSection(&shared_log->lock);
    start_waiters(&own);
#else
    initialize(&shared_log->lock);
    EnterCriticalSection(&shared_log->lock);
    CreateProcessA(program, line, NULL, NULL, FALSE, 0, NULL, NULL, &start, &other);
    reach(1);
    act("cross-process", &shared_log->lock);
    expect_handle(&shared_log->lock);
#endif
    LeaveCriticalSection(&shared_log->lock);
    return sink;
}

int main(int count, char **arguments)
{
    if (count > 2)
        return other_process(strtoul(arguments[1], NULL, 10), strtoul(arguments[2], NULL, 10));
    LAB_START();
    crowd();
    return scenario();
}
