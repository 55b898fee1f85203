/* No lock failure: a queue is torn down. Its section, which others have waited for, is deleted; then a job's handle is closed a second time, through
 * the host's table, by a caller that has something else in every register that it must keep. What the Delete has left lies in the raiser's locals. */
#include "lab.h"

struct host {
    BOOL(WINAPI *close)(HANDLE);
    HANDLE job;
    int steps;
};
struct queue {
    CRITICAL_SECTION lock;
    int length;
};

static struct queue queue;
static struct Waiters clients;

static DWORD WINAPI push(void *argument)
{
    struct queue *to = argument;
    EnterCriticalSection(&to->lock);
    to->length++;
    LeaveCriticalSection(&to->lock);
    return 0;
}

__attribute__((noinline)) static void release(struct queue *which)
{
    volatile int left[1];
    left[0] = which->length;
    DeleteCriticalSection(&which->lock);
    which->length -= left[0];
}

__attribute__((noinline)) static int tear_down(struct host *host, struct queue *which)
{
    int length = which->length, steps = host->steps, sum = length ^ steps, mark = sum + 7;
    HANDLE job = host->job;
    release(which);
    asm volatile("" : "+b"(length), "+S"(steps), "+D"(sum), "+r"(mark));
    host->close(job); /* the bug */
    asm volatile("" : "+b"(length), "+S"(steps), "+D"(sum), "+r"(mark));
    return length + steps + sum + mark;
}

static void ask_for_close_exceptions(void)
{
    *(ULONG *)(__readfsdword(0x30) + 0x68) |= 0x00400000;
}

int main(void)
{
    struct host host = {CloseHandle, (HANDLE)0x2a4, 0};
    LAB_START();
    InitializeCriticalSection(&queue.lock);
    make_waiters(&clients, 2, push, &queue);
    EnterCriticalSection(&queue.lock);
    start_waiters(&clients);
    LeaveCriticalSection(&queue.lock);
    Sleep(300);
    ask_for_close_exceptions();
    return tear_down(&host, &queue);
}
