// What the fourth batch shares beside unseen.h: others that want the lock, what takes a number that has become free, how it fails.
#ifndef K_COMMON_H
#define K_COMMON_H
#include "unseen.h"

[[maybe_unused]] static Waiters waiters, late_one;

// The threads exist before any handle is closed: they take no number that is wanted later.
[[maybe_unused]] static void prepare(CRITICAL_SECTION *lock)
{
    initialize(lock);
    make_waiters(&waiters, WAITERS, pass_through, lock);
#ifdef LATE
    make_waiters(&late_one, 1, pass_through, lock);
#endif
}

// Others sleep for the lock that this thread has (IDLE: one did, and nobody has it any more).
[[maybe_unused]] static void contend(CRITICAL_SECTION *lock)
{
    EnterCriticalSection(lock);
#ifdef RECURSE
    EnterCriticalSection(lock);
#endif
    start_waiters(&waiters);
#ifdef RECURSE
    LeaveCriticalSection(lock);
#endif
#ifdef IDLE
    LeaveCriticalSection(lock);
    Sleep(200);
#endif
}

// NtClose raises from now on, as under FLG_ENABLE_CLOSE_EXCEPTIONS.
[[maybe_unused]] static void be_strict()
{
#ifdef _WIN64
    *reinterpret_cast<ULONG *>(__readgsqword(0x60) + 0xBC) |= 0x00400000;
#else
    *reinterpret_cast<ULONG *>(__readfsdword(0x30) + 0x68) |= 0x00400000;
#endif
}

[[maybe_unused]] static void take_number()
{
#if defined(TAKE_MUTEX)
    CreateMutexA(NULL, FALSE, NULL);
#elif defined(TAKE_FILE)
    CreateFileA("cache.tmp", GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
#elif defined(TAKE_THREAD)
    CreateThread(NULL, STACK_RESERVE, reinterpret_cast<LPTHREAD_START_ROUTINE>(reinterpret_cast<void *>(Sleep)), reinterpret_cast<void *>(static_cast<ULONG_PTR>(INFINITE)), STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
#elif defined(TAKE_SEMAPHORE)
    CreateSemaphoreA(NULL, 0, 64, NULL);
#elif defined(TAKE_MAPPING)
    CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0x10000, NULL);
#elif defined(TAKE_KEY)
    HKEY key;
    RegOpenKeyExA(HKEY_LOCAL_MACHINE, "Software\\Microsoft", 0, KEY_READ, &key);
#elif defined(TAKE_SYNCHRONIZE_ONLY)
    CreateEventExA(NULL, NULL, 0, SYNCHRONIZE);
#endif
}

// How the program meets it: by Leave where it stands, by somebody who comes later, or by Delete.
#if defined(LATE)
#define FINISH(lock) do { start_waiters(&late_one); Sleep(4000); sink++; } while (0)
#elif defined(STRICT_DELETE)
#define FINISH(lock) do { be_strict(); DeleteCriticalSection(lock); sink++; } while (0)
#elif defined(BY_GUARD) || defined(BY_VIRTUAL) || defined(BY_LAMBDA) || defined(BY_CALLBACK)
#define FINISH(lock) do { sink += leave(lock); } while (0)
#else
#define FINISH(lock) do { LeaveCriticalSection(lock); sink++; } while (0)
#endif

[[maybe_unused]] static void will(const char *cause, const CRITICAL_SECTION *lock)
{
    act(cause, lock);
    expect(lock);
}
[[maybe_unused]] static void will_signal(const char *cause, const CRITICAL_SECTION *lock)
{
    act(cause, lock);
    expect_handle(lock);
}
[[maybe_unused]] static char *pages(SIZE_T size, void *where = NULL)
{
    return static_cast<char *>(VirtualAlloc(where, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
}
#endif
