// Third batch: a section is written over while it is owned and waited for, mostly by what belongs to the fields behind it.
#include "unseen.h"

static Waiters waiters;
typedef unsigned long long u64;
static const int WORDS_BACK = 2, BYTES_BACK = 2 * sizeof(void *); // from the first field behind to LockSemaphore

[[maybe_unused]] static void own_contended(CRITICAL_SECTION *lock)
{
    make_waiters(&waiters, WAITERS, pass_through, lock);
    EnterCriticalSection(lock);
#ifdef RECURSE
    EnterCriticalSection(lock);
#endif
    start_waiters(&waiters);
#ifdef RECURSE
    LeaveCriticalSection(lock);
#endif
    act("corrupted", lock);
}
NOINLINE static int unlock(CRITICAL_SECTION *lock)
{
    expect_handle(lock);
    sink++;
    LeaveCriticalSection(lock);
    return sink++;
}

#if defined(ERASED_WORD)
// erase() of an undo stack's place -2, which a search that failed has returned: all behind moves one word down.
struct History { int depth; CRITICAL_SECTION lock; void *steps[10]; };
NOINLINE static void erase(History *history, int place, int count) { memmove(&history->steps[place], &history->steps[place + 1], count * sizeof(void *)); }
static int scenario()
{
    History *history = new History;
    for (void *&step : history->steps)
        step = new int[6];
    initialize(&history->lock);
    own_contended(&history->lock);
    erase(history, -WORDS_BACK, 12);
    return unlock(&history->lock);
}
#elif defined(TRANSPOSED)
// m[row][column] of a matrix with other strides; the row is -1.
struct Scene { CRITICAL_SECTION lock; float transform[4][4]; int objects; };
NOINLINE static void set(float *matrix, int row, int column, int stride, float value) { matrix[row * stride + column] = value; }
static struct Scene scenes[2];
static int scenario()
{
    CRITICAL_SECTION *lock = &scenes[1].lock;
    initialize(lock);
    own_contended(lock);
    for (int i = 0; i < 4; i++)
        set(&scenes[1].transform[0][0], i, i, 4, 1.0f);
    set(&scenes[1].transform[0][0], -1, 0, BYTES_BACK / 4, -0.7071f);
    return unlock(lock);
}
#elif defined(MIXED)
// A voice is mixed into a buffer that begins a few samples earlier, as the delay line says.
struct Output { CRITICAL_SECTION lock; short frames[96]; };
NOINLINE static void mix(short *out, const short *voice, int n) { for (int i = 0; i < n; i++) out[i] = static_cast<short>(out[i] + voice[i] / 2); }
static int scenario()
{
    static short voice[64];
    Output *output = new Output;
    memset(output->frames, 0, sizeof output->frames);
    for (int i = 0; i < 64; i++)
        voice[i] = static_cast<short>(i ? 0 : 0x0A58); // a click, and silence
    initialize(&output->lock);
    own_contended(&output->lock);
    mix(output->frames - BYTES_BACK / 2, voice, 64);
    return unlock(&output->lock);
}
#elif defined(DECRYPTED)
// A packet is decrypted in place from its header on; the header is longer in this version.
struct Packet { unsigned sequence; CRITICAL_SECTION lock; unsigned char payload[40]; };
NOINLINE static void decrypt(unsigned char *at, int n)
{
    unsigned state = 0x9E3779B9;
    for (int i = 0; i < n; i++, state = state * 1664525 + 1013904223)
        at[i] ^= static_cast<unsigned char>(state >> 24);
}
static int scenario()
{
    static Packet packets[3];
    Packet *packet = &packets[2];
    initialize(&packet->lock);
    own_contended(&packet->lock);
    decrypt(packet->payload - BYTES_BACK, 40 + BYTES_BACK);
    return unlock(&packet->lock);
}
#elif defined(SHIFT_REGISTER)
// The last states of an input are kept in one word, by a driver object that has been replaced by this one.
struct Input { char head[offsetof(CRITICAL_SECTION, LockSemaphore)]; unsigned states; };
NOINLINE static void sample(Input *input, unsigned level) { input->states = input->states << 1 | level; }
static int scenario()
{
    CRITICAL_SECTION *lock = place();
    initialize(lock);
    own_contended(lock);
    for (int i = 0; i < SHIFT_REGISTER; i++)
        sample(reinterpret_cast<Input *>(lock), i & 1);
    return unlock(lock);
}
#elif defined(BYTES_LEFT)
// A download's remaining bytes go below zero; the object is no download any more.
struct Transfer { void *socket; int state, retries; void *buffer; ULONG_PTR left; };
NOINLINE static void received(Transfer *transfer, int bytes) { transfer->left -= bytes; }
static int scenario()
{
    CRITICAL_SECTION *lock = place();
    initialize(lock);
    own_contended(lock);
    for (int i = 0; i < 5; i++)
        received(reinterpret_cast<Transfer *>(lock), 1460);
    return unlock(lock);
}
#elif defined(PACKED_TICKS)
// A packed record's time lies at an odd multiple of two, over parts of two fields.
#pragma pack(push, 2)
struct Sighting { short cell; unsigned ticks; short level; };
struct Station { CRITICAL_SECTION lock; Sighting seen[6]; };
#pragma pack(pop)
static Station stations[5];
NOINLINE static void note(Sighting *sighting, unsigned ticks) { sighting->ticks = ticks; }
static int scenario()
{
    Station *station = &stations[3];
    initialize(&station->lock);
    own_contended(&station->lock);
    note(reinterpret_cast<Sighting *>(reinterpret_cast<char *>(station->seen) - BYTES_BACK), 0x0A3C51D2);
    return unlock(&station->lock);
}
#elif defined(LIST_HEAD)
// The list's head is made empty, at the offset that it has in the debug version.
struct Registry { int plugins; CRITICAL_SECTION lock; LIST_ENTRY head; };
NOINLINE static void make_empty(LIST_ENTRY *head) { head->Flink = head->Blink = head; }
static int scenario()
{
    Registry *registry = new Registry;
    initialize(&registry->lock);
    make_empty(&registry->head);
    own_contended(&registry->lock);
    make_empty(reinterpret_cast<LIST_ENTRY *>(reinterpret_cast<char *>(&registry->head) - BYTES_BACK));
    return unlock(&registry->lock);
}
#elif defined(HOOK)
// hooks[kind - 2] of a kind that was 2 once.
typedef int (*Hook)(int);
static struct { CRITICAL_SECTION lock; Hook hooks[8]; } host;
static int quiet(int n) { return n; }
static int loud(int n) { return 2 * n + sink; }
NOINLINE static void install(int kind, Hook hook) { static_cast<Hook volatile *>(host.hooks)[kind - 2] = hook; }
static int scenario()
{
    for (int kind = 2; kind < 8; kind++)
        install(kind, quiet);
    initialize(&host.lock);
    own_contended(&host.lock);
    install(0, loud);
    return unlock(&host.lock);
}
#elif defined(EMPTY_BACK)
// back() of a small vector that is empty.
struct Text { const char *begin; SIZE_T length; };
template <class T, int Room> struct SmallVector {
    T inline_items[Room];
    int used;
    T &back() { return inline_items[used - 1]; }
};
struct Parser { CRITICAL_SECTION lock; SmallVector<Text, 6> tokens; };
NOINLINE static void extend(Parser *parser, const char *begin, SIZE_T length) { parser->tokens.back() = { begin, length }; }
static int scenario()
{
    Parser *parser = static_cast<Parser *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(Parser)));
    initialize(&parser->lock);
    own_contended(&parser->lock);
    extend(parser, "select name from customers", 6);
    return unlock(&parser->lock);
}
#elif defined(PIXEL_ROW)
// Pixels of three bytes are flipped from right to left, with a width from the file.
struct Pixel { unsigned char red, green, blue; };
struct Row { CRITICAL_SECTION lock; Pixel pixels[32]; };
static Row rows[4];
NOINLINE static void flip(Pixel *right, int width) { for (int i = 0; i < width; i++) right[-i] = { static_cast<unsigned char>(0xE0 + i % 8), 0xC8, static_cast<unsigned char>(0x90 + i % 4) }; }
static int scenario()
{
    Row *row = &rows[1];
    initialize(&row->lock);
    own_contended(&row->lock);
    flip(&row->pixels[31], 32 + (BYTES_BACK - 1) / 3);
    return unlock(&row->lock);
}
#elif defined(HEADER_BITS)
// A header's length is a bit field; what is set is the header of a frame that was sent and given back.
struct Header { unsigned kind : 8, length : 14, last : 1, spare : 9; };
struct Frame { char head[offsetof(CRITICAL_SECTION, LockSemaphore)]; Header header; };
NOINLINE static void set_length(Frame *frame, unsigned length) { frame->header.length = length; frame->header.last = 1; }
static int scenario()
{
    CRITICAL_SECTION *lock = place();
    initialize(lock);
    own_contended(lock);
    set_length(reinterpret_cast<Frame *>(lock), 1514);
    return unlock(lock);
}
#elif defined(MIDDLE_ENDIAN)
// Words of 32 bits from a device have their halves exchanged; two words too many are put right.
struct Readings { CRITICAL_SECTION lock; unsigned registers[12]; };
NOINLINE static void put_right(unsigned *at, unsigned *end) { for (; at < end; at++) *at = *at << 16 | *at >> 16; }
static int scenario()
{
    Readings *readings = new Readings;
    memset(readings->registers, 0x11, sizeof readings->registers);
    initialize(&readings->lock);
    own_contended(&readings->lock);
    put_right(readings->registers - BYTES_BACK / 4, readings->registers + 12);
    return unlock(&readings->lock);
}
#elif defined(SIFTED)
// A priority queue's parent of place 0 is place -1 of its pairs; the smaller key sinks there.
struct Pair { int key, value; };
struct Schedule { CRITICAL_SECTION lock; Pair heap[8]; int used; };
static Schedule schedules[2];
NOINLINE static void push(Schedule *schedule, Pair pair)
{
    int at = schedule->used++;
    Pair *heap = schedule->heap;
    while (at > -BYTES_BACK / 8 && heap[at > 0 ? (at - 1) / 2 : at - 1].value < pair.value) {
        int parent = at > 0 ? (at - 1) / 2 : at - 1;
        heap[at] = heap[parent];
        at = parent;
    }
    heap[at] = pair;
}
static int scenario()
{
    Schedule *schedule = &schedules[1];
    initialize(&schedule->lock);
    own_contended(&schedule->lock);
    push(schedule, { 0x3C8, 2 });
    return unlock(&schedule->lock);
}
#elif defined(CANCELLED)
// All of a table's ids become -1; it begins one field too early, in LockCount.
static struct { int generation; CRITICAL_SECTION lock; int ids[6]; } requests;
NOINLINE static void cancel(volatile int *ids, int n) { for (int i = 0; i < n; i++) ids[i] = -1; }
static int scenario()
{
    initialize(&requests.lock);
    own_contended(&requests.lock);
    cancel(reinterpret_cast<volatile int *>(&requests.lock.LockCount), CANCELLED);
    return unlock(&requests.lock);
}
#elif defined(WORKER_STORED)
// workers[free_place()] where the answer was "none": the new thread's handle goes to where the event's is.
struct Pool { CRITICAL_SECTION lock; HANDLE workers[6]; int used; };
static Pool *pool;
NOINLINE static int free_place(int wanted) { return wanted < 6 ? wanted : -WORDS_BACK; }
NOINLINE static void grow()
{
    pool->workers[free_place(6 + (sink & 0))] =
#if WORKER_STORED == 1
        CreateThread(NULL, STACK_RESERVE, pass_through, &pool->lock, CREATE_SUSPENDED | STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
#else
        OpenEventA(SYNCHRONIZE, FALSE, "contoso-pool-go");
#endif
}
static int scenario()
{
    pool = static_cast<Pool *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(Pool) + 32));
    CreateEventA(NULL, TRUE, FALSE, "contoso-pool-go");
    initialize(&pool->lock);
    own_contended(&pool->lock);
    grow();
    return unlock(&pool->lock);
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
