/* Shared by the h-l* programs: what they tell the reporter, and a few shorthands. */
#ifndef H_LIFE_H
#define H_LIFE_H
#include "lab.h"
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOINLINE __attribute__((noinline))
#ifdef __cplusplus
#define UNUSED_OK [[maybe_unused]]
#else
#define UNUSED_OK __attribute__((unused))
#endif

UNUSED_OK static volatile int sink;

/* The life of a lock that somebody still needs ends here. */
UNUSED_OK static void will(const char *cause, const CRITICAL_SECTION *lock)
{
    reporter_act(cause, lock);
    reporter_expect(lock, NULL);
}
UNUSED_OK static HANDLE start_thread(LPTHREAD_START_ROUTINE work, void *argument)
{
    DWORD id;
    HANDLE thread = CreateThread(NULL, STACK_RESERVE, work, argument, STACK_SIZE_PARAM_IS_A_RESERVATION, &id);
    reporter_name_thread(id, "worker");
    return thread;
}
#endif
