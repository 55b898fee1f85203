// Unseen: the memory of a section is written over. Macros choose who writes, where and when.
#include "unseen.h"

// What lies around the section differs from program to program.
struct Session {
    char user[16];
    CRITICAL_SECTION lock;
    ULONG_PTR ring[6];
    int head;
};
struct Message { // an object of the same size, which had the block before
    char subject[16 + offsetof(CRITICAL_SECTION, LockSemaphore)];
    unsigned length;
    unsigned short flags;
    char rest[sizeof(Session) - 22 - offsetof(CRITICAL_SECTION, LockSemaphore) - 6];
};
static Session *session;

[[maybe_unused]] static Session *session_on_heap()
{
    Session *made = new Session;
    memset(static_cast<void *>(made), 0, sizeof *made);
    return made;
}

// A dangling pointer to an object whose block the session has now.
static Message *dangling;
[[maybe_unused]] static Session *session_in_old_block()
{
    dangling = static_cast<Message *>(operator new(sizeof(Session)));
    for (int i = 0; i < 3; i++) {
        delete dangling;
        session = static_cast<Session *>(operator new(sizeof(Session)));
        if (static_cast<void *>(session) == dangling)
            break;
    }
    dangling = reinterpret_cast<Message *>(session); // (where the heap did not give it back)
    memset(static_cast<void *>(session), 0, sizeof *session);
    return session;
}

#if defined(BEFORE_ENTER)
// ---- overrun while nobody owns it: Enter gets through, Leave meets the text ---------------------------------------------
static Session sessions[4];
NOINLINE static void write_over()
{
#if defined(WIDE_TEXT) // characters where the function wants to be told bytes, or the other way round
    MultiByteToWideChar(CP_ACP, 0, "mail-contosoworks.com/queue?kind=ok&page=1", 36, reinterpret_cast<wchar_t *>(session->user), 36);
#elif defined(FORMATTED)
    sprintf(session->user, "%s/%08x/%s", "node-37.contoso.work", 0x00f7ffee, "customers/orders/2026/november/overdue.json");
#else
    strcpy(session->user, "smtp://mailrelay.backworks.com/customers?page=17&sort=lastname&dir=asc");
#endif
}
static int scenario()
{
    session = &sessions[1];
    initialize(&session->lock);
    act("corrupted", &session->lock);
    write_over();
    EnterCriticalSection(&session->lock);
    expect_handle(&session->lock);
    return leave(&session->lock);
}

#elif defined(SEMAPHORE)
// ---- LockSemaphore alone, or with what follows it, while others wait -----------------------------------------------------
NOINLINE static void write_over()
{
    CRITICAL_SECTION *lock = &session->lock;
    (void)lock;
#if defined(RING) // the index wraps the wrong way
    session->ring[session->head - 2] = reinterpret_cast<ULONG_PTR>(new int[4]);
#elif defined(LENGTH)
    dangling->length = LENGTH;
#elif defined(FLAG)
    dangling->length |= FLAG;
#elif defined(REFERENCES)
    for (int i = 0; i < REFERENCES; i++)
        InterlockedDecrement(reinterpret_cast<volatile LONG *>(&dangling->length));
#elif defined(UNLINK) // node->previous->next = node->next, where previous was freed
    *reinterpret_cast<void **>(&dangling->length) = new Message;
#elif defined(PORT)
    *reinterpret_cast<unsigned short *>(&dangling->length) = PORT;
#elif defined(SHORT_INDEX)
    short *values = reinterpret_cast<short *>(session->ring);
    values[-static_cast<int>(sizeof(void *))] = -1;
#elif defined(ERASE) // elements moved down, one too many
    struct Pair { int key, value; } *pairs = reinterpret_cast<Pair *>(session->ring);
    for (unsigned i = 0; i < 2 * sizeof(void *) / 8 + 1; i++) {
        pairs[i].key = 0x7A3B91C2;
        pairs[i].value = i + 1;
    }
    memmove(&pairs[-static_cast<int>(2 * sizeof(void *) / 8)], &pairs[0], 2 * sizeof(void *));
#elif defined(BAD_CAST)
    reinterpret_cast<void **>(session->ring)[-2] = const_cast<int *>(&sink);
#elif defined(LOGIN)
    memcpy(&lock->LockSemaphore, "user=guest", sizeof(void *));
#elif defined(COPY_SHORT) // memcpy of a record with the wrong start
    static const double prices[4] = { 19.99, 4.5, 120.0, 7.25 };
    memcpy(&dangling->length, prices, sizeof(void *));
#endif
}
#ifdef IN_WAITER
static DWORD WINAPI late(void *argument) { pass_through(argument); return 2; }
#endif
static int scenario()
{
    Waiters waiters;
#ifdef TAKE_NEIGHBOUR
    static HANDLE before;
#endif
    session = session_in_old_block();
    session->head = 0;
    initialize(&session->lock);
#ifdef IN_WAITER
    Waiters later;
    make_waiters(&later, 1, late, &session->lock);
#endif
    make_waiters(&waiters, WAITERS, pass_through, &session->lock);
#ifdef TAKE_NEIGHBOUR // so that the handle before the event's is of another kind
    before = CreateSemaphoreA(NULL, 0, 3, NULL);
#endif
    EnterCriticalSection(&session->lock);
#ifdef RECURSE
    EnterCriticalSection(&session->lock);
    EnterCriticalSection(&session->lock);
    LeaveCriticalSection(&session->lock);
#endif
    start_waiters(&waiters);
#ifdef RECURSE
    LeaveCriticalSection(&session->lock);
#endif
    act("corrupted", &session->lock);
    write_over();
    expect_handle(&session->lock);
#ifdef IN_WAITER
    start_waiters(&later);
#endif
    return leave(&session->lock);
}

