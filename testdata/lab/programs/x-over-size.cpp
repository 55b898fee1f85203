// Seventh batch: the size is wrong of what is cleared, filled, copied or received. Macros choose.
#include "k-common.h"

[[maybe_unused]] static void hits(const CRITICAL_SECTION *lock) { act("corrupted", lock); }
[[maybe_unused]] NOINLINE static int next_enter(CRITICAL_SECTION *lock)
{
    expect(lock);
    EnterCriticalSection(lock);
    sink++;
    LeaveCriticalSection(lock);
    return sink;
}
[[maybe_unused]] NOINLINE static void copy(void *to, const void *from, SIZE_T size)
{
    for (SIZE_T i = 0; i < size; i++)
        static_cast<volatile char *>(to)[i] = static_cast<const char *>(from)[i];
}

#if defined(TOTALS)
// A new scan clears its totals; the lock and the list of folders moved into the structure later.
struct Folder { wchar_t name[20]; LONGLONG bytes; };
static struct Scan {
    int files, folders;
    LONGLONG bytes;
    CRITICAL_SECTION lock;
    Folder *largest[4];
    HANDLE thread;
} scan;
NOINLINE static void start_scan() { memset(&scan, 0, sizeof scan); }
static int scenario()
{
    initialize(&scan.lock);
    EnterCriticalSection(&scan.lock);
    scan.files = 512;
    scan.bytes = 90211344;
    LeaveCriticalSection(&scan.lock);
    hits(&scan.lock);
    start_scan();
    return next_enter(&scan.lock);
}
#elif defined(SILENCE)
// A buffer is filled with silence: frames by channels, where the buffer was made for one channel.
struct Voice { int rate; BYTE mix[48]; CRITICAL_SECTION lock; int playing; char name[28]; };
NOINLINE static void silence(BYTE *volatile mix, int frames, int channels) { memset(mix, 0x80, frames * channels); }
static int scenario()
{
    Voice *voice = new Voice();
    lstrcpyA(voice->name, "announcement");
    voice->rate = 8000;
    voice->playing = 1;
    initialize(&voice->lock);
    EnterCriticalSection(&voice->lock);
    silence(voice->mix, 48, 1);
    LeaveCriticalSection(&voice->lock);
    hits(&voice->lock);
    silence(voice->mix, 48, 2);
    return next_enter(&voice->lock);
}
#elif defined(STATUS_BLOCK)
// The library was built with a longer structure than the program.
#include "x-over-status.h"
class Monitor {
public:
    Status status;
    CRITICAL_SECTION lock;
    int polls = 0;
};
static int scenario()
{
    typedef void (*query_function)(void *);
    query_function query = reinterpret_cast<query_function>(reinterpret_cast<void *>(GetProcAddress(LoadLibraryA("plugin.dll"), "query_status")));
    static Monitor monitors[2];
    Monitor *monitor = &monitors[1];
    prepare(&monitor->lock);
    contend(&monitor->lock);
    hits(&monitor->lock);
    query(&monitor->status);
    expect(&monitor->lock);
    FINISH(&monitor->lock);
    return sink;
}
#elif defined(SAMPLES)
// Samples are read to the object instead of to its buffer, and as many bytes as the object has.
struct Track { char name[8]; int rate, position; CRITICAL_SECTION lock; Track *next; short *samples; };
static Track *tracks[4];
static const short recording[40] = { 12, 180, 611, 1450, 2210, 2604, 2532, 1998, 1204, 377, -420, -1102, -1580, -1844, -1902, -1799, -1560, -1222, -810, -355,
                                     118, 590, 1044, 1466, 1838, 2142, 2368, 2508, 2554, 2505, 2366, 2140, 1836, 1460, 1040, 586, 112, -364, -824, -1240 };
NOINLINE static void load(Track *volatile track) { copy(track, recording, sizeof *track); }
static int scenario()
{
    for (Track *&track : tracks) {
        track = new Track();
        lstrcpyA(track->name, "track");
        track->rate = 22050;
        track->samples = new short[64]();
        initialize(&track->lock);
    }
    hits(&tracks[2]->lock);
    load(tracks[2]);
    return next_enter(&tracks[2]->lock);
}
#elif defined(PACKET)
// A packet says how long it is, and is believed.
struct Connection { DWORD sequence; BYTE payload[64]; CRITICAL_SECTION lock; BYTE *next; int state; char peer[24]; };
NOINLINE static void receive(Connection *connection, const BYTE *packet)
{
    connection->sequence = packet[0];
    copy(connection->payload, packet + 2, packet[1]);
}
static int scenario()
{
    static BYTE packet[160];
    DWORD random = 0x2F6B19C4;
    for (BYTE &byte : packet) {
        random = random * 1664525 + 1013904223;
        byte = static_cast<BYTE>(random >> 24);
    }
    packet[0] = 7;
    packet[1] = 120;
    Connection *connection = new Connection();
    lstrcpyA(connection->peer, "10.20.0.9:5060");
    connection->next = connection->payload;
    connection->state = 3;
    initialize(&connection->lock);
    hits(&connection->lock);
    receive(connection, packet);
    return next_enter(&connection->lock);
}
#elif defined(STRIDE)
// A picture's lines are longer in the file than in the tile it is decoded to.
struct Tile { int width, height; DWORD pixels[6][4]; CRITICAL_SECTION lock; };
NOINLINE static void decode(DWORD *volatile pixels, int stride, int lines)
{
    for (int y = 0; y < lines; y++)
        for (int x = 0; x < stride; x++)
            pixels[y * stride + x] = 0xFF000000 | (y * 12 + 40) << 16 | (200 - x * 9) << 8 | ((y * stride + x) * 3 + 1);
}
static int scenario()
{
    Tile *tiles = new Tile[3]();
    for (int i = 0; i < 3; i++) {
        tiles[i].width = 4;
        tiles[i].height = 6;
        initialize(&tiles[i].lock);
    }
    hits(&tiles[1].lock);
    decode(tiles[0].pixels[0], 12, 6);
    CRITICAL_SECTION *lock = &tiles[1].lock;
    EnterCriticalSection(lock);
    sink = tiles[1].width;
    expect_handle(lock);
    LeaveCriticalSection(lock);
    return sink++;
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
