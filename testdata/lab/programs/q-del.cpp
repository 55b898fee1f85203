// Fifth batch: a lock is deleted while somebody is in the middle of leaving or entering it. Macros choose whose object it is, and what follows.
#include "q-stub.h"

struct Channel { int id; volatile LONG references; CRITICAL_SECTION lock; char topic[24]; Channel *next; };
static Channel *channel;

static DWORD WINAPI unsubscribe(void *)
{
    act("deleted", &channel->lock);
    DeleteCriticalSection(&channel->lock);
#if defined(LAST_REFERENCE) // the count went to nothing: the block is given back, and out again for a message
    HeapFree(GetProcessHeap(), 0, channel);
    char *message = static_cast<char *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(Channel)));
    lstrcpyA(message, "{\"bye\":1}");
#elif defined(REUSED_ENTRY) // the entry of a static table is another channel's at once
    channel->id++;
    initialize(&channel->lock);
    lstrcpyA(channel->topic, "alarms");
#endif
    take_number();
    other_done = 1;
    Sleep(INFINITE);
    return 0;
}
[[maybe_unused]] NOINLINE static void publish(Channel *to)
{
    InterlockedIncrement(&to->references);
    stop_at("NtSetEvent");
    LeaveCriticalSection(&to->lock);
    sink++;
}
[[maybe_unused]] static DWORD WINAPI subscribe(void *argument)
{
    Channel *to = static_cast<Channel *>(argument);
    stop_at("NtWaitForSingleObject");
    EnterCriticalSection(&to->lock);
    to->references++;
    LeaveCriticalSection(&to->lock);
    return 0;
}

int main()
{
    static Channel table[4];
    Waiters remover, subscriber;
    LAB_START();
    crowd();
#ifdef IN_TABLE
    channel = &table[2];
    initialize(&table[1].lock);
#else
    sink = table[0].id;
    channel = static_cast<Channel *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(Channel)));
#endif
    lstrcpyA(channel->topic, "temperature");
    channel->id = 7;
    prepare(&channel->lock);
    make_waiters(&remover, 1, unsubscribe, NULL);
    make_waiters(&subscriber, 1, subscribe, channel);
    other_thread = remover.threads[0];
    EnterCriticalSection(&channel->lock);
    expect(&channel->lock);
#ifdef SUBSCRIBING
    start_waiters(&subscriber);
    Sleep(5000);
#else
    start_waiters(&waiters);
    publish(channel);
#endif
    return sink;
}
