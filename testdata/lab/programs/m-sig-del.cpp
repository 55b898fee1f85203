// Third batch: DeleteCriticalSection comes while another thread is inside Leave or Enter, just before the system call. A breakpoint on
// the service's stub is the moment; a reaper thread runs to its end there, then the call goes on.
#include "unseen.h"

static struct Stub { BYTE *at; BYTE first; } stub;
static HANDLE reaper, reaped;
static DWORD victim;
static volatile LONG once;

static void patch(BYTE value)
{
    DWORD before;
    VirtualProtect(stub.at, 1, PAGE_EXECUTE_READWRITE, &before);
    *stub.at = value;
    VirtualProtect(stub.at, 1, before, &before);
    FlushInstructionCache(GetCurrentProcess(), stub.at, 1);
}
static LONG CALLBACK on_stub(EXCEPTION_POINTERS *pointers)
{
    if (pointers->ExceptionRecord->ExceptionCode != EXCEPTION_BREAKPOINT || GetCurrentThreadId() != victim || InterlockedExchange(&once, 1))
        return EXCEPTION_CONTINUE_SEARCH;
    patch(stub.first);
#ifdef _WIN64
    pointers->ContextRecord->Rip = reinterpret_cast<DWORD64>(stub.at);
#else
    pointers->ContextRecord->Eip = reinterpret_cast<DWORD>(stub.at);
#endif
    ResumeThread(reaper);
    for (int i = 0; i < 2000 && !sink; i++)
        Sleep(1);
    return EXCEPTION_CONTINUE_EXECUTION;
}
static void arm(const char *service)
{
    stub.at = reinterpret_cast<BYTE *>(GetProcAddress(GetModuleHandleA("cslab.dll"), service));
    stub.first = *stub.at;
    victim = GetCurrentThreadId();
    AddVectoredExceptionHandler(1, on_stub);
    patch(0xCC);
}

// ---- the table of players, from which the reaper removes those that have ended ---------------------------------------------
struct Player { char song[28]; int position; CRITICAL_SECTION lock; HANDLE output; double gain; };
static Player table[6];
static Player *player;

static DWORD WINAPI reap(void *)
{
    act("deleted", &player->lock);
    DeleteCriticalSection(&player->lock);
#if defined(POISONED) // the class's operator delete fills what it gets
    memset(static_cast<void *>(player), 0xDD, sizeof *player);
#elif defined(MOVED_LAST) // the last of the table gets the free place
    *player = table[5];
#elif defined(CHANGED_HANDS) // another takes number and place
    CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0x1000, NULL);
    lstrcpyA(player->song, "next");
#elif defined(MADE_AGAIN)
    player->position = 0;
    initialize(&player->lock);
#endif
    sink = 1;
    Sleep(INFINITE);
    return 0;
}
[[maybe_unused]] NOINLINE static int pause_player(Player *one)
{
    one->position += 44100;
    arm("NtSetEvent");
    LeaveCriticalSection(&one->lock);
    return one->position;
}
[[maybe_unused]] static DWORD WINAPI seek(void *argument)
{
    Player *one = static_cast<Player *>(argument);
    arm("NtWaitForSingleObject");
    EnterCriticalSection(&one->lock);
    one->position = 0;
    LeaveCriticalSection(&one->lock);
    return 1;
}

int main()
{
    Waiters waiters, reapers, seekers;
    LAB_START();
    crowd();
#ifdef ON_HEAP
    player = new Player();
#else
    player = &table[2];
#endif
    lstrcpyA(table[5].song, "last");
    initialize(&table[5].lock);
    initialize(&player->lock);
    make_waiters(&waiters, WAITERS, pass_through, &player->lock);
    make_waiters(&reapers, 1, reap, NULL);
    reaper = reapers.threads[0];
#ifdef SEEKING
    make_waiters(&seekers, 1, seek, player);
#else
    (void)seekers;
#endif
    EnterCriticalSection(&player->lock);
    start_waiters(&waiters);
    expect_handle(&player->lock);
    sink = 0;
#ifdef SEEKING
    start_waiters(&seekers);
    Sleep(4000);
    return sink;
#else
    return pause_player(player);
#endif
}
