// Fourth batch: what is entered was never made a section, is none any more, or is another object; its bytes pass the gates, and Leave
// signals what lies in the place of the event.
#include "k-common.h"

static CRITICAL_SECTION *shared;
static void did(const char *cause, CRITICAL_SECTION *lock)
{
    shared = lock;
    act(cause, lock);
    expect_handle(lock);
}
[[maybe_unused]] NOINLINE static int use(CRITICAL_SECTION *lock)
{
    EnterCriticalSection(lock);
    sink++;
    LeaveCriticalSection(lock);
    return sink;
}
struct Scope {
    CRITICAL_SECTION *lock;
    explicit Scope(CRITICAL_SECTION *l) : lock(l) { EnterCriticalSection(lock); }
    ~Scope() { LeaveCriticalSection(lock); sink++; }
};
[[maybe_unused]] static DWORD WINAPI other_thread(void *) { Scope scope(shared); return sink++; }
[[maybe_unused]] static void repeat(void *to, SIZE_T size, const void *pattern, SIZE_T length)
{
    for (SIZE_T i = 0; i < size; i++)
        static_cast<volatile char *>(to)[i] = static_cast<const char *>(pattern)[i % length];
}

#if defined(POOL_FILL)
// An allocator fills new blocks; a class without a constructor is made in one.
struct Page { int number, flags; Page *next; CRITICAL_SECTION lock; };
static int scenario()
{
    static const BYTE fill = POOL_FILL;
    Page *page = static_cast<Page *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Page)));
    repeat(page, sizeof *page, &fill, 1);
    page->number = 12;
    page->flags = 0;
    page->next = NULL;
    did("never-initialized", &page->lock);
    return use(&page->lock);
}
#elif defined(FAILED_INIT)
// The constructor returns early when the device is missing, before its lock is made; the caller does not look. The block was a text.
struct Camera { HANDLE device; int width, height; CRITICAL_SECTION lock; bool ok; };
NOINLINE static void construct(Camera *camera, const char *device)
{
    camera->ok = false;
    camera->width = camera->height = 0;
    camera->device = CreateFileA(device, GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
    if (camera->device == INVALID_HANDLE_VALUE)
        return;
    initialize(&camera->lock);
    camera->ok = true;
}
static int scenario()
{
    void *block = HeapAlloc(GetProcessHeap(), 0, sizeof(Camera));
    repeat(block, sizeof(Camera), "chunk sock gawk ", 16);
    Camera *camera = static_cast<Camera *>(block);
    construct(camera, "\\\\.\\missing");
    did("never-initialized", &camera->lock);
    return use(&camera->lock);
}
#elif defined(STACK_LEFTOVER)
// A local without initialisation, where a function before had a table of sizes.
NOINLINE static int tabulate(int n)
{
    volatile int table[96];
    for (int i = 0; i < 96; i++)
        table[i] = 0x4003 + 4 * n * i;
    return table[n];
}
NOINLINE static int guarded(int n)
{
    struct { CRITICAL_SECTION lock; volatile int values[40]; } local;
    asm volatile("" : : "r"(&local) : "memory");
    did("never-initialized", &local.lock);
    EnterCriticalSection(&local.lock);
    sink += n;
    LeaveCriticalSection(&local.lock);
    return sink;
}
static int scenario() { sink = tabulate(3); return guarded(2); }
#elif defined(FREED_PLAYER)
// An object was freed without a Delete, as nobody destroyed its member; a text of the same size has the block now, a stale pointer is used.
struct Player { int id, score; wchar_t name[12]; CRITICAL_SECTION lock; };
static int scenario()
{
    Player *player = static_cast<Player *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(Player)));
    initialize(&player->lock);
    use(&player->lock);
    act("memory-released", &player->lock);
    HeapFree(GetProcessHeap(), 0, player);
    char *chat = static_cast<char *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Player)));
    for (int i = 0; chat != reinterpret_cast<char *>(player) && i < 64; i++)
        chat = static_cast<char *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Player)));
    repeat(chat, sizeof(Player), "go to work, sock ", 8);
    chat[offsetof(Player, lock.LockCount)] = 'o';
    shared = &player->lock;
    expect_handle(shared);
    return use(shared);
}
#elif defined(ARENA_RESET)
// A frame's arena is reset, and the next frame puts vertices where the job's lock was; a job of the last frame is late.
struct Arena { char *base; SIZE_T used; void *get(SIZE_T size) { void *at = base + used; used += (size + 15) & ~static_cast<SIZE_T>(15); return at; } };
struct Job { void (*run)(Job *); int done; CRITICAL_SECTION lock; };
static int scenario()
{
    Arena arena = { pages(0x8000), 0 };
    Waiters jobs;
    arena.get(0x340);
    Job *job = static_cast<Job *>(arena.get(sizeof(Job)));
    initialize(&job->lock);
    use(&job->lock);
    make_waiters(&jobs, 1, other_thread, NULL);
    act("memory-released", &job->lock);
    arena.used = 0;
    float *vertices = static_cast<float *>(arena.get(0x800));
    for (int i = 0; i < 0x200; i++)
        vertices[i] = 0.7f;
    shared = &job->lock;
    expect_handle(shared);
    start_waiters(&jobs);
    Sleep(4000);
    return sink;
}
#elif defined(UNLOADED_CODEC)
// A codec is unloaded, and its addresses are a decoder's buffer now.
typedef CRITICAL_SECTION *(*section_function)(void);
static int scenario()
{
    static const DWORD sample = 0x12CB3467;
    HMODULE codec = LoadLibraryA("plugin.dll");
    CRITICAL_SECTION *lock = reinterpret_cast<section_function>(reinterpret_cast<void *>(GetProcAddress(codec, "plugin_section")))();
    initialize(lock);
    use(lock);
    act("memory-released", lock);
    FreeLibrary(codec);
    char *base = reinterpret_cast<char *>(reinterpret_cast<ULONG_PTR>(lock) & ~static_cast<ULONG_PTR>(0xFFFF));
    repeat(pages(0x10000, base), 0x10000, &sample, 4);
    reinterpret_cast<DWORD volatile &>(lock->LockCount) |= 3;
    shared = lock;
    expect_handle(shared);
    return use(lock);
}
#elif defined(RETURNED_LOCAL)
// A function returns the address of its local; the caller's next call puts its digits there.
static CRITICAL_SECTION *escaped;
NOINLINE static void make_lock()
{
    struct { volatile char before[256]; CRITICAL_SECTION lock; volatile char after[64]; } local;
    asm volatile("" : : "r"(&local) : "memory");
    initialize(&local.lock);
    act("memory-released", &local.lock);
    escaped = &local.lock;
}
NOINLINE static int format(int depth)
{
    volatile char digits[640];
    for (int i = 0; i < 640; i++)
        digits[i] = i % 4 ? '0' + i % 7 : '7';
    asm volatile("" : : "r"(&digits) : "memory");
    expect_handle(escaped);
    EnterCriticalSection(escaped);
    sink += depth;
    LeaveCriticalSection(escaped);
    return digits[depth];
}
static int scenario() { make_lock(); return format(3); }
#elif defined(VIEW_REPLACED)
// A view is unmapped, the next file's view comes to the same address.
static int scenario()
{
    static const DWORD record[] = { 0x00A1B2C3, 0x00010007 };
    char *first = NULL;
    for (int i = 0; i < 2; i++) {
        HANDLE mapping = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0x4000, NULL);
        char *view = static_cast<char *>(MapViewOfFileEx(mapping, FILE_MAP_WRITE, 0, 0, 0, first));
        if (first == NULL) {
            first = view;
            shared = reinterpret_cast<CRITICAL_SECTION *>(view + 0x80);
            initialize(shared);
            use(shared);
            act("memory-released", shared);
            UnmapViewOfFile(view);
        } else {
            repeat(view, 0x1000, record, sizeof record);
            shared->LockCount |= 3;
        }
    }
    expect_handle(shared);
    return use(shared);
}
#elif defined(WRONG_BASE)
// static_cast through void * to the second base: the pointer is at the object's name instead of its lock.
struct Named { virtual ~Named() { } char name[48]; };
struct Locked { CRITICAL_SECTION lock; };
struct Widget : Named, Locked { int x, y; };
static int scenario()
{
    Widget *widget = new Widget;
    initialize(&widget->lock);
    use(&widget->lock);
    repeat(widget->name, 48, "Toolkit Kiosk", 13);
    Locked *locked = reinterpret_cast<Locked *>(widget->name);
    did("bad-pointer", &locked->lock);
    return use(&locked->lock);
}
#elif defined(INDEX_IN_BYTES)
// An index was scaled twice: the address lies among a table of identifiers behind the locks.
static struct { CRITICAL_SECTION locks[4]; ULONG_PTR identifiers[0x40]; } table;
NOINLINE static CRITICAL_SECTION *lock_of(int shard)
{
    return reinterpret_cast<CRITICAL_SECTION *>(reinterpret_cast<char *>(table.locks) + shard * sizeof(CRITICAL_SECTION) * 4);
}
static int scenario()
{
    for (CRITICAL_SECTION &lock : table.locks)
        initialize(&lock);
    for (int i = 0; i < 0x40; i++)
        table.identifiers[i] = 0x20007 + 0x14 * i;
    did("bad-pointer", lock_of(2));
    return use(shared);
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
