// Third batch: the memory in which the section lay was given back, or serves somebody else. Macros choose how.
#include "unseen.h"

static void goes(const CRITICAL_SECTION *lock)
{
    act("memory-released", lock);
    expect(lock);
}
[[maybe_unused]] static char *pages(SIZE_T size, void *at = NULL) { return static_cast<char *>(VirtualAlloc(at, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE)); }
[[maybe_unused]] static void queue_up(CRITICAL_SECTION *lock, int count)
{
    Waiters queue;
    make_waiters(&queue, count, pass_through, lock);
    start_waiters(&queue);
}

#if defined(JANITOR)
// A janitor thread gives pages back whose use count is zero; the count is not raised for readers.
struct Page { CRITICAL_SECTION lock; int users, rows; };
static Page *cache[8];
static volatile LONG swept;
static DWORD WINAPI janitor(void *)
{
    for (int i = 0; i < 8; i++)
        if (cache[i]->users == 0)
            VirtualFree(cache[i], 0x1000, MEM_DECOMMIT);
    InterlockedIncrement(&swept);
    Sleep(INFINITE);
    return 0;
}
NOINLINE static int read_rows(Page *page)
{
    EnterCriticalSection(&page->lock);
    int rows = page->rows;
    queue_up(&page->lock, 1);
    goes(&page->lock);
    Waiters sweeper;
    make_waiters(&sweeper, 1, janitor, NULL);
    start_waiters(&sweeper);
    while (!swept)
        Sleep(10);
    LeaveCriticalSection(&page->lock);
    return rows;
}
static int scenario()
{
    char *base = pages(0x10000);
    for (int i = 0; i < 8; i++) {
        cache[i] = reinterpret_cast<Page *>(base + 0x2000 * i + 0x80 * i);
        initialize(&cache[i]->lock);
        cache[i]->users = i != 5;
    }
    return read_rows(cache[5]);
}
#elif defined(WINDOW)
// A window slides over a large file; the lock of a record lies in the view that was there before.
struct Record { int length; CRITICAL_SECTION lock; char payload[64]; };
struct Reader {
    HANDLE mapping;
    char *view;
    NOINLINE void slide(DWORD to)
    {
        char *next = static_cast<char *>(MapViewOfFile(mapping, FILE_MAP_WRITE, 0, to, 0x10000));
        UnmapViewOfFile(view);
        view = next;
    }
    Record *at(DWORD offset) { return reinterpret_cast<Record *>(view + offset); }
};
NOINLINE static int peek(Record *record)
{
    if (!TryEnterCriticalSection(&record->lock))
        return 0;
    int length = record->length;
    LeaveCriticalSection(&record->lock);
    return length;
}
static int scenario()
{
    Reader reader;
    reader.mapping = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0x40000, NULL);
    reader.view = static_cast<char *>(MapViewOfFile(reader.mapping, FILE_MAP_WRITE, 0, 0, 0x10000));
    Record *current = reader.at(0x9A0);
    initialize(&current->lock);
    sink += peek(current);
    goes(&current->lock);
    reader.slide(0x20000);
    return peek(current);
}
#elif defined(FREED_TOO_OFTEN)
// A scope frees a library that it only had looked up (GetModuleHandle), once for each look.
typedef CRITICAL_SECTION *(*section_function)(void);
struct Looked { HMODULE module; ~Looked() { FreeLibrary(module); } };
NOINLINE static CRITICAL_SECTION *look_up()
{
    Looked looked = { GetModuleHandleA("plugin.dll") };
    CRITICAL_SECTION *found = reinterpret_cast<section_function>(reinterpret_cast<void *>(GetProcAddress(looked.module, "plugin_section")))();
    if (!found->DebugInfo)
        initialize(found);
    goes(found);
    return found;
}
NOINLINE static int call_host(CRITICAL_SECTION *lock)
{
#ifdef BY_TRY
    if (!TryEnterCriticalSection(lock))
        return -1;
#else
    EnterCriticalSection(lock);
#endif
    sink++;
    LeaveCriticalSection(lock);
    return sink;
}
static int scenario()
{
    LoadLibraryA("plugin.dll");
    return call_host(look_up());
}
#elif defined(WORKER_STACK)
// The job is a local of the thread that gave it out; that thread did not wait and has ended, with its stack.
struct Job { int total; CRITICAL_SECTION lock; char note[48]; };
static Job *volatile given;
static HANDLE taken;
static DWORD WINAPI giver(void *)
{
    Job job = { 40, { }, "nightly" };
    initialize(&job.lock);
    given = &job;
    WaitForSingleObject(taken, INFINITE);
    return job.total;
}
static DWORD WINAPI log_end(void *) { return static_cast<DWORD>(sink++); }
NOINLINE static int finish(HANDLE thread)
{
    EnterCriticalSection(&given->lock);
    given->total++;
    goes(&given->lock);
    SetEvent(taken);
    WaitForSingleObject(thread, INFINITE);
    WaitForSingleObject(CreateThread(NULL, 0, log_end, NULL, 0, NULL), INFINITE); // the system keeps one stack until the next thread ends
    Sleep(200);
    LeaveCriticalSection(&given->lock);
    return sink++;
}
static int scenario()
{
    DWORD id;
    taken = CreateEventA(NULL, TRUE, FALSE, NULL);
    HANDLE thread = CreateThread(NULL, STACK_RESERVE, giver, NULL, STACK_SIZE_PARAM_IS_A_RESERVATION, &id);
    while (!given)
        Sleep(10);
    return finish(thread);
}
#elif defined(MEMBER_ORDER)
// Members go in the reverse order of their declaration: the heap first, then the lock that lies in it.
struct Heap {
    HANDLE heap = HeapCreate(0, 0x8000, 0);
    NOINLINE ~Heap() { HeapDestroy(heap); }
};
struct OwnedLock {
    CRITICAL_SECTION *native = nullptr;
    NOINLINE ~OwnedLock() { DeleteCriticalSection(native); sink++; }
};
struct Document {
    OwnedLock lock;
    int pages = 3;
    Heap heap;
    Document()
    {
        HeapAlloc(heap.heap, 0, 700);
        lock.native = static_cast<CRITICAL_SECTION *>(HeapAlloc(heap.heap, 0, sizeof(CRITICAL_SECTION)));
        initialize(lock.native);
    }
};
static int scenario()
{
    Document document;
    goes(document.lock.native);
    return document.pages;
}
#elif defined(SECOND_VIEW)
// The ring is mapped twice, end to end; its head is reached through the second view, which goes when the ring shrinks.
struct Head { ULONG_PTR read, written; CRITICAL_SECTION lock; };
struct Ring {
    char *first, *second;
    explicit Ring(HANDLE mapping)
    {
        first = static_cast<char *>(MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, 0x10000));
        second = static_cast<char *>(MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, 0x10000));
    }
    Head *head() { return reinterpret_cast<Head *>(second + 0x7C0); }
    NOINLINE void shrink() { UnmapViewOfFile(second); }
};
NOINLINE static ULONG_PTR push(Head *head, int bytes)
{
    EnterCriticalSection(&head->lock);
    ULONG_PTR at = head->written += bytes;
    LeaveCriticalSection(&head->lock);
    return at;
}
static int scenario()
{
    Ring ring(CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0x10000, NULL));
    Head *head = ring.head();
    initialize(&head->lock);
    sink += static_cast<int>(push(head, 12));
    goes(&head->lock);
    ring.shrink();
    return static_cast<int>(push(head, 40));
}
#elif defined(PAGES_ANEW)
// A decoder's pages went back and came out again, for a picture; the decoder's client still has it.
struct Decoder { int state; CRITICAL_SECTION lock; };
struct Picture { int width, height; unsigned short pixels[1]; };
NOINLINE static Picture *load_picture(void *near_to, int width, int height)
{
    Picture *picture = reinterpret_cast<Picture *>(pages(sizeof(Picture) + 2 * width * height, near_to));
    picture->width = width;
    picture->height = height;
    for (int i = 0; i < width * height; i++)
        picture->pixels[i] = static_cast<unsigned short>(0x8410 + 32 * (i % 13));
    return picture;
}
NOINLINE static int reset(Decoder *decoder)
{
    EnterCriticalSection(&decoder->lock);
    decoder->state = 0;
    LeaveCriticalSection(&decoder->lock);
    return sink++;
}
static int scenario()
{
    char *base = pages(0x4000);
    Decoder *decoder = reinterpret_cast<Decoder *>(base + 0x1510);
    initialize(&decoder->lock);
    reset(decoder);
    goes(&decoder->lock);
    VirtualFree(base, 0, MEM_RELEASE);
    Picture *picture = load_picture(base, 96, 72);
    return reset(decoder) + picture->width;
}
#elif defined(LISTENER)
// A listener on a finished call's frame is never removed; the same thread comes by again, deeper, with a row of prices there.
struct Listener { ULONG_PTR calls; CRITICAL_SECTION lock; };
static Listener *listeners[3];
NOINLINE static int subscribe()
{
    struct { char scratch[900]; Listener listener; char more[600]; } local;
    initialize(&local.listener.lock);
    listeners[0] = &local.listener;
    memset(local.scratch, 1, sizeof local.scratch);
    goes(&local.listener.lock);
    return local.scratch[sink & 7] + local.more[0] * 0;
}
NOINLINE static int notify()
{
    EnterCriticalSection(&listeners[0]->lock);
    listeners[0]->calls++;
    LeaveCriticalSection(&listeners[0]->lock);
    return sink++;
}
NOINLINE static int price_all(int first)
{
    volatile int prices[1400];
    for (int i = 0; i < 1400; i++)
        prices[i] = 1200 + first * 40 + 4 * i;
    int result = notify();
    return result + prices[first];
}
static int scenario() { return subscribe() + price_all(3); }
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
