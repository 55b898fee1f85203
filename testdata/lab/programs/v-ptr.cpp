// Tuning: what is passed is not the section but something near it or like it. CALL is the operation; macros choose what.
#include "unseen.h"

#ifndef CALL
#define CALL EnterCriticalSection
#endif

NOINLINE static int use(CRITICAL_SECTION *lock)
{
    sink++;
    CALL(lock);
    return sink++;
}
[[maybe_unused]] NOINLINE static int use_both(CRITICAL_SECTION *lock)
{
    EnterCriticalSection(lock);
    expect_handle(lock);
    sink++;
    LeaveCriticalSection(lock);
    return sink;
}
[[maybe_unused]] static CRITICAL_SECTION *wrong(const void *pointer)
{
    CRITICAL_SECTION *lock = static_cast<CRITICAL_SECTION *>(const_cast<void *>(pointer));
    act("bad-pointer", lock);
    expect(lock);
    return lock;
}

#if defined(OFF_BY)
// Another version of the header, or a cast to the wrong base: the same object, so many bytes further.
struct Device { void *driver; CRITICAL_SECTION lock; ULONG_PTR rows, columns, depth, pad[4]; };
static int scenario()
{
    Device *device = static_cast<Device *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(Device)));
    initialize(&device->lock);
    device->rows = 0x1F4;
    device->columns = 0x258;
    device->depth = 3;
#ifdef ONCE_CONTENDED
    contend_once(&device->lock);
#endif
    CRITICAL_SECTION *lock = wrong(reinterpret_cast<char *>(&device->lock) + OFF_BY);
#ifdef HANDLE_READ
    reporter_expect(lock, reinterpret_cast<HANDLE>(HANDLE_READ));
#endif
    return use(lock);
}
#elif defined(NEXT_ONE)
// lock[count]: behind the last that was made; the block was zeroed.
static int scenario()
{
    CRITICAL_SECTION *locks = static_cast<CRITICAL_SECTION *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, 8 * sizeof *locks));
    for (int i = 0; i < NEXT_ONE; i++)
        initialize(&locks[i]);
    return use(wrong(&locks[NEXT_ONE]));
}
#elif defined(ONE_BEFORE)
// records[-1].lock: what lies there are another table's rows.
struct Record { int fields[6]; CRITICAL_SECTION lock; };
static struct { int rows[48]; Record records[4]; } table;
static int scenario()
{
    for (int i = 0; i < 48; i++)
        table.rows[i] = 3 + 8 * i;
    for (Record &record : table.records)
        initialize(&record.lock);
    CRITICAL_SECTION *lock = wrong(reinterpret_cast<char *>(&table.records[0].lock) - sizeof(Record));
    return use_both(lock);
}
#elif defined(POINTER_TO_POINTER)
// &session->lock where lock is a pointer already.
struct Session { CRITICAL_SECTION *lock; int users, state; ULONG_PTR started; ULONG_PTR port, timeout; };
static int scenario()
{
    Session *session = new Session;
    session->lock = new CRITICAL_SECTION;
    initialize(session->lock);
    session->users = POINTER_TO_POINTER;
    session->state = 1;
    session->started = 1;
    session->port = 0x1BBC;
    session->timeout = 0;
    CRITICAL_SECTION *lock = wrong(&session->lock);
    expect_handle(lock);
    return use(lock);
}
#elif defined(STRING_OBJECT)
// A string object (pointer, size, room, short text) from the slot beside.
struct String { const char *data; SIZE_T size, room; char text[16]; };
static int scenario()
{
    String *string = new String;
    memcpy(string->text, "contoso.com", 12);
    string->data = string->text;
    string->size = 11;
    string->room = 15;
    return use_both(wrong(string));
}
#elif defined(TEXT_ADDRESS)
static char title[48] = "Contoso service host, instance 2";
static int scenario() { return use_both(wrong(title)); }
#elif defined(RESIDUE)
// A pointer variable on one path not assigned: what the function before left in the frame.
static const char *const names[4] = { "north", "south", "east", "west" };
NOINLINE static int before()
{
    volatile const char *frame[16];
    for (int i = 0; i < 16; i++)
        frame[i] = names[i % 4];
    return *frame[5];
}
NOINLINE static int after(int which)
{
    CRITICAL_SECTION *volatile lock[16];
    if (which > 100)
        for (int i = 0; i < 16; i++)
            lock[i] = NULL;
    return use(wrong(lock[6]));
}
static int scenario()
{
    sink = before();
    return after(sink & 15);
}
#elif defined(VALUE)
static int scenario() { return use(wrong(reinterpret_cast<void *>(static_cast<ULONG_PTR>(VALUE)))); }
#elif defined(FUNCTION)
static int scenario() { return use(wrong(reinterpret_cast<void *>(GetProcAddress(GetModuleHandleA(NULL), "none") ? NULL : reinterpret_cast<FARPROC>(contend_once)))); }
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
