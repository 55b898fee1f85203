// Seventh batch: a lock's memory was given back and is something else's. Macros choose whose it was, and what it is.
#include "k-common.h"
#include <stdlib.h>

[[maybe_unused]] static void released(const CRITICAL_SECTION *lock) { act("memory-released", lock); }
[[maybe_unused]] NOINLINE static int use(CRITICAL_SECTION *lock)
{
    EnterCriticalSection(lock);
    sink++;
    LeaveCriticalSection(lock);
    return sink;
}
[[maybe_unused]] static void *block(size_t size, DWORD flags = 0) { return HeapAlloc(GetProcessHeap(), flags, size); }

#if defined(COMPLETION)
// A read is given up; its request was a local, its completion comes while another function waits.
struct Request { char name[16]; CRITICAL_SECTION lock; DWORD done; char buffer[48]; };
static Request *pending;
static void CALLBACK complete(ULONG_PTR bytes)
{
    EnterCriticalSection(&pending->lock);
    pending->done = static_cast<DWORD>(bytes);
    LeaveCriticalSection(&pending->lock);
}
NOINLINE static int read_some()
{
    Request request;
    lstrcpyA(request.name, "index.dat");
    initialize(&request.lock);
    pending = &request;
    use(&request.lock);
    released(&request.lock);
    expect(&request.lock);
    return request.name[0];
}
NOINLINE static int write_index(int chunks)
{
    volatile ULONGLONG offsets[96];
    for (int i = 0; i < 96; i++)
        offsets[i] = 0x57A0000000ull + 0x1000 * i;
    SleepEx(2000, TRUE); // for its own writes
    return static_cast<int>(offsets[chunks] >> 12);
}
static int scenario()
{
    int result = read_some();
    QueueUserAPC(complete, GetCurrentThread(), 48);
    return result + write_index(5);
}
#elif defined(ARENA)
// A request's arena begins anew; a connection that was made in it is closed late.
struct Connection { int id, port; CRITICAL_SECTION lock; char peer[24]; };
static struct { char *base; unsigned used, size; } arena;
static const char *lines[64];
static int line_count;
static void *take(unsigned size)
{
    void *result = arena.base + arena.used;
    arena.used += (size + 7) & ~7u;
    return result;
}
NOINLINE static void log_request(int number)
{
    char *line = static_cast<char *>(take(24));
    wsprintfA(line, "POST /up/%03d 201 12.5ms", number);
    lines[line_count++] = line;
}
static int scenario()
{
    arena = { pages(0x2000), 0, 0x2000 };
    take(40);
    Connection *connection = static_cast<Connection *>(take(sizeof(Connection)));
    connection->id = 5;
    connection->port = 443;
    initialize(&connection->lock);
    use(&connection->lock);
    released(&connection->lock);
    arena.used = 0;
    for (int i = 0; i < 40; i++)
        log_request(i + 1);
    expect(&connection->lock);
    return use(&connection->lock);
}
#elif defined(SLAB)
// A session closes itself under its guard; the slab's block is a buffer in the send queue at once.
struct Session { CRITICAL_SECTION lock; char user[24]; };
struct Buffer { const char *name; int flags, references; Buffer *next; char *data; size_t size; char tag[24]; };
union Block { Block *free; Session session; Buffer buffer; Block() { } };
static Block blocks[20], *free_blocks;
static struct { Buffer *head, *tail; int count; } send_queue;
static void *take()
{
    Block *one = free_blocks;
    free_blocks = one->free;
    return one;
}
static void give_back(void *one)
{
    static_cast<Block *>(one)->free = free_blocks;
    free_blocks = static_cast<Block *>(one);
}
NOINLINE static void send(const char *name, char *data, size_t size)
{
    Buffer *buffer = static_cast<Buffer *>(take());
    *buffer = { name, 0x16, 1, NULL, data, size, "queued" };
    (send_queue.head ? send_queue.tail->next : send_queue.head) = buffer;
    send_queue.tail = buffer;
    send_queue.count++;
}
struct Guard {
    CRITICAL_SECTION *lock;
    explicit Guard(CRITICAL_SECTION *l) : lock(l) { EnterCriticalSection(l); }
    ~Guard() { expect_handle(lock); LeaveCriticalSection(lock); sink++; }
};
NOINLINE static void log_off(Session *session)
{
    Guard guard(&session->lock);
    char *text = static_cast<char *>(block(64));
    wsprintfA(text, "BYE %s", session->user);
    released(&session->lock);
    give_back(session);
    send("bye", text, 64);
}
static int scenario()
{
    for (Block &each : blocks)
        give_back(&each);
    for (int i = 0; i < 3; i++) {
        char *text = static_cast<char *>(block(64));
        send("hello", lstrcpyA(text, "HELLO"), 64);
    }
    Session *session = static_cast<Session *>(take());
    lstrcpyA(session->user, "ann");
    initialize(&session->lock);
    use(&session->lock);
    log_off(session);
    return sink;
}
#elif defined(DEBUG_HEAP)
// The debug run-time's heap fills a freed job; the pool's thread goes round once more.
struct Job { int kind; char name[14]; bool urgent; CRITICAL_SECTION lock; Job *next; };
static Job *job;
static DWORD WINAPI pool_thread(void *)
{
    for (int i = 0; i < 4; i++) {
        use(&job->lock);
        Sleep(600);
    }
    return 0;
}
static void debug_free(void *one, unsigned size)
{
    volatile DWORD *words = static_cast<volatile DWORD *>(one);
    for (unsigned i = 0; i < size / 4; i++)
        words[i] = 0xFEEEFEEE;
    HeapFree(GetProcessHeap(), 0, one);
}
static int scenario()
{
    Waiters thread;
    job = static_cast<Job *>(block(sizeof(Job), HEAP_ZERO_MEMORY));
    lstrcpyA(job->name, "thumbnails");
    initialize(&job->lock);
    make_waiters(&thread, 1, pool_thread, NULL);
    start_waiters(&thread);
    released(&job->lock);
    expect(&job->lock);
    debug_free(job, sizeof(Job));
    Sleep(4000);
    return sink;
}
#elif defined(TEXTURE)
// The loader frees an image; the block becomes a texture, which is cleared first. The loader's own list has the image still.
struct Image { int width, height; char path[40]; CRITICAL_SECTION lock; void *pixels; };
struct Texture { int width, height, format, mip_levels; float transform[4]; void *mips[8]; };
static Image *images[4];
static Texture *textures[4];
struct Loader {
    virtual int touch(Image *image) { return use(&image->lock); }
    virtual ~Loader() { }
};
static int scenario()
{
    Loader *volatile loader = new Loader;
    for (Image *&each : images) {
        each = static_cast<Image *>(block(sizeof(Image), HEAP_ZERO_MEMORY));
        each->width = each->height = 256;
        lstrcpyA(each->path, "textures\\brick.png");
        initialize(&each->lock);
        loader->touch(each);
    }
    released(&images[2]->lock);
    expect(&images[2]->lock);
    HeapFree(GetProcessHeap(), 0, images[2]);
    textures[0] = static_cast<Texture *>(block(sizeof(Texture), HEAP_ZERO_MEMORY));
    textures[0]->width = textures[0]->height = 512;
    textures[0]->format = 28;
    textures[0]->mip_levels = 1;
    textures[0]->transform[0] = textures[0]->transform[3] = 1;
    return loader->touch(images[2]);
}
#elif defined(DELETE_THIS)
// A window destroys itself in its own locked handler; a record that is made meanwhile takes the block.
struct Panel { int id; WCHAR title[10]; CRITICAL_SECTION lock; int left, top; };
struct Record { int kind; DWORD time, thread; int unused[5]; DWORD length; char text[24]; };
static Record *last_record;
NOINLINE static void trace(const char *text)
{
    Record *record = static_cast<Record *>(block(sizeof(Panel)));
    record->kind = 2;
    record->time = 0x0125A4C0;
    record->thread = GetCurrentThreadId();
    lstrcpynA(reinterpret_cast<char *>(record) + 40, text, 10);
    last_record = record;
}
NOINLINE static void on_command(Panel *panel, int command)
{
    EnterCriticalSection(&panel->lock);
    CRITICAL_SECTION *lock = &panel->lock;
    start_waiters(&waiters);
    if (command == IDCLOSE) {
        released(lock);
        HeapFree(GetProcessHeap(), 0, panel);
        trace("closed #7");
    }
    expect_handle(lock);
    LeaveCriticalSection(lock);
    sink++;
}
static int scenario()
{
    Panel *panel = static_cast<Panel *>(block(sizeof(Panel)));
    panel->id = 7;
    lstrcpyW(panel->title, L"Options");
    panel->left = panel->top = 40;
    prepare(&panel->lock);
    on_command(panel, IDCLOSE);
    return sink;
}
#elif defined(REFERENCE)
// A reference into a growing array; its old block is a path's.
struct Item { int id; char name[12]; CRITICAL_SECTION lock; };
static struct { Item *items; int count, room; } list;
static WCHAR *recent_path;
static Item &add(int id)
{
    if (list.count == list.room) {
        Item *old = list.items, *more = static_cast<Item *>(block((list.room + 6) * sizeof(Item)));
        if (old) {
            memcpy(static_cast<void *>(more), old, list.count * sizeof(Item));
            released(&old[1].lock);
            HeapFree(GetProcessHeap(), 0, old);
        }
        list.items = more;
        list.room += 6;
    }
    Item &item = list.items[list.count++];
    item.id = id;
    lstrcpyA(item.name, "item");
    initialize(&item.lock);
    return item;
}
template <class Function> NOINLINE static int each_day(Function function) { return function(3) + sink++; }
static int scenario()
{
    add(100);
    Item &second = add(101);
    use(&second.lock);
    auto touch = [&second](int days) {
        EnterCriticalSection(&second.lock);
        second.id += days;
        expect_handle(&second.lock);
        LeaveCriticalSection(&second.lock);
        return second.id;
    };
    sink += each_day(touch);
    for (int i = 2; i < 9; i++)
        add(100 + i);
    recent_path = static_cast<WCHAR *>(block(6 * sizeof(Item)));
    lstrcpyW(recent_path, L"C:\\Users\\Public\\Documents\\Reports\\2019\\Fourth quarter\\northern region\\summary of all branches and departments\\final version (2).xlsx");
    return each_day(touch);
}
#elif defined(THREAD_DATA)
// A thread's own data are freed at its end by an allocator that junk-fills; another thread still counts into them.
struct Statistics { char thread[20]; LONG hits; CRITICAL_SECTION lock; LONG misses; };
static Statistics *all[3];
static DWORD slot;
static void junk_free(void *one, size_t size)
{
    for (volatile BYTE *byte = static_cast<volatile BYTE *>(one); size--; byte++)
        *byte = 0x5A;
    HeapFree(GetProcessHeap(), 0, one);
}
static DWORD WINAPI counting_thread(void *)
{
    Statistics *mine = static_cast<Statistics *>(block(sizeof(Statistics), HEAP_ZERO_MEMORY));
    TlsSetValue(slot, mine);
    lstrcpyA(mine->thread, "scanner");
    initialize(&mine->lock);
    all[1] = mine;
    Sleep(300);
    released(&mine->lock);
    expect(&mine->lock);
    junk_free(mine, sizeof *mine);
    return 0;
}
NOINLINE static LONG sum()
{
    LONG total = 0;
    for (Statistics *each : all)
        if (each) {
            EnterCriticalSection(&each->lock);
            total += each->hits + each->misses;
            LeaveCriticalSection(&each->lock);
        }
    return total;
}
static int scenario()
{
    Waiters thread;
    slot = TlsAlloc();
    make_waiters(&thread, 1, counting_thread, NULL);
    ResumeThread(thread.threads[0]);
    Sleep(100);
    sink += sum();
    WaitForSingleObject(thread.threads[0], INFINITE);
    return sum();
}
#elif defined(POISON)
// The object cache poisons what is freed; a stale pointer's Enter goes through, its Leave does not.
struct Inode { CRITICAL_SECTION lock; ULONGLONG number; LONG links; char name[28]; };
static struct { char *base; unsigned size, count, free_count; Inode *free[20]; } inode_cache;
static Inode *recently_used[3];
static void cache_free(Inode *inode)
{
    volatile BYTE *bytes = reinterpret_cast<volatile BYTE *>(inode);
    for (unsigned i = 0; i < inode_cache.size; i++)
        bytes[i] = i + 1 == inode_cache.size ? 0xA5 : 0x6B;
    inode_cache.free[inode_cache.free_count++] = inode;
}
NOINLINE static int prune(Inode *inode)
{
    expect(&inode->lock);
    EnterCriticalSection(&inode->lock);
    inode->links++;
    expect_handle(&inode->lock);
    LeaveCriticalSection(&inode->lock);
    return sink++;
}
static int scenario()
{
    inode_cache.base = pages(0x2000);
    inode_cache.size = 96;
    inode_cache.count = 0x2000 / 96;
    for (int i = 0; i < 3; i++) {
        Inode *inode = recently_used[i] = reinterpret_cast<Inode *>(inode_cache.base + i * inode_cache.size);
        inode->number = 9000 + i;
        inode->links = 1;
        lstrcpyA(inode->name, "Makefile");
        initialize(&inode->lock);
    }
    sink += use(&recently_used[1]->lock);
    released(&recently_used[1]->lock);
    cache_free(recently_used[1]);
    for (Inode *each : recently_used)
        prune(each);
    return sink;
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
