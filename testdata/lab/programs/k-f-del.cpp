// Fourth batch, faults: an Enter after DeleteCriticalSection. Macros choose who deleted, and who comes late.
#include "k-common.h"
#include <stdlib.h>

struct Model { int id; wchar_t name[10]; CRITICAL_SECTION lock; int uses; bool closed; };
[[maybe_unused]] NOINLINE static int use(Model *model)
{
    EnterCriticalSection(&model->lock);
    int uses = ++model->uses;
    LeaveCriticalSection(&model->lock);
    return uses;
}
[[maybe_unused]] NOINLINE static void finish(Model *model)
{
    will("deleted", &model->lock);
    DeleteCriticalSection(&model->lock);
    model->closed = true;
}
[[maybe_unused]] static Model *start(Model *model)
{
    initialize(&model->lock);
    model->id = 41;
    use(model);
    return model;
}
static Model *shared;
[[maybe_unused]] static DWORD WINAPI late(void *) { Sleep(300); return use(shared); }

#if defined(STATICS_AT_EXIT)
// A logger is destroyed by an exit handler that runs before the one that still logs.
static Model logger;
static void close_logger() { finish(&logger); }
static void save_settings() { sink = use(&logger); }
static int scenario()
{
    atexit(save_settings);
    start(&logger);
    atexit(close_logger);
    exit(0);
}
#elif defined(SINGLETON_GONE)
// instance() gives the destroyed object again.
static Model *instance()
{
    static Model single;
    if (!single.id)
        start(&single);
    return &single;
}
static int scenario() { sink = use(instance()); finish(instance()); return use(instance()); }
#elif defined(WORKER_OUTLIVES)
// Shutdown does not join a worker: it sets a flag, deletes, and goes on with the rest.
static int scenario()
{
    Waiters workers;
    shared = start(new Model());
    make_waiters(&workers, 1, late, NULL);
    ResumeThread(workers.threads[0]);
    Sleep(50);
    finish(shared);
    Sleep(4000);
    return sink;
}
#elif defined(LATE_TIMER)
// A timer of the window fires once more after WM_DESTROY.
static VOID CALLBACK tick(void *context, BOOLEAN) { sink = use(static_cast<Model *>(context)); }
static int scenario()
{
    HANDLE timer;
    static Model window;
    start(&window);
    CreateTimerQueueTimer(&timer, NULL, tick, &window, 500, 0, 0);
    finish(&window);
    Sleep(4000);
    return sink;
}
#elif defined(BASE_DESTRUCTOR)
// A derived class deletes its lock, and its base's destructor calls what locks.
struct Base { virtual ~Base(); Model *model = NULL; };
Base::~Base() { sink = use(model); }
struct Derived : Base { NOINLINE ~Derived() override { finish(model); sink++; asm volatile("" : : : "memory"); } };
NOINLINE static void destroy(Base *base) { base->~Base(); sink++; }
static int scenario()
{
    static Derived derived;
    derived.model = start(new Model());
    destroy(&derived);
    return sink;
}
#elif defined(RELEASED)
// Release() reaches zero in the middle of a method of the same object.
struct Counted {
    Model model;
    long references;
    NOINLINE void release() { if (--references == 0) finish(&model); }
    NOINLINE int notify(void (*listener)(Counted *))
    {
        listener(this);
        return use(&model);
    }
};
static void unsubscribe(Counted *counted) { counted->release(); }
static int scenario()
{
    Counted *counted = new Counted();
    counted->references = 1;
    start(&counted->model);
    return counted->notify(unsubscribe);
}
#elif defined(EVICTED)
// An entry is evicted from a cache while a list of pointers to entries is worked through.
static Model entries[8];
static int scenario()
{
    Model *batch[8];
    for (int i = 0; i < 8; i++)
        batch[i] = start(&entries[i]);
    finish(batch[5]);
    for (Model *entry : batch)
        sink += use(entry);
    return sink;
}
#elif defined(ERROR_PATH)
// An error path cleans up, its caller goes on with what it got.
NOINLINE static bool open_device(Model *model)
{
    start(model);
    if (CreateFileA("\\\\.\\missing", GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL) == INVALID_HANDLE_VALUE)
        finish(model);
    return !model->closed;
}
static int scenario()
{
    Model *model = static_cast<Model *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(Model)));
    sink = open_device(model);
    return use(model);
}
#elif defined(RESTARTED)
// stop() and start() of a service: start() thinks that everything is there still.
static Model service;
static void stop() { finish(&service); }
NOINLINE static void start_service() { if (!service.id) start(&service); sink = use(&service); }
static int scenario() { start_service(); stop(); start_service(); return sink; }
#elif defined(DELETER_WAITS)
// The owner deletes first and waits for its thread then.
NOINLINE static int stop(Waiters *workers)
{
    finish(shared);
    return WaitForSingleObject(workers->threads[0], 5000);
}
static int scenario()
{
    Waiters workers;
    shared = start(new Model());
    make_waiters(&workers, 1, late, NULL);
    ResumeThread(workers.threads[0]);
    return stop(&workers);
}
#elif defined(FREED_TOO)
// Deleted and freed; the block has not been given to anybody, the stale pointer's bytes are zero but for the heap's.
static int scenario()
{
    Model *model = start(static_cast<Model *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, 0x4000)));
    finish(model);
    HeapFree(GetProcessHeap(), 0, model);
    return use(model);
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
