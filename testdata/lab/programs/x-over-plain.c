/* Seventh batch, in C: formats, characters and lengths that are not what was thought. Macros choose. */
#include "lab.h"
#include <stdio.h>
#include <string.h>

#ifndef WAITERS
#define WAITERS 2
#endif
#define NOINLINE __attribute__((noinline, unused))

static struct Waiters waiters, late_one;
static volatile int sink;

static DWORD WINAPI want(void *argument)
{
    EnterCriticalSection(argument);
    sink++;
    LeaveCriticalSection(argument);
    return 0;
}
static NOINLINE void own(CRITICAL_SECTION *lock)
{
    InitializeCriticalSection(lock);
    make_waiters(&waiters, WAITERS, want, lock);
    make_waiters(&late_one, 1, want, lock);
    EnterCriticalSection(lock);
    start_waiters(&waiters);
}
static NOINLINE int leave(CRITICAL_SECTION *lock)
{
    reporter_expect(lock, lock->LockSemaphore);
    LeaveCriticalSection(lock);
    return sink++;
}

#if defined(BYTE_ORDER_MARK) /* characters are signed: a mark at a file's start counts below the table */
static struct { const char *folder; CRITICAL_SECTION lock; unsigned counts[128]; } statistics;
static NOINLINE void count(const char *text, int length)
{
    int i;
    for (i = 0; i < length; i++)
        statistics.counts[(int)text[i]]++;
}
static int scenario(void)
{
    int file;
    statistics.folder = "C:\\Texts";
    own(&statistics.lock);
    reporter_act("corrupted", &statistics.lock);
    for (file = 0; file < 37; file++)
        count("\xFF\xFEH\0i\0!\0", 8);
    return leave(&statistics.lock);
}
#elif defined(DOUBLE_FORMAT) /* %lf, and a float to put it in */
struct item { int id; char unit[8]; float weight; CRITICAL_SECTION lock; struct item *next; };
static NOINLINE int parse(struct item *item, const char *line)
{
    return sscanf(line, "%d %7s %lf", &item->id, item->unit, (double *)&item->weight);
}
static int scenario(void)
{
    struct item *item = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof *item);
    own(&item->lock);
    reporter_act("corrupted", &item->lock);
    parse(item, "4711 kg 72.35");
    reporter_expect(&item->lock, NULL);
    start_waiters(&late_one);
    Sleep(4000);
    return sink;
}
#elif defined(LINE_END) /* snprintf says how long the text would have been */
static struct log { char line[64]; CRITICAL_SECTION lock; int level; HANDLE file; } logs[3];
static NOINLINE void trace(struct log *log, const char *what, const char *path)
{
    int n = snprintf(log->line, sizeof log->line, "[%d] %s: %s", log->level, what, path);
    log->line[n] = '\n';
}
static int scenario(void)
{
    struct log *log = &logs[1];
    log->level = 3;
    own(&log->lock);
    reporter_act("corrupted", &log->lock);
    trace(log, "cannot open", "C:\\Users\\Public\\Documents\\Contoso\\Projects\\2023\\Harbour\\plan-b-west.dwg ");
    return leave(&log->lock);
}
#endif

int main(void)
{
    LAB_START();
    return scenario();
}
