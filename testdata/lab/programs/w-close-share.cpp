// Sixth batch: a lock in memory that two processes share. Macros choose who made it, who waits, and which call fails here.
#include "unseen.h"
#include <stdlib.h>

struct Shared { ULONG magic, version; volatile LONG step, frames; wchar_t title[12]; CRITICAL_SECTION lock; unsigned char pixels[256]; };
static Shared *shared;

static void open_shared(const char *id)
{
    char name[40];
    sprintf(name, "Local\\Contoso.Frames.%s", id);
    HANDLE mapping = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, sizeof(Shared), name);
    shared = static_cast<Shared *>(MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, 0));
}
static void await(LONG step) { for (int i = 0; i < 1000 && shared->step < step; i++) Sleep(25); }
static DWORD WINAPI draw(void *) { EnterCriticalSection(&shared->lock); shared->frames++; LeaveCriticalSection(&shared->lock); return 0; }
static void others(int count) { for (int i = 0; i < count; i++) CreateThread(NULL, 0, draw, NULL, 0, NULL); Sleep(500); }

[[maybe_unused]] static void dispute(CRITICAL_SECTION *lock)
{
    EnterCriticalSection(lock);
    HANDLE thread = CreateThread(NULL, 0, pass_through, lock, 0, NULL);
    Sleep(400);
    LeaveCriticalSection(lock);
    WaitForSingleObject(thread, INFINITE);
}

// The helper process: what it does depends on who is to fail.
static int helper(const char *id)
{
    HANDLE parent = OpenProcess(SYNCHRONIZE, FALSE, strtoul(id, NULL, 10));
    open_shared(id);
#if defined(VIEWER) // it made the lock, owns it, and its own thread waits; so many handles that the number is none in the other
    for (int i = 0; i < 120; i++)
        CreateSemaphoreA(NULL, 0, 1, NULL);
    initialize(&shared->lock);
    EnterCriticalSection(&shared->lock);
    others(1);
#elif defined(RECORDER) // its threads wait for what the other process owns
    others(WAITERS);
#else // it made the lock and had contention: the debug record is its own
    CRITICAL_SECTION locks[2];
    for (auto &one : locks) {
        initialize(&one);
        dispute(&one);
    }
    initialize(&shared->lock);
    dispute(&shared->lock);
#endif
    shared->step = 1;
    WaitForSingleObject(parent, 30000);
    ExitProcess(0);
}

NOINLINE static int use()
{
#if defined(VIEWER)
    act("cross-process", &shared->lock);
    expect_handle(&shared->lock);
    EnterCriticalSection(&shared->lock);
    shared->frames++;
    LeaveCriticalSection(&shared->lock);
#elif defined(RECORDER)
    shared->pixels[40] = 0xFF;
    while (reinterpret_cast<ULONG_PTR>(CreateMutexA(NULL, FALSE, NULL)) < reinterpret_cast<ULONG_PTR>(shared->lock.LockSemaphore)) { }
    act("cross-process", &shared->lock);
    expect_handle(&shared->lock);
    LeaveCriticalSection(&shared->lock);
#else
    EnterCriticalSection(&shared->lock);
    shared->frames++;
    LeaveCriticalSection(&shared->lock);
    act("cross-process", &shared->lock);
    expect(&shared->lock);
    DeleteCriticalSection(&shared->lock);
#endif
    return sink++;
}

int main(int count, char **arguments)
{
    STARTUPINFOA start = { };
    PROCESS_INFORMATION process;
    char program[MAX_PATH], line[40], id[16];
    if (count > 1)
        return helper(arguments[1]);
    LAB_START();
    crowd();
    sprintf(id, "%lu", GetCurrentProcessId());
    open_shared(id);
    shared->magic = 0x4D415246;
    lstrcpyW(shared->title, L"Preview");
    GetModuleFileNameA(NULL, program, sizeof program);
    sprintf(line, "helper %s", id);
    start.cb = sizeof start;
#ifdef RECORDER
    initialize(&shared->lock);
    EnterCriticalSection(&shared->lock);
#endif
    CreateProcessA(program, line, NULL, NULL, FALSE, 0, NULL, NULL, &start, &process);
    await(1);
    return use();
}
