// Third batch: a good section, or its debug record, was written over. Macros choose by what, and which call meets it.
#include "unseen.h"

static void hits(const CRITICAL_SECTION *lock)
{
    act("corrupted", lock);
    expect(lock);
}

// This thread holds it while a second one comes; ASLEEP others were there before the damage.
static CRITICAL_SECTION *visited_lock;
[[maybe_unused]] static DWORD WINAPI late_comer(void *)
{
    sink++;
    EnterCriticalSection(visited_lock);
    sink++;
    LeaveCriticalSection(visited_lock);
    return 0;
}
[[maybe_unused]] static void hold(CRITICAL_SECTION *lock)
{
    EnterCriticalSection(lock);
#ifdef AGAIN
    EnterCriticalSection(lock);
#endif
#ifdef ASLEEP
    Waiters early;
    make_waiters(&early, ASLEEP, pass_through, lock);
    start_waiters(&early);
#endif
}
[[maybe_unused]] NOINLINE static int somebody_comes(CRITICAL_SECTION *lock)
{
    Waiters late;
    visited_lock = lock;
    make_waiters(&late, 1, late_comer, NULL);
    start_waiters(&late);
    WaitForSingleObject(late.threads[0], 5000);
    LeaveCriticalSection(lock);
    return sink;
}
[[maybe_unused]] NOINLINE static int pass(CRITICAL_SECTION *lock)
{
    EnterCriticalSection(lock);
    int seen = sink++;
    LeaveCriticalSection(lock);
    return seen;
}

