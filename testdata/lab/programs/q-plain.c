/* Fifth batch, in C: one mistake each in a table of sessions. Macros choose the mistake. */
#include "lab.h"
#include <stdio.h>
#include <string.h>

#ifndef WAITERS
#define WAITERS 2
#endif
#ifndef CALL
#define CALL EnterCriticalSection
#endif
#define NOINLINE __attribute__((noinline, unused))

struct session {
    LIST_ENTRY link;
    char user[12];
    CRITICAL_SECTION lock;
    HANDLE files[4];
    int file_count;
};
static struct session sessions[5] __attribute__((unused));
static struct Waiters waiters;
static volatile int sink;

static DWORD WINAPI want(void *argument)
{
    struct session *s = argument;
    EnterCriticalSection(&s->lock);
    sink++;
    LeaveCriticalSection(&s->lock);
    return 0;
}
static NOINLINE void prepare(struct session *s)
{
    InitializeCriticalSection(&s->lock);
    make_waiters(&waiters, WAITERS, want, s);
}
static NOINLINE void contend(struct session *s)
{
    EnterCriticalSection(&s->lock);
    start_waiters(&waiters);
}
static NOINLINE int call(const char *cause, CRITICAL_SECTION *lock)
{
    if (cause)
        reporter_act(cause, lock);
    reporter_expect(lock, NULL);
    CALL(lock);
    return sink++;
}

#if defined(GOTO_FAIL) /* an early close, and the one at the end that every path has */
static NOINLINE int load(struct session *s)
{
    HANDLE file = INVALID_HANDLE_VALUE;
    DWORD got = 0;
    int result = -1;
    file = CreateFileA("load.tmp", GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    if (!ReadFile(file, s->user, 8, &got, NULL) || got != 8)
        CloseHandle(file);
    contend(s);
    if (got != 8)
        goto out;
    result = 0;
out:
    reporter_act("handle-closed", &s->lock);
    reporter_expect(&s->lock, s->lock.LockSemaphore);
    if (file != INVALID_HANDLE_VALUE)
        CloseHandle(file);
    LeaveCriticalSection(&s->lock);
    return result;
}
static int scenario(void)
{
    prepare(&sessions[1]);
    return load(&sessions[1]);
}
#elif defined(WRONG_COUNT) /* the count of files is not lowered when the last is closed */
static NOINLINE void drop_last(struct session *s) { CloseHandle(s->files[s->file_count - 1]); }
static NOINLINE void log_off(struct session *s)
{
    int i;
    for (i = 0; i < s->file_count; i++)
        CloseHandle(s->files[i]);
    s->file_count = 0;
}
static int scenario(void)
{
    struct session *s = &sessions[4];
    prepare(s);
    while (s->file_count < 3)
        s->files[s->file_count++] = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0x1000, NULL);
    drop_last(s);
    contend(s);
    reporter_act("handle-closed", &s->lock);
    reporter_expect(&s->lock, s->lock.LockSemaphore);
    log_off(s);
    LeaveCriticalSection(&s->lock);
    return sink++;
}
#elif defined(STRCPY) /* a user's name is longer than that of a user */
static NOINLINE void name(struct session *s, const char *user)
{
    volatile char *to = s->user;
    do
        *to++ = *user;
    while (*user++);
}
static int scenario(void)
{
    struct session *s = &sessions[2];
    InitializeCriticalSection(&s->lock);
    reporter_act("corrupted", &s->lock);
    name(s, "administrator@contoso.de");
    return call(NULL, &s->lock);
}
#elif defined(CONTAINER_OF_NULL) /* the end of a list is taken for an element: the link lies behind the lock */
struct entry { int id; CRITICAL_SECTION lock; SINGLE_LIST_ENTRY link; };
static struct entry first = { 1, { NULL, -1, 0, NULL, NULL, 0 }, { NULL } };
static SINGLE_LIST_ENTRY *volatile next_link;
static int scenario(void)
{
    InitializeCriticalSection(&first.lock);
    EnterCriticalSection(&first.lock);
    next_link = first.link.Next;
    LeaveCriticalSection(&first.lock);
    return call("bad-pointer", &CONTAINING_RECORD(next_link, struct entry, link)->lock);
}
#elif defined(KEPT_POINTER) /* a table is moved when it grows; a pointer into the old one was kept */
static int scenario(void)
{
    SIZE_T size = 0x90000;
    struct session *table = VirtualAlloc(NULL, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE), *kept = &table[6], *more;
    InitializeCriticalSection(&kept->lock);
    EnterCriticalSection(&kept->lock);
    more = VirtualAlloc(NULL, 2 * size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    memcpy(more, table, 10 * sizeof *table);
    reporter_act("memory-released", &kept->lock);
    VirtualFree(table, 0, MEM_RELEASE);
    return call(NULL, &kept->lock);
}
#elif defined(MEMSET_FIRST) /* a second function of the set-up clears the structure "to begin with" */
static NOINLINE void set_up(struct session *s) { InitializeCriticalSection(&s->lock); }
static NOINLINE void set_defaults(struct session *s)
{
    ZeroMemory(s, sizeof *s);
    strcpy(s->user, "guest");
    s->link.Flink = s->link.Blink = &s->link;
}
static int scenario(void)
{
    struct session *s = HeapAlloc(GetProcessHeap(), 0, sizeof *s);
    set_up(s);
    reporter_act("corrupted", &s->lock);
    set_defaults(s);
    return call(NULL, &s->lock);
}
#elif defined(NULL_TEXT) /* the length of a text that is not there, while others wait for the lock */
static NOINLINE size_t length(const char *text)
{
    const volatile char *end = text;
    while (*end)
        end++;
    return end - text;
}
static int scenario(void)
{
    const char *volatile none = NULL;
    prepare(&sessions[0]);
    contend(&sessions[0]);
    sink = (int)length(none);
    LeaveCriticalSection(&sessions[0].lock);
    return sink;
}
#endif

int main(void)
{
    LAB_START();
    return scenario();
}
