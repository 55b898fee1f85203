// Fresh faults: no lock failed. Locks are held, waited for or have just been left, and the crash is the program's own.
#include "unseen.h"
#include <stdlib.h>

static CRITICAL_SECTION lock, second_lock;
struct Guard {
    CRITICAL_SECTION *section;
    explicit Guard(CRITICAL_SECTION *s) : section(s) { EnterCriticalSection(section); }
    ~Guard() { LeaveCriticalSection(section); }
};
static Waiters held_up;
[[maybe_unused]] static void let_others_wait()
{
    make_waiters(&held_up, 3, pass_through, &lock);
    EnterCriticalSection(&lock);
    start_waiters(&held_up);
}
// The way into the slow paths and back leaves their return addresses on the stack.
NOINLINE static void leave_contended()
{
    Waiters waiters;
    make_waiters(&waiters, 2, pass_through, &lock);
    EnterCriticalSection(&lock);
    start_waiters(&waiters);
    LeaveCriticalSection(&lock);
    sink++;
}

#if defined(EVICTION)
// The cache evicts under its lock; the entry's buffer pointer is a length.
struct Entry { CRITICAL_SECTION lock; void *buffer; int size; };
NOINLINE static void evict(Entry *entry)
{
    Guard guard(&lock), entry_guard(&entry->lock);
    HeapFree(GetProcessHeap(), 0, entry->buffer);
    entry->buffer = NULL;
}
static int crash()
{
    Entry *entry = new Entry;
    InitializeCriticalSection(&entry->lock);
    entry->buffer = reinterpret_cast<void *>(static_cast<ULONG_PTR>(0x1C20));
    evict(entry);
    return sink;
}
#elif defined(COPY_LOOP)
// A copy of the program's own runs out of its source, under a lock that others wait for.
NOINLINE static void copy_words(volatile DWORD *to, const volatile DWORD *from, int count)
{
    while (count--)
        *to++ = *from++;
}
static int crash()
{
    char *page = static_cast<char *>(VirtualAlloc(NULL, 0x2000, MEM_RESERVE, PAGE_READWRITE));
    VirtualAlloc(page, 0x1000, MEM_COMMIT, PAGE_READWRITE);
    DWORD *to = static_cast<DWORD *>(HeapAlloc(GetProcessHeap(), 0, 0x4000));
    let_others_wait();
    copy_words(to, reinterpret_cast<DWORD *>(page + 0xE00), 0x400);
    LeaveCriticalSection(&lock);
    return sink;
}
#elif defined(AFTER_LEAVE)
// lookup() leaves and answers NULL, its caller reads from it.
struct Found { int a, b, c, hits; };
NOINLINE static Found *lookup(int key)
{
    Found *found = NULL;
    EnterCriticalSection(&lock);
    if (key < 0)
        found = new Found;
    LeaveCriticalSection(&lock);
    return found;
}
static int crash()
{
    volatile int key = 12;
    return lookup(key)->hits;
}
#elif defined(NULL_CALLBACK)
// Observers are told under the lock; one has no function.
struct Observer { Observer *next; void (*notify)(Observer *, CRITICAL_SECTION *); };
NOINLINE static void ok(Observer *, CRITICAL_SECTION *) { sink++; }
NOINLINE static int notify(Observer *first)
{
    Guard guard(&lock);
    for (Observer *one = first; one; one = one->next)
        one->notify(one, &lock);
    return sink;
}
static int crash()
{
    static Observer third = { NULL, ok }, second = { &third, NULL }, first = { &second, ok };
    return notify(&first);
}
#elif defined(THIRD_THREAD)
// Everybody waits; the one who crashes has nothing to do with the lock.
NOINLINE static int decode(const unsigned char *from)
{
    int value = 0;
    for (int i = 0; i < 4; i++)
        value = value * 131 + from[i];
    return value;
}
static DWORD WINAPI decoder(void *argument)
{
    Guard guard(&second_lock);
    return decode(static_cast<unsigned char *>(argument));
}
static int crash()
{
    Waiters decoders;
    make_waiters(&decoders, 1, decoder, reinterpret_cast<void *>(static_cast<ULONG_PTR>(0x10)));
    let_others_wait();
    start_waiters(&decoders);
    Sleep(3000);
    return sink;
}
#elif defined(NULL_THIS)
// The method asks a field before it locks; this is NULL.
struct Meter {
    int readings[10];
    bool enabled;
    CRITICAL_SECTION own;
    NOINLINE int read(int which)
    {
        if (!enabled)
            return -1;
        EnterCriticalSection(&own);
        int value = readings[which];
        LeaveCriticalSection(&own);
        return value;
    }
};
static Meter *volatile meter;
static int crash() { return meter->read(3); }
#elif defined(CATCH_HANDLER)
// A real C++ exception, thrown under a guard and caught; the handler reads from what was destroyed.
struct Failure { int code; const int *details; };
NOINLINE static int work(int n)
{
    Guard guard(&lock);
    if (n > 2)
        throw Failure { n, reinterpret_cast<const int *>(static_cast<ULONG_PTR>(0x38)) };
    return n;
}
static int crash()
{
    try {
        return work(2) + work(3);
    } catch (const Failure &failure) {
        return failure.details[failure.code];
    }
}
#elif defined(CHECKED)
// An assertion's breakpoint, right after the Leave it is about.
NOINLINE static int checked(int expected)
{
    EnterCriticalSection(&second_lock);
    int now = sink;
    LeaveCriticalSection(&second_lock);
    if (now != expected)
        DebugBreak();
    return now;
}
static int crash() { return checked(-7); }
#elif defined(BAD_METHOD)
// A table of functions is called with the lock as the first argument; the function's address is data.
typedef void (WINAPI *lock_function)(CRITICAL_SECTION *);
static struct { lock_function lock, unlock, yield; int version; } functions = { EnterCriticalSection, LeaveCriticalSection, NULL, 2 };
NOINLINE static int with_yield()
{
    functions.lock(&lock);
    functions.yield(&lock);
    functions.unlock(&lock);
    return sink;
}
static int crash()
{
    functions.yield = reinterpret_cast<lock_function>(static_cast<void *>(&functions.version));
    return with_yield();
}
#elif defined(OWNED_BY_ME)
// is_mine(section) looks into a section by itself, through a pointer to an object that is gone.
NOINLINE static bool is_mine(const CRITICAL_SECTION *section)
{
    return reinterpret_cast<ULONG_PTR>(section->OwningThread) == GetCurrentThreadId() && section->RecursionCount > 0;
}
static int crash()
{
    char *page = static_cast<char *>(VirtualAlloc(NULL, 0x1000, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
    CRITICAL_SECTION *volatile gone = reinterpret_cast<CRITICAL_SECTION *>(page + 0x720);
    InitializeCriticalSection(gone);
    leave((EnterCriticalSection(gone), gone));
    VirtualFree(page, 0, MEM_RELEASE);
    return is_mine(gone) ? 1 : leave(gone);
}
#elif defined(UNLOADED_CODE)
// A callback into a plugin that is unloaded, called under the host's lock.
typedef int (*draw_function)(int);
static draw_function draw;
NOINLINE static int repaint(int lines)
{
    Guard guard(&lock);
    return draw(lines) + sink;
}
static int crash()
{
    HMODULE plugin = LoadLibraryA("plugin.dll");
    draw = reinterpret_cast<draw_function>(reinterpret_cast<void *>(GetProcAddress(plugin, "plugin_draw")));
    sink += repaint(3);
    FreeLibrary(plugin);
    return repaint(4);
}
#elif defined(RAISED_AGAIN)
// A filter of the program's own raises an access violation that it had recorded, as RaiseException does it.
NOINLINE static int raise_again(const volatile void *address)
{
    Guard guard(&lock);
    ULONG_PTR arguments[2] = { 1, reinterpret_cast<ULONG_PTR>(address) };
    RaiseException(EXCEPTION_ACCESS_VIOLATION, EXCEPTION_NONCONTINUABLE, 2, arguments);
    return sink;
}
static int crash() { return raise_again(&lock.LockCount); }
#elif defined(COMPARED)
// bsearch under the lock; a row of the table has no name.
struct Row { const char *name; int value; };
static int compare(const void *key, const void *row)
{
    const char *a = static_cast<const char *>(key), *b = static_cast<const Row *>(row)->name;
    while (*a && *a == *b)
        a++, b++;
    return *a - *b;
}
static int crash()
{
    static const Row rows[4] = { { "alpha", 1 }, { "beta", 2 }, { "delta", 3 }, { reinterpret_cast<const char *>(0x24), 4 } };
    Guard guard(&second_lock);
    const void *volatile found = bsearch("zeta", rows, 4, sizeof(Row), compare);
    return found != NULL;
}
#elif defined(FREED_TWICE)
// The destructor deletes its lock, properly, and frees a buffer whose address was overwritten with text.
struct Mailbox {
    char subject[16];
    void *body;
    CRITICAL_SECTION own;
    Mailbox() { InitializeCriticalSection(&own); body = HeapAlloc(GetProcessHeap(), 0, 40); }
    NOINLINE ~Mailbox()
    {
        EnterCriticalSection(&own);
        LeaveCriticalSection(&own);
        DeleteCriticalSection(&own);
        HeapFree(GetProcessHeap(), 0, body);
    }
};
static int crash()
{
    Mailbox *mailbox = new Mailbox;
    memcpy(mailbox->subject, "Re: minutes of the meeting", sizeof mailbox->subject + sizeof(void *));
    mailbox->~Mailbox();
    return sink;
}
#endif

int main()
{
    LAB_START();
    crowd();
    initialize(&lock);
    initialize(&second_lock);
    leave_contended();
    return crash();
}
