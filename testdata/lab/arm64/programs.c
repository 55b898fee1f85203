/* The ARM64 crash programs, one per PROGRAM_ macro. They differ in where the section lies, what holds its address while
 * it is left, how Leave is called, and in the shapes of frames; build.py compiles each with options of its own. */
#include <windows.h>
#ifdef THUNKS
#define IMPORT /* bl to a thunk: adrp, ldr, br */
#else
#define IMPORT __declspec(dllimport) /* adrp, ldr, blr */
#endif
#define NOINLINE __attribute__((noinline))
typedef ULONG (*Start)(void *);
IMPORT void EnterCriticalSection(CRITICAL_SECTION *section);
IMPORT void LeaveCriticalSection(CRITICAL_SECTION *section);
IMPORT void InitializeCriticalSection(CRITICAL_SECTION *section);
IMPORT void DeleteCriticalSection(CRITICAL_SECTION *section);
IMPORT BOOL CloseHandle(HANDLE handle);
IMPORT HANDLE CreateThread(Start start, void *argument);
IMPORT HANDLE CreateFileW(void);
IMPORT void *HeapAlloc(HANDLE heap, DWORD flags, SIZE_T size);
IMPORT BOOL HeapFree(HANDLE heap, DWORD flags, void *memory);
IMPORT void *VirtualAlloc(SIZE_T size);
IMPORT BOOL VirtualFree(void *address);
IMPORT void *MapViewOfFile(void);
IMPORT void Sleep(DWORD milliseconds);

/* Tells the host the truth for the label, and how to run from here on. No call: nothing of it stays on a stack. */
static inline void expect(const void *section, const void *handle)
{
    register const void *x0 __asm__("x0") = section;
    register const void *x1 __asm__("x1") = handle;
    __asm__ volatile("svc #100" : "+r"(x0) : "r"(x1) : "memory");
}
/* The next thread that reads this address is stopped behind the read until the others have run. */
static inline void race_at(const volatile void *address)
{
    register const volatile void *x0 __asm__("x0") = address;
    __asm__ volatile("svc #101" : "+r"(x0) : : "memory");
}

volatile LONG work_done;
CRITICAL_SECTION global_lock;

static NOINLINE ULONG worker(void *argument)
{
    CRITICAL_SECTION *section = argument;
    EnterCriticalSection(section);
    work_done++;
    LeaveCriticalSection(section);
    return 0;
}

/* Threads that come to wait for the section. */
static NOINLINE void start_waiters(CRITICAL_SECTION *section, int count)
{
    while (count--) {
        CreateThread(worker, section);
        Sleep(1);
    }
}

void *memcpy(void *to, const void *from, SIZE_T size)
{
    volatile BYTE *at = to;
    const BYTE *next = from;
    while (size--)
        *at++ = *next++;
    return to;
}

void *memset(void *to, int value, SIZE_T size)
{
    volatile BYTE *at = to;
    while (size--)
        *at++ = (BYTE)value;
    return to;
}

/* An old handle value, closed twice: the section's event has taken its slot in between. */
static NOINLINE HANDLE old_handle(void)
{
    HANDLE handle = CreateFileW();
    CloseHandle(handle);
    return handle;
}

struct Queue { LONG id; LONG items[5]; CRITICAL_SECTION lock; LONG more[6]; };

