// Fourth batch: a good section is written over while others sleep for it, so that the Leave (or the next waiter) takes a wrong number for
// the event's. Macros choose what the program writes, and through what.
#include "k-common.h"

// The write has been done: what is passed is what lies there now.
[[maybe_unused]] static void hits(const CRITICAL_SECTION *lock) { act("corrupted", lock); }
#define DONE(lock) do { expect_handle(lock); FINISH(lock); } while (0)

#if defined(STALE_PARTICLE)
// A particle was freed, its place is a sound's now; the physics step still writes the position through the old pointer.
struct Particle { float life[4]; void *next; float position[3]; int pad; };
struct Sound { int id, loops; CRITICAL_SECTION lock; short *samples; };
NOINLINE static void step(Particle *particle, float t)
{
    particle->position[0] = 12.5f + t;
    particle->position[1] = -0.25f;
    particle->position[2] = 300.0f * t;
}
static int scenario()
{
    char *block = static_cast<char *>(HeapAlloc(GetProcessHeap(), 0, 128));
    Sound *sound = reinterpret_cast<Sound *>(block);
    prepare(&sound->lock);
    contend(&sound->lock);
    hits(&sound->lock);
    step(reinterpret_cast<Particle *>(block + offsetof(Sound, lock.LockSemaphore) - offsetof(Particle, position)), 0.5f);
    DONE(&sound->lock);
    return sink;
}
#elif defined(STATISTICS)
// A stale pointer to a counter of bytes, to which a block's size is added.
static volatile LONG *counter;
struct Upload { CRITICAL_SECTION lock; LONG sent, retries; wchar_t host[16]; };
NOINLINE static void count(LONG bytes) { InterlockedExchangeAdd(counter, bytes); }
static int scenario()
{
    Upload *upload = new Upload();
    prepare(&upload->lock);
    contend(&upload->lock);
    counter = reinterpret_cast<volatile LONG *>(&upload->lock.LockSemaphore);
    hits(&upload->lock);
    count(STATISTICS);
    DONE(&upload->lock);
    return sink;
}
#elif defined(SLASH)
// A backslash is put behind a directory's name at an index that was computed for another buffer.
static struct { char folder[24]; CRITICAL_SECTION lock; int files; } scanner = { "C:\\ProgramData\\Contoso", {}, 0 };
NOINLINE static void end_with_slash(char *path, int length) { path[length] = '\\'; }
static int scenario()
{
    prepare(&scanner.lock);
    contend(&scanner.lock);
    hits(&scanner.lock);
    end_with_slash(scanner.folder, 24 + offsetof(CRITICAL_SECTION, LockSemaphore) + 1);
    DONE(&scanner.lock);
    return sink;
}
#elif defined(BLUR)
// A blur reads and writes the pixel left of the first one: the image lies behind its lock.
struct Image { int width, height; CRITICAL_SECTION lock; DWORD pixels[64]; };
NOINLINE static void blur(DWORD *row, int width)
{
    for (int x = 1 - static_cast<int>(2 * sizeof(void *) / 4); x < width; x++)
        row[x - 1] = 0xFF204060 + 0x010101 * (x & 15);
}
static int scenario()
{
    Image *image = new Image();
    prepare(&image->lock);
    contend(&image->lock);
    hits(&image->lock);
    blur(image->pixels, 64);
    DONE(&image->lock);
    return sink;
}
#elif defined(UNLINK)
// A node is taken out of a list; what was its neighbour has been freed and is a socket with a lock now.
struct Node { Node *next, *previous; };
struct Socket { void *table; CRITICAL_SECTION lock; unsigned short port; };
NOINLINE static void unlink(Node *node)
{
    node->next->previous = node->previous;
    node->previous->next = node->next;
}
static int scenario()
{
    static Node head, node;
    Socket *socket = new Socket();
    prepare(&socket->lock);
    contend(&socket->lock);
    head.next = &node;
    node.previous = &head;
    node.next = reinterpret_cast<Node *>(reinterpret_cast<char *>(&socket->lock.LockSemaphore) - offsetof(Node, previous));
    hits(&socket->lock);
    unlink(&node);
    DONE(&socket->lock);
    return sink;
}
#elif defined(CRC_BEHIND)
// A packet's checksum is written in front of its data, for which nobody left room.
struct Link { CRITICAL_SECTION lock; unsigned char packet[48]; };
NOINLINE static void seal(unsigned char *data, int size)
{
    ULONG64 crc = 0xB1D4C3A29F8E7D61ull;
    for (int i = 0; i < size; i++)
        crc = crc * 33 + data[i];
    memcpy(data - 2 * sizeof(void *), &crc, sizeof crc);
}
static int scenario()
{
    Link *link = new Link();
    prepare(&link->lock);
    contend(&link->lock);
    hits(&link->lock);
    seal(link->packet, 48);
    DONE(&link->lock);
    return sink;
}
#elif defined(WRONG_MEMBER)
// Two structures that begin alike; a function stores the size of a font through the wrong one.
struct Font { int kind; void *glyphs[3]; ULONG_PTR size; };
struct Theme { int kind; CRITICAL_SECTION lock; int colours[8]; };
NOINLINE static void set_size(void *any, ULONG_PTR size) { static_cast<Font *>(any)->size = size; }
static int scenario()
{
    Theme *theme = new Theme();
    prepare(&theme->lock);
    contend(&theme->lock);
    hits(&theme->lock);
    set_size(reinterpret_cast<char *>(&theme->lock.LockSemaphore) - offsetof(Font, size), WRONG_MEMBER);
    DONE(&theme->lock);
    return sink;
}
#elif defined(BAD_RAM)
// One bit.
static int scenario()
{
    CRITICAL_SECTION *lock = place();
    prepare(lock);
    contend(lock);
    hits(lock);
    lock->LockSemaphore = reinterpret_cast<HANDLE>(reinterpret_cast<ULONG_PTR>(lock->LockSemaphore) ^ static_cast<ULONG_PTR>(1) << BAD_RAM);
    DONE(lock);
    return sink;
}
#elif defined(STRAY_COUNT)
// A reference is counted through a stale pointer that is LockCount by now.
struct Refs { volatile LONG references; };
NOINLINE static void add_ref(Refs *object) { InterlockedIncrement(&object->references); }
static int scenario()
{
    CRITICAL_SECTION *lock = place();
    prepare(lock);
    if (WAITERS)
        contend(lock);
    else
        EnterCriticalSection(lock);
    hits(lock);
    add_ref(reinterpret_cast<Refs *>(&lock->LockCount));
    expect(lock);
    FINISH(lock);
    return sink;
}
#elif defined(BEFORE_ANYBODY)
// A length is stored through a stale pointer while the lock has never been waited for; the first who has to wait takes it for the event.
struct Buffer { void *data; SIZE_T length; };
NOINLINE static void resize(Buffer *buffer, SIZE_T length) { buffer->length = length; }
static int scenario()
{
    CRITICAL_SECTION *lock = place();
    prepare(lock);
    EnterCriticalSection(lock);
    hits(lock);
    resize(reinterpret_cast<Buffer *>(reinterpret_cast<char *>(&lock->LockSemaphore) - offsetof(Buffer, length)), BEFORE_ANYBODY);
    expect_handle(lock);
    start_waiters(&waiters);
    Sleep(4000);
    return sink;
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
