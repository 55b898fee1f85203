/* As closed.c, but before the Leave a file gets the empty slot: 0xC0000024; with NO_ACCESS an event opened for waiting
 * only: 0xC0000022. The section is a member of a heap object,
 * made without debug info, entered recursively before; the program imports the Rtl names from ntdll directly. */
#include "lab.h"

__declspec(dllimport) LONG NTAPI RtlEnterCriticalSection(CRITICAL_SECTION *section);
__declspec(dllimport) LONG NTAPI RtlLeaveCriticalSection(CRITICAL_SECTION *section);

struct Session {
    char name[40];
    int users;
    CRITICAL_SECTION lock;
    int requests;
};

static DWORD WINAPI worker(void *argument)
{
    struct Session *session = argument;
    RtlEnterCriticalSection(&session->lock);
    session->requests++;
    RtlLeaveCriticalSection(&session->lock);
    return 0;
}

static struct Session *new_session(void)
{
    struct Session *session = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof *session);
    lstrcpyA(session->name, "session-17");
#ifdef LAB_OLD
    InitializeCriticalSectionAndSpinCount(&session->lock, 4000);
#else
    InitializeCriticalSectionEx(&session->lock, 4000, RTL_CRITICAL_SECTION_FLAG_NO_DEBUG_INFO);
#endif
    return session;
}

#ifdef NO_ACCESS
static void prepare(void) { CreateEventA(NULL, TRUE, FALSE, "ContosoShutdown"); }
static void take_the_slot(void) { OpenEventA(SYNCHRONIZE, FALSE, "ContosoShutdown"); }
#else
static void prepare(void) { }
static void take_the_slot(void)
{
    HANDLE log = CreateFileA("agent.log", GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ, NULL, CREATE_ALWAYS, 0, NULL);
    reporter_name_handle(log, "\\Device\\HarddiskVolume1\\ProgramData\\Contoso\\agent.log");
}
#endif

__attribute__((noinline)) static void end_request(struct Session *session)
{
    session->requests++;
    RtlLeaveCriticalSection(&session->lock);
    session->users--;
}

int main(void)
{
    struct Waiters waiters;
    struct Session *session;
    HANDLE stale;
    LAB_START();
    prepare();
    session = new_session();
    make_waiters(&waiters, 1, worker, session);
    RtlEnterCriticalSection(&session->lock);
    RtlEnterCriticalSection(&session->lock);
    stale = free_a_slot();
    start_waiters(&waiters);
    RtlLeaveCriticalSection(&session->lock);
    reporter_expect(&session->lock, session->lock.LockSemaphore);
    CloseHandle(stale); /* the bug */
    take_the_slot();
    end_request(session);
    return 0;
}
