// Held-out variants of deleted-race.cpp: what happens to the section after the Delete that overtakes the Leave.
// REUSED: the object is freed, its memory gets a text. PAGE_GONE: its page is released. MADE_ANEW: the section is
// initialised again (a reset).
#include "lab.h"

class Connection {
public:
    Connection() { InitializeCriticalSection(&lock); }
    void tear_down() { DeleteCriticalSection(&lock); }
    void enter() { EnterCriticalSection(&lock); }
    void wait_for() { EnterCriticalSection(&lock); LeaveCriticalSection(&lock); }
    __attribute__((noinline)) void leave_stepped();
    int packets[6];
    CRITICAL_SECTION lock;
};

static Connection *connection;
static void *signal_service;

static void after()
{
#if defined(REUSED)
    HeapFree(GetProcessHeap(), 0, connection);
    char *text = static_cast<char *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Connection)));
    for (unsigned i = 0; i < sizeof(Connection); i++)
        text[i] = "GET /index.html HTTP/1.1\r\nHost: contoso.com\r\n"[i % 45];
#elif defined(PAGE_GONE)
    VirtualFree(connection, 0, MEM_RELEASE);
#elif defined(MADE_ANEW)
    InitializeCriticalSection(&connection->lock);
#endif
}

static DWORD_PTR &instruction_pointer(CONTEXT *context)
{
#ifdef _WIN64
    return context->Rip;
#else
    return context->Eip;
#endif
}

static LONG CALLBACK on_step(EXCEPTION_POINTERS *pointers)
{
    if (pointers->ExceptionRecord->ExceptionCode != EXCEPTION_SINGLE_STEP)
        return EXCEPTION_CONTINUE_SEARCH;
    if (instruction_pointer(pointers->ContextRecord) == (DWORD_PTR)signal_service) {
        connection->tear_down(); /* the bug */
        after();
        pointers->ContextRecord->EFlags &= ~0x100;
    } else {
        pointers->ContextRecord->EFlags |= 0x100;
    }
    return EXCEPTION_CONTINUE_EXECUTION;
}

__attribute__((noinline)) static void start_stepping()
{
#ifdef _WIN64
    __asm__ volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq" ::: "memory", "cc");
#else
    __asm__ volatile("pushfl\n\torl $0x100, (%%esp)\n\tpopfl" ::: "memory", "cc");
#endif
}

void Connection::leave_stepped()
{
    packets[0]++;
    start_stepping();
    LeaveCriticalSection(&lock);
    packets[1]++;
}

static DWORD WINAPI worker(void *)
{
    connection->wait_for();
    return 0;
}

int main()
{
    Waiters waiters;
    LAB_START();
    signal_service = (void *)GetProcAddress(GetModuleHandleA("cslab.dll"), "NtSetEvent");
    AddVectoredExceptionHandler(1, on_step);
    connection = static_cast<Connection *>(
#ifdef PAGE_GONE
        VirtualAlloc(nullptr, 0x1000, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE));
#else
        HeapAlloc(GetProcessHeap(), 0, sizeof(Connection)));
#endif
    InitializeCriticalSection(&connection->lock);
    make_waiters(&waiters, 1, worker, nullptr);
    connection->enter();
    start_waiters(&waiters);
    reporter_expect(&connection->lock, connection->lock.LockSemaphore);
    connection->leave_stepped();
    return 0;
}
