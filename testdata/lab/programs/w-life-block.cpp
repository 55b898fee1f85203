// Sixth batch: a heap block with a lock in it was freed, and the bytes are others now. Macros choose whose block it was, and what fills it.
#include "w-life.h"

#if defined(PIXELS)
// A map's tile is dropped; the decoder of the next picture gets its block.
struct Tile { short x, y; int zoom; CRITICAL_SECTION lock; LONG users; char pad[28]; };
static Tile *selected;
static ULONG *row_of_pixels;
static void draw(void *) { sink += call(&selected->lock); }
static void decode(void *)
{
    row_of_pixels = static_cast<ULONG *>(anew(selected, sizeof(Tile)));
    for (unsigned i = 0; i < sizeof(Tile) / 4; i++)
        row_of_pixels[i] = 0xFF4A7C30u + 0x020204u * i;
    post(draw, NULL);
}
static void evict(void *tile)
{
    released(&static_cast<Tile *>(tile)->lock);
    HeapFree(GetProcessHeap(), 0, tile);
    post(decode, NULL);
}
static void select(void *)
{
    selected = static_cast<Tile *>(allocate(sizeof(Tile)));
    selected->zoom = 14;
    made(&selected->lock);
    post(evict, selected);
}
static int scenario()
{
    post(select, NULL);
    return run_jobs();
}
#elif defined(WIDE_TEXT)
// A document is closed, a thread that counts its words goes on; the block is a path now.
struct Document { int pages; CRITICAL_SECTION lock; wchar_t title[30]; };
static Document *document;
static wchar_t *path;
static DWORD WINAPI count_words(void *)
{
    Sleep(600);
    return call(&document->lock);
}
NOINLINE static void close_document()
{
    released(&document->lock);
    HeapFree(GetProcessHeap(), 0, document);
}
static int scenario()
{
    document = static_cast<Document *>(allocate(sizeof(Document)));
    document->pages = 12;
    made(&document->lock);
    meanwhile(count_words, NULL);
    Sleep(100);
    close_document();
    path = static_cast<wchar_t *>(anew(document, sizeof(Document)));
    lstrcpynW(path, L"C:\\Users\\Public\\Documents\\Templates\\Letters\\invoice 2019.dotx", sizeof(Document) / 2);
    Sleep(3000);
    return sink;
}
#elif defined(DOUBLES)
// A sensor was removed while its curve is drawn; the block has the values of another's.
struct Sensor { double offset; ULONG id; CRITICAL_SECTION lock; double last[5]; };
template <class Sample> NOINLINE static int each(Sensor *sensor, Sample sample)
{
    for (int i = 0; i < 3; i++)
        sample(sensor, i);
    return sink;
}
static int scenario()
{
    Sensor *sensor = static_cast<Sensor *>(allocate(sizeof(Sensor)));
    made(&sensor->lock);
    return each(sensor, [](Sensor *one, int i) {
        call(&one->lock);
        LeaveCriticalSection(&one->lock);
        if (i == 0) {
            released(&one->lock);
            HeapFree(GetProcessHeap(), 0, one);
            double *values = static_cast<double *>(anew(one, sizeof(Sensor)));
            for (unsigned k = 0; k < sizeof(Sensor) / 8; k++)
                values[k] = 20.5 + 0.125 * k;
        }
    });
}
#elif defined(OTHER_CLASS)
// An entity is replaced by one of another class, in the same block; its controller has the old address.
struct Door { CRITICAL_SECTION lock; int state; float angle; void *room; };
struct Light {
    virtual void tick() { flicker++; }
    virtual ~Light() { }
    int flicker = 5, group = 2;
    const char *name = "lamp_hall";
    double power = 60, colour = 0.5;
    Light *next = nullptr;
    float rgb[2] = { 1, 1 };
};
static_assert(sizeof(Light) == sizeof(Door), "size");
struct Controller { Door *door; NOINLINE int open() { return call(&door->lock); } };
static Light *light;
NOINLINE static void replace(Door *door)
{
    released(&door->lock);
    HeapFree(GetProcessHeap(), 0, door);
    light = new (anew(door, sizeof(Light))) Light;
    light->tick();
}
static int scenario()
{
    Controller controller = { static_cast<Door *>(allocate(sizeof(Door))) };
    made(&controller.door->lock);
    replace(controller.door);
    return controller.open();
}
#elif defined(ZEROED)
// The job's block was given back by one thread and out again, zeroed, to another.
struct Encoder { int width, height; char codec[8]; CRITICAL_SECTION lock; void *planes[3]; };
static Encoder *encoder;
static void *table_of_offsets;
static DWORD WINAPI finish(void *)
{
    encoder = static_cast<Encoder *>(allocate(sizeof(Encoder)));
    encoder->width = 1920;
    made(&encoder->lock);
    released(&encoder->lock);
    HeapFree(GetProcessHeap(), 0, encoder);
    return 0;
}
static DWORD WINAPI index(void *)
{
    table_of_offsets = anew(encoder, sizeof(Encoder), HEAP_ZERO_MEMORY);
    return 0;
}
static int scenario()
{
    in_thread(finish, NULL);
    in_thread(index, NULL);
    return call(&encoder->lock);
}
#elif defined(FREED_FILL)
// Freed blocks are filled, but for the heap's own links at the beginning; CRT: the block is kept instead.
struct Lane { void *queue; LONG length; ULONG flags; char name[FREED_NAME]; CRITICAL_SECTION lock; LONG tickets[4]; };
static Lane *lane;
NOINLINE static void free_and_fill(void *block, SIZE_T size)
{
#if FREED_LINKS
    HeapFree(GetProcessHeap(), 0, block);
    size -= 8;
#endif
    for (SIZE_T i = FREED_LINKS; i < size / 4; i++)
        static_cast<volatile ULONG *>(block)[i] = FREED_FILL;
}
static DWORD WINAPI pool_worker(void *argument)
{
    Sleep(800);
    return call(&static_cast<Lane *>(argument)->lock);
}
static int scenario()
{
    lane = static_cast<Lane *>(allocate(sizeof(Lane)));
    lstrcpyA(lane->name, "io");
    made(&lane->lock);
#ifdef BY_WORKER
    meanwhile(pool_worker, lane);
    Sleep(200);
#endif
    released(&lane->lock);
    free_and_fill(lane, sizeof(Lane));
#ifdef BY_WORKER
    Sleep(3000);
    return sink;
#else
    return call(&lane->lock);
#endif
}
#elif defined(INTEGERS)
// The cleanup thread comes to a plugin's list entry, whose block is a list of identifiers since.
struct Plugin { Plugin *next; ULONG version; CRITICAL_SECTION lock; ULONG flags; };
static Plugin *plugins;
static ULONG *identifiers;
static DWORD WINAPI unload(void *)
{
    Plugin *one = plugins;
    released(&one->lock);
    HeapFree(GetProcessHeap(), 0, one);
    identifiers = static_cast<ULONG *>(anew(one, sizeof(Plugin)));
    for (unsigned i = 0; i < sizeof(Plugin) / 4; i++)
        identifiers[i] = 0x1A0 + 4 * i;
    return 0;
}
static DWORD WINAPI clean_up(void *list) { return call(&(*static_cast<Plugin **>(list))->lock); }
static int scenario()
{
    plugins = static_cast<Plugin *>(allocate(sizeof(Plugin)));
    made(&plugins->lock);
    in_thread(unload, NULL);
    in_thread(clean_up, &plugins);
    return sink;
}
#elif defined(TIMES)
// The destructor of an entry that was freed long ago; the block holds the times of files.
struct Folder {
    ULONG attributes;
    FILETIME read;
    CRITICAL_SECTION lock;
    FILETIME times[3];
    ~Folder() { call(&lock); }
};
static Folder *recent;
NOINLINE static void list_files()
{
    FILETIME *times = static_cast<FILETIME *>(anew(recent, sizeof(Folder)));
    for (unsigned i = 0; i < sizeof(Folder) / sizeof(FILETIME); i++)
        times[i] = { 0x01D5A3F2u + i / 4, 0xC4F0A150u + 0x98968u * i };
}
NOINLINE static void forget()
{
    released(&recent->lock);
    HeapFree(GetProcessHeap(), 0, recent);
}
static int scenario()
{
    recent = static_cast<Folder *>(allocate(sizeof(Folder)));
    made(&recent->lock);
    forget();
    list_files();
    recent->~Folder();
    return sink;
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
