// What the programs of the unseen half share: where a section lies, who waits for it, how it is left.
#ifndef UNSEEN_H
#define UNSEEN_H
#include "lab.h"
#include <cstddef>
#include <new>
#include <stdio.h>

#define NOINLINE __attribute__((noinline))
#ifndef WAITERS
#define WAITERS 2
#endif

static volatile int sink;
void *operator new(size_t size) { return HeapAlloc(GetProcessHeap(), 0, size); }
void operator delete(void *block) noexcept { HeapFree(GetProcessHeap(), 0, block); }
void operator delete(void *block, size_t) noexcept { HeapFree(GetProcessHeap(), 0, block); }

static inline void initialize(CRITICAL_SECTION *section)
{
#if defined(NO_DEBUG) && !defined(LAB_OLD)
    InitializeCriticalSectionEx(section, 0, RTL_CRITICAL_SECTION_FLAG_NO_DEBUG_INFO);
#elif defined(SPIN)
    InitializeCriticalSectionAndSpinCount(section, SPIN);
#else
    InitializeCriticalSection(section);
#endif
}

static inline DWORD WINAPI pass_through(void *argument)
{
    EnterCriticalSection(static_cast<CRITICAL_SECTION *>(argument));
    sink++;
    LeaveCriticalSection(static_cast<CRITICAL_SECTION *>(argument));
    return 0;
}

// The section has been waited for once and is free again: its event is open.
static inline void contend_once(CRITICAL_SECTION *section)
{
    Waiters first;
    make_waiters(&first, 1, pass_through, section);
    EnterCriticalSection(section);
    start_waiters(&first);
    LeaveCriticalSection(section);
    WaitForSingleObject(first.threads[0], INFINITE);
}

static inline void act(const char *cause, const CRITICAL_SECTION *section) { reporter_act(cause, section); }
static inline void expect(const CRITICAL_SECTION *section) { reporter_expect(section, NULL); }
static inline void expect_handle(const CRITICAL_SECTION *section) { reporter_expect(section, section->LockSemaphore); }

// What a grown program has besides: many handles, among them unnamed events, and other sections in all states.
#ifdef CROWD
static struct { int state; CRITICAL_SECTION lock; } crowd_locks[6];
static inline DWORD WINAPI keep(void *argument)
{
    EnterCriticalSection(static_cast<CRITICAL_SECTION *>(argument));
    Sleep(INFINITE);
    return 0;
}
static inline void crowd()
{
    Waiters owner, waiter;
    HKEY key;
    for (int i = 0; i < CROWD; i++) {
        if (i % 5 == 1)
            RegOpenKeyExA(HKEY_LOCAL_MACHINE, "Software", 0, KEY_READ, &key);
        else if (i % 5 == 3)
            CreateSemaphoreA(NULL, i, 1000, NULL);
        else
            CreateEventA(NULL, i % 2, FALSE, NULL);
    }
    for (auto &other : crowd_locks)
        InitializeCriticalSection(&other.lock);
    contend_once(&crowd_locks[1].lock);
    contend_once(&crowd_locks[4].lock);
    make_waiters(&owner, 1, keep, &crowd_locks[2].lock);
    make_waiters(&waiter, 1, pass_through, &crowd_locks[2].lock);
    start_waiters(&owner);
    start_waiters(&waiter);
}
#else
static inline void crowd() { }
#endif

// ---- where the section lies -----------------------------------------------------------------------------------------

#if defined(IN_STATIC_ARRAY)
struct Channel { char name[12]; int port; CRITICAL_SECTION lock; void *head, *tail; };
static Channel channels[9];
static inline CRITICAL_SECTION *place() { return &channels[6].lock; }
#elif defined(IN_MAPPED)
static inline CRITICAL_SECTION *place()
{
    HANDLE mapping = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0x2000, NULL);
    return reinterpret_cast<CRITICAL_SECTION *>(static_cast<char *>(MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, 0)) + 0x140);
}
#elif defined(IN_DLL)
static inline CRITICAL_SECTION *place()
{
    typedef CRITICAL_SECTION *(*holder_function)(void);
    return reinterpret_cast<holder_function>(reinterpret_cast<void *>(GetProcAddress(LoadLibraryA("plugin.dll"), "plugin_section")))();
}
#elif defined(IN_TLS)
static __thread struct { int depth; CRITICAL_SECTION lock; } of_thread;
static inline CRITICAL_SECTION *place() { return &of_thread.lock; }
#elif defined(IN_STACK)
#define place() (reinterpret_cast<CRITICAL_SECTION *>(static_cast<char *>(__builtin_alloca(256)) + 64))
#elif defined(IN_STATIC)
static CRITICAL_SECTION static_lock;
static inline CRITICAL_SECTION *place() { return &static_lock; }
#else
class Queue {
public:
    virtual ~Queue() { }
    virtual int size() const { return items; }
    int items = 3;
    wchar_t label[10] = L"incoming";
    CRITICAL_SECTION lock;
    void *first = nullptr;
};
static inline CRITICAL_SECTION *place() { return &(new Queue)->lock; }
#endif

// ---- how it is left ---------------------------------------------------------------------------------------------------

#if defined(BY_GUARD)
struct Adopt {
    CRITICAL_SECTION *section;
    ~Adopt() { LeaveCriticalSection(section); sink++; }
};
[[maybe_unused]] NOINLINE static int leave(CRITICAL_SECTION *section)
{
    Adopt adopted = { section };
    return sink += 2;
}
#elif defined(BY_VIRTUAL)
struct Lockable {
    virtual void unlock() = 0;
    virtual ~Lockable() { }
};
struct WindowsLock : Lockable {
    CRITICAL_SECTION *native;
    NOINLINE void unlock() override { LeaveCriticalSection(native); sink--; }
};
[[maybe_unused]] NOINLINE static int leave(CRITICAL_SECTION *section)
{
    WindowsLock *lock = new WindowsLock;
    Lockable *volatile any = lock;
    lock->native = section;
    any->unlock();
    return sink;
}
#elif defined(BY_LAMBDA)
template <class Function> NOINLINE static int finally(Function function)
{
    int result = sink++;
    function(result);
    return result;
}
[[maybe_unused]] static int leave(CRITICAL_SECTION *section)
{
    return finally([section](int r) { sink = r; LeaveCriticalSection(section); sink++; });
}
#elif defined(BY_CALLBACK)
static CRITICAL_SECTION *to_leave;
static int compare(const void *a, const void *b)
{
    if (to_leave)
        LeaveCriticalSection(to_leave);
    to_leave = NULL;
    return *static_cast<const int *>(a) - *static_cast<const int *>(b);
}
[[maybe_unused]] NOINLINE static int leave(CRITICAL_SECTION *section)
{
    int values[4] = { 3, 1, 4, 1 };
    to_leave = section;
    qsort(values, 4, sizeof(int), compare);
    return values[0];
}
#else
[[maybe_unused]] NOINLINE static int leave(CRITICAL_SECTION *section)
{
    sink++;
    LeaveCriticalSection(section);
    return sink++;
}
#endif
#endif
