// Sixth batch: a call on released memory gets through to the event and fails there. Macros choose what the bytes are now.
#include "w-life.h"

// The bytes let a thread enter; it fails when it leaves.
template <class Work> NOINLINE static int locked(CRITICAL_SECTION *lock, Work work)
{
    EnterCriticalSection(lock);
    work();
    expect_handle(lock);
    LeaveCriticalSection(lock);
    return sink++;
}

#if defined(QUARANTINE)
// The allocator keeps freed blocks for a while, filled.
struct Socket { int id, state; CRITICAL_SECTION lock; char local[24]; LONG bytes; };
static void *kept[4];
NOINLINE static void zap(void *block, SIZE_T size)
{
    volatile ULONG *words = static_cast<volatile ULONG *>(block);
    for (SIZE_T i = 0; i < size / 4; i++)
        words[i] = QUARANTINE;
    kept[1] = block;
}
static void on_data(void *argument)
{
    Socket *one = static_cast<Socket *>(argument);
    locked(&one->lock, [one] { one->bytes += 512; });
}
static void on_close(void *argument)
{
    released(&static_cast<Socket *>(argument)->lock);
    zap(argument, sizeof(Socket));
    post(on_data, argument);
}
static void on_open(void *)
{
    Socket *one = static_cast<Socket *>(allocate(sizeof(Socket)));
    one->id = 17;
    made(&one->lock);
    post(on_close, one);
}
static int scenario()
{
    post(on_open, NULL);
    return run_jobs();
}
#elif defined(IDENTIFIERS)
// A cell of a spreadsheet was freed, its block is an index; the recalculation comes to the cell.
struct Cell { int row, column; double value; CRITICAL_SECTION lock; Cell *next; };
static Cell *cell;
static ULONG *index_of_names;
static DWORD WINAPI recalculate(void *)
{
    Sleep(500);
    return locked(&cell->lock, [] { sink += 2; });
}
static int scenario()
{
    cell = static_cast<Cell *>(allocate(sizeof(Cell)));
    made(&cell->lock);
    meanwhile(recalculate, NULL);
    Sleep(100);
    released(&cell->lock);
    HeapFree(GetProcessHeap(), 0, cell);
    index_of_names = static_cast<ULONG *>(anew(cell, sizeof(Cell)));
    for (unsigned i = 0; i < sizeof(Cell) / 4; i++)
        index_of_names[i] = 0x9C43 + 20 * i;
    Sleep(3000);
    return sink;
}
#elif defined(CHUNK)
// A request's block is a chunk of the answer's text.
struct Request { char method[8]; CRITICAL_SECTION lock; int length; };
static Request *request;
static char *chunk;
struct Connection {
    Request *current;
    NOINLINE void finish() { locked(&current->lock, [this] { sink += current->length; }); }
};
NOINLINE static void send_answer(Request *of)
{
    released(&of->lock);
    HeapFree(GetProcessHeap(), 0, of);
    chunk = static_cast<char *>(anew(of, sizeof(Request)));
    static const char page[] = "<html>\n<body>\n<h3>Index of /pub/music</h3>\n<ul>\n<li>albums</li>";
    for (unsigned i = 0; i < sizeof(Request); i++)
        chunk[i] = page[i];
}
static int scenario()
{
    request = static_cast<Request *>(allocate(sizeof(Request)));
    made(&request->lock);
    Connection connection = { request };
    send_answer(request);
    connection.finish();
    return sink;
}
#elif defined(TALLY)
// The list's node is freed by the thread that is in its lock; a table of counts has the block.
struct Node { int key, hits; CRITICAL_SECTION lock; Node *left, *right; };
static ULONG *counts;
NOINLINE static void erase(Node *one)
{
    released(&one->lock);
    HeapFree(GetProcessHeap(), 0, one);
    counts = static_cast<ULONG *>(anew(one, sizeof(Node)));
    for (unsigned i = 0; i < sizeof(Node) / 4; i++)
        counts[i] = i % 2 ? 57 + 13 * i : 1; // word and number of hits
    counts[6] = 0x412;
}
struct Guard {
    CRITICAL_SECTION *lock;
    explicit Guard(CRITICAL_SECTION *l) : lock(l) { EnterCriticalSection(lock); }
    ~Guard()
    {
        expect_handle(lock);
        LeaveCriticalSection(lock);
    }
};
NOINLINE static int visit(Node *one)
{
    Guard guard(&one->lock);
    if (++one->hits == 1)
        erase(one);
    return sink++;
}
static int scenario()
{
    Node *one = static_cast<Node *>(allocate(sizeof(Node)));
    made(&one->lock);
    one->key = 8;
    return visit(one);
}
#elif defined(LIST_NODE)
// The place in an object pool is a list's node now: what was DebugInfo leads to the next one.
struct Brush { CRITICAL_SECTION lock; int width, style; };
struct Item { Item *next; int rank, weight; Item *previous; char *text; ULONG_PTR hash; };
static union Place { Brush brush; Item item; } places[8];
static Brush *selected;
static char texts[8][12];
static bool taken[8];
static Place *take()
{
    for (int i = 0; i < 8; i++)
        if (!taken[i]) {
            taken[i] = true;
            return &places[i];
        }
    return NULL;
}
NOINLINE static void drop(Brush *brush)
{
    released(&brush->lock);
    taken[reinterpret_cast<Place *>(brush) - places] = false;
}
static DWORD WINAPI paint(void *)
{
    Sleep(300);
    expect_handle(&selected->lock);
    EnterCriticalSection(&selected->lock);
    sink += selected->width;
    LeaveCriticalSection(&selected->lock);
    return 0;
}
NOINLINE static void fill_list()
{
    Item *last = &places[7].item;
    for (int i = 0; Place *place = take(); i++) {
        place->item = { &places[7].item, 40 + 2 * i, 7, last, texts[i], 0x51ED2700u + i };
        last->next = &place->item;
        last = &place->item;
    }
}
static int scenario()
{
    for (int i = 0; i < 4; i++)
        selected = &take()->brush;
    made(&selected->lock);
    drop(selected);
    fill_list();
    in_thread(paint, NULL);
    return sink;
}
#elif defined(SIZES)
// A track's lock was in a block that is a table of sizes in units of four.
struct Track { ULONG number; float volume; CRITICAL_SECTION lock; ULONG length; };
static ULONG *sizes;
struct Player {
    Track *track;
    virtual int stop() = 0;
};
struct FilePlayer : Player {
    NOINLINE int stop() override { return locked(&track->lock, [this] { sink += static_cast<int>(track->length); }); }
};
static DWORD WINAPI close_album(void *track)
{
    released(&static_cast<Track *>(track)->lock);
    HeapFree(GetProcessHeap(), 0, track);
    sizes = static_cast<ULONG *>(anew(track, sizeof(Track)));
    for (unsigned i = 0; i < sizeof(Track) / 8; i++) {
        sizes[2 * i] = i == 2 ? 0x2B : 0x5D0 + 4 * i; // the size, and what is ahead of it
        sizes[2 * i + 1] = 0;
    }
    return 0;
}
static int scenario()
{
    FilePlayer player;
    player.track = static_cast<Track *>(allocate(sizeof(Track)));
    made(&player.track->lock);
    Player *volatile any = &player;
    in_thread(close_album, player.track);
    return any->stop();
}
#elif defined(SAMPLES)
// The mixer's arena begins anew with each buffer; a voice in it has ended, but is in the list.
struct Voice { int channel; float gain; CRITICAL_SECTION lock; Voice *next; };
static struct { char bytes[4096]; unsigned used; } arena;
static void *take(unsigned size) { arena.used += size; return arena.bytes + arena.used - size; }
static Voice *voices;
static void mix(void *)
{
    arena.used = 0;
    short *buffer = static_cast<short *>(take(2000));
    for (int i = 0; i < 1000; i++)
        buffer[i] = static_cast<short>(-301 - 16 * (i % 90));
    locked(&voices->lock, [] { sink++; });
}
static void play(void *)
{
    take(800);
    voices = static_cast<Voice *>(take(sizeof(Voice)));
    voices->gain = 0.7f;
    made(&voices->lock);
    released(&voices->lock);
    post(mix, NULL);
}
static int scenario()
{
    post(play, NULL);
    return run_jobs();
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
