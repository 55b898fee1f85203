// Eighth batch: a lock's memory was given back and is somebody else's, or carries its allocator's fill. Macros choose whose it is.
#include "k-common.h"
#include <stdlib.h>

#ifndef CALL
#define CALL EnterCriticalSection
#endif
static void released(const CRITICAL_SECTION *lock) { act("memory-released", lock); expect(lock); }

// An allocator of fixed blocks, as many programs have: first in, first out; what is freed gets its fill.
struct Block { Block *next; };
static struct Pool {
    char *memory;
    Block *first;
    SIZE_T size;
    void begin(SIZE_T block_size, int count)
    {
        size = block_size;
        memory = pages(0x10000);
        first = NULL;
        for (int i = count - 1; i >= 0; i--) {
            Block *one = reinterpret_cast<Block *>(memory + i * size);
            one->next = first;
            first = one;
        }
    }
    NOINLINE void *take()
    {
        Block *one = first;
        first = one->next;
        return one;
    }
    NOINLINE void give_back(void *block)
    {
#ifdef FILL
        for (SIZE_T i = 0; i < size / 4; i++)
            static_cast<volatile ULONG *>(block)[i] = FILL;
#endif
        static_cast<Block *>(block)->next = first;
        first = static_cast<Block *>(block);
    }
} pool;