#if defined(HEX_DIGITS)
// Each byte of a digest becomes two characters, and one more for the end; the room was counted in bytes. The lock is idle.
struct Ticket { int serial; char digest[20]; CRITICAL_SECTION lock; int used; };
NOINLINE static void to_hex(char *out, const unsigned char *bytes, int count)
{
    for (int i = 0; i < count; i++, out += 2) {
        out[0] = "0123456789abcdef"[bytes[i] >> 4];
        out[1] = "0123456789abcdef"[bytes[i] & 15];
    }
    *out = 0;
}
static int scenario()
{
    unsigned char digest[16];
    Ticket *ticket = new Ticket;
    ticket->serial = 7;
    initialize(&ticket->lock);
    sink += pass(&ticket->lock);
    for (int i = 0; i < 16; i++)
        digest[i] = static_cast<unsigned char>(0x40 * (1 + i % 2) + (7 * i & 15));
    hits(&ticket->lock);
    to_hex(ticket->digest, digest, 10 + sizeof(void *) / 2 + 1);
    return pass(&ticket->lock);
}
#elif defined(PIXEL)
// A pixel of three bytes is set at x == width of the last line; the sprites are main's locals, and the second thread knows them by address.
struct Sprite { int width, height; BYTE rgb[8 * 3 * 3]; CRITICAL_SECTION lock; };
NOINLINE static void set_pixel(Sprite *sprite, int x, int y, DWORD colour)
{
    BYTE *at = sprite->rgb + 3 * (y * sprite->width + x);
    at[0] = static_cast<BYTE>(colour);
    at[1] = static_cast<BYTE>(colour >> 8);
    at[2] = static_cast<BYTE>(colour >> 16);
}
static int scenario()
{
    Sprite sprites[2];
    for (Sprite &sprite : sprites) {
        sprite.width = 8;
        sprite.height = 3;
        initialize(&sprite.lock);
    }
    hold(&sprites[0].lock);
    hits(&sprites[0].lock);
    set_pixel(&sprites[0], 8, 2, PIXEL);
    return somebody_comes(&sprites[0].lock);
}
#elif defined(REVERSED)
// The hashes of a path are brought into the reverse order, with a count that belongs to a longer path.
struct Route { ULONG_PTR hashes[4]; CRITICAL_SECTION lock; };
NOINLINE static void reverse(ULONG_PTR *first, int count)
{
    for (ULONG_PTR *last = first + count - 1; first < last; first++, last--) {
        ULONG_PTR held = *first;
        *first = *last;
        *last = held;
    }
}
static int scenario()
{
    Route *route = new Route;
    for (int i = 0; i < 4; i++)
        route->hashes[i] = static_cast<ULONG_PTR>(0x9E3779B97F4A7C10ull + 0x51ED270B00000006ull * i);
    initialize(&route->lock);
    contend_once(&route->lock);
    hits(&route->lock);
    reverse(route->hashes, REVERSED);
    return pass(&route->lock);
}
#elif defined(STALE_BLINK)
// One word of the debug record: its block had been a list's node, and somebody still sets that node's second member.
struct Node { ULONG_PTR key, hits; Node *next; ULONG_PTR weight; };
struct Index { CRITICAL_SECTION lock; int depth; };
static CRITICAL_SECTION others[18];
NOINLINE static void weigh(void *node, ULONG_PTR weight) { static_cast<Node *>(node)->weight = weight; }
NOINLINE static void close_index(Index *index)
{
    index->depth = 0;
    DeleteCriticalSection(&index->lock);
    sink++;
}
static int scenario()
{
    for (CRITICAL_SECTION &one : others)
        initialize(&one);
    Index *index = new Index;
    initialize(&index->lock);
    contend_once(&index->lock);
    hits(&index->lock);
    weigh(index->lock.DebugInfo, STALE_BLINK);
    close_index(index);
    return sink;
}
#elif defined(NULLED)
// "buffer->next = NULL" through a pointer to a buffer that was moved: one word, while the lock is held.
struct Buffer { Buffer *next; int used; };
struct Sink { int flags; CRITICAL_SECTION lock; Buffer *first; };
NOINLINE static void unlink_buffer(Buffer *buffer) { buffer->next = NULL; }
static int scenario()
{
    Sink *target = new Sink;
    initialize(&target->lock);
    hold(&target->lock);
    hits(&target->lock);
    unlink_buffer(reinterpret_cast<Buffer *>(&target->lock));
    return somebody_comes(&target->lock);
}
#elif defined(POSITION)
// seek() of an older interface adds to a position that in this structure is the lock's first word.
struct OldFile { int handle, flags; LONG_PTR position; };
struct File { int handle, flags; CRITICAL_SECTION lock; LONG_PTR position; };
NOINLINE static void seek(OldFile *file, LONG_PTR by) { file->position += by; }
static int scenario()
{
    static File files[5];
    for (File &file : files)
        initialize(&file.lock);
    hold(&files[3].lock);
    hits(&files[3].lock);
    seek(reinterpret_cast<OldFile *>(&files[3]), POSITION);
    return somebody_comes(&files[3].lock);
}
#elif defined(SAMPLES)
// A block of samples is three frames longer than the buffer; the mixer holds the lock, and others sleep for it.
struct Voice { int rate; short samples[24]; CRITICAL_SECTION lock; };
NOINLINE static void render(short *out, int count)
{
    int phase = 0x1234;
    for (int i = 0; i < count; i++, phase += 0x1D4B)
        out[i] = static_cast<short>(phase & ~1);
}
static int scenario()
{
    Voice *voice = new Voice;
    voice->rate = 44100;
    initialize(&voice->lock);
    hold(&voice->lock);
    hits(&voice->lock);
    render(voice->samples, 24 + SAMPLES);
    return somebody_comes(&voice->lock);
}
#elif defined(SHARE_NAME)
// A share's name in wide characters, four of them too many; the lock is only destroyed afterwards.
struct Share { WCHAR name[12]; CRITICAL_SECTION lock; int users; };
NOINLINE static void set_name(WCHAR *to, const WCHAR *from)
{
    while (*from)
        *to++ = *from++;
}
NOINLINE static void remove_share(Share *share)
{
    DeleteCriticalSection(&share->lock);
    share->users = 0;
}
static int scenario()
{
    Share *shares[3];
    for (Share *&share : shares) {
        share = new Share;
        initialize(&share->lock);
        sink += pass(&share->lock);
    }
    hits(&shares[1]->lock);
    set_name(shares[1]->name, L"\\\\FS02\\Archive2");
    for (Share *share : shares)
        remove_share(share);
    return sink;
}
#elif defined(END_MARK)
// A list of numbers ends with -1, for which there is no room when the list is full. Each thread has its groups.
struct Group { int members[6]; CRITICAL_SECTION lock; };
static __thread Group groups[4];
NOINLINE static void set_members(int *members, int count)
{
    for (int i = 0; i < count; i++)
        members[i] = 40 + i;
    members[count] = -1;
}
static int scenario()
{
    for (Group &group : groups)
        initialize(&group.lock);
    hold(&groups[2].lock);
    hits(&groups[2].lock);
    set_members(groups[2].members, 6);
    return somebody_comes(&groups[2].lock);
}
#elif defined(DATES)
// A calendar behind the lock is filled from its end, by a count of days that is right for a longer one: every field is hit.
struct Month { int number; CRITICAL_SECTION lock; DWORD days[28]; };
NOINLINE static void fill(DWORD *days, int last, int count)
{
    for (int i = 0; i < count; i++)
        days[last - i] = 0x4F620000 + 0x210000 * (count - i) + 0x6120;
}
static int scenario()
{
    Month *month = new Month;
    month->number = 2;
    initialize(&month->lock);
    sink += pass(&month->lock);
    hits(&month->lock);
    fill(month->days, 27, 28 + sizeof(CRITICAL_SECTION) / sizeof(DWORD));
    return pass(&month->lock);
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
