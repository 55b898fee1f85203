// A viewer of large images: windows of a file that are mapped one after the other, and large blocks of pages.
#include "unseen.h"

#ifdef VIEW
// A file's segments are mapped as they are needed, two at a time; a segment's first page is this process's own to use.
struct SegmentHead { char magic[8]; int users, dirty; CRITICAL_SECTION lock; };
struct Segment { char *view; int index; DWORD last_use; };
struct Reader { SegmentHead *head; int index, line; };
enum { SEGMENT = 0x10000, SEGMENTS = 6, MAPPED = 2 };
static HANDLE mapping;
static Segment mapped[MAPPED];
static DWORD clock_ticks;
static bool has_head[SEGMENTS] = { true, true, false, false, true, true }; // the others are all pixels

static void make_image(void)
{
    char path[MAX_PATH], folder[MAX_PATH];
    DWORD got;
    static unsigned char line[0x1000];
    GetTempPathA(MAX_PATH, folder);
    GetTempFileNameA(folder, "img", 0, path);
    HANDLE file = CreateFileA(path, GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, FILE_FLAG_DELETE_ON_CLOSE, NULL);
    for (int y = 0; y < SEGMENT * SEGMENTS / 0x1000; y++) {
        for (int x = 0; x < 0x1000; x += 4) { // blue, green, red, alpha
            line[x] = static_cast<unsigned char>(0x40 + (x >> 6) + y);
            line[x + 1] = static_cast<unsigned char>(0x80 + (x >> 4));
            line[x + 2] = static_cast<unsigned char>(0xB0 - y);
            line[x + 3] = 0xFF;
        }
        WriteFile(file, line, sizeof line, &got, NULL);
    }
    mapping = CreateFileMappingA(file, NULL, PAGE_READWRITE, 0, 0, NULL);
}
NOINLINE static char *segment(int index)
{
    Segment *oldest = &mapped[0];
    for (auto &one : mapped) {
        if (one.view && one.index == index) {
            one.last_use = ++clock_ticks;
            return one.view;
        }
        if (!one.view || one.last_use < oldest->last_use)
            oldest = &one;
    }
    if (oldest->view) {
        if (has_head[oldest->index])
            act("memory-released", &reinterpret_cast<SegmentHead *>(oldest->view)->lock);
        UnmapViewOfFile(oldest->view);
    }
    oldest->view = static_cast<char *>(MapViewOfFile(mapping, FILE_MAP_COPY, 0, index * SEGMENT, SEGMENT));
    oldest->index = index;
    oldest->last_use = ++clock_ticks;
    if (has_head[index]) {
        SegmentHead *head = reinterpret_cast<SegmentHead *>(oldest->view);
        lstrcpyA(head->magic, "SEGMENT");
        head->users = head->dirty = 0;
        InitializeCriticalSectionAndSpinCount(&head->lock, 400);
    }
    return oldest->view;
}
NOINLINE static int read_line(Reader *reader)
{
    CRITICAL_SECTION *lock = &reader->head->lock;
    expect(lock);
    EnterCriticalSection(lock);
    const unsigned char *pixels = reinterpret_cast<unsigned char *>(reader->head) + 0x1000 + 256 * reader->line++;
    int sum = 0;
    for (int x = 0; x < 256; x += 4)
        sum += pixels[x] + 2 * pixels[x + 1] + pixels[x + 2];
    LeaveCriticalSection(lock);
    return sum;
}
NOINLINE static int histogram(int index)
{
    const unsigned char *pixels = reinterpret_cast<unsigned char *>(segment(index));
    int counts[16] = { };
    for (int i = 0; i < SEGMENT; i += 64)
        counts[pixels[i] >> 4]++;
    return counts[5];
}
int main()
{
    LAB_START();
    crowd();
    make_image();
    Reader left = { reinterpret_cast<SegmentHead *>(segment(0)), 0, 0 }, right = { reinterpret_cast<SegmentHead *>(segment(1)), 1, 0 };
    for (int i = 0; i < 20; i++)
        sink += read_line(&left) - read_line(&right);
    sink += histogram(2) + histogram(3);
    sink += read_line(&right) + read_line(&left);
    return sink;
}

#elif defined(PAGES)
// Regions of a collected heap are given back and reserved anew; what they are for changes, their place does not.
enum Use { FREE, OBJECTS, MARKS };
struct Region { char *base; size_t size; Use use; int number; };
static Region regions[8];
static int region_count;
struct Space { char name[24]; size_t used; CRITICAL_SECTION lock; char data[1]; };

static Region *reserve(Use use, size_t size)
{
    char *base = static_cast<char *>(VirtualAlloc(NULL, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
    for (auto &region : regions)
        if (region.use == FREE) {
            region = { base, size, use, ++region_count };
            return &region;
        }
    return NULL;
}
static void give_back(Region *region)
{
    VirtualFree(region->base, 0, MEM_RELEASE);
    region->use = FREE;
    region->base = NULL;
}
static Space *make_space(const char *name)
{
    Space *space = reinterpret_cast<Space *>(reserve(OBJECTS, 0x40000)->base);
    lstrcpynA(space->name, name, sizeof space->name);
    space->used = sizeof(Space);
    InitializeCriticalSection(&space->lock);
    return space;
}
struct Allocator { Space *space; size_t limit; int thread; }; // one for each thread
static Allocator allocators[3];

NOINLINE static char *allocate(Allocator *from, size_t size)
{
    Space *space = from->space;
    expect(&space->lock);
    EnterCriticalSection(&space->lock);
    char *block = reinterpret_cast<char *>(space) + space->used;
    space->used += (size + 15) & ~15;
    if (space->used > from->limit)
        block = NULL;
    LeaveCriticalSection(&space->lock);
    return block;
}
NOINLINE static void collect(void)
{
    Region *marks = NULL;
    for (auto &region : regions) {
        if (region.use != OBJECTS)
            continue;
        Space *space = reinterpret_cast<Space *>(region.base);
        if (space->used > 0x300) // it is worth to be kept
            continue;
        act("memory-released", &space->lock);
        DeleteCriticalSection(&space->lock);
        give_back(&region);
        marks = reserve(MARKS, 0x40000);
        break;
    }
    for (auto &region : regions)
        if (marks && region.use == OBJECTS)
            for (size_t at = sizeof(Space); at < reinterpret_cast<Space *>(region.base)->used; at += 16)
                marks->base[0x800 + at / 128 + 0x1000 * (region.number % 8)] |= 1 << (at / 16 % 8);
}
int main()
{
    static const char *const names[] = { "old generation", "young generation", "large objects" };
    LAB_START();
    crowd();
    for (int i = 0; i < 3; i++)
        allocators[i] = { make_space(names[i]), 0x3F000, i };
    for (int i = 0; i < 60; i++) {
        char *object = allocate(&allocators[i % 2], 32 + 8 * (i % 3));
        if (object)
            object[0] = static_cast<char>(i);
    }
    allocate(&allocators[2], 64);
    collect();
    for (int i = 0; i < 60; i++)
        allocate(&allocators[i % 3], 48);
    return sink;
}
#endif
