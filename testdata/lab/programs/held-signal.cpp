// Held-out variants of a contended Leave whose signal fails. Macros choose where the section lives, what else the process
// has, what goes wrong and how Leave is reached; the table in __init__.py names each combination and its true cause.
#include "lab.h"
#include <stdio.h>

#ifndef WAITERS
#define WAITERS 2
#endif
#define NOINLINE __attribute__((noinline))

// ---- where ----------------------------------------------------------------------------------------------------------

#if defined(IN_PACKED)
#pragma pack(push, 1)
struct Header { short kind; int size; };
#pragma pack(pop)
#endif

struct Owner {
    void *methods;
    char name[24];
    void *next, *previous;
    int references;
    CRITICAL_SECTION lock;
    int state[4];
};

static CRITICAL_SECTION *lock;
static volatile int work_done;

#ifdef IN_GLOBAL_ARRAY
struct Bucket { CRITICAL_SECTION lock; void *first; int count; };
static Bucket buckets[16] = { };
static CRITICAL_SECTION *place(void *) { return &buckets[11].lock; }
#elif defined(IN_STACK)
static CRITICAL_SECTION *place(void *local) { return static_cast<CRITICAL_SECTION *>(local); }
#elif defined(IN_DLL)
typedef CRITICAL_SECTION *(*holder_function)(void);
static CRITICAL_SECTION *place(void *)
{
    HMODULE plugin = LoadLibraryA("plugin.dll");
    return reinterpret_cast<holder_function>(reinterpret_cast<void *>(GetProcAddress(plugin, "plugin_section")))();
}
#elif defined(IN_PACKED)
static CRITICAL_SECTION *place(void *)
{
    char *block = static_cast<char *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, 200));
    return reinterpret_cast<CRITICAL_SECTION *>(block + 3 * sizeof(Header));
}
#else
static Owner *owner;
static CRITICAL_SECTION *place(void *)
{
    owner = static_cast<Owner *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(Owner)));
    lstrcpyA(owner->name, "queue-4");
    owner->references = 3;
    return &owner->lock;
}
#endif

static void initialize(CRITICAL_SECTION *section)
{
#if defined(NO_DEBUG) && !defined(LAB_OLD)
    InitializeCriticalSectionEx(section, 0, RTL_CRITICAL_SECTION_FLAG_NO_DEBUG_INFO);
#elif defined(SPIN)
    InitializeCriticalSectionAndSpinCount(section, SPIN);
#else
    InitializeCriticalSection(section);
#endif
}

static DWORD WINAPI worker(void *argument)
{
    CRITICAL_SECTION *section = static_cast<CRITICAL_SECTION *>(argument);
    EnterCriticalSection(section);
    work_done++;
    LeaveCriticalSection(section);
    return 0;
}

// ---- what else there is ---------------------------------------------------------------------------------------------

struct Healthy { char pad[16]; CRITICAL_SECTION lock; };
static Healthy *others[8];

static void make_other(CRITICAL_SECTION *section)
{
#ifdef OTHERS_NO_DEBUG
    InitializeCriticalSectionEx(section, 0, RTL_CRITICAL_SECTION_FLAG_NO_DEBUG_INFO);
#else
    InitializeCriticalSection(section);
#endif
}

static DWORD WINAPI hold_for_ever(void *argument)
{
    EnterCriticalSection(static_cast<CRITICAL_SECTION *>(argument));
    Sleep(INFINITE);
    return 0;
}

// Sections that were contended once: each keeps an open event.
static void make_idle_others(int count)
{
    for (int i = 0; i < count; i++) {
        Waiters waiters;
        others[i] = static_cast<Healthy *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Healthy)));
        make_other(&others[i]->lock);
        EnterCriticalSection(&others[i]->lock);
        make_waiters(&waiters, 1, worker, &others[i]->lock);
        start_waiters(&waiters);
        LeaveCriticalSection(&others[i]->lock);
        WaitForSingleObject(waiters.threads[0], INFINITE);
    }
}

// A section that is contended now: another thread owns it, a third one sleeps on its event.
static void make_busy_other(void)
{
    Waiters waiters;
    others[7] = static_cast<Healthy *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Healthy)));
    make_other(&others[7]->lock);
    make_waiters(&waiters, 1, hold_for_ever, &others[7]->lock);
    start_waiters(&waiters);
    make_waiters(&waiters, 1, worker, &others[7]->lock);
    start_waiters(&waiters);
}

// ---- what goes wrong ------------------------------------------------------------------------------------------------

static HANDLE stale;
static HANDLE existing;
static ULONG_PTR *semaphore_of(CRITICAL_SECTION *section) { return reinterpret_cast<ULONG_PTR *>(&section->LockSemaphore); }

static void prepare_bug(void)
{
#if defined(TAKE_SEMAPHORE) || defined(BUG_OTHER_HANDLE)
    existing = CreateSemaphoreA(NULL, 0, 4, NULL);
#endif
}

