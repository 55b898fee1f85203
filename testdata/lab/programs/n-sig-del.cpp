// Second batch: DeleteCriticalSection overtakes a Leave or an Enter that is under way. The system call's stub is made a breakpoint, once;
// when the thread comes there, the other code runs, as the scheduler might let it; the stub is whole again before anything else happens.
#include "unseen.h"

static BYTE *stub, first_byte;
static DWORD meant;
static volatile LONG overtaken;
static void overtake();

static void write_stub(BYTE value)
{
    DWORD before;
    VirtualProtect(stub, 1, PAGE_EXECUTE_READWRITE, &before);
    *stub = value;
    VirtualProtect(stub, 1, before, &before);
    FlushInstructionCache(GetCurrentProcess(), stub, 1);
}
static LONG CALLBACK on_breakpoint(EXCEPTION_POINTERS *pointers)
{
    if (pointers->ExceptionRecord->ExceptionCode != EXCEPTION_BREAKPOINT)
        return EXCEPTION_CONTINUE_SEARCH;
    write_stub(first_byte);
#ifdef _WIN64
    pointers->ContextRecord->Rip = reinterpret_cast<DWORD64>(stub);
#else
    pointers->ContextRecord->Eip = reinterpret_cast<DWORD>(stub);
#endif
    if (GetCurrentThreadId() == meant && !InterlockedExchange(&overtaken, 1))
        overtake();
    return EXCEPTION_CONTINUE_EXECUTION;
}
static void watch(const char *service)
{
    stub = reinterpret_cast<BYTE *>(GetProcAddress(GetModuleHandleA("cslab.dll"), service));
    first_byte = *stub;
    AddVectoredExceptionHandler(1, on_breakpoint);
}
// From here on the next call of the service by this thread is the one.
static void arm()
{
    meant = GetCurrentThreadId();
    write_stub(0xCC);
}

struct Channel {
    int id = 12;
    char peer[20] = "10.0.0.17";
    CRITICAL_SECTION lock;
    LONG references = 2;
    void *first[3] = { };
};
static Channel *channel;
static Channel static_channel;
static Waiters waiters;

static void delete_it(Channel *one)
{
    act("deleted", &one->lock);
    DeleteCriticalSection(&one->lock);
}
[[maybe_unused]] NOINLINE static int send()
{
    Channel *mine = channel;
    mine->id++;
    arm();
    LeaveCriticalSection(&mine->lock);
    return sink++;
}
[[maybe_unused]] static DWORD WINAPI receive(void *)
{
    Channel *mine = channel;
    arm();
    EnterCriticalSection(&mine->lock);
    sink++;
    LeaveCriticalSection(&mine->lock);
    return 0;
}
static DWORD WINAPI wait_in_line(void *) { return pass_through(&channel->lock); }

static void overtake()
{
    delete_it(channel);
#if defined(FREED) // its block goes to other objects, wherever these begin
    operator delete(channel);
    for (int n = 0; n < 300 && !channel->lock.SpinCount; n++) {
        volatile char *text = static_cast<char *>(operator new(sizeof(Channel)));
        for (unsigned i = 0; i < sizeof(Channel); i++)
            text[i] = "<item key=\"shelf\">1702</item>\n"[i % 30];
    }
#elif defined(OPENED_AGAIN)
    initialize(&channel->lock);
    channel->id = 0;
#elif defined(NUMBER_TAKEN)
    CreateMutexA(NULL, FALSE, NULL);
#endif
}

static int scenario()
{
    Waiters entering;
#ifdef IN_STATIC_CHANNEL
    channel = &static_channel;
#else
    channel = new Channel;
#endif
    sink += static_channel.id;
    initialize(&channel->lock);
    make_waiters(&waiters, WAITERS, wait_in_line, NULL);
#ifdef IN_ENTER
    watch("NtWaitForSingleObject");
    make_waiters(&entering, 1, receive, NULL);
    EnterCriticalSection(&channel->lock);
    start_waiters(&waiters);
    reporter_expect(&channel->lock, channel->lock.LockSemaphore);
    start_waiters(&entering);
    Sleep(2000);
    return sink;
#else
    (void)entering;
    watch("NtSetEvent");
    EnterCriticalSection(&channel->lock);
#ifdef RECURSE
    EnterCriticalSection(&channel->lock);
    LeaveCriticalSection(&channel->lock);
#endif
    start_waiters(&waiters);
    expect_handle(&channel->lock);
    return send();
#endif
}

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
