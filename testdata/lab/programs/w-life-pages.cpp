// Sixth batch: the pages with a lock in them were given back. Macros choose whose pages, and who calls.
#include "w-life.h"

#if defined(VIEW_UNDER_LOCK)
// Somebody stops the export of a picture; the exporting thread is in the view's lock, others wait for it.
struct Header { ULONG magic, pages; wchar_t title[20]; CRITICAL_SECTION lock; };
static Header *header;
static DWORD WINAPI export_pages(void *)
{
    EnterCriticalSection(&header->lock);
    start_waiters(&waiters);
    for (ULONG i = 0; i < 40; i++) {
        sink += static_cast<int>(i);
        Sleep(20);
    }
    expect(&header->lock);
    LeaveCriticalSection(&header->lock);
    return 0;
}
static int scenario()
{
    HANDLE mapping = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0x6000, NULL);
    header = static_cast<Header *>(MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, 0));
    prepare(&header->lock);
    meanwhile(export_pages, NULL);
    Sleep(900);
    released(&header->lock);
    UnmapViewOfFile(header);
    CloseHandle(mapping);
    Sleep(4000);
    return sink;
}
#elif defined(RING_SEGMENT)
// A queue's first segment has been read and is decommitted; a writer has the old write position.
struct Segment { LONG first, last; CRITICAL_SECTION lock; ULONG messages[400]; };
struct Ring {
    char *base;
    Segment *segment(int which) const { return reinterpret_cast<Segment *>(base + 0x1000 * which); }
    void open(int which)
    {
        VirtualAlloc(segment(which), 0x1000, MEM_COMMIT, PAGE_READWRITE);
        made(&segment(which)->lock);
    }
    void drop(int which) const
    {
        released(&segment(which)->lock);
        VirtualFree(segment(which), 0x1000, MEM_DECOMMIT);
    }
};
static Ring ring;
static DWORD WINAPI write(void *position)
{
    Sleep(600);
    return call(&static_cast<Segment *>(position)->lock);
}
static int scenario()
{
    ring.base = static_cast<char *>(VirtualAlloc(NULL, 0x40000, MEM_RESERVE, PAGE_READWRITE));
    ring.open(0);
    ring.open(1);
    meanwhile(write, ring.segment(0));
    Sleep(200);
    ring.drop(0);
    Sleep(3000);
    return sink;
}
#elif defined(UNLOADED)
// The editor unloads a plugin; its own thread still is in the plugin's lock, or wants it.
typedef CRITICAL_SECTION *(*section_function)(void);
static CRITICAL_SECTION *of_plugin;
static DWORD WINAPI check_words(void *)
{
#ifdef INSIDE
    EnterCriticalSection(of_plugin);
    Sleep(900);
    expect(of_plugin);
    LeaveCriticalSection(of_plugin);
    return 0;
#else
    Sleep(900);
    return call(of_plugin);
#endif
}
static int scenario()
{
    HMODULE library = LoadLibraryA("plugin.dll");
    of_plugin = made(reinterpret_cast<section_function>(reinterpret_cast<void *>(GetProcAddress(library, "plugin_section")))());
    meanwhile(check_words, NULL);
    Sleep(300);
    released(of_plugin);
    FreeLibrary(library);
    Sleep(3000);
    return sink;
}
#elif defined(DEAD_STACK)
// A worker registers a box that is a local of its; it ends without taking it back.
struct Outbox { Outbox *next; CRITICAL_SECTION lock; int items[12]; };
static Outbox *outboxes;
static DWORD WINAPI worker(void *)
{
    Outbox mine;
    mine.next = outboxes;
    mine.items[3] = 0;
    outboxes = &mine;
    made(&mine.lock);
    Sleep(200);
    released(&mine.lock);
    return static_cast<DWORD>(mine.items[3]);
}
static DWORD WINAPI next_worker(void *) { return static_cast<DWORD>(sink); }
static int scenario()
{
    meanwhile(worker, NULL);
    Sleep(1200);
    in_thread(next_worker, NULL);
    return call(&outboxes->lock);
}
#elif defined(REMAPPED)
// A statistics file is mapped anew, at the place where it was, and is empty; a counter's lock was in it.
struct Counter { char name[24]; LONGLONG value; CRITICAL_SECTION lock; };
static Counter *counters;
static DWORD WINAPI rotate(void *)
{
    released(&counters[5].lock);
    UnmapViewOfFile(counters);
    HANDLE mapping = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0x4000, NULL);
    counters = static_cast<Counter *>(MapViewOfFileEx(mapping, FILE_MAP_WRITE, 0, 0, 0, counters));
    return 0;
}
static int scenario()
{
    HANDLE mapping = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0x4000, NULL);
    counters = static_cast<Counter *>(MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, 0));
    for (int i = 0; i < 9; i++)
        made(&counters[i].lock);
    in_thread(rotate, NULL);
    if (!counters)
        return 0;
    counters[5].value++;
    return call(&counters[5].lock);
}
#elif defined(FILE_THERE)
// The buffer was released; a file was mapped where it had been.
struct Buffer { ULONG size, used; char tag[0x228]; CRITICAL_SECTION lock; };
static Buffer *buffer;
NOINLINE static void load(const char *file)
{
    static const char line[] = "2024-03-11 08:14:09 INFO  scheduler: 12 tasks queued\r\n";
    DWORD written;
    HANDLE handle = CreateFileA(file, GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    for (int i = 0; i < 60; i++)
        WriteFile(handle, line, sizeof line - 1, &written, NULL);
    HANDLE mapping = CreateFileMappingA(handle, NULL, PAGE_READWRITE, 0, 0, NULL);
    if (MapViewOfFileEx(mapping, FILE_MAP_WRITE, 0, 0, 0, buffer) != buffer)
        ExitProcess(3);
}
static int scenario()
{
    buffer = reinterpret_cast<Buffer *>(pages(0x2000));
    made(&buffer->lock);
    released(&buffer->lock);
    VirtualFree(buffer, 0, MEM_RELEASE);
    load("schedule.log");
    return call(&buffer->lock);
}
#elif defined(VIEW_OWNER)
// The owner of the view unmaps it in its base's destructor, before a member's destructor comes to the lock.
struct Mapping {
    void *view;
    Mapping()
    {
        HANDLE mapping = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0x3000, NULL);
        view = MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, 0);
    }
    ~Mapping() { UnmapViewOfFile(view); }
};
struct SharedLock {
    CRITICAL_SECTION *native;
    explicit SharedLock(void *at) : native(made(static_cast<CRITICAL_SECTION *>(at))) { }
    ~SharedLock() { call(native); }
};
struct Catalogue {
    SharedLock *lock;
    Mapping *mapping;
    Catalogue() : mapping(new Mapping) { lock = new SharedLock(static_cast<char *>(mapping->view) + 0x1040); }
    NOINLINE ~Catalogue()
    {
        released(lock->native);
        delete mapping;
        delete lock;
    }
};
static int scenario()
{
    Catalogue *volatile catalogue = new Catalogue;
    delete catalogue;
    return sink;
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
