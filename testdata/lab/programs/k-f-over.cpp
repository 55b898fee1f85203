// Fourth batch, faults: a good section is written over, so that its debug record cannot be reached. Macros choose by what, and who meets it.
#include "k-common.h"

#ifndef CALL
#define CALL EnterCriticalSection
#endif
static CRITICAL_SECTION *wanted;
[[maybe_unused]] static DWORD WINAPI visit(void *)
{
    CALL(wanted);
    sink++;
    return 0;
}
[[maybe_unused]] static Waiters visitors;

// The lock is in use: OWNED by this thread, others sleep for it; or it was used, and is free.
static void good(CRITICAL_SECTION *lock)
{
    wanted = lock;
#ifdef OWNED
    prepare(lock);
    make_waiters(&visitors, 1, visit, NULL);
    if (WAITERS)
        contend(lock);
    else
        EnterCriticalSection(lock);
#else
    initialize(lock);
    EnterCriticalSection(lock);
    LeaveCriticalSection(lock);
#endif
    will("corrupted", lock);
}
// Who meets it: another thread that wants what this one has, or this one.
NOINLINE static int meet(CRITICAL_SECTION *lock)
{
#ifdef OWNED
    start_waiters(&visitors);
    Sleep(4000);
#else
    sink++;
    CALL(lock);
#endif
    return sink++;
}

#if defined(HOST_NAME)
// A host's name is longer than its field, by what it takes to reach DebugInfo.
struct Peer { unsigned short port; char host[HOST_NAME]; CRITICAL_SECTION lock; };
static int scenario()
{
    Peer *peer = new Peer();
    good(&peer->lock);
    lstrcpynA(peer->host, "edge-gateway-07.westeurope.cdn.contoso.example", HOST_NAME + sizeof(void *) + 1);
    return meet(&peer->lock);
}
#elif defined(WIDE_FILE)
// A file's name with its folder, in 16 bits, over DebugInfo, LockCount, RecursionCount.
static struct { int attributes; wchar_t file[14]; CRITICAL_SECTION lock; ULONGLONG size; } found[3];
static int scenario()
{
    good(&found[1].lock);
    volatile wchar_t *to = found[1].file;
    const wchar_t *from = L"Screenshots 2024\\Clip (17).png";
    for (unsigned i = 0; i < 14 + offsetof(CRITICAL_SECTION, OwningThread) / 2; i++)
        to[i] = from[i];
    return meet(&found[1].lock);
}
#elif defined(PIXELS)
// The last row is one pixel too long.
struct Bitmap { DWORD row[32]; CRITICAL_SECTION lock; };
static int scenario()
{
    Bitmap *bitmap = new Bitmap();
    good(&bitmap->lock);
    volatile DWORD *at = bitmap->row;
    for (int i = 0; i < static_cast<int>(32 + PIXELS * sizeof(void *) / 4); i++)
        at[i] = 0xFF000000 | (0x112233 + 0x030201 * i);
    return meet(&bitmap->lock);
}
#elif defined(MATRIX)
// A matrix of doubles is copied with the size of a bigger one.
struct Bone { double transform[6]; CRITICAL_SECTION lock; int parent; };
static int scenario()
{
    static Bone bone;
    good(&bone.lock);
    volatile double *at = bone.transform;
    for (unsigned i = 0; i < 6 + sizeof(void *) * MATRIX / 8; i++)
        at[i] = i % 4 ? -0.7071 : 0.5;
    return meet(&bone.lock);
}
#elif defined(NEXT_BLOCK)
// A heap block is overrun into the next one, over the heap's own header.
struct Job { CRITICAL_SECTION lock; int state; };
static int scenario()
{
    char *blocks[64], *before = NULL;
    Job *job = NULL;
    for (int i = 0; i < 64 && !job; i++) {
        blocks[i] = static_cast<char *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Job)));
        for (int j = 0; j < i; j++)
            if (blocks[i] > blocks[j] && blocks[i] - blocks[j] < 0x80) {
                before = blocks[j];
                job = reinterpret_cast<Job *>(blocks[i]);
            }
    }
    good(&job->lock);
    DWORD id = 0x3E8;
    for (volatile DWORD *at = reinterpret_cast<DWORD *>(before); at < reinterpret_cast<DWORD *>(&job->lock.OwningThread); at++)
        *at = id += 2;
    return meet(&job->lock);
}
#elif defined(STALE_LINK)
// A freed list node's "next" is set; its place is an object's that begins with a lock.
struct Node { Node *next; int value; };
struct Bus { CRITICAL_SECTION lock; int users; };
static int scenario()
{
    Bus *bus = new Bus();
    Node *volatile stale = reinterpret_cast<Node *>(bus);
    static const Node tail = { NULL, 7 };
    good(&bus->lock);
    stale->next = const_cast<Node *>(&tail);
    return meet(&bus->lock);
}
#elif defined(CLEARED)
// reset() clears an object with memset, its lock with it.
struct Statistics { int hits, misses; CRITICAL_SECTION lock; double ratio; };
NOINLINE static void reset(Statistics *statistics) { memset(static_cast<void *>(statistics), 0, sizeof *statistics); }
static int scenario()
{
    Statistics *statistics = new Statistics();
    good(&statistics->lock);
    reset(statistics);
    return meet(&statistics->lock);
}
#elif defined(TEMPLATE_COPY)
// A template's bytes are assigned to a live object; the template's lock was never made.
struct Voice { int note, velocity; CRITICAL_SECTION lock; float envelope[4]; };
static const Voice default_voice = { 60, 100, {}, { 0.0f, 0.5f, 1.0f, 0.25f } };
static int scenario()
{
    static Voice voice;
    good(&voice.lock);
    memcpy(static_cast<void *>(&voice), &default_voice, sizeof voice);
    return meet(&voice.lock);
}
#elif defined(BIT)
static int scenario()
{
    CRITICAL_SECTION *lock = place();
    good(lock);
    lock->DebugInfo = reinterpret_cast<RTL_CRITICAL_SECTION_DEBUG *>(reinterpret_cast<ULONG_PTR>(lock->DebugInfo) ^ static_cast<ULONG_PTR>(1) << BIT);
    return meet(lock);
}
#elif defined(RECORD)
// Not the section: its debug record's block of the heap had another owner, who still writes text to it.
static CRITICAL_SECTION early[24];
static int scenario()
{
    for (CRITICAL_SECTION &one : early)
        initialize(&one);
    CRITICAL_SECTION *lock = place();
    good(lock);
    volatile char *stale = reinterpret_cast<char *>(lock->DebugInfo);
    for (unsigned i = 0; i < sizeof(RTL_CRITICAL_SECTION_DEBUG); i++)
        stale[i] = "<option value=\"de\">Deutsch</option>"[i % 35];
    return meet(lock);
}
#elif defined(COUNTS)
// A histogram with one class too many on each side.
struct Histogram { int total; int classes[13]; CRITICAL_SECTION lock; };
static int scenario()
{
    Histogram *histogram = new Histogram();
    good(&histogram->lock);
    volatile int *at = histogram->classes;
    for (int i = 0; i < static_cast<int>(13 + offsetof(CRITICAL_SECTION, RecursionCount) / 4); i++)
        at[i] = 2 * (i * i - 5 * i + 9);
    return meet(&histogram->lock);
}
#elif defined(LOW_HALF)
// A 32-bit error code is stored through a pointer to a result that has gone.
static int scenario()
{
    CRITICAL_SECTION *lock = place();
    good(lock);
    *reinterpret_cast<volatile LONG *>(lock) = LOW_HALF;
    return meet(lock);
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
