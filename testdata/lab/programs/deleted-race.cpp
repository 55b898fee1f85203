// The race of the real world, made repeatable: while one thread is inside Leave, just before the system call that wakes
// the waiter, the object is torn down and its section deleted. The leaving thread is single-stepped to that place.
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
    connection = static_cast<Connection *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Connection)));
    InitializeCriticalSection(&connection->lock);
    make_waiters(&waiters, 1, worker, nullptr);
    connection->enter();
    start_waiters(&waiters);
    reporter_expect(&connection->lock, connection->lock.LockSemaphore);
    connection->leave_stepped();
    return 0;
}