NOINLINE static void bug(CRITICAL_SECTION *section)
{
    ULONG_PTR *semaphore = semaphore_of(section);
    char *bytes = reinterpret_cast<char *>(section);
    (void)semaphore; (void)bytes;
#if defined(BUG_SMALL)
    *semaphore = 0x94C; // an unused multiple of 4
#elif defined(BUG_SMALL_LOW)
    *semaphore += 4; // the slot behind the last
#elif defined(BUG_OTHER_HANDLE)
    *semaphore = reinterpret_cast<ULONG_PTR>(existing);
#elif defined(BUG_POINTER)
    *semaphore = reinterpret_cast<ULONG_PTR>(HeapAlloc(GetProcessHeap(), 0, 64));
#elif defined(BUG_TEXT)
    memcpy(semaphore, "path=C:\\", sizeof(*semaphore));
#elif defined(BUG_FLIP)
    *semaphore ^= static_cast<ULONG_PTR>(1) << BUG_FLIP;
#elif defined(BUG_UNDERRUN_5A)
    memset(semaphore, 0x5A, 2 * sizeof(void *));
#elif defined(BUG_UNDERRUN_VALUE)
    semaphore[1] = 0;
    semaphore[0] = 0x1000;
#elif defined(BUG_UNDERRUN_TEXT)
    memcpy(semaphore, "/api/v2/users/list", 2 * sizeof(void *));
#elif defined(BUG_COUNTER)
    *semaphore = 17; // a length, an index
#elif defined(BUG_NEAR_ALL)
    // everything but RecursionCount and LockCount
    memset(bytes, 0x6B, sizeof(void *));
    memset(semaphore, 0x6B, 2 * sizeof(void *));
#else
    CloseHandle(stale);
#endif
#if defined(TAKE_MUTEX)
    CreateMutexA(NULL, FALSE, NULL);
#elif defined(TAKE_SEMAPHORE)
    CreateSemaphoreA(NULL, 0, 2, NULL);
#elif defined(TAKE_THREAD)
    DWORD id;
    CreateThread(NULL, STACK_RESERVE, hold_for_ever, NULL, CREATE_SUSPENDED | STACK_SIZE_PARAM_IS_A_RESERVATION, &id);
#elif defined(TAKE_KEY)
    HKEY key;
    RegOpenKeyExA(HKEY_LOCAL_MACHINE, "Software", 0, KEY_READ, &key);
#endif
}

// ---- how Leave is reached -------------------------------------------------------------------------------------------

#if defined(BY_GUARD)
struct Guard {
    CRITICAL_SECTION &section;
    explicit Guard(CRITICAL_SECTION &s) : section(s) { }
    ~Guard() { LeaveCriticalSection(&section); }
};
NOINLINE static int finish(CRITICAL_SECTION *section, int depth)
{
    int result = depth;
    {
        Guard guard(*section); // adopts
        work_done++;
        result += work_done;
    }
    return result;
}
#elif defined(BY_CLASS)
class Mutex {
public:
    virtual void lock() { EnterCriticalSection(native); }
    virtual void unlock() { LeaveCriticalSection(native); work_done++; }
    CRITICAL_SECTION *native;
};
static Mutex *mutex;
NOINLINE static int finish(CRITICAL_SECTION *section, int depth)
{
    static Mutex the_mutex;
    mutex = &the_mutex;
    mutex->native = section;
    mutex->unlock();
    return depth;
}
#elif defined(BY_THUNK)
extern "C" void WINAPI leave_thunk(CRITICAL_SECTION *section);
#ifdef _WIN64
__asm__(".text\n.globl leave_thunk\nleave_thunk: jmp *__imp_LeaveCriticalSection(%rip)\n");
#else
__asm__(".text\n.globl _leave_thunk@4\n_leave_thunk@4: jmp *__imp__LeaveCriticalSection@4\n");
#endif
NOINLINE static int finish(CRITICAL_SECTION *section, int depth)
{
    leave_thunk(section);
    return work_done += depth;
}
#elif defined(BY_DEEP)
NOINLINE static int finish(CRITICAL_SECTION *section, int depth)
{
    volatile char local[200];
    local[depth] = 1;
    if (depth < 40)
        return finish(section, depth + 1) + local[depth];
    LeaveCriticalSection(section);
    return local[depth];
}
#elif defined(BY_STDCALL)
NOINLINE static void __stdcall unlock_it(int reason, CRITICAL_SECTION *section, const char *who)
{
    work_done += reason + (who != NULL);
    LeaveCriticalSection(section);
    work_done++;
}
NOINLINE static int finish(CRITICAL_SECTION *section, int depth)
{
    unlock_it(depth, section, "flush");
    return work_done;
}
#else
NOINLINE static int finish(CRITICAL_SECTION *section, int depth)
{
    work_done++;
    LeaveCriticalSection(section);
    return work_done += depth;
}
#endif

