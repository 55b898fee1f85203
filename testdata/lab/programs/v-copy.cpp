// Tuning: sections that were copied as bytes. Macros choose how, what became of the original, and which call fails.
#include "unseen.h"

struct Slot {
    int key, uses;
    char title[16];
    CRITICAL_SECTION lock;
    ULONG_PTR values[3];
};

[[maybe_unused]] NOINLINE static void use(Slot *slot)
{
    EnterCriticalSection(&slot->lock);
    slot->uses++;
    LeaveCriticalSection(&slot->lock);
}
static Slot *target;
[[maybe_unused]] static DWORD WINAPI user_of_target(void *) { use(target); return 0; }
[[maybe_unused]] static DWORD WINAPI user(void *argument) { use(static_cast<Slot *>(argument)); return 0; }

static void make(Slot *slot, int key)
{
    memset(static_cast<void *>(slot), 0, sizeof *slot);
    slot->key = key;
    lstrcpynA(slot->title, "slot", sizeof slot->title);
    slot->values[0] = 77;
    initialize(&slot->lock);
}
static Slot *pages(SIZE_T size = 0x1000) { return static_cast<Slot *>(VirtualAlloc(NULL, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE)); }

static Waiters waiters, later;
// This thread owns it, others sleep on its event.
[[maybe_unused]] static void contend(Slot *slot)
{
    make_waiters(&waiters, WAITERS, user, slot);
    EnterCriticalSection(&slot->lock);
    start_waiters(&waiters);
}
// The target is owned by this thread and another one runs into it.
[[maybe_unused]] static int fail_in_enter()
{
    expect_handle(&target->lock);
    EnterCriticalSection(&target->lock);
    start_waiters(&later);
    LeaveCriticalSection(&target->lock);
    return sink;
}
[[maybe_unused]] static int fail_in_leave(Slot *slot)
{
    expect_handle(&slot->lock);
    return leave(&slot->lock);
}
// Keeps a number from being given out again.
[[maybe_unused]] static void take_slot() { CreateSemaphoreA(NULL, 1, 9, NULL); }

