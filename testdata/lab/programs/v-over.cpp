// Tuning: sections that were written over, by realistic contents and as far as each field. BEFORE fills upwards from the field in
// front, BEHIND downwards from the one behind, each element as TYPE with the value VALUE(i); LAST is where the writing stops.
#include "unseen.h"

struct Panel {
    ULONG_PTR before[8];
    CRITICAL_SECTION lock;
    ULONG_PTR behind[8];
};
static Panel panels[3];
static Panel *panel = &panels[1];
typedef CRITICAL_SECTION Section;
struct Item { int id, flags; };
#define WORDS(low, high) (static_cast<ULONG_PTR>(low) | static_cast<ULONG_PTR>(static_cast<unsigned long long>(high) << 32))

static char *byte_of(SIZE_T offset) { return reinterpret_cast<char *>(&panel->lock) + offset; }
#define FIELD(name) byte_of(offsetof(Section, name))

NOINLINE static void write_over()
{
#if defined(BEFORE) // up to and with the byte before LAST
    TYPE *at = reinterpret_cast<TYPE *>(panel->before);
    for (int i = 0; reinterpret_cast<char *>(&at[i]) < byte_of(LAST); i++)
        at[i] = VALUE(i);
#elif defined(BEHIND) // down to and with the byte LAST
    TYPE *at = reinterpret_cast<TYPE *>(panel->behind + 8);
    for (int i = 1; reinterpret_cast<char *>(&at[-i]) >= byte_of(LAST); i++)
        at[-i] = VALUE(i);
#elif defined(STRAY) // one write
    *reinterpret_cast<volatile TYPE *>(byte_of(LAST)) STRAY;
#elif defined(SWAP_BYTES) // a table is made ready for the network, two entries too many
    for (unsigned *at = reinterpret_cast<unsigned *>(FIELD(LockSemaphore)); at < reinterpret_cast<unsigned *>(panel->behind + 8); at++)
        *at = __builtin_bswap32(*at);
#elif defined(SWAP_FIELDS) // an exchange sort takes the section's words for its elements
    ULONG_PTR *words = reinterpret_cast<ULONG_PTR *>(FIELD(OwningThread)), first = words[0];
    words[0] = words[1];
    words[1] = first;
#elif defined(CLEAR) // sizeof of the whole where the part was meant
    memset(static_cast<void *>(panel), 0, CLEAR);
#elif defined(HANDLES) // a table of handles, filled from its end
    HANDLE *at = reinterpret_cast<HANDLE *>(panel->behind + 8);
    for (int i = 1; i <= 8 + HANDLES; i++)
        at[-i] = CreateSemaphoreA(NULL, 0, i, NULL);
#endif
    sink++;
}

[[maybe_unused]] NOINLINE static void use(CRITICAL_SECTION *section)
{
    EnterCriticalSection(section);
    sink++;
    LeaveCriticalSection(section);
}
[[maybe_unused]] static DWORD WINAPI visitor(void *) { use(&panel->lock); return 0; }

#if defined(WHEN_IDLE) // Enter gets through, the Leave that follows does not
static int scenario()
{
    initialize(&panel->lock);
    act("corrupted", &panel->lock);
    write_over();
    EnterCriticalSection(&panel->lock);
    expect_handle(&panel->lock);
    return leave(&panel->lock);
}
#elif defined(WHEN_OWNED) // and, with WAITERS, waited for
static int scenario()
{
    Waiters waiters;
    initialize(&panel->lock);
    make_waiters(&waiters, WAITERS, pass_through, &panel->lock);
    EnterCriticalSection(&panel->lock);
#ifdef RECURSE
    EnterCriticalSection(&panel->lock);
    LeaveCriticalSection(&panel->lock);
#endif
    start_waiters(&waiters);
    act("corrupted", &panel->lock);
    write_over();
    expect_handle(&panel->lock);
    return leave(&panel->lock);
}
#elif defined(VISITED) // owned by this thread and written over, then another one comes
static int scenario()
{
    Waiters later;
#if VISITED == 2
    initialize(&panel->lock);
    contend_once(&panel->lock);
#else
    initialize(&panel->lock);
#endif
    make_waiters(&later, 1, visitor, NULL);
    EnterCriticalSection(&panel->lock);
    act("corrupted", &panel->lock);
    write_over();
    expect_handle(&panel->lock);
    start_waiters(&later);
    return leave(&panel->lock);
}
#elif defined(ENTERED) // owned and waited for, written over, and entered once more by the owner
NOINLINE static int again()
{
    sink++;
    EnterCriticalSection(&panel->lock);
    return sink++;
}
static int scenario()
{
    Waiters waiters;
    initialize(&panel->lock);
    make_waiters(&waiters, WAITERS, pass_through, &panel->lock);
    EnterCriticalSection(&panel->lock);
    start_waiters(&waiters);
    act("corrupted", &panel->lock);
    expect(&panel->lock);
    write_over();
    return again();
}
#elif defined(DELETED) // the section is used no more, and deleted at the end
static Item *items;
static Section other;
NOINLINE static int dispose()
{
    sink++;
    DeleteCriticalSection(&panel->lock);
    return sink++;
}
static int scenario()
{
    initialize(&panel->lock);
    initialize(&other);
    items = static_cast<Item *>(HeapAlloc(GetProcessHeap(), 0, 12 * sizeof(Item)));
    for (int i = 0; i < 12; i++)
        items[i] = { 100 + i, i % 3 };
    act("corrupted", &panel->lock);
    expect(&panel->lock);
#if DELETED == 1 // DebugInfo := another object
    *reinterpret_cast<void **>(FIELD(DebugInfo)) = items;
#elif DELETED == 2 // DebugInfo := the record of another section, which is deleted first
    panel->lock.DebugInfo = other.DebugInfo;
    DeleteCriticalSection(&other);
#else
    write_over();
#endif
    return dispose();
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