#ifdef SWALLOWED
// Another section failed in the same way before; its exception was swallowed, and nobody noticed.
static void *jump_buffer[5];
static volatile LONG swallowed;
static LONG CALLBACK swallow(EXCEPTION_POINTERS *)
{
    if (!InterlockedExchange(&swallowed, 1))
        __builtin_longjmp(jump_buffer, 1);
    return EXCEPTION_CONTINUE_SEARCH;
}
NOINLINE static CRITICAL_SECTION *fail_before(void)
{
    static Waiters waiters;
    CRITICAL_SECTION *volatile section;
    others[6] = static_cast<Healthy *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Healthy)));
    section = &others[6]->lock;
    make_other(section);
    make_waiters(&waiters, 2, worker, section);
    EnterCriticalSection(section);
    start_waiters(&waiters);
    AddVectoredExceptionHandler(1, swallow);
    *semaphore_of(section) = SWALLOWED;
    if (!__builtin_setjmp(jump_buffer))
        LeaveCriticalSection(section);
    return section;
}
#endif

#ifdef BARGE
// Another thread takes the lock between the release and the report, and keeps it.
static DWORD WINAPI barge(void *argument)
{
    while (!(BYTE)TryEnterCriticalSection(static_cast<CRITICAL_SECTION *>(argument))) // ntdll returns a BOOLEAN
        Sleep(1);
    hold_for_ever(argument);
    return 0;
}
static LONG CALLBACK let_it_barge(EXCEPTION_POINTERS *)
{
    Sleep(300);
    return EXCEPTION_CONTINUE_SEARCH;
}
#endif

int main(void)
{
    Waiters waiters;
    alignas(16) char local[64];
    CRITICAL_SECTION *target;
    LAB_START();
    lock = place(local);
    initialize(lock);
#ifdef MANY_HANDLES
    for (int i = 0; i < 700; i++)
        CreateEventA(NULL, FALSE, FALSE, NULL);
#endif
#ifdef IDLE_OTHERS
    make_idle_others(IDLE_OTHERS);
#endif
#ifdef BUSY_OTHER
    make_busy_other();
#endif
#ifdef SWALLOWED
    CRITICAL_SECTION *volatile earlier = fail_before();
    others[5] = reinterpret_cast<Healthy *>(earlier);
#endif
    prepare_bug();
    make_waiters(&waiters, WAITERS, worker, lock);
    EnterCriticalSection(lock);
#ifdef RECURSE
    EnterCriticalSection(lock);
    EnterCriticalSection(lock);
#endif
#ifndef LAST_SLOT
    stale = free_a_slot();
#endif
    start_waiters(&waiters);
#ifdef LAST_SLOT
    stale = lock->LockSemaphore;
#endif
#ifdef RECURSE
    LeaveCriticalSection(lock);
    LeaveCriticalSection(lock);
#endif
    target = lock;
#if defined(COPY_HEAP_FREED)
    // moved by copy, the original deleted and its memory used anew
    CRITICAL_SECTION *moved = static_cast<CRITICAL_SECTION *>(HeapAlloc(GetProcessHeap(), 0, 4 * sizeof *moved)) + 1;
    memcpy(moved, lock, sizeof *moved);
    DeleteCriticalSection(lock);
    memset(static_cast<void *>(lock), 0x31, sizeof *lock);
    target = moved;
    reporter_expect(target, target->LockSemaphore);
#elif defined(COPY_STACK)
    CRITICAL_SECTION moved = *lock;
    DeleteCriticalSection(lock);
    target = &moved;
    reporter_expect(target, target->LockSemaphore);
#elif defined(COPY_STATIC)
    static struct { int head[8]; CRITICAL_SECTION section; } moved;
    memcpy(&moved.section, lock, sizeof *lock);
    DeleteCriticalSection(lock);
    target = &moved.section;
    reporter_expect(target, target->LockSemaphore);
#elif defined(COPY_REINIT)
    // the original is deleted and made anew at its old place, its new event is open in another slot
    CRITICAL_SECTION *moved = static_cast<CRITICAL_SECTION *>(HeapAlloc(GetProcessHeap(), 0, sizeof *moved));
    memcpy(moved, lock, sizeof *moved);
    DeleteCriticalSection(lock);
    initialize(lock);
    target = moved;
    reporter_expect(target, target->LockSemaphore);
#elif defined(COPY_HEALTHY_CLOSED)
    // a copy lies in memory (a snapshot for a log), unused; the real one's event is closed by mistake
    void *snapshot = HeapAlloc(GetProcessHeap(), 0, sizeof *lock);
    memcpy(snapshot, lock, sizeof *lock);
    reporter_expect(lock, lock->LockSemaphore);
    bug(lock);
#else
    reporter_expect(lock, lock->LockSemaphore);
    bug(lock);
    reporter_expect(lock, lock->LockSemaphore);
#endif
#ifdef BARGE
    AddVectoredExceptionHandler(1, let_it_barge);
    Waiters barger;
    make_waiters(&barger, 1, barge, target);
    start_waiters(&barger);
#endif
    return finish(target, 1);
}
