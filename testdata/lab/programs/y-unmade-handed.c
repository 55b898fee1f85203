/* Eighth batch: a wrong argument, in C. Macros choose which. */
#include "lab.h"
#include <string.h>

static volatile int sink;

#if defined(NO_LOCK_YET)
/* The lock is a pointer that a first call makes; the cleanup frees it and says so, and a late call finds NULL. */
static CRITICAL_SECTION *random_lock;
static unsigned pool[16];
static __attribute__((noinline)) void random_start(void)
{
    random_lock = HeapAlloc(GetProcessHeap(), 0, sizeof *random_lock);
    InitializeCriticalSection(random_lock);
}
static __attribute__((noinline)) void random_cleanup(void)
{
    DeleteCriticalSection(random_lock);
    HeapFree(GetProcessHeap(), 0, random_lock);
    random_lock = NULL;
}
static __attribute__((noinline)) void read_lock(CRITICAL_SECTION *lock)
{
    EnterCriticalSection(lock);
    sink++;
}
static __attribute__((noinline)) unsigned random_bytes(int round)
{
    if (round == 2) {
        reporter_act("bad-pointer", random_lock);
        reporter_expect(random_lock, NULL);
    }
    read_lock(random_lock);
    pool[0] = pool[0] * 1664525 + 1013904223;
    LeaveCriticalSection(random_lock);
    return pool[0];
}
static DWORD WINAPI late(void *argument) { (void)argument; return random_bytes(2); }
static int scenario(void)
{
    struct Waiters one;
    random_start();
    sink = random_bytes(1);
    random_cleanup();
    make_waiters(&one, 1, late, NULL);
    start_waiters(&one);
    Sleep(4000);
    return sink;
}
#elif defined(POINTER_TO_POINTER)
/* lock_enter() takes a void *: the pointer's own address goes through. */
static struct { CRITICAL_SECTION *lock; int level, lines; const char *name; int port, verbose; } service;
static __attribute__((noinline)) void lock_enter(void *lock)
{
    reporter_act("bad-pointer", lock);
    reporter_expect(lock, ((CRITICAL_SECTION *)lock)->LockSemaphore);
    EnterCriticalSection(lock);
    sink++;
}
static int scenario(void)
{
    service.lock = HeapAlloc(GetProcessHeap(), 0, sizeof *service.lock);
    InitializeCriticalSection(service.lock);
    service.level = 2;
    service.lines = 118;
    service.name = "relay";
    service.port = 8080;
    lock_enter(&service.lock);
    LeaveCriticalSection(service.lock);
    return service.lines;
}
#endif

int main(void)
{
    LAB_START();
    return scenario();
}
