// Seventh batch: a lock is deleted while a Leave of it is not over. Macros choose the owner.
#include "q-stub.h"

#if defined(MONITOR)
// A monitor on the stack of one who waits until a task says that it is done: the task's unlock runs on.
struct Monitor { bool done; CRITICAL_SECTION lock; DWORD result; };
static DWORD WINAPI task(void *argument)
{
    Monitor *monitor = static_cast<Monitor *>(argument);
    EnterCriticalSection(&monitor->lock);
    Sleep(600); // works, others come
    monitor->done = true;
    monitor->result = 17;
    stop_at("NtSetEvent");
    LeaveCriticalSection(&monitor->lock);
    return 0;
}
NOINLINE static DWORD run_task()
{
    Waiters worker;
    DWORD result = 0;
    Monitor monitor;
    monitor.done = false;
    prepare(&monitor.lock);
    make_waiters(&worker, 1, task, &monitor);
    expect(&monitor.lock);
    other_thread = GetCurrentThread();
    ResumeThread(worker.threads[0]);
    Sleep(100);
    start_waiters(&waiters);
    while (!stub_hit)
        Sleep(1);
    EnterCriticalSection(&monitor.lock);
    if (monitor.done)
        result = monitor.result;
    LeaveCriticalSection(&monitor.lock);
    act("deleted", &monitor.lock);
    DeleteCriticalSection(&monitor.lock);
    other_done = 1;
    Sleep(4000); // the next one's work
    return result;
}
static int scenario() { return run_task(); }
#elif defined(CONNECTION)
// Two references: the sender drops its own and unlocks, the peer's thread drops the last one.
class Connection {
    char peer[28] = "fe80::1c2a:9";
    volatile LONG references = 2;
    LONG sent = 0;
    CRITICAL_SECTION lock;
public:
    CRITICAL_SECTION *native() { return &lock; }
    Connection() { prepare(&lock); }
    ~Connection()
    {
        act("deleted", &lock);
        DeleteCriticalSection(&lock);
    }
    NOINLINE void drop()
    {
        if (InterlockedDecrement(&references) == 0)
            delete this;
    }
    struct Guard {
        CRITICAL_SECTION *section;
        explicit Guard(Connection *c) : section(&c->lock) { EnterCriticalSection(section); }
        ~Guard() { LeaveCriticalSection(section); sink++; }
    };
    NOINLINE void send_last(LONG bytes)
    {
        Guard guard(this);
        start_waiters(&waiters);
        sent += bytes;
        drop();
        stop_at("NtSetEvent");
    }
};
static DWORD WINAPI peer_closed(void *argument)
{
    static_cast<Connection *>(argument)->drop();
    other_done = 1;
    Sleep(INFINITE);
    return 0;
}
static int scenario()
{
    Waiters peer;
    Connection *connection = new Connection;
    make_waiters(&peer, 1, peer_closed, connection);
    other_thread = peer.threads[0];
    expect(connection->native());
    connection->send_last(512);
    return sink;
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