#if defined(JOB)
// A job queue's worker is late: the queue has been given back, and filled.
struct JobQueue { void *head, *tail; int length; CRITICAL_SECTION lock; char name[24]; };
static DWORD WINAPI worker(void *argument)
{
    JobQueue *queue = static_cast<JobQueue *>(argument);
    Sleep(500);
    CALL(&queue->lock);
    queue->length--;
    LeaveCriticalSection(&queue->lock);
    return 0;
}
NOINLINE static void give_back_queue(JobQueue *queue)
{
    released(&queue->lock);
    pool.give_back(queue);
}
static int scenario()
{
    Waiters one;
    pool.begin((sizeof(JobQueue) + 16) & ~15, 40);
    for (int i = 0; i < 5; i++)
        pool.take();
    JobQueue *queue = static_cast<JobQueue *>(pool.take());
    lstrcpyA(queue->name, "thumbnails");
    initialize(&queue->lock);
    make_waiters(&one, 1, worker, queue);
    ResumeThread(one.threads[0]);
    give_back_queue(queue);
    Sleep(4000);
    return sink;
}
#elif defined(CONNECTION)
// A connection gives itself back in its error handler; its reader uses it once more.
struct Connection { ULONG socket, state; CRITICAL_SECTION lock; char peer[40]; };
NOINLINE static void fail(Connection *one)
{
    released(&one->lock);
    pool.give_back(one);
}
NOINLINE static ULONG read_more(Connection *one, int error)
{
    if (error)
        fail(one);
    EnterCriticalSection(&one->lock);
    ULONG state = one->state;
    CALL(&one->lock);
    return state;
}
NOINLINE static Connection *accept()
{
    Connection *one = static_cast<Connection *>(pool.take());
    one->socket = 0x3E8;
    lstrcpyA(one->peer, "192.168.7.20:50112");
    initialize(&one->lock);
    return one;
}
static int scenario()
{
    pool.begin(128, 60);
    pool.take();
    accept();
    return read_more(accept(), WSAECONNRESET);
}
#elif defined(WIDGET)
// The block is another object's, whose method is running.
struct Model { CRITICAL_SECTION lock; int rows; void *data; };
struct Shape { virtual int draw(int x) = 0; virtual ~Shape() { } };
struct Curve : Shape {
    ULONG flags;
    void *points[2];
    char text[sizeof(Model) - 4 * sizeof(void *)];
    NOINLINE int draw(int x) override { Sleep(3000); return x + text[0]; }
};
static DWORD WINAPI refresh(void *argument)
{
    Model *model = static_cast<Model *>(argument);
    Sleep(700);
    CALL(&model->lock);
    model->rows++;
    LeaveCriticalSection(&model->lock);
    return 0;
}
NOINLINE static void drop(Model *model)
{
    released(&model->lock);
    delete model;
}
static int scenario()
{
    static int numbers[32];
    Waiters one;
    Shape *volatile shapes[32];
    Model *model = new Model();
    initialize(&model->lock);
    make_waiters(&one, 1, refresh, model);
    ResumeThread(one.threads[0]);
    drop(model);
    for (int i = 0; i < 32; i++) {
        Curve *curve = new Curve;
        curve->flags = 0x100 + 2 * i;
        curve->points[0] = curve->points[1] = &numbers[i];
        lstrcpyA(curve->text, "control points");
        shapes[i] = curve;
    }
    for (Shape *shape : shapes)
        if (static_cast<void *>(shape) == model)
            return shape->draw(3);
    return 0;
}
#elif defined(FRAME)
// A function hands the address of its lock to a thread and returns early, on an error; its frame is another's.
struct Transfer { int blocks; CRITICAL_SECTION lock; HANDLE done; };
static DWORD WINAPI receiver(void *argument)
{
    Transfer *transfer = static_cast<Transfer *>(argument);
    Sleep(700);
    CALL(&transfer->lock);
    transfer->blocks++;
    LeaveCriticalSection(&transfer->lock);
    return 0;
}
NOINLINE static int receive(int timeout)
{
    Waiters one;
    Transfer transfer;
    transfer.blocks = 0;
    transfer.done = CreateEventA(NULL, TRUE, FALSE, NULL);
    initialize(&transfer.lock);
    make_waiters(&one, 1, receiver, &transfer);
    ResumeThread(one.threads[0]);
    if (WaitForSingleObject(transfer.done, timeout) == WAIT_TIMEOUT) {
        released(&transfer.lock);
        return -1;
    }
    DeleteCriticalSection(&transfer.lock);
    return transfer.blocks;
}
NOINLINE static int report(int error)
{
    volatile short samples[400];
    for (int i = 0; i < 400; i++)
        samples[i] = static_cast<short>(0x4000 + 2 * i);
    Sleep(4000);
    return samples[error & 7];
}
static int scenario() { return report(receive(50)); }
#elif defined(MESSAGE)
// The buffer's block is taken by a message while others wait; the message fills the second half of its block only.
struct Buffer { int fill, capacity; CRITICAL_SECTION lock; char *bytes; int marks[4]; };
struct Message { char header[8 + offsetof(CRITICAL_SECTION, LockSemaphore)]; char body[20]; };
NOINLINE static void drop(Buffer *buffer)
{
    released(&buffer->lock);
    expect_handle(&buffer->lock);
    pool.give_back(buffer);
}
NOINLINE static void post(const char *text)
{
    Message *message = static_cast<Message *>(pool.take());
    lstrcpynA(message->body, text, sizeof message->body);
    expect_handle(&reinterpret_cast<Buffer *>(message)->lock);
}
NOINLINE static int flush(Buffer *buffer, int (*written)(Buffer *))
{
    EnterCriticalSection(&buffer->lock);
    start_waiters(&waiters);
    int result = written(buffer);
    CALL(&buffer->lock);
    return result + sink;
}
static int on_written(Buffer *buffer)
{
    if (buffer->fill == 0)
        drop(buffer);
    post("shutdown in 30 s");
    return 1;
}
static int scenario()
{
    int (*volatile written)(Buffer *) = on_written;
    pool.begin((sizeof(Buffer) + 15) & ~15, 50);
    Buffer *buffer = static_cast<Buffer *>(pool.take());
    buffer->fill = 0;
    prepare(&buffer->lock);
    return flush(buffer, written);
}
#elif defined(ENTRY)
// A slot of a slab is another record's; its fields lie at other places, one of them where the event's handle was.
struct Worker { ULONGLONG id; CRITICAL_SECTION lock; void *job; };
struct Sample { ULONGLONG time; char unset[16]; ULONG kind, weight; double value; void *link; };
NOINLINE static void retire(Worker *worker)
{
    released(&worker->lock);
    pool.give_back(worker);
}
NOINLINE static Sample *record(double value)
{
    Sample *sample = static_cast<Sample *>(pool.take());
    sample->time = 0x1DB4C2A7F3E0000ull;
    sample->value = value;
    expect_handle(&reinterpret_cast<Worker *>(sample)->lock);
    return sample;
}
static int scenario()
{
    struct Guard {
        CRITICAL_SECTION *lock;
        explicit Guard(CRITICAL_SECTION *l) : lock(l) { EnterCriticalSection(l); }
        ~Guard() { CALL(lock); sink++; }
    };
    pool.begin(80, 100);
    pool.take();
    Worker *worker = static_cast<Worker *>(pool.take());
    prepare(&worker->lock);
    Guard guard(&worker->lock);
    start_waiters(&waiters);
    retire(worker);
    record(36.6);
    return sink;
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
