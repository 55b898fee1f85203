/* What the lab programs share: threads that wait for a section, and the talk with the reporter. */
#ifndef LAB_H
#define LAB_H
#include <windows.h>
#include "reporter.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MAX_WAITERS 8
#define STACK_RESERVE 0x20000

struct Waiters {
    HANDLE threads[MAX_WAITERS];
    int count;
};

/* Threads are made suspended, so that their handles are open before a slot is freed on purpose. */
static inline void make_waiters(struct Waiters *w, int count, LPTHREAD_START_ROUTINE work, void *argument)
{
    DWORD id;
    w->count = count;
    for (int i = 0; i < count; i++) {
        w->threads[i] = CreateThread(NULL, STACK_RESERVE, work, argument, CREATE_SUSPENDED | STACK_SIZE_PARAM_IS_A_RESERVATION, &id);
        reporter_name_thread(id, "worker");
    }
}

/* Lets them run into the section the caller owns, until all of them sleep. */
static inline void start_waiters(struct Waiters *w)
{
    for (int i = 0; i < w->count; i++)
        ResumeThread(w->threads[i]);
    Sleep(400);
}

/* First thing in main. */
#define LAB_START() do { reporter_start(REPORT_FIRST_CHANCE); reporter_main_returns_to(__builtin_return_address(0)); } while (0)

/* A handle value whose slot is free again: the section's event will take it. */
static inline HANDLE free_a_slot(void)
{
    HANDLE stale = CreateEventA(NULL, FALSE, FALSE, NULL);
    CloseHandle(stale);
    return stale;
}

#ifdef __cplusplus
}
#endif
#endif
