// Seventh batch: a lock that nobody has made, in memory that was something else's. Macros choose whose.
#include "k-common.h"

[[maybe_unused]] static void did(CRITICAL_SECTION *lock)
{
    act("never-initialized", lock);
    expect(lock);
}
// A text of an earlier use, in a block of the size that is wanted next.
[[maybe_unused]] NOINLINE static void earlier(const char *text, SIZE_T size)
{
    char *blocks[40];
    for (char *&block : blocks) {
        block = static_cast<char *>(HeapAlloc(GetProcessHeap(), 0, size));
        for (SIZE_T i = 0, at = 0; i < size; i++, at = text[at + 1] ? at + 1 : 0)
            static_cast<volatile char *>(block)[i] = text[at];
    }
    for (char *block : blocks)
        HeapFree(GetProcessHeap(), 0, block);
}

#if defined(TITLE)
// A producer is allocated and filled in, all but its lock: elsewhere zeros are good enough, and malloc gave zeros.
struct Title { const char *resource; int width, height; double aspect; CRITICAL_SECTION lock; void *image, *parent; };
NOINLINE static Title *make_title(const char *resource)
{
    Title *title = static_cast<Title *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Title)));
    title->resource = resource;
    title->width = 1920;
    title->height = 1080;
    title->aspect = 1.25;
    title->image = NULL;
    title->parent = title;
    return title;
}
NOINLINE static int get_image(Title *title)
{
    did(&title->lock);
    EnterCriticalSection(&title->lock);
    sink++;
    LeaveCriticalSection(&title->lock);
    return sink;
}
static int scenario()
{
    earlier("<?xml version=\"1.0\"?><kdenlivetitle duration=\"125\" LC_NUMERIC=\"C\" width=\"1920\">", sizeof(Title));
    return get_image(make_title("intro.kdenlivetitle"));
}
#elif defined(DOCUMENT)
// One of two constructors forgets it; the allocator fills what it hands out.
struct Document {
    virtual int pages() { return count; }
    virtual ~Document() { DeleteCriticalSection(&lock); }
    int count, dirty;
    const wchar_t *path;
    CRITICAL_SECTION lock;
    void *views[3];
    NOINLINE explicit Document(int n) : count(n), dirty(0), path(L"") { initialize(&lock); }
    NOINLINE Document(const Document &other) : count(other.count), dirty(1), path(other.path) { views[0] = views[1] = views[2] = NULL; }
    static void *operator new(size_t size)
    {
        void *block = HeapAlloc(GetProcessHeap(), 0, size);
        for (size_t i = 0; i < size; i++)
            static_cast<volatile BYTE *>(block)[i] = 0xE4;
        return block;
    }
};
NOINLINE static int save(Document *document)
{
    did(&document->lock);
    EnterCriticalSection(&document->lock);
    sink += document->pages();
    LeaveCriticalSection(&document->lock);
    return sink;
}
static int scenario()
{
    Document *first = new Document(12);
    EnterCriticalSection(&first->lock);
    Document *second = new Document(*first);
    LeaveCriticalSection(&first->lock);
    return save(second);
}
#elif defined(PLAYLIST)
// The reader returns before the lock is made when the file has an old header, and the list is used all the same.
struct Playlist { int version, count; ULONGLONG length; const wchar_t *name; CRITICAL_SECTION lock; void *tracks; };
NOINLINE static bool read_list(Playlist *list, const wchar_t *name, int version)
{
    list->version = version;
    list->name = name;
    list->count = 0;
    list->length = 0;
    list->tracks = NULL;
    if (version < 3)
        return false;
    initialize(&list->lock);
    return true;
}
struct Guard {
    CRITICAL_SECTION *lock;
    explicit Guard(CRITICAL_SECTION *l) : lock(l) { EnterCriticalSection(lock); }
    ~Guard() { LeaveCriticalSection(lock); sink++; }
};
NOINLINE static int add_track(Playlist *list)
{
    Guard guard(&list->lock);
    reporter_expect(&list->lock, list->lock.LockSemaphore);
    return ++list->count;
}
static int scenario()
{
    // (of its 64 bytes the first 24 are set anew)
    earlier("C:\\Music\\Singles\\2009\\08 Aurora.ogg;C:\\Music\\Singles\\2009\\11 Kiln", sizeof(Playlist));
    Playlist *list = static_cast<Playlist *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Playlist)));
    read_list(list, L"Evening", 2);
    did(&list->lock);
    return add_track(list);
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
