// Sixth batch: no Initialize ran, but what lies there lets a call pass, and a later step fails with a status. Macros choose what lies there.
#include "k-common.h"

[[maybe_unused]] static void unmade(CRITICAL_SECTION *lock)
{
    act("never-initialized", lock);
    expect_handle(lock);
}

#if defined(INI_TEXT)
// A profile's lock is made when it is loaded; this one is only asked for a value. Its block was the text of a file.
struct Profile { CRITICAL_SECTION lock; char name[16]; int dirty; };
NOINLINE static int value(Profile *profile)
{
    if (!TryEnterCriticalSection(&profile->lock))
        return -1;
    int result = profile->dirty;
    LeaveCriticalSection(&profile->lock);
    return result;
}
static int scenario()
{
    static const char text[] = "x=1\r\ncolor=6\r\ntitle=Main window\r\nwidth=640\r\n";
    char *before = static_cast<char *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Profile)));
    HeapFree(GetProcessHeap(), 0, before);
    Profile *profile = static_cast<Profile *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Profile)));
    for (unsigned i = 0; i < sizeof *profile; i++)
        reinterpret_cast<volatile char *>(profile)[i] = text[(i + 2) % (sizeof text - 1)];
    lstrcpyA(profile->name, "default");
    profile->dirty = 0;
    unmade(&profile->lock);
    return value(profile);
}
#elif defined(OLD_VERTICES)
// A frame's memory is used again as it is; the batch in it forgets its lock.
struct Vertex { float x, y; DWORD color, unused; };
struct Batch { int first, count; void *texture; CRITICAL_SECTION lock; int flags; };
NOINLINE static void fill(char *frame)
{
    for (int i = 0; i < 200; i++) {
        volatile Vertex *vertex = reinterpret_cast<Vertex *>(frame) + i;
        vertex->x = 0.5f * i;
        vertex->y = 900 - 2.25f * i;
        vertex->color = 0xFF8040FF - (i << 16);
        vertex->unused = 0x3F800000;
    }
}
NOINLINE static int submit(Batch *batch)
{
    EnterCriticalSection(&batch->lock);
    batch->count++;
    LeaveCriticalSection(&batch->lock);
    return batch->count;
}
static int scenario()
{
    char *frame = pages(0x4000);
    fill(frame);
    Batch *batch = reinterpret_cast<Batch *>(frame + 0x240);
    batch->first = 16;
    batch->count = 4;
    batch->texture = frame + 0x3000;
    batch->flags = 1;
    unmade(&batch->lock);
    return submit(batch);
}
#elif defined(PREVIOUS_OBJECT)
// The block was another class's, whose reference count lies where LockCount is.
struct Channel {
    virtual ~Channel() { }
    Channel *peer;
    volatile int references, state;
    void *buffer;
    char *volatile address;
    volatile ULONG_PTR sent, received;
};
struct Session {
    CRITICAL_SECTION lock;
    volatile int requests;
    virtual void end() { LeaveCriticalSection(&lock); }
    virtual void begin() { EnterCriticalSection(&lock); requests++; }
};
NOINLINE static int serve(Session *volatile session)
{
    session->begin();
    session->end();
    return session->requests;
}
static int scenario()
{
    Channel *channel = new Channel;
    channel->peer = channel;
    channel->references = 3;
    channel->state = 8;
    channel->buffer = new char[200];
    channel->address = new char[80];
    channel->sent = 1822;
    channel->received = 406;
    asm volatile("" : : "r"(channel) : "memory");
    Session *session = new (channel) Session;
    session->requests = 0;
    unmade(&session->lock);
    return serve(session);
}
#elif defined(OLD_SIZES)
// A grid's block was a list of sizes.
struct Grid { int columns, rows; CRITICAL_SECTION lock; int *cells; };
NOINLINE static int resize(Grid *grid)
{
    EnterCriticalSection(&grid->lock);
    grid->rows++;
    LeaveCriticalSection(&grid->lock);
    return grid->rows;
}
static int scenario()
{
    static const int sizes[] = { 320, 200, 1280, 1024, 1023, 767, 640, 480, 800, 0, 352, 288, 176, 144 };
    void *before = HeapAlloc(GetProcessHeap(), 0, sizeof(Grid));
    HeapFree(GetProcessHeap(), 0, before);
    Grid *grid = static_cast<Grid *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Grid)));
    for (unsigned i = 0; i < sizeof *grid / sizeof *sizes; i++)
        reinterpret_cast<volatile int *>(grid)[i] = sizes[i];
    grid->columns = 8;
    grid->rows = 2;
    unmade(&grid->lock);
    return resize(grid);
}
#elif defined(CLEANS_UP)
// A ticket's lock is made and entered on the way; an early error cleans up all the same.
struct Ticket { const char *title; int state, attempts; HANDLE thread; void *reply; int size; };
struct Printer { CRITICAL_SECTION lock; int pages; };
NOINLINE static int print(Printer *printer, int pages)
{
    int result = -1;
    if (pages > 100)
        goto done;
    initialize(&printer->lock);
    EnterCriticalSection(&printer->lock);
    result = printer->pages = pages;
done:
    LeaveCriticalSection(&printer->lock);
    return result;
}
static int scenario()
{
    volatile Ticket *ticket = static_cast<Ticket *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Ticket) + 16));
    ticket->title = "Ticket";
    ticket->state = 5;
    ticket->attempts = 1;
    ticket->thread = NULL;
    ticket->reply = NULL;
    ticket->size = 0;
    Printer *printer = reinterpret_cast<Printer *>(const_cast<Ticket *>(ticket));
    asm volatile("" : "+r"(printer) : : "memory");
    printer->pages = 0;
    will("never-initialized", &printer->lock);
    return print(printer, 250);
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
