// Unseen: a section is left by a thread that does not own it, while its owner enters and leaves once more inside. The
// intruder is stepped to just after its decrement of RecursionCount, there the owner's inner Enter and Leave run: the race
// of the real world, made repeatable. The intruder then finds a free section.
#include "unseen.h"

struct Log {
    char name[20];
    CRITICAL_SECTION lock;
    int lines;
};
static Log *log_file;
static HANDLE go, done;
static volatile LONG raced;
static DWORD intruder_id;

static DWORD WINAPI owner(void *)
{
    EnterCriticalSection(&log_file->lock);
#ifdef DEEPER
    EnterCriticalSection(&log_file->lock);
    LeaveCriticalSection(&log_file->lock);
#endif
    SetEvent(done);
    WaitForSingleObject(go, INFINITE);
    EnterCriticalSection(&log_file->lock); // a function called with the lock held takes it again
    log_file->lines++;
    LeaveCriticalSection(&log_file->lock);
    Sleep(100);
    SetEvent(done);
    Sleep(INFINITE);
    return 0;
}

static LONG CALLBACK on_step(EXCEPTION_POINTERS *pointers)
{
    if (pointers->ExceptionRecord->ExceptionCode != EXCEPTION_SINGLE_STEP)
        return EXCEPTION_CONTINUE_SEARCH;
    pointers->ContextRecord->EFlags |= 0x100;
    if (log_file->lock.RecursionCount == 0 && !InterlockedExchange(&raced, 1)) {
        SetEvent(go);
        WaitForSingleObject(done, 3000);
        pointers->ContextRecord->EFlags &= ~0x100;
    }
    return EXCEPTION_CONTINUE_EXECUTION;
}

NOINLINE static void start_stepping()
{
#ifdef _WIN64
    __asm__ volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq" ::: "memory", "cc");
#else
    __asm__ volatile("pushfl\n\torl $0x100, (%%esp)\n\tpopfl" ::: "memory", "cc");
#endif
}

NOINLINE static int intrude()
{
    CRITICAL_SECTION *lock = &log_file->lock;
    act("not-owner", lock);
#if defined(IGNORED_TRY) // the answer of TryEnterCriticalSection is thrown away
    TryEnterCriticalSection(lock);
    sink++;
#endif
    start_stepping();
    return leave(lock);
}

#ifdef IN_THREAD
static DWORD WINAPI completion(void *) { intrude(); return 0; }
#endif

static int scenario()
{
    Waiters threads, waiters;
    log_file = new Log;
    memset(static_cast<void *>(log_file), 0, sizeof *log_file);
    initialize(&log_file->lock);
    go = CreateEventA(NULL, FALSE, FALSE, NULL);
    done = CreateEventA(NULL, FALSE, FALSE, NULL);
    AddVectoredExceptionHandler(1, on_step);
    expect(&log_file->lock);
    make_waiters(&threads, 1, owner, NULL);
#ifdef LEAVES_TWICE // its own Enter and Leave are over, the second Leave is one too many
    EnterCriticalSection(&log_file->lock);
    sink++;
    LeaveCriticalSection(&log_file->lock);
#endif
    start_waiters(&threads);
    WaitForSingleObject(done, 2000);
#if WAITING > 0
    make_waiters(&waiters, WAITING, pass_through, &log_file->lock);
    start_waiters(&waiters);
#endif
    (void)waiters;
#ifdef IN_THREAD
    Waiters completions;
    make_waiters(&completions, 1, completion, NULL);
    start_waiters(&completions);
    Sleep(2000);
    return 0;
#else
    return intrude();
#endif
}

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
