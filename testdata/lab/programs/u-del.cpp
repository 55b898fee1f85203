// Unseen: DeleteCriticalSection ran before or during the use that fails. Macros choose who uses the section afterwards.
#include "unseen.h"
#include <stdlib.h>

class Pool {
public:
    Pool() { InitializeCriticalSection(&lock); }
    ~Pool() { DeleteCriticalSection(&lock); }
    NOINLINE void add() { EnterCriticalSection(&lock); used++; LeaveCriticalSection(&lock); }
    NOINLINE void leave() { used--; LeaveCriticalSection(&lock); sink++; }
    int used = 0;
    void *blocks = nullptr;
    CRITICAL_SECTION lock;
    char name[12] = "pool";
};
alignas(Pool) static char storage[2 * sizeof(Pool)];
static Pool *pool;

[[maybe_unused]] static void destroy(Pool *object)
{
    act("deleted", &object->lock);
    object->~Pool();
    expect(&object->lock);
}

#if defined(LATE_CALLBACK)
// shutdown() has deleted it; a thread that was told to stop does one more round.
static DWORD WINAPI poll(void *) { pool->add(); return 0; }
static int scenario()
{
    Waiters waiters;
    pool = new Pool;
    make_waiters(&waiters, 1, poll, NULL);
    pool->add();
    destroy(pool);
    start_waiters(&waiters);
    Sleep(2000);
    return sink;
}
#elif defined(CAPTURED)
// A function object holds a reference to a member that is destroyed before it.
template <class Function> struct Deferred { Function function; ~Deferred() { function(); sink++; } };
template <class Function> static Deferred<Function> *defer(Function function)
{
    return new Deferred<Function> { function };
}
static int scenario()
{
    pool = new (storage + 16) Pool;
    pool->add();
    Pool &reference = *pool;
    auto *deferred = defer([&reference] { EnterCriticalSection(&reference.lock); sink++; LeaveCriticalSection(&reference.lock); });
    destroy(pool);
    delete deferred;
    return sink;
}
#elif defined(AT_EXIT)
static void flush() { pool->add(); }
static int scenario()
{
    pool = new (storage) Pool;
    atexit(flush);
    pool->add();
    destroy(pool);
    return 0;
}
#elif defined(CLEANUP_IN_ERROR)
// The error path deletes what is still owned; the rest unlocks (silently) and locks again.
static int scenario()
{
    pool = new (storage) Pool;
    EnterCriticalSection(&pool->lock);
    destroy(pool);
    LeaveCriticalSection(&pool->lock);
    pool->add();
    return sink;
}
#elif defined(OTHER_MEMBER)
// The storage of a variant: its section was destroyed, another alternative was made there, an old reference locks.
struct Text { const char *begin; int length, capacity; void *spare[4]; };
static int scenario()
{
    pool = new (storage) Pool;
    pool->add();
    destroy(pool);
    Text *text = reinterpret_cast<Text *>(&pool->lock);
    text->begin = "a text in read-only storage, which is where literals are";
    text->length = 56;
    text->capacity = 0;
    text->spare[0] = text->spare[1] = text->spare[2] = NULL;
    pool->add();
    return sink;
}
#elif defined(RACE_LEAVE) || defined(RACE_ENTER)
// A Leave (an Enter) under way is overtaken: single steps to just before its system call, and there the other thread runs.
static void *service;
static HANDLE go, done;
static volatile LONG overtaken;
static Waiters waiters;

static DWORD_PTR &instruction_pointer(CONTEXT *context)
{
#ifdef _WIN64
    return context->Rip;
#else
    return context->Eip;
#endif
}

static void overtake()
{
#if defined(LAST_REFERENCE)
    // the one that was waited for: enters, leaves, drops the last reference
    SetEvent(go);
    WaitForSingleObject(done, 2000);
#else
    destroy(pool);
#endif
#if defined(ZEROED_ANEW)
    operator delete(pool);
    HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(Pool));
#elif defined(NEXT_OWNER)
    operator delete(pool);
    pool = new Pool; // the block goes to the next one: initialised, free
#endif
}

static DWORD WINAPI finisher(void *)
{
    WaitForSingleObject(go, INFINITE);
#ifndef LAB_OLD
    EnterCriticalSection(&pool->lock);
    LeaveCriticalSection(&pool->lock);
#endif
    destroy(pool);
    SetEvent(done);
    Sleep(INFINITE);
    return 0;
}

static LONG CALLBACK on_step(EXCEPTION_POINTERS *pointers)
{
    if (pointers->ExceptionRecord->ExceptionCode != EXCEPTION_SINGLE_STEP)
        return EXCEPTION_CONTINUE_SEARCH;
    if (instruction_pointer(pointers->ContextRecord) == reinterpret_cast<DWORD_PTR>(service)) {
        pointers->ContextRecord->EFlags &= ~0x100;
        if (!InterlockedExchange(&overtaken, 1))
            overtake();
    } else {
        pointers->ContextRecord->EFlags |= 0x100;
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

NOINLINE static int leave_stepped()
{
    Pool *mine = pool;
    start_stepping();
    mine->leave();
    return sink;
}

static DWORD WINAPI enter_stepped(void *)
{
    Pool *mine = pool;
    start_stepping();
    mine->add();
    return 0;
}

static DWORD WINAPI visitor(void *) { pool->add(); return 0; }

static int scenario()
{
    go = CreateEventA(NULL, FALSE, FALSE, NULL);
    done = CreateEventA(NULL, FALSE, FALSE, NULL);
    service = reinterpret_cast<void *>(GetProcAddress(GetModuleHandleA("cslab.dll"),
#ifdef RACE_LEAVE
        "NtSetEvent"));
#else
        "NtWaitForSingleObject"));
#endif
    AddVectoredExceptionHandler(1, on_step);
    pool = new Pool;
    Waiters other;
    make_waiters(&other, 1, finisher, NULL);
    start_waiters(&other);
#ifdef RACE_LEAVE
    make_waiters(&waiters, WAITERS, visitor, NULL);
    EnterCriticalSection(&pool->lock);
    start_waiters(&waiters);
    expect(&pool->lock);
    return leave_stepped();
#else
    make_waiters(&waiters, 1, enter_stepped, NULL);
    EnterCriticalSection(&pool->lock);
    expect(&pool->lock);
    start_waiters(&waiters);
    Sleep(2000);
    return 0;
#endif
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
