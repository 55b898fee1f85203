// Fourth batch: an idle section is written over as a whole, by something that runs over the end of its own place; the bytes let the next
// Enter pass, and its Leave signals what lies there.
#include "k-common.h"

[[maybe_unused]] NOINLINE static int work(CRITICAL_SECTION *lock, int amount)
{
    EnterCriticalSection(lock);
    expect_handle(lock);
    sink += amount;
    LeaveCriticalSection(lock);
    return sink;
}
static void used_well(CRITICAL_SECTION *lock)
{
    initialize(lock);
    EnterCriticalSection(lock);
    sink++;
    LeaveCriticalSection(lock);
}

#if defined(LONG_PATH)
// A path of MAX_PATH characters is copied where there is room for 32.
struct Recent { int position; char path[32]; CRITICAL_SECTION lock; Recent *next; };
static Recent *recent;
NOINLINE static void remember(Recent *entry, const char *path) { lstrcpyA(entry->path, path); }
static int scenario()
{
    char path[96];
    recent = new Recent();
    used_well(&recent->lock);
    act("corrupted", &recent->lock);
    memset(path, 0, sizeof path);
    for (int i = 0; i < static_cast<int>(32 + sizeof(CRITICAL_SECTION) - 2); i++)
        path[i] = "D:\\kong\\"[i & 7];
    path[32 + offsetof(CRITICAL_SECTION, LockCount)] = 'g';
    remember(recent, path);
    return work(&recent->lock, 4);
}
#elif defined(WIDE_NAME)
// A device's name in 16-bit characters.
static struct { ULONG id; wchar_t name[16]; CRITICAL_SECTION lock; } devices[4];
static int scenario()
{
    static const wchar_t text[] = L"Generic Network Audio Controller (no driver loaded)";
    used_well(&devices[1].lock);
    act("corrupted", &devices[1].lock);
    volatile wchar_t *to = devices[1].name;
    for (unsigned i = 0; i < 16 + sizeof(CRITICAL_SECTION) / 2; i++)
        to[i] = text[i];
    to[16 + offsetof(CRITICAL_SECTION, LockCount) / 2] = L'o';
    return work(&devices[1].lock, 1);
}
#elif defined(FILL_RECTANGLE)
// A rectangle is filled that is one row too high; the bitmap's lock is behind its last row.
struct Bitmap { DWORD bits[8][8]; CRITICAL_SECTION lock; int dirty; };
NOINLINE static void fill(DWORD *bits, int count, DWORD colour)
{
    for (int i = 0; i < count; i++)
        bits[i] = colour;
}
static int scenario()
{
    Bitmap *bitmap = static_cast<Bitmap *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(Bitmap)));
    used_well(&bitmap->lock);
    act("corrupted", &bitmap->lock);
    fill(bitmap->bits[0], 64 + sizeof(CRITICAL_SECTION) / 4, FILL_RECTANGLE);
    return work(&bitmap->lock, 2);
}
#elif defined(TEXTURE_COORDINATES)
// One vertex too many.
struct Mesh { int count; float uv[12]; CRITICAL_SECTION lock; void *buffer; };
NOINLINE static void load(float *uv, int count)
{
    for (int i = 0; i < count; i++)
        uv[i] = i & 1 ? 0.7f : 0.35f;
}
static int scenario()
{
    static Mesh mesh;
    used_well(&mesh.lock);
    act("corrupted", &mesh.lock);
    load(mesh.uv, 12 + sizeof(CRITICAL_SECTION) / 4);
    reinterpret_cast<float *>(&mesh.lock.LockCount)[0] = 0.7f;
    return work(&mesh.lock, 6);
}
#elif defined(PACKET)
// A packet says how long it is, and is believed.
struct Session { unsigned id; unsigned char payload[64]; CRITICAL_SECTION lock; int state; };
NOINLINE static void receive(Session *session, const unsigned char *packet) { memcpy(session->payload, packet + 2, packet[0]); }
static int scenario()
{
    Session *session = new Session();
    unsigned char packet[128];
    for (unsigned i = 0; i < sizeof packet; i++)
        packet[i] = static_cast<unsigned char>(i * 73 + 31);
    packet[0] = 64 + sizeof(CRITICAL_SECTION);
    packet[2 + 64 + offsetof(CRITICAL_SECTION, LockCount)] |= 3;
    used_well(&session->lock);
    act("corrupted", &session->lock);
    receive(session, packet);
    return work(&session->lock, 3);
}
#elif defined(HISTORY_TABLE)
// A table of 16-bit samples runs over with <=, once per channel.
struct Meter { short history[4][20]; CRITICAL_SECTION lock; };
static int scenario()
{
    Meter *meter = new Meter();
    used_well(&meter->lock);
    act("corrupted", &meter->lock);
    volatile short *at = meter->history[3];
    for (int i = 0; i < static_cast<int>(20 + sizeof(CRITICAL_SECTION) / 2); i++)
        at[i] = static_cast<short>(2 * i * i + 1203);
    reinterpret_cast<volatile short *>(&meter->lock.LockCount)[0] |= 3;
    return work(&meter->lock, 5);
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
