// Eighth batch: a lock in a named mapping. This process makes it; the helper process has it, and a thread of the helper waits for it.
#include "unseen.h"
#include <stdlib.h>

struct Spool { DWORD version; volatile LONG ready; CRITICAL_SECTION lock; struct { DWORD job, pages; char owner[12]; } jobs[6]; };
static Spool *spool;

static void attach(const char *id)
{
    char name[40];
    sprintf(name, "Contoso.Spool.%s", id);
    spool = static_cast<Spool *>(MapViewOfFile(CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0x1000, name), FILE_MAP_ALL_ACCESS, 0, 0, 0));
}

static DWORD WINAPI add_pages(void *) { EnterCriticalSection(&spool->lock); spool->jobs[0].pages++; LeaveCriticalSection(&spool->lock); return 0; }

static int helper(const char *id)
{
    HANDLE parent = OpenProcess(SYNCHRONIZE, FALSE, strtoul(id, NULL, 10));
    for (int i = 0; i < 80; i++)
        CreateSemaphoreA(NULL, 0, 9, NULL);
    attach(id);
    EnterCriticalSection(&spool->lock);
    CreateThread(NULL, 0, add_pages, NULL, 0, NULL);
    Sleep(600);
    spool->ready = 1;
    WaitForSingleObject(parent, 30000);
    ExitProcess(0);
}

NOINLINE static int submit(DWORD job)
{
    act("cross-process", &spool->lock);
    expect_handle(&spool->lock);
    EnterCriticalSection(&spool->lock);
    spool->jobs[1].job = job;
    LeaveCriticalSection(&spool->lock);
    return sink++;
}

int main(int count, char **arguments)
{
    STARTUPINFOA start = { };
    PROCESS_INFORMATION process;
    char program[MAX_PATH], line[40], id[16];
    if (count > 1)
        return helper(arguments[1]);
    LAB_START();
    crowd();
    sprintf(id, "%lu", GetCurrentProcessId());
    attach(id);
    spool->version = 3;
    initialize(&spool->lock);
    GetModuleFileNameA(NULL, program, sizeof program);
    sprintf(line, "helper %s", id);
    start.cb = sizeof start;
    CreateProcessA(program, line, NULL, NULL, FALSE, 0, NULL, NULL, &start, &process);
    for (int i = 0; i < 400 && !spool->ready; i++)
        Sleep(25);
    return submit(9021);
}