#elif defined(TABLE_END)
// ---- one element too many, in front of the section: DebugInfo ------------------------------------------------------------
static struct { void *table[8]; CRITICAL_SECTION lock; int used; } cache;
static DWORD WINAPI visitor(void *)
{
    EnterCriticalSection(&cache.lock);
    sink++;
    LeaveCriticalSection(&cache.lock);
    return 0;
}
NOINLINE static void write_over(void *value)
{
    void *volatile *table = cache.table;
    for (int i = 0; i <= 8; i++)
        table[i] = value;
}
static int scenario()
{
    Waiters waiters;
    initialize(&cache.lock);
    make_waiters(&waiters, 1, visitor, NULL);
    EnterCriticalSection(&cache.lock);
    expect(&cache.lock);
    act("corrupted", &cache.lock);
    write_over(TABLE_END);
    start_waiters(&waiters);
    return leave(&cache.lock);
}

#elif defined(MEMSET_OBJECT)
// ---- reset() clears the whole object, the section with it ------------------------------------------------------------------
static int scenario()
{
    session = session_on_heap();
    initialize(&session->lock);
    EnterCriticalSection(&session->lock);
    LeaveCriticalSection(&session->lock);
    act("corrupted", &session->lock);
    memset(static_cast<void *>(session), 0, sizeof *session);
    expect(&session->lock);
    EnterCriticalSection(&session->lock);
    return sink;
}

#elif defined(DELETE_MEETS_TEXT)
// ---- a text stops in DebugInfo; DeleteCriticalSection follows it -----------------------------------------------------------
NOINLINE static int close_session()
{
    sink++;
    DeleteCriticalSection(&session->lock);
    return sink;
}
static int scenario()
{
    session = session_on_heap();
    initialize(&session->lock);
    EnterCriticalSection(&session->lock);
    LeaveCriticalSection(&session->lock);
    act("corrupted", &session->lock);
    memcpy(session->user, "administrator@contoso.com", 16 + sizeof(void *));
    expect(&session->lock);
    return close_session();
}

#elif defined(RECORD_HIT)
// ---- not the section but its debug record, in the heap, is overrun from the block before it -----------------------------
NOINLINE static int close_session()
{
    sink += 3;
    DeleteCriticalSection(&session->lock);
    return sink;
}
static int scenario()
{
    static CRITICAL_SECTION many[24];
    for (CRITICAL_SECTION &one : many)
        InitializeCriticalSection(&one);
    session = session_on_heap();
    char *line = new char[32];
    initialize(&session->lock);
    char *record = reinterpret_cast<char *>(session->lock.DebugInfo);
    act("corrupted", &session->lock);
    expect(&session->lock);
    if (record < line || record > line + 0x400)
        line = record - 16;
    for (char *at = line; at < record + 0x20 + sizeof(void *); at++)
        *at = "POST /upload HTTP/1.0 "[(at - line) % 22];
    return close_session();
}

#elif defined(COUNT_HIT)
// ---- LockCount becomes odd while it is owned: Leave finds a free section ------------------------------------------------
static int scenario()
{
    session = session_on_heap();
    initialize(&session->lock);
    EnterCriticalSection(&session->lock);
    expect(&session->lock);
    act("corrupted", &session->lock);
#if COUNT_HIT == 1 // counters[n]++ with a wrong n
    InterlockedIncrement(&session->lock.LockCount);
#else // "no id": the field before is filled too far
    memset(session->user + 8, 0xFF, 8 + sizeof(void *) + 4);
#endif
    return leave(&session->lock);
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
