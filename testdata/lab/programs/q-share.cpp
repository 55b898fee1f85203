// Fifth batch: an instance hands its lock in shared memory to another instance; the event behind it is the other's.
#include "unseen.h"
#include <stdlib.h>

struct Board { char product[16]; volatile LONG turn; LONG revision; CRITICAL_SECTION lock; struct { int id, owner; } items[12]; };
static Board *board;

static void attach(const char *id)
{
    char name[48];
    sprintf(name, "Contoso.Board.%s", id);
    HANDLE mapping = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0x2000, name);
    board = static_cast<Board *>(MapViewOfFile(mapping, FILE_MAP_ALL_ACCESS, 0, 0, 0));
}
static void wait_for_turn(LONG turn) { for (int i = 0; i < 400 && board->turn < turn; i++) Sleep(25); }
static DWORD WINAPI change(void *) { EnterCriticalSection(&board->lock); board->revision++; LeaveCriticalSection(&board->lock); return 0; }

static int second_instance(const char *id)
{
    HANDLE first = OpenProcess(SYNCHRONIZE, FALSE, strtoul(id, NULL, 10));
    for (int i = 0; i < 95; i++)
        CreateMutexA(NULL, FALSE, NULL);
    attach(id);
#ifdef MADE_THERE // the second instance makes it, holds it, and another of its threads waits
    initialize(&board->lock);
    EnterCriticalSection(&board->lock);
#endif
    for (int i = 0; i < WAITERS; i++)
        CreateThread(NULL, 0, change, NULL, 0, NULL);
    Sleep(600);
    board->turn = 1;
    WaitForSingleObject(first, 30000);
    ExitProcess(0);
}

NOINLINE static int publish(int item)
{
#ifdef MADE_THERE
    act("cross-process", &board->lock);
    expect_handle(&board->lock);
    EnterCriticalSection(&board->lock);
    board->items[item].id++;
#else
    board->items[item].id = 31;
    act("cross-process", &board->lock);
    expect_handle(&board->lock);
#endif
    LeaveCriticalSection(&board->lock);
    return sink++;
}

int main(int count, char **arguments)
{
    STARTUPINFOA start = { };
    PROCESS_INFORMATION process;
    char program[MAX_PATH], line[40], id[16];
    if (count > 1)
        return second_instance(arguments[1]);
    LAB_START();
    crowd();
    sprintf(id, "%lu", GetCurrentProcessId());
    attach(id);
    lstrcpyA(board->product, "Board 3.1");
    GetModuleFileNameA(NULL, program, sizeof program);
    sprintf(line, "second %s", id);
    start.cb = sizeof start;
#ifndef MADE_THERE
    initialize(&board->lock);
    EnterCriticalSection(&board->lock);
#endif
    CreateProcessA(program, line, NULL, NULL, FALSE, 0, NULL, NULL, &start, &process);
    wait_for_turn(1);
    return publish(2);
}
