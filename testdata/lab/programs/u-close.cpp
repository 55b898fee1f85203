// Unseen: the event of a healthy section is closed by other code. resource_open and resource_close are the first, lawful
// open and close; between them and close_again the section's event takes the slot. Macros choose how the second close comes.
#include "unseen.h"

#if defined(UNINIT_MEMBER)
// Jobs come from a pool that does not clear them; the error path closes a handle that this job never opened.
struct Job { Job *next; HANDLE output; int state; };
static Job *free_jobs, *job;
static Job *take() { Job *one = free_jobs ? free_jobs : new Job; free_jobs = free_jobs ? one->next : NULL; return one; }
static void give_back(Job *one) { one->next = free_jobs; free_jobs = one; }
static void resource_open() { job = take(); job->output = CreateEventA(NULL, TRUE, FALSE, NULL); }
static void resource_close() { CloseHandle(job->output); give_back(job); }
NOINLINE static void close_again()
{
    Job *next = take();
    next->state = -1;
    CloseHandle(next->output);
}
#elif defined(COPIED_OWNER)
// A class that owns a handle has no copy constructor of its own.
struct Owned {
    HANDLE handle;
    explicit Owned(HANDLE h) : handle(h) { }
    ~Owned() { CloseHandle(handle); }
};
static Owned *original, *duplicate;
static void resource_open() { original = new Owned(CreateSemaphoreA(NULL, 0, 1, NULL)); duplicate = new Owned(*original); }
static void resource_close() { delete original; }
NOINLINE static void close_again() { delete duplicate; }
#elif defined(CLOSE_FROM)
// "Close everything that the parent may have left open."
static ULONG_PTR from;
static HANDLE resource;
static void resource_open() { resource = CreateEventA(NULL, TRUE, FALSE, NULL); from = reinterpret_cast<ULONG_PTR>(resource); }
static void resource_close() { CloseHandle(resource); }
NOINLINE static void close_again()
{
    for (ULONG_PTR h = from; h < from + 0x100; h += 4)
        CloseHandle(reinterpret_cast<HANDLE>(h));
}
#elif defined(WRONG_INDEX)
static HANDLE table[6];
static void resource_open() { for (HANDLE &h : table) h = CreateEventA(NULL, FALSE, FALSE, NULL); }
static void resource_close() { CloseHandle(table[2]); }
NOINLINE static void close_again()
{
    for (int i = 3; i < 6; i++)
        CloseHandle(table[i - 1]);
}
#elif defined(ERASED_TAIL)
// An entry was erased by moving the tail down; the last one is there twice and closed twice.
static struct { HANDLE wake; int id; } peers[4];
static int peer_count = 4;
static void resource_open() { for (auto &peer : peers) peer.wake = CreateEventA(NULL, FALSE, FALSE, NULL); }
static void resource_close()
{
    sink += peers[0].id; // its handle went to somebody else
    memmove(&peers[0], &peers[1], 3 * sizeof peers[0]);
    CloseHandle(peers[2].wake);
}
NOINLINE static void close_again()
{
    for (int i = peer_count - 1; i >= 3; i--)
        CloseHandle(peers[i].wake);
}
#elif defined(CLEANUP_TWICE)
// The handler of the exception closes, and so does the guard object that the exception destroys later.
struct Closer { HANDLE handle; ~Closer() { CloseHandle(handle); } };
struct Failure { int code; };
static HANDLE resource;
static void resource_open() { resource = CreateEventA(NULL, FALSE, TRUE, NULL); }
static void resource_close() { CloseHandle(resource); }
NOINLINE static void work() { Closer closer = { resource }; if (++sink) throw Failure { sink }; }
NOINLINE static void close_again()
{
    try { work(); } catch (const Failure &failure) { sink = failure.code; }
}
#elif defined(BY_THREAD)
static HANDLE resource, closer;
static DWORD WINAPI close_late(void *) { Sleep(20); CloseHandle(resource); Sleep(INFINITE); return 0; }
static void resource_open()
{
    DWORD id;
    resource = CreateEventA(NULL, FALSE, FALSE, NULL);
    closer = CreateThread(NULL, STACK_RESERVE, close_late, NULL, CREATE_SUSPENDED | STACK_SIZE_PARAM_IS_A_RESERVATION, &id);
}
static void resource_close() { CloseHandle(resource); }
NOINLINE static void close_again() { ResumeThread(closer); Sleep(200); }
#elif defined(REGISTRY)
static HKEY resource;
static void resource_open() { RegOpenKeyExA(HKEY_LOCAL_MACHINE, "Software", 0, KEY_READ, &resource); }
static void resource_close() { RegCloseKey(resource); }
NOINLINE static void close_again() { RegCloseKey(resource); }
#elif defined(DUPLICATE_SOURCE)
static HANDLE resource;
static void resource_open() { resource = CreateMutexA(NULL, FALSE, NULL); }
static void resource_close() { CloseHandle(resource); }
NOINLINE static void close_again()
{
    HANDLE given = NULL;
    DuplicateHandle(GetCurrentProcess(), resource, GetCurrentProcess(), &given, 0, FALSE, DUPLICATE_CLOSE_SOURCE | DUPLICATE_SAME_ACCESS);
    CloseHandle(given);
}
#elif defined(IN_ENUMERATION)
static HANDLE resource;
static void resource_open() { resource = CreateEventA(NULL, FALSE, FALSE, NULL); }
static void resource_close() { CloseHandle(resource); }
static BOOL CALLBACK on_locale(char *) { CloseHandle(resource); return FALSE; }
NOINLINE static void close_again() { EnumSystemLocalesA(on_locale, LCID_SUPPORTED); }
#elif defined(OWN_FIELD)
// Old "clean up" code that knows the structure.
static CRITICAL_SECTION *known;
static void resource_open() { }
static void resource_close() { }
NOINLINE static void close_again() { if (known->LockSemaphore) CloseHandle(known->LockSemaphore); }
#else // two destructors of one object
static HANDLE resource;
struct Base { virtual ~Base() { CloseHandle(handle); } HANDLE handle; };
static Base *object;
struct Derived : Base { ~Derived() override { sink++; } };
static void resource_open() { object = new Derived; object->handle = resource = CreateEventA(NULL, FALSE, FALSE, NULL); }
static void resource_close() { CloseHandle(object->handle); }
NOINLINE static void close_again() { delete object; }
#endif

