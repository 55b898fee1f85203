/* Fourth batch, in C: stale handles in tables and clean-up code. Macros as in k-close.cpp. */
#include "lab.h"
#include <stdio.h>

#ifndef WAITERS
#define WAITERS 2
#endif
static volatile int sink;
static struct Waiters waiters;
struct Service { char name[16]; HANDLE stop_event, worker; DWORD status; CRITICAL_SECTION lock; };

static DWORD WINAPI use(void *argument)
{
    struct Service *service = argument;
    EnterCriticalSection(&service->lock);
    service->status++;
    LeaveCriticalSection(&service->lock);
    return 0;
}
static void about_to_close(struct Service *service)
{
    EnterCriticalSection(&service->lock);
    start_waiters(&waiters);
    reporter_expect(&service->lock, service->lock.LockSemaphore);
    reporter_act("handle-closed", &service->lock);
}
static struct Service *make(const char *name)
{
    struct Service *service = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof *service);
    lstrcpynA(service->name, name, sizeof service->name);
    InitializeCriticalSection(&service->lock);
    make_waiters(&waiters, WAITERS, use, service);
    return service;
}

#if defined(RESTART)
/* restart() waits for the worker and closes it; stop(), called when the restart fails, does so as well */
static void join(struct Service *service)
{
    WaitForSingleObject(service->worker, 2000);
    CloseHandle(service->worker);
}
static DWORD WINAPI nothing(void *argument) { (void)argument; return 0; }
static int scenario(void)
{
    struct Service *service = make("indexer");
    service->worker = CreateThread(NULL, STACK_RESERVE, nothing, NULL, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    join(service);
    about_to_close(service);
    CloseHandle(service->worker);
    LeaveCriticalSection(&service->lock);
    return sink++;
}
#elif defined(PIPE_ENDS)
/* both ends of a child's pipes are closed one by one; on failure a loop closes all of them again */
static int spawn(HANDLE ends[4], struct Service *service)
{
    int i;
    for (i = 0; i < 4; i++)
        CloseHandle(ends[i]);
    about_to_close(service);
    for (i = 0; i < 4; i++)
        if (ends[i] != INVALID_HANDLE_VALUE)
            CloseHandle(ends[i]);
#ifdef TAKE_FILE
    for (i = 0; i < 4; i++)
        CreateFileA(i ? "NUL" : "trace.tmp", GENERIC_WRITE, 0, NULL, i ? OPEN_EXISTING : CREATE_ALWAYS, 0, NULL);
#endif
    LeaveCriticalSection(&service->lock);
    return -1;
}
static int scenario(void)
{
    struct Service *service = make("git");
    HANDLE ends[4];
    CreatePipe(&ends[0], &ends[1], NULL, 0);
    CreatePipe(&ends[2], &ends[3], NULL, 0);
    return spawn(ends, service);
}
#elif defined(WRONG_NULL)
/* after the first close the wrong variable is set to NULL */
static void reset(struct Service *service)
{
    if (service->stop_event)
        CloseHandle(service->stop_event);
    service->worker = NULL;
}
static int scenario(void)
{
    struct Service *service = make("updater");
    service->stop_event = CreateEventA(NULL, TRUE, FALSE, NULL);
    reset(service);
    about_to_close(service);
    reset(service);
    LeaveCriticalSection(&service->lock);
    return sink++;
}
#elif defined(TABLE_ROW)
/* rows of a table are closed up to a count that was not reduced */
struct Row { HANDLE file; int kind; };
static struct Row rows[16];
static int used;
static void close_rows(int from)
{
    int i;
    for (i = from; i < used; i++)
        CloseHandle(rows[i].file);
}
static int scenario(void)
{
    struct Service *service = make("archiver");
    char name[16];
    for (used = 0; used < 5; used++) {
        sprintf(name, "row%d.tmp", used);
        rows[used].file = CreateFileA(name, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    }
    close_rows(3);
    about_to_close(service);
    close_rows(1);
    LeaveCriticalSection(&service->lock);
    return sink++;
}
#endif

int main(void)
{
    LAB_START();
    return scenario();
}
