// Sixth batch: a number that is no handle of the program's is closed, and it is that of a section's event. Macros choose where it came from.
#include "k-common.h"

#if defined(HEAP_REUSE)
// A request is not cleared when it is made: on its error path it closes the event of the request that had the block before.
struct Request { Request *next, *previous; char host[32]; HANDLE done; int retries; };
struct Transfer { int requests; CRITICAL_SECTION lock; Request *first; char agent[10]; };
NOINLINE static Request *make_request(const char *host)
{
    Request *request = static_cast<Request *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Request)));
    request->next = request->previous = NULL;
    lstrcpyA(request->host, host);
    return request;
}
NOINLINE static void finish(Request *request)
{
    if (request->done)
        CloseHandle(request->done);
    HeapFree(GetProcessHeap(), 0, request);
}
static int scenario()
{
    Transfer *transfer = new Transfer();
    prepare(&transfer->lock);
    Request *request = make_request("cdn.contoso.com");
    request->done = CreateEventA(NULL, FALSE, FALSE, NULL);
    finish(request);
    request = make_request("");
    contend(&transfer->lock);
    will_signal("handle-closed", &transfer->lock);
    if (!request->host[0])
        finish(request);
    take_number();
    FINISH(&transfer->lock);
    return transfer->requests;
}
#elif defined(THREAD_ID)
// A thread's id is closed instead of its handle; the ids are multiples of four, too.
struct Worker { DWORD id; HANDLE thread; int jobs; };
static struct Pool { Worker workers[4]; int count; CRITICAL_SECTION queue_lock; } pool;
static DWORD WINAPI idle(void *) { Sleep(INFINITE); return 0; }
NOINLINE static void retire(Worker *worker) { CloseHandle(reinterpret_cast<HANDLE>(static_cast<ULONG_PTR>(worker->id))); worker->jobs = -1; }
static int scenario()
{
    HANDLE opened[400], ours = NULL;
    int count = 0;
    prepare(&pool.queue_lock);
    Worker *worker = &pool.workers[pool.count++];
    worker->thread = CreateThread(NULL, STACK_RESERVE, idle, NULL, STACK_SIZE_PARAM_IS_A_RESERVATION, &worker->id);
    do { // a busy program has opened so many, and the one with that number is just closed
        opened[count] = CreateMutexA(NULL, FALSE, NULL);
        if (reinterpret_cast<ULONG_PTR>(opened[count]) == worker->id)
            ours = opened[count];
    } while (!ours && ++count < 400);
    CloseHandle(ours);
    contend(&pool.queue_lock);
    will_signal("handle-closed", &pool.queue_lock);
    retire(worker);
    take_number();
    FINISH(&pool.queue_lock);
    return pool.count;
}
#else
// A test harness closes every handle that was not there when the test began: leaked, it thinks.
class LeakCheck {
public:
    NOINLINE LeakCheck() { for (int i = 0; i < 512; i++) known[i] = open(i); }
    NOINLINE void sweep() { for (int i = 0; i < 512; i++) if (!known[i] && open(i)) CloseHandle(number(i)); }
private:
    static HANDLE number(int i) { return reinterpret_cast<HANDLE>(static_cast<ULONG_PTR>(4 * i + 4)); }
    static bool open(int i) { DWORD flags; return GetHandleInformation(number(i), &flags); }
    bool known[512];
};
static int scenario()
{
    CRITICAL_SECTION *lock = place();
    prepare(lock);
    LeakCheck check;
    contend(lock);
    will_signal("handle-closed", lock);
    check.sweep();
    take_number();
    FINISH(lock);
    return sink;
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