#if defined(GROWN)
// grow(): new block, memcpy, the old elements are torn down properly; one of them was in use.
static int scenario()
{
    Slot *old = static_cast<Slot *>(operator new(4 * sizeof(Slot)));
    for (int i = 0; i < 4; i++)
        make(&old[i], i);
    contend(&old[GROWN]);
    act("copied", &old[GROWN].lock);
    Slot *wide = static_cast<Slot *>(operator new(8 * sizeof(Slot)));
    memcpy(static_cast<void *>(wide), old, 4 * sizeof(Slot));
    for (int i = 0; i < 4; i++)
        DeleteCriticalSection(&old[i].lock);
    operator delete(old);
    return fail_in_leave(&wide[GROWN]);
}
#elif defined(OLD_PAGES)
// As above, and then: 0 the old pages are gone, 1 they hold text, 2 another object with a section of its own,
// 3 the same object made anew and used, 4 another kind of handle has the event's number.
static int scenario()
{
    Slot *old = pages(), *wide = pages(0x2000);
    make(old, 9);
    contend(old);
    act("copied", &old->lock);
    memcpy(static_cast<void *>(wide + 5), old, sizeof *old);
    DeleteCriticalSection(&old->lock);
#if OLD_PAGES == 0
    VirtualFree(old, 0, MEM_RELEASE);
#elif OLD_PAGES == 1
    for (unsigned i = 0; i < 0x400; i++)
        reinterpret_cast<char *>(old)[i] = "<item id=\"4410\" state=\"open\"/>\n"[i % 31];
#elif OLD_PAGES == 2
    struct Other { int id; CRITICAL_SECTION lock; } *other = reinterpret_cast<Other *>(&old->title[8]);
    initialize(&other->lock);
#elif OLD_PAGES == 3
    make(old, 10);
    EnterCriticalSection(&old->lock);
#elif OLD_PAGES == 4
    take_slot();
#endif
    return fail_in_leave(wide + 5);
}
#elif defined(ROTATED)
// first, second, third = second, third, first; the one at the end is retired.
static int scenario()
{
    Slot *all = static_cast<Slot *>(operator new(3 * sizeof(Slot))), spare;
    for (int i = 0; i < 3; i++)
        make(&all[i], 40 + i);
    contend(&all[1]);
    act("copied", &all[1].lock);
    spare = all[0];
    all[0] = all[1];
    all[1] = all[2];
    all[2] = spare;
    DeleteCriticalSection(&all[2].lock);
    Slot gone = all[0];
    DeleteCriticalSection(&gone.lock); // a temporary with a destructor
    return fail_in_leave(&all[0]);
}
#elif defined(POPPED)
// pop() returns the element by value and destroys the one in the queue; its section had been waited for once.
NOINLINE static Slot pop(Slot *queue, int at)
{
    Slot result = queue[at];
    act("copied", &queue[at].lock);
    DeleteCriticalSection(&queue[at].lock);
    return result;
}
static int scenario()
{
    Slot *queue = static_cast<Slot *>(operator new(2 * sizeof(Slot)));
    make(queue, 1);
    make(queue + 1, 2);
    contend_once(&queue[1].lock);
    make_waiters(&later, 1, user_of_target, NULL);
    target = new Slot;
    *target = pop(queue, 1);
    return fail_in_enter();
}
#elif defined(RESTORED)
// The object is saved with its section, closed, and read back from the file.
static int scenario()
{
    Slot *slot = new Slot;
    DWORD moved;
    HANDLE file = CreateFileA("state.bin", GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, FILE_FLAG_DELETE_ON_CLOSE, NULL);
    make(slot, 5);
    contend_once(&slot->lock);
    make_waiters(&later, 1, user_of_target, NULL);
    WriteFile(file, slot, sizeof *slot, &moved, NULL);
    act("copied", &slot->lock);
    DeleteCriticalSection(&slot->lock);
    memset(static_cast<void *>(slot), 0, sizeof *slot);
    target = new Slot;
    SetFilePointer(file, 0, NULL, FILE_BEGIN);
    ReadFile(file, target, sizeof *target, &moved, NULL);
    return fail_in_enter();
}
#elif defined(COPY_DELETED)
// A copy is made and destroyed; the original is what goes on, in Leave (0) or with a new visitor (1).
NOINLINE static void inspect(const Slot *slot)
{
    Slot *copy = new Slot(*slot);
    sink += copy->key;
    DeleteCriticalSection(&copy->lock);
    delete copy;
}
static int scenario()
{
    Slot *slot = new Slot;
    make(slot, 6);
#if COPY_DELETED == 0
    contend(slot);
    expect_handle(&slot->lock);
    act("copied", &slot->lock);
    inspect(slot);
    return leave(&slot->lock);
#else
    contend_once(&slot->lock);
    make_waiters(&later, 1, user_of_target, NULL);
    act("copied", &slot->lock);
    inspect(slot);
    target = slot;
    return fail_in_enter();
#endif
}
#elif defined(STRUCK_OUT)
// all[i] = all[--count]; and the last one is destroyed, whose section is in all[i] now.
static int scenario()
{
    static Slot all[6];
    for (int i = 0; i < 6; i++)
        make(&all[i], i);
    contend(&all[5]);
    act("copied", &all[5].lock);
    DeleteCriticalSection(&all[2].lock);
    all[2] = all[5];
    DeleteCriticalSection(&all[5].lock);
    return fail_in_leave(&all[2]);
}
#elif defined(BOTH_DELETED)
// The copy's Delete: with STRICT it raises in NtClose, else the record is detached a second time.
NOINLINE static int dispose(Slot *slot)
{
    sink++;
    DeleteCriticalSection(&slot->lock);
    return sink;
}
static int scenario()
{
    Slot *original = new Slot;
    Slot *copy = new Slot;
    make(original, 8);
#if BOTH_DELETED > 0
    contend_once(&original->lock);
#endif
    act("copied", &original->lock);
    memcpy(static_cast<void *>(copy), original, sizeof *copy);
    DeleteCriticalSection(&original->lock);
    expect_handle(&copy->lock);
#if defined(STRICT) && defined(_WIN64) // FLG_ENABLE_CLOSE_EXCEPTIONS
    *reinterpret_cast<ULONG *>(__readgsqword(0x60) + 0xBC) |= 0x00400000;
#elif defined(STRICT)
    *reinterpret_cast<ULONG *>(__readfsdword(0x30) + 0x68) |= 0x00400000;
#endif
    return dispose(copy);
}
#elif defined(ON_STACK)
// A working copy in a local, the original destroyed by the time it is left.
NOINLINE static int work(Slot *slot)
{
    Slot local = *slot;
    act("copied", &slot->lock);
    DeleteCriticalSection(&slot->lock);
    local.uses++;
    expect_handle(&local.lock);
    LeaveCriticalSection(&local.lock);
    return sink += local.uses;
}
static int scenario()
{
    Slot *slot = new Slot;
    make(slot, 12);
    contend(slot);
    return work(slot);
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
