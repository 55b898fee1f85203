// Fourth batch: two processes of one product share a block of memory with a critical section in it. The event's number is the other's.
#include "unseen.h"
#include <stdlib.h>

struct Exchange { ULONG version; volatile LONG step; char tag[24]; CRITICAL_SECTION lock; ULONG frames, dropped; };
static Exchange *exchange;

static void open_block(const char *family)
{
    char name[64];
    sprintf(name, "Contoso.Capture.%s", family);
    HANDLE mapping = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0x1000, name);
    exchange = static_cast<Exchange *>(MapViewOfFile(mapping, FILE_MAP_ALL_ACCESS, 0, 0, 0));
}
static DWORD WINAPI take_frame(void *)
{
    EnterCriticalSection(&exchange->lock);
    exchange->frames++;
    LeaveCriticalSection(&exchange->lock);
    return 0;
}
static void until(LONG step) { for (int i = 0; i < 400 && exchange->step < step; i++) Sleep(25); }

// The helper process: it makes the lock (OWNED_THERE), and has it; or its threads wait for it.
static int helper(const char *family)
{
    HANDLE parent = OpenProcess(SYNCHRONIZE, FALSE, strtoul(family, NULL, 10));
    for (int i = 0; i < 70; i++)
        CreateEventA(NULL, FALSE, FALSE, NULL);
    open_block(family);
#ifdef OWNED_THERE
    initialize(&exchange->lock);
    EnterCriticalSection(&exchange->lock);
#endif
    for (int i = 0; i < WAITERS; i++)
        CreateThread(NULL, 0, take_frame, NULL, 0, NULL);
    Sleep(500);
    exchange->step = 1;
    WaitForSingleObject(parent, 30000);
    ExitProcess(0);
}

NOINLINE static int post_frame()
{
#ifdef OWNED_THERE
    act("cross-process", &exchange->lock);
    expect_handle(&exchange->lock);
    EnterCriticalSection(&exchange->lock);
    exchange->dropped++;
#else
    EnterCriticalSection(&exchange->lock);
    exchange->dropped++;
    exchange->step = 0;
    until(1);
    act("cross-process", &exchange->lock);
    expect_handle(&exchange->lock);
#endif
    LeaveCriticalSection(&exchange->lock);
    return sink++;
}

int main(int count, char **arguments)
{
    STARTUPINFOA start = { };
    PROCESS_INFORMATION process;
    char program[MAX_PATH], line[48], family[16];
    if (count > 1)
        return helper(arguments[1]);
    LAB_START();
    crowd();
    sprintf(family, "%lu", GetCurrentProcessId());
    open_block(family);
    exchange->version = 2;
    lstrcpyA(exchange->tag, "capture");
    GetModuleFileNameA(NULL, program, sizeof program);
    sprintf(line, "helper %s", family);
    start.cb = sizeof start;
#ifndef OWNED_THERE
    initialize(&exchange->lock);
    EnterCriticalSection(&exchange->lock);
#endif
    CreateProcessA(program, line, NULL, NULL, FALSE, 0, NULL, NULL, &start, &process);
    until(1);
#ifndef OWNED_THERE
    exchange->step = 1;
    act("cross-process", &exchange->lock);
    expect_handle(&exchange->lock);
    exchange->dropped++;
    LeaveCriticalSection(&exchange->lock);
#endif
    return post_frame();
}
