// Sixth batch: access violations that are no lock failure: while a lock is held, wanted, refused or just left. Macros choose where.
#include "k-common.h"
#include <stdlib.h>
#include <string.h>

struct Guard {
    CRITICAL_SECTION *lock;
    explicit Guard(CRITICAL_SECTION *l) : lock(l) { EnterCriticalSection(lock); }
    ~Guard() { LeaveCriticalSection(lock); sink++; }
};
struct Store { char title[24]; CRITICAL_SECTION lock; char *volatile data; Store *volatile other; int used; };
static Store *store;
[[maybe_unused]] static DWORD WINAPI touch(void *)
{
    Guard guard(&store->lock);
    return ++store->used;
}

#if defined(UNMAPPED_READ)
// A reader sums up a view that was unmapped; others wait for the lock that it has.
static int scenario()
{
    HANDLE mapping = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0x4000, NULL);
    store->data = static_cast<char *>(MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, 0));
    contend(&store->lock);
    int sum = store->data[0];
    UnmapViewOfFile(store->data);
    for (int i = 0; i < 100; i++)
        sum += store->data[i];
    LeaveCriticalSection(&store->lock);
    return sum;
}
#elif defined(AFTER_LEAVE)
// The list's end is reached just after the lock was left.
NOINLINE static int next_title(Store *one)
{
    EnterCriticalSection(&one->lock);
    Store *other = one->other;
    LeaveCriticalSection(&one->lock);
    return other->title[0];
}
static int scenario() { return next_title(store); }
#elif defined(FREE_UNDER_LOCK)
// HeapFree of a pointer that a wrong index found, under the lock that others wait for.
NOINLINE static void clear(char *volatile *texts, int index)
{
    HeapFree(GetProcessHeap(), 0, texts[index]);
    texts[index] = NULL;
}
static int scenario()
{
    static struct { char *volatile texts[3]; volatile ULONG_PTR sizes[3]; } table = { {}, { 0x2400018, 0x18, 0x18 } };
    contend(&store->lock);
    Guard guard(&store->lock);
    clear(table.texts, 3);
    return sink;
}
#elif defined(TIMER)
// A timer's function is gone, the thread has the lock, and main waits for it.
static void (*volatile on_timer)(int);
static DWORD WINAPI timer_thread(void *)
{
    Guard guard(&store->lock);
    Sleep(500);
    on_timer(3);
    return 0;
}
static int scenario()
{
    Waiters one;
    make_waiters(&one, 1, timer_thread, NULL);
    on_timer = reinterpret_cast<void (*)(int)>(reinterpret_cast<ULONG_PTR>(pages(0x1000)));
    VirtualFree(reinterpret_cast<void *>(on_timer), 0, MEM_RELEASE);
    ResumeThread(one.threads[0]);
    Sleep(200);
    touch(NULL);
    return sink;
}
#elif defined(WOKEN)
// A thread has waited in Enter and been woken; what it then reads was never set.
static DWORD WINAPI reader(void *)
{
    EnterCriticalSection(&store->lock);
    int length = store->other->title[3];
    LeaveCriticalSection(&store->lock);
    return length;
}
static int scenario()
{
    Waiters one;
    make_waiters(&one, 1, reader, NULL);
    EnterCriticalSection(&store->lock);
    start_waiters(&one);
    LeaveCriticalSection(&store->lock);
    Sleep(3000);
    return sink;
}
#elif defined(SEALED_PAGE)
// A cache's page was made read-only; a nested call writes into it.
NOINLINE static void put(Store *one, int index, char value)
{
    Guard guard(&one->lock);
    one->data[index] = value;
}
static int scenario()
{
    DWORD before;
    store->data = pages(0x1000);
    VirtualProtect(store->data, 0x1000, PAGE_READONLY, &before);
    Guard guard(&store->lock);
    put(store, 12, 'x');
    return sink;
}
#elif defined(HALF_MADE)
// An object without its table of functions is called, in a callback, under a guard.
struct Plugin { virtual int start(int level) { return level; } int version = 1; };
NOINLINE static int start(void *plugin) { return static_cast<Plugin *>(plugin)->start(4); }
NOINLINE static int with_lock(int (*callback)(void *), void *argument)
{
    Guard guard(&store->lock);
    return callback(argument) + sink;
}
static int scenario()
{
    void *volatile plugin = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(Plugin));
    return with_lock(start, plugin);
}
#elif defined(FREED_BY_DESTRUCTOR)
// A destructor frees a pointer that was never set, right after it has left the lock.
struct Buffer {
    char *volatile bytes;
    NOINLINE ~Buffer()
    {
        EnterCriticalSection(&store->lock);
        store->used--;
        LeaveCriticalSection(&store->lock);
        HeapFree(GetProcessHeap(), 0, bytes);
        sink++;
    }
};
static int scenario()
{
    static const DWORD fill = 0xCDCDCDCD;
    Buffer *buffer = static_cast<Buffer *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Buffer)));
    for (unsigned i = 0; i < sizeof *buffer; i++)
        reinterpret_cast<volatile BYTE *>(buffer)[i] = static_cast<BYTE>(fill);
    buffer->~Buffer();
    return sink;
}
#elif defined(REFUSED)
// TryEnter says no, as another thread has it; the caller goes on with what it did not get.
static DWORD WINAPI owner(void *)
{
    Guard guard(&store->lock);
    Sleep(5000);
    return 0;
}
NOINLINE static Store *get_other()
{
    Store *result = NULL;
    if (static_cast<BYTE>(TryEnterCriticalSection(&store->lock))) { // (the lock DLL sets no more than a byte)
        result = store;
        LeaveCriticalSection(&store->lock);
    }
    return result;
}
static int scenario()
{
    Waiters one;
    make_waiters(&one, 1, owner, NULL);
    start_waiters(&one);
    Store *volatile other = get_other();
    other->used = 4;
    return sink;
}
#endif

int main()
{
    LAB_START();
    crowd();
    store = static_cast<Store *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(Store)));
    lstrcpyA(store->title, "store");
    prepare(&store->lock);
    sink += scenario();
    return sink;
}