#if defined PROGRAM_closed /* global section, adrp + add */
static NOINLINE void finish(void)
{
    work_done++;
    LeaveCriticalSection(&global_lock);
    work_done++;
}
int main(void)
{
    HANDLE stale;
    InitializeCriticalSection(&global_lock);
    EnterCriticalSection(&global_lock);
    stale = old_handle();
    start_waiters(&global_lock, 2);
    expect(&global_lock, global_lock.LockSemaphore);
    CloseHandle(stale);
    finish();
    return 0;
}
#elif defined PROGRAM_member || defined PROGRAM_recycled /* member of a heap object whose address is in x19 */
static NOINLINE LONG drain(struct Queue *queue, LONG count, LONG (*take)(struct Queue *, LONG))
{
    LONG sum = 0;
    for (LONG i = 0; i < count; i++)
        sum += take(queue, i) * (i + count);
    LeaveCriticalSection(&queue->lock);
    return sum + queue->id;
}
static NOINLINE LONG take(struct Queue *queue, LONG at) { return queue->items[at % 5] + queue->id; }
int main(void)
{
    struct Queue *queue = HeapAlloc(NULL, HEAP_ZERO_MEMORY, sizeof *queue);
    HANDLE stale;
    queue->id = 7;
    InitializeCriticalSection(&queue->lock);
    EnterCriticalSection(&queue->lock);
    stale = old_handle();
    start_waiters(&queue->lock, 3);
    expect(&queue->lock, queue->lock.LockSemaphore);
    CloseHandle(stale);
#ifdef PROGRAM_recycled
    CreateFileW();
#endif
    return drain(queue, 4, take);
}
#elif defined PROGRAM_local /* section on main's stack, a frame of more than 4 KiB (chkstk) in between */
static NOINLINE LONG leave_it(CRITICAL_SECTION *section, volatile LONG *scratch)
{
    LeaveCriticalSection(section);
    return scratch[5];
}
static NOINLINE LONG big(CRITICAL_SECTION *section, LONG count)
{
    volatile LONG scratch[3000];
    for (LONG i = 0; i < count; i++)
        scratch[i * 7] = i;
    return leave_it(section, scratch) + scratch[7];
}
int main(void)
{
    CRITICAL_SECTION lock;
    HANDLE stale;
    InitializeCriticalSection(&lock);
    EnterCriticalSection(&lock);
    stale = old_handle();
    start_waiters(&lock, 1);
    expect(&lock, lock.LockSemaphore);
    CloseHandle(stale);
    return big(&lock, 3);
}
#elif defined PROGRAM_registers /* many saved registers in several frames, floating point among them */
double weights[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
static NOINLINE double mix(double a, double b) { work_done++; return a * 3 + b; }
static NOINLINE LONG take_four(LONG a, LONG b, LONG c, LONG d) { work_done++; return a + 2 * b + 3 * c + 4 * d; }
static NOINLINE LONG level_c(struct Queue *queue, LONG a, LONG b, LONG c, LONG d, LONG e, LONG f, LONG g)
{
    double sum = mix(a, b), more = mix(c, d), rest = mix(e, f);
    LONG x = take_four(a, b, c, d), y = take_four(e, f, g, a);
    LeaveCriticalSection(&queue->lock);
    return (LONG)(sum + more * rest) + x * y + a + b * c + d * e + f * g;
}
static NOINLINE LONG level_b(struct Queue *queue, LONG a, LONG b, LONG c)
{
    LONG x = take_four(a, b, c, 1);
    LONG y = level_c(queue, a, b, c, x, 5, 6, 7);
    return x * y + a + b + c + (LONG)(weights[a & 7] * x);
}
static NOINLINE LONG level_a(struct Queue *queue, LONG count)
{
    LONG sum = 0;
    for (LONG i = 0; i < count; i++)
        sum += level_b(queue, i + 1, i + 2, count) * (i + 3);
    return sum;
}
int main(void)
{
    struct Queue *queue = HeapAlloc(NULL, HEAP_ZERO_MEMORY, sizeof *queue);
    HANDLE stale;
    InitializeCriticalSection(&queue->lock);
    EnterCriticalSection(&queue->lock);
    stale = old_handle();
    start_waiters(&queue->lock, 2);
    expect(&queue->lock, queue->lock.LockSemaphore);
    CloseHandle(stale);
    return level_a(queue, 3) + work_done;
}
#elif defined PROGRAM_stray /* one stray pointer lands in LockSemaphore */
struct Record { ULONG_PTR values[2]; };
static NOINLINE void leave(struct Queue *queue)
{
    work_done++;
    LeaveCriticalSection(&queue->lock);
    work_done++;
}
int main(void)
{
    struct Queue *queue = HeapAlloc(NULL, HEAP_ZERO_MEMORY, sizeof *queue);
    struct Record *record;
    InitializeCriticalSection(&queue->lock);
    EnterCriticalSection(&queue->lock);
    start_waiters(&queue->lock, 3);
    record = (struct Record *)&queue->lock.OwningThread;
    record->values[1] = (ULONG_PTR)HeapAlloc(NULL, 0, 24); /* the bug */
    expect(&queue->lock, queue->lock.LockSemaphore);
    leave(queue);
    return 0;
}
#elif defined PROGRAM_never /* memory filled with AB is entered and left */
static NOINLINE void use(CRITICAL_SECTION *section)
{
    EnterCriticalSection(section);
    work_done++;
    expect(section, section->LockSemaphore);
    LeaveCriticalSection(section);
    work_done++;
}
int main(void)
{
    struct Queue *queue = HeapAlloc(NULL, 0, sizeof *queue);
    memset(queue, 0xAB, sizeof *queue);
    use(&queue->lock); /* the bug: no InitializeCriticalSection */
    return 0;
}
#elif defined PROGRAM_enter_deleted /* Enter after Delete: the debug record is NULL */
static NOINLINE void use(CRITICAL_SECTION *section)
{
    EnterCriticalSection(section);
    work_done++;
    LeaveCriticalSection(section);
}
int main(void)
{
    InitializeCriticalSection(&global_lock);
    use(&global_lock);
    DeleteCriticalSection(&global_lock);
    expect(&global_lock, NULL);
    use(&global_lock); /* the bug */
    return 0;
}
#elif defined PROGRAM_released /* the memory is given back while the section is held */
static NOINLINE void leave(struct Queue *queue)
{
    work_done++;
    LeaveCriticalSection(&queue->lock);
    work_done++;
}
int main(void)
{
    struct Queue *queue = VirtualAlloc(0x1000);
    InitializeCriticalSection(&queue->lock);
    EnterCriticalSection(&queue->lock);
    expect(&queue->lock, NULL);
    VirtualFree(queue); /* the bug */
    leave(queue);
    return 0;
}
#elif defined PROGRAM_copied /* an array grown by memcpy, its originals deleted */
struct Slot { LONG id; CRITICAL_SECTION lock; };
static struct Slot *slots;
static NOINLINE void grow(int count)
{
    struct Slot *bigger = HeapAlloc(NULL, HEAP_ZERO_MEMORY, 2 * count * sizeof *bigger);
    memcpy(bigger, slots, count * sizeof *bigger); /* the bug */
    for (int i = 0; i < count; i++)
        DeleteCriticalSection(&slots[i].lock);
    for (int i = count; i < 2 * count; i++)
        InitializeCriticalSection(&bigger[i].lock);
    slots = bigger;
}
static NOINLINE void leave(int at)
{
    slots[at].id++;
    LeaveCriticalSection(&slots[at].lock);
    slots[at].id++;
}
int main(void)
{
    slots = HeapAlloc(NULL, HEAP_ZERO_MEMORY, 2 * sizeof *slots);
    InitializeCriticalSection(&slots[0].lock);
    InitializeCriticalSection(&slots[1].lock);
    EnterCriticalSection(&slots[1].lock);
    start_waiters(&slots[1].lock, 2);
    grow(2);
    expect(&slots[1].lock, slots[1].lock.LockSemaphore);
    leave(1);
    return 0;
}
#elif defined PROGRAM_null
struct Owner { LONG id; CRITICAL_SECTION *lock; };
static NOINLINE void leave(struct Owner *owner)
{
    owner->id++;
    LeaveCriticalSection(owner->lock);
    owner->id++;
}
int main(void)
{
    struct Owner *owner = HeapAlloc(NULL, HEAP_ZERO_MEMORY, sizeof *owner);
    expect(NULL, NULL);
    leave(owner); /* the bug: nobody has set its lock */
    return 0;
}
#elif defined PROGRAM_shared /* a section in memory shared with another process, whose event it names */
static NOINLINE void leave(CRITICAL_SECTION *section)
{
    work_done++;
    LeaveCriticalSection(section);
    work_done++;
}
int main(void)
{
    CRITICAL_SECTION *section = MapViewOfFile(); /* the bug: a section has to be of one process */
    EnterCriticalSection(section);
    Sleep(1); /* a thread of the other process comes to wait */
    expect(section, section->LockSemaphore);
    leave(section);
    return 0;
}
#elif defined PROGRAM_not_owner /* two threads leave at once, one of them does not own it */
static NOINLINE void leave(CRITICAL_SECTION *section)
{
    LeaveCriticalSection(section);
    work_done++;
}
static NOINLINE ULONG intruder(void *section)
{
    leave(section); /* the bug */
    return 0;
}
int main(void)
{
    InitializeCriticalSection(&global_lock);
    EnterCriticalSection(&global_lock);
    expect(&global_lock, NULL);
    CreateThread(intruder, &global_lock);
    race_at(&global_lock.RecursionCount);
    leave(&global_lock);
    return 0;
}
#elif defined PROGRAM_elsewhere /* no lock failure: a fault, with return addresses into Leave left on the stack */
static NOINLINE void use_lock(void)
{
    work_done++;
    LeaveCriticalSection(&global_lock);
    work_done++;
}
static NOINLINE int crash(char *bad)
{
    volatile char scratch[768];
    scratch[0] = 1;
    *bad = scratch[0];
    return scratch[0];
}
int main(void)
{
    InitializeCriticalSection(&global_lock);
    EnterCriticalSection(&global_lock);
    start_waiters(&global_lock, 1);
    use_lock();
    expect(NULL, NULL);
    return crash((char *)(ULONG_PTR)0x6F6C6C60);
}
#elif defined PROGRAM_close_strict /* no lock failure: CloseHandle raises, as FLG_ENABLE_CLOSE_EXCEPTIONS asks */
static NOINLINE void close_it(HANDLE handle)
{
    EnterCriticalSection(&global_lock);
    work_done++;
    LeaveCriticalSection(&global_lock);
    CloseHandle(handle);
    work_done++;
}
int main(void)
{
    InitializeCriticalSection(&global_lock);
    *(volatile ULONG *)(__readgsqword(0x60) + 0xBC) |= 0x00400000;
    expect(NULL, NULL);
    close_it((HANDLE)(ULONG_PTR)0x1A4);
    return 0;
}
#endif

ULONG mainCRTStartup(void *unused)
{
    volatile int code = main();
    return code;
}
