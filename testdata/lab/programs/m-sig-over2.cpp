// Third batch: what lies in front runs over into a section that nobody owns, and the next Enter gets through; or a stray write hits a
// section on which nobody waits yet, and the first who has to wait meets it.
#include "unseen.h"

static Waiters late;
[[maybe_unused]] static DWORD WINAPI latecomer(void *argument) { pass_through(argument); return 5; }
[[maybe_unused]] NOINLINE static int use(CRITICAL_SECTION *lock)
{
    EnterCriticalSection(lock);
    expect_handle(lock);
    sink++;
    LeaveCriticalSection(lock);
    return sink;
}
// Owned, with nobody waiting; the mistake; then others come.
template <class Mistake> static int own_quietly(CRITICAL_SECTION *lock, Mistake mistake)
{
    make_waiters(&late, WAITERS, latecomer, lock);
#ifdef VISITED
    contend_once(lock);
#endif
    EnterCriticalSection(lock);
    act("corrupted", lock);
    mistake();
    expect_handle(lock);
    start_waiters(&late);
    LeaveCriticalSection(lock);
    return sink;
}

#if defined(RUN_LENGTH)
// A codec's frame: a run is longer than what is left of the line.
struct Decoder { int width; unsigned char line[60]; CRITICAL_SECTION lock; unsigned char tables[128]; };
static Decoder decoders[3];
NOINLINE static void decode(unsigned char *to, const unsigned char *from, int pairs)
{
    for (; pairs > 0; pairs--, from += 2)
        for (int i = 0; i < from[0]; i++)
            *to++ = from[1];
}
static int scenario()
{
    static const unsigned char frame[] = { 20, 0x04, 12, 0xEC, 90, 0x17 };
    Decoder *decoder = &decoders[2];
    initialize(&decoder->lock);
    act("corrupted", &decoder->lock);
    decode(decoder->line, frame, 3);
    return use(&decoder->lock);
}
#elif defined(OPTIONS)
// A protocol's options: tag, length, text. The one that is too long is copied all the same.
struct Session { unsigned id; char mode[28]; CRITICAL_SECTION lock; char address[40]; };
NOINLINE static void parse(Session *session, const char *at)
{
    while (*at) {
        char tag = *at++;
        unsigned length = static_cast<unsigned char>(*at++);
        if (tag == 'm')
            memcpy(session->mode, at, length);
        at += length;
    }
}
static int scenario()
{
    Session *session = static_cast<Session *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(Session)));
    initialize(&session->lock);
    act("corrupted", &session->lock);
    parse(session, "t\x03" "udp" "m\x50" "core=on;gzip=no;keep=60;seed=18;kdf=oid;wait=10;seq=yes;kept=10;size=15;cookie2.");
    return use(&session->lock);
}
#elif defined(WRONG_SIZEOF)
// memset with the size of the whole object for its first array.
struct Board { char cells[64]; CRITICAL_SECTION lock; char behind[16]; };
NOINLINE static void reset(Board *board) { memset(static_cast<void *>(board->cells), '?', sizeof *board); }
static int scenario()
{
    Board *board = new Board;
    initialize(&board->lock);
    act("corrupted", &board->lock);
    reset(board);
    return use(&board->lock);
}
#elif defined(CORNERS)
// Corners of four doubles, i <= count; as numbers of two halves they pass as a free section with waiters.
struct Corner { double x, y, z, weight; };
struct Mesh { Corner corners[4]; CRITICAL_SECTION lock; int count; };
static Mesh meshes[2];
NOINLINE static void scale(Mesh *mesh, double by)
{
    Corner *volatile corners = mesh->corners;
    for (int i = 0; i <= mesh->count; i++)
        corners[i] = { 0.5 * i, 2 * by, 4 * by + i, 1 - by };
}
static int scenario()
{
    Mesh *mesh = &meshes[0];
    mesh->count = 4;
    initialize(&mesh->lock);
    act("corrupted", &mesh->lock);
    scale(mesh, 0.6);
    return use(&mesh->lock);
}
#elif defined(CAPACITY)
// A string's capacity is updated after its buffer has moved, through the old header.
struct Buffer { char *begin, *end; ULONG_PTR flags; ULONG_PTR capacity; };
static int scenario()
{
    CRITICAL_SECTION *lock = place();
    Buffer *buffer = reinterpret_cast<Buffer *>(reinterpret_cast<char *>(&lock->LockSemaphore) - offsetof(Buffer, capacity));
    initialize(lock);
    return own_quietly(lock, [buffer] { buffer->capacity = CAPACITY; });
}
#elif defined(PROGRESS)
// A progress of eight bytes, stored by a job that was cancelled.
struct Job { char head[offsetof(CRITICAL_SECTION, LockSemaphore)]; double progress; };
static int scenario()
{
    CRITICAL_SECTION *lock = place();
    initialize(lock);
    return own_quietly(lock, [lock] { reinterpret_cast<Job *>(lock)->progress = 0.7; });
}
#elif defined(DUE_DATE)
// A date in a packed record: year, month, day.
struct Date { unsigned short year; unsigned char month, day; };
static struct { CRITICAL_SECTION lock; Date due[8]; } invoices[3];
NOINLINE static void set_due(int n, Date date) { Date *volatile due = invoices[1].due; due[n] = date; }
static int scenario()
{
    initialize(&invoices[1].lock);
    return own_quietly(&invoices[1].lock, [] { set_due(-static_cast<int>(2 * sizeof(void *) / sizeof(Date)), { 2026, 0, 0 }); });
}
#elif defined(GUESTS)
// A thread keeps its mailbox on its stack; another one counts the letters of a mailbox that was there before.
struct Mailbox { CRITICAL_SECTION lock; int letters; };
static Mailbox *volatile mailbox;
static DWORD WINAPI live(void *)
{
    Mailbox own = { };
    initialize(&own.lock);
    mailbox = &own;
    while (own.letters != 1)
        Sleep(20);
    return 0;
}
struct OldMailbox { char address[offsetof(CRITICAL_SECTION, LockSemaphore)]; unsigned letters, limit; };
static int scenario()
{
    Waiters owners;
    make_waiters(&owners, 1, live, NULL);
    start_waiters(&owners);
    OldMailbox *old = reinterpret_cast<OldMailbox *>(&mailbox->lock);
    return own_quietly(&mailbox->lock, [old] { old->letters = GUESTS; });
}
#elif defined(NODE_STORED)
// *tail = node, where the tail's list was cleared.
struct Node { Node *next; int value; };
static int scenario()
{
    CRITICAL_SECTION *lock = place();
    Node **volatile tail = reinterpret_cast<Node **>(&lock->LockSemaphore);
    initialize(lock);
    return own_quietly(lock, [tail] { *tail = new Node { NULL, 12 }; });
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
