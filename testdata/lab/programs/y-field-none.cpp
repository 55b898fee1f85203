// Eighth batch: crashes near a lock that is well. Macros choose which.
#include "k-common.h"

struct Outbox { LONG length; void *head; CRITICAL_SECTION lock; char name[12]; };
static Outbox *queue;
struct Hold { CRITICAL_SECTION *lock; explicit Hold(CRITICAL_SECTION *l) : lock(l) { EnterCriticalSection(l); } ~Hold() { LeaveCriticalSection(lock); sink++; } };

#if defined(WORKER_OBJECT)
// A worker's destructor closes its thread, under the lock that another thread waits for; stop() has closed it.
class Worker {
public:
    HANDLE thread;
    NOINLINE void stop() { CloseHandle(thread); queue->length = 0; }
    NOINLINE ~Worker() { Hold hold(&queue->lock); CloseHandle(thread); sink++; }
};
NOINLINE static int crash()
{
    Worker *worker = new Worker;
    contend(&queue->lock);
    worker->thread = CreateWaitableTimerA(NULL, TRUE, NULL);
    worker->stop();
    be_strict();
    delete worker;
    LeaveCriticalSection(&queue->lock);
    return sink++;
}
#elif defined(FAILED_CALL)
// Failed calls raise; here a SetEvent after the Close, when the lock has just been left.
NOINLINE static void require(BOOL done) { if (!done) RaiseException(GetLastError() == ERROR_INVALID_HANDLE ? 0xC0000008 : 0xC0000001, EXCEPTION_NONCONTINUABLE, 0, NULL); }
NOINLINE static int crash()
{
    HANDLE completed = CreateEventA(NULL, FALSE, FALSE, NULL);
    contend(&queue->lock);
    queue->length++;
    LeaveCriticalSection(&queue->lock);
    CloseHandle(completed);
    require(SetEvent(completed));
    return sink++;
}
#elif defined(MONITOR)
// A monitor of the program's own is left by a thread that has not entered it.
struct Monitor { DWORD owner; LONG depth; CRITICAL_SECTION *guard; };
NOINLINE static void monitor_exit(Monitor *monitor)
{
    Hold hold(monitor->guard);
    if (monitor->owner != GetCurrentThreadId())
        RaiseException(0xC0000264, EXCEPTION_NONCONTINUABLE, 0, NULL);
    monitor->depth--;
}
NOINLINE static int crash()
{
    Monitor *monitor = new Monitor { 0, 0, &queue->lock };
    monitor_exit(monitor);
    return monitor->depth;
}
#elif defined(PAST_THE_BUFFER)
// A worker sums up more than there is, under the lock; main waits for it.
static unsigned char *buffer;
NOINLINE static int checksum(const unsigned char *data, int size) { int sum = 0; while (size--) sum += *data++; return sum; }
static DWORD WINAPI summing(void *)
{
    Hold hold(&queue->lock);
    Sleep(800);
    return checksum(buffer, queue->length);
}
NOINLINE static int crash()
{
    Waiters summer;
    queue->length = 5000;
    buffer = reinterpret_cast<unsigned char *>(VirtualAlloc(NULL, 0x20000, MEM_RESERVE, PAGE_READWRITE));
    VirtualAlloc(buffer, 0x1000, MEM_COMMIT, PAGE_READWRITE);
    make_waiters(&summer, 1, summing, NULL);
    start_waiters(&summer);
    EnterCriticalSection(&queue->lock);
    LeaveCriticalSection(&queue->lock);
    return sink;
}
#elif defined(AFTER_LEAVE)
// The list's link is followed after the lock has been left; there is none.
struct Link { Link *next; LONG references; };
NOINLINE static int crash()
{
    Link *volatile first = new Link { NULL, 1 };
    contend(&queue->lock);
    Link *next = first->next;
    LeaveCriticalSection(&queue->lock);
    next->references--;
    return sink++;
}
#endif

int main()
{
    LAB_START();
    crowd();
    queue = static_cast<Outbox *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(Outbox)));
    lstrcpyA(queue->name, "outgoing");
    prepare(&queue->lock);
    sink += crash();
    return sink;
}
