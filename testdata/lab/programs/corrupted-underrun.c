/* The object behind the section is written to from its end, too far: first SpinCount, then LockSemaphore are lost. */
#include "lab.h"

struct Channel {
    int id;
    CRITICAL_SECTION lock;
    char name[32];
    int open;
};

static struct Channel channels[4];

static DWORD WINAPI worker(void *argument)
{
    struct Channel *channel = argument;
    EnterCriticalSection(&channel->lock);
    channel->open++;
    LeaveCriticalSection(&channel->lock);
    return 0;
}

/* Right-aligns the text in the name field and does not look how long it is: the bug. */
__attribute__((noinline)) static void set_name_from_right(struct Channel *channel, const char *text, int length)
{
    volatile char *to = channel->name + sizeof channel->name;
    const char *from = text + length;
    while (from > text)
        *--to = *--from;
}

__attribute__((noinline)) static void release(struct Channel *channel)
{
    channel->open = 1;
    LeaveCriticalSection(&channel->lock);
    channel->open = 0;
}

int main(void)
{
    static const char text[] = "//contoso/agents/europe-west/building-7/channels";
    struct Waiters waiters;
    struct Channel *channel = &channels[2];
    LAB_START();
    InitializeCriticalSectionAndSpinCount(&channel->lock, 0x400);
    make_waiters(&waiters, 1, worker, channel);
    EnterCriticalSection(&channel->lock);
    start_waiters(&waiters);
    /* as many bytes in front of the name as SpinCount and LockSemaphore have */
    set_name_from_right(channel, text, sizeof channel->name + 2 * sizeof(void *));
    reporter_expect(&channel->lock, channel->lock.LockSemaphore);
    release(channel);
    return 0;
}
