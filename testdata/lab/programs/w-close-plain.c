/* Sixth batch, in C: a handle closed twice, and a connection that is copied. Macros choose the program. */
#include "lab.h"
#include <string.h>

#ifndef WAITERS
#define WAITERS 2
#endif
#define NOINLINE __attribute__((noinline))
static volatile int sink;
static struct Waiters waiters;

static DWORD WINAPI pass_through(void *argument)
{
    EnterCriticalSection(argument);
    sink++;
    LeaveCriticalSection(argument);
    return 0;
}
static inline void prepare(CRITICAL_SECTION *lock)
{
#ifdef SPIN
    InitializeCriticalSectionAndSpinCount(lock, SPIN);
#else
    InitializeCriticalSection(lock);
#endif
    make_waiters(&waiters, WAITERS, pass_through, lock);
}
static inline void contend(CRITICAL_SECTION *lock)
{
    EnterCriticalSection(lock);
    start_waiters(&waiters);
}
static inline void will(const char *cause, CRITICAL_SECTION *lock)
{
    reporter_act(cause, lock);
    reporter_expect(lock, lock->LockSemaphore);
}

#if defined(PIPE_ENDS)
/* The child's end of a pipe is closed once the child has it, and again on the way out, where only errors were meant to come. */
struct job { const char *command; HANDLE ours, childs; CRITICAL_SECTION lock; DWORD exit_code; };
NOINLINE static int start_job(struct job *job)
{
    int result = -1;
    if (!CreatePipe(&job->ours, &job->childs, NULL, 0))
        goto done;
    CloseHandle(job->childs);
    contend(&job->lock);
    will("handle-closed", &job->lock);
    result = 0;
done:
    if (job->childs)
        CloseHandle(job->childs);
    return result;
}
static int scenario(void)
{
    static struct job job = { "make -j4" };
    prepare(&job.lock);
    sink = start_job(&job);
    LeaveCriticalSection(&job.lock);
    return sink;
}
#elif defined(SESSION_COPY)
/* A session is made from another by assignment; each one's end closes the same handle. */
struct session { int id; char user[12]; HANDLE keepalive; struct session *next; };
struct server { struct session *sessions; short port, tls; CRITICAL_SECTION lock; };
NOINLINE static void end_session(struct session *session)
{
    CancelWaitableTimer(session->keepalive);
    CloseHandle(session->keepalive);
    session->id = 0;
}
static int scenario(void)
{
    struct server *server = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof *server);
    struct session first = { 1, "operator" }, second;
    server->port = 2222;
    prepare(&server->lock);
    first.keepalive = CreateWaitableTimerA(NULL, FALSE, NULL);
    second = first;
    second.id = 2;
    end_session(&first);
    contend(&server->lock);
    will("handle-closed", &server->lock);
    end_session(&second);
    LeaveCriticalSection(&server->lock);
    return sink++;
}
#elif defined(KEY_BOTH)
/* A key goes through a list of handles to close, and through RegCloseKey as well. */
static struct { HANDLE list[8]; int count; } to_close;
static struct { DWORD generation; CRITICAL_SECTION lock; HKEY key; WCHAR name[16]; } settings = { .name = L"Appearance" };
NOINLINE static void close_list(void)
{
    while (to_close.count)
        CloseHandle(to_close.list[--to_close.count]);
}
static int scenario(void)
{
    prepare(&settings.lock);
    RegOpenKeyExA(HKEY_LOCAL_MACHINE, "Software", 0, KEY_READ, &settings.key);
    to_close.list[to_close.count++] = (HANDLE)settings.key;
    RegCloseKey(settings.key);
    contend(&settings.lock);
    settings.generation++;
    will("handle-closed", &settings.lock);
    close_list();
    LeaveCriticalSection(&settings.lock);
    return sink++;
}
#elif defined(SOUND)
/* The library closes the event when it is stopped and when it goes. */
static int scenario(void)
{
    CRITICAL_SECTION *mixer = (CRITICAL_SECTION *)((char *)VirtualAlloc(NULL, 0x3000, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE) + 0x1A8);
    HMODULE library = LoadLibraryA("plugin.dll");
    void (*start)(HANDLE) = (void (*)(HANDLE))(void *)GetProcAddress(library, "sound_start");
    int (*stop)(void) = (int (*)(void))(void *)GetProcAddress(library, "sound_stop");
    prepare(mixer);
    start(CreateEventA(NULL, FALSE, FALSE, NULL));
    sink += stop();
    contend(mixer);
    will("handle-closed", mixer);
    FreeLibrary(library);
    LeaveCriticalSection(mixer);
    return sink++;
}
#else
/* A connection is taken out of the table into a local, and its place in the table is closed, while it is locked. */
struct connection { unsigned id; char peer[16]; CRITICAL_SECTION lock; int bytes; };
static struct connection table[5];
NOINLINE static void close_place(struct connection *connection)
{
    DeleteCriticalSection(&connection->lock);
    connection->id = 0;
}
NOINLINE static int detach(struct connection *from)
{
    struct connection taken;
    EnterCriticalSection(&from->lock);
    start_waiters(&waiters);
    taken = *from;
    reporter_act("copied", &from->lock);
    reporter_expect(&taken.lock, from->lock.LockSemaphore);
    close_place(from);
    taken.bytes += 512;
    LeaveCriticalSection(&taken.lock);
    return taken.bytes;
}
static int scenario(void)
{
    table[3].id = 41;
    strcpy(table[3].peer, "192.168.1.9");
    prepare(&table[3].lock);
    return detach(&table[3]);
}
#endif

int main(void)
{
    LAB_START();
    return scenario();
}
