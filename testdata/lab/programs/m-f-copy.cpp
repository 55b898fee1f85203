// Third batch: a section's bytes were copied, and one of the two was deleted. Macros choose how the copy came about.
#include "unseen.h"

static void copies(const CRITICAL_SECTION *original) { act("copied", original); }

#if defined(THROUGH_PIPE)
// A message with its lock inside is sent by value, through a pipe; the receiver destroys what it got, the sender what it had.
struct Message { int id; CRITICAL_SECTION lock; char text[36]; };
static HANDLE reading, writing;
NOINLINE static void destroy(Message *message)
{
    DeleteCriticalSection(&message->lock);
    message->id = -1;
}
static DWORD WINAPI receive(void *)
{
    static Message received;
    DWORD got;
    ReadFile(reading, &received, sizeof received, &got, NULL);
    EnterCriticalSection(&received.lock);
    sink += received.text[0];
    LeaveCriticalSection(&received.lock);
    destroy(&received);
    return 0;
}
static int scenario()
{
    DWORD sent;
    Waiters receivers;
    Message *message = new Message;
    message->id = 31;
    lstrcpyA(message->text, "rebuild the index");
    initialize(&message->lock);
    CreatePipe(&reading, &writing, NULL, 0);
    make_waiters(&receivers, 1, receive, NULL);
    start_waiters(&receivers);
    copies(&message->lock);
    expect(&message->lock);
    WriteFile(writing, message, sizeof *message, &sent, NULL);
    WaitForSingleObject(receivers.threads[0], INFINITE);
    destroy(message);
    return sink;
}
#elif defined(RING_GROWS)
// A ring grows: its elements move to a new block as bytes, and the old ring is torn down by its destructor.
struct Cell { int tag; CRITICAL_SECTION lock; int load; };
struct Ring {
    Cell *cells;
    int size;
    explicit Ring(int n) : cells(new Cell[n]), size(n) { }
    NOINLINE ~Ring()
    {
        for (int i = 0; i < size; i++)
            DeleteCriticalSection(&cells[i].lock);
        delete[] cells;
        sink++;
    }
};
NOINLINE static Ring *grow(Ring *old)
{
    Ring *larger = new Ring(2 * old->size);
    memcpy(static_cast<void *>(larger->cells), old->cells, old->size * sizeof(Cell));
    for (int i = old->size; i < larger->size; i++)
        initialize(&larger->cells[i].lock);
    delete old;
    return larger;
}
static int scenario()
{
    Ring *ring = new Ring(3);
    for (int i = 0; i < 3; i++) {
        ring->cells[i].tag = 500 + i;
        ring->cells[i].load = i;
        initialize(&ring->cells[i].lock);
        contend_once(&ring->cells[i].lock);
    }
    copies(&ring->cells[0].lock);
    ring = grow(ring);
    expect(&ring->cells[0].lock);
    delete ring;
    return sink;
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