// What takes the slot afterwards, if anything.
static void take_slot()
{
#if defined(TAKE_KEY)
    HKEY key;
    RegOpenKeyExA(HKEY_LOCAL_MACHINE, "System", 0, KEY_READ, &key);
#elif defined(TAKE_PIPE)
    HANDLE read, write;
    CreatePipe(&read, &write, NULL, 0);
#elif defined(TAKE_MUTEX)
    CreateMutexA(NULL, TRUE, NULL);
#elif defined(TAKE_TIMER)
    CreateWaitableTimerA(NULL, FALSE, NULL);
#elif defined(TAKE_MAPPING)
    CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0x1000, NULL);
#endif
}

#if defined(DELETE_STRICT)
// The second close goes unnoticed; DeleteCriticalSection's own NtClose raises, because the process asked for it.
static void ask_for_close_exceptions()
{
#ifdef _WIN64
    *reinterpret_cast<ULONG *>(__readgsqword(0x60) + 0xBC) |= 0x00400000;
#else
    *reinterpret_cast<ULONG *>(__readfsdword(0x30) + 0x68) |= 0x00400000;
#endif
}
NOINLINE static int finish(CRITICAL_SECTION *lock)
{
    ask_for_close_exceptions();
    sink++;
    DeleteCriticalSection(lock);
    return sink;
}
#endif

#ifdef CONTENDED_ENTER
static DWORD WINAPI second(void *argument) { pass_through(argument); return 1; }
#endif

static int scenario()
{
    Waiters waiters;
    CRITICAL_SECTION *lock = place();
    initialize(lock);
#ifdef OWN_FIELD
    known = lock;
#endif
#ifdef CONTENDED_ENTER
    Waiters later;
    make_waiters(&later, CONTENDED_ENTER, second, lock);
#endif
    make_waiters(&waiters, WAITERS, pass_through, lock);
    resource_open();
    resource_close();
    EnterCriticalSection(lock);
#ifdef RECURSE
    EnterCriticalSection(lock);
#endif
    start_waiters(&waiters);
#ifdef RECURSE
    LeaveCriticalSection(lock);
#endif
#ifdef DELETE_STRICT
    LeaveCriticalSection(lock);
    Sleep(200);
#endif
    expect_handle(lock);
    act("handle-closed", lock);
    close_again();
    take_slot();
#if defined(CONTENDED_ENTER)
    start_waiters(&later);
    return leave(lock);
#elif defined(DELETE_STRICT)
    return finish(lock);
#else
    return leave(lock);
#endif
}

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
