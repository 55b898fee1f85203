// Fourth batch, faults: the memory in which the section lay was given back. Macros choose who gave it back, and who comes for it.
#include "k-common.h"

#ifndef CALL
#define CALL EnterCriticalSection
#endif
typedef CRITICAL_SECTION *(*section_function)(void);
[[maybe_unused]] static CRITICAL_SECTION *of_plugin(HMODULE plugin)
{
    return reinterpret_cast<section_function>(reinterpret_cast<void *>(GetProcAddress(plugin, "plugin_section")))();
}
static CRITICAL_SECTION *kept;
[[maybe_unused]] NOINLINE static int call(CRITICAL_SECTION *lock) { sink++; CALL(lock); return sink++; }
[[maybe_unused]] static DWORD WINAPI call_kept(void *) { return call(kept); }
[[maybe_unused]] static void fill(void *to, SIZE_T size, const char *pattern, SIZE_T length)
{
    for (SIZE_T i = 0; i < size; i++)
        static_cast<volatile char *>(to)[i] = pattern[i % length];
}
// The heap gives a freed block to the next who wants one of its size.
[[maybe_unused]] static char *take_again(void *freed, SIZE_T size)
{
    char *block = NULL;
    for (int i = 0; i < 64 && block != freed; i++)
        block = static_cast<char *>(HeapAlloc(GetProcessHeap(), 0, size));
    return block;
}

#if defined(CODEC_UNLOADED)
// The player unloads a codec; a callback that is still registered wants its lock.
static int scenario()
{
    HMODULE codec = LoadLibraryA("plugin.dll");
    kept = of_plugin(codec);
    initialize(kept);
    will("memory-released", kept);
    FreeLibrary(codec);
    return call(kept);
}
#elif defined(CODEC_WORKER)
// A worker comes back for the unloaded library's lock.
static int scenario()
{
    Waiters worker;
    HMODULE codec = LoadLibraryA("plugin.dll");
    kept = of_plugin(codec);
    initialize(kept);
    make_waiters(&worker, 1, call_kept, NULL);
    will("memory-released", kept);
    FreeLibrary(codec);
    start_waiters(&worker);
    Sleep(4000);
    return sink;
}
#elif defined(SESSION_CLOSED)
// close() is called from under the session's own guard, and frees its pages.
struct Session {
    char peer[24];
    CRITICAL_SECTION lock;
    BYTE window[0x3000];
    NOINLINE void close() { will("memory-released", &lock); VirtualFree(this, 0, MEM_RELEASE); }
};
struct Guard { CRITICAL_SECTION *lock; explicit Guard(CRITICAL_SECTION *l) : lock(l) { EnterCriticalSection(l); } ~Guard() { LeaveCriticalSection(lock); sink++; } };
NOINLINE static int handle(Session *session, int opcode)
{
    Guard guard(&session->lock);
    if (opcode == 8)
        session->close();
    return opcode;
}
static int scenario()
{
    Session *session = reinterpret_cast<Session *>(pages(sizeof(Session)));
    lstrcpyA(session->peer, "10.0.4.17:443");
    initialize(&session->lock);
    return handle(session, 1) + handle(session, 8);
}
#elif defined(CACHE_VIEW)
// A mapped cache is closed while readers still have its header's address.
struct Header { char magic[8]; CRITICAL_SECTION lock; int entries; };
static int scenario()
{
    Waiters reader;
    HANDLE mapping = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0x8000, NULL);
    Header *header = static_cast<Header *>(MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, 0));
    memcpy(header->magic, "CACHE02", 8);
    kept = &header->lock;
    initialize(kept);
    make_waiters(&reader, 1, call_kept, NULL);
    will("memory-released", kept);
    UnmapViewOfFile(header);
    start_waiters(&reader);
    Sleep(4000);
    return sink;
}
#elif defined(BIG_IMAGE)
// An image with its lock in front is freed; blocks of that size go back to the system.
struct Image { CRITICAL_SECTION lock; int width, height; BYTE bits[0x200000]; };
static int scenario()
{
    Image *image = static_cast<Image *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Image)));
    initialize(&image->lock);
    image->width = 1024;
    will("memory-released", &image->lock);
    HeapFree(GetProcessHeap(), 0, image);
    return call(&image->lock);
}
#elif defined(PRIVATE_HEAP)
// A script engine's heap is destroyed before its objects are.
static int scenario()
{
    HANDLE heap = HeapCreate(0, 0, 0);
    HeapAlloc(heap, 0, 0x300);
    kept = static_cast<CRITICAL_SECTION *>(HeapAlloc(heap, HEAP_ZERO_MEMORY, 0x90));
    initialize(kept);
    will("memory-released", kept);
    HeapDestroy(heap);
    return call(kept);
}
#elif defined(POOL_SHRINKS)
// A pool gives the upper part of its chunks back, of which one is in use.
struct Chunk { int owner; CRITICAL_SECTION lock; BYTE data[0x7C0]; };
static int scenario()
{
    Chunk *chunks = reinterpret_cast<Chunk *>(pages(0x20000));
    Chunk *mine = &chunks[POOL_SHRINKS];
    initialize(&mine->lock);
    EnterCriticalSection(&mine->lock);
    will("memory-released", &mine->lock);
    VirtualFree(reinterpret_cast<char *>(chunks) + 0x8000, 0x18000, MEM_DECOMMIT);
    return call(&mine->lock);
}
#elif defined(THREAD_ENDED)
// A worker publishes a lock on its own stack, and ends.
static DWORD WINAPI worker(void *)
{
    struct { volatile char text[0x400]; CRITICAL_SECTION lock; } local;
    initialize(&local.lock);
    kept = &local.lock;
    will("memory-released", kept);
    return 0;
}
static int scenario()
{
    Waiters first, second; // a thread's stack goes when the next one ends
    CRITICAL_SECTION other;
    initialize(&other);
    make_waiters(&first, 1, worker, NULL);
    make_waiters(&second, 1, pass_through, &other);
    start_waiters(&first);
    start_waiters(&second);
    return call(kept);
}
#elif defined(GROWN_LIST)
// A reference to an element outlives the growth of its vector, whose old block was large.
struct Layer { CRITICAL_SECTION *lock; BYTE pixels[0x40000]; CRITICAL_SECTION own; };
static int scenario()
{
    Layer *layers = reinterpret_cast<Layer *>(pages(2 * sizeof(Layer)));
    Layer &background = layers[0];
    initialize(&background.own);
    EnterCriticalSection(&background.own);
    Layer *more = reinterpret_cast<Layer *>(pages(4 * sizeof(Layer)));
    memcpy(static_cast<void *>(more), layers, 2 * sizeof(Layer));
    will("memory-released", &background.own);
    VirtualFree(layers, 0, MEM_RELEASE);
    return call(&background.own);
}
#elif defined(BLOCK_REUSED)
// The object was freed without a Delete; its block is another's text.
struct Client { int id, flags; CRITICAL_SECTION lock; wchar_t name[20]; };
static int scenario()
{
    Client *client = static_cast<Client *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(Client)));
    initialize(&client->lock);
    will("memory-released", &client->lock);
    HeapFree(GetProcessHeap(), 0, client);
    fill(take_again(client, sizeof(Client)), sizeof(Client), "x\": 24, \"y\":", 12);
    return call(&client->lock);
}
#elif defined(OBJECT_REUSED)
// Its block is an object of another class, with links and numbers.
struct Sprite { Sprite *next, *previous; int x, y; void *texture; ULONG_PTR flags; void *owner; int frame, frames; };
struct Timer { void *owner; CRITICAL_SECTION lock; };
static int scenario()
{
    Timer *timer = static_cast<Timer *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(Sprite)));
    initialize(&timer->lock);
    will("memory-released", &timer->lock);
    HeapFree(GetProcessHeap(), 0, timer);
    Sprite *sprite = reinterpret_cast<Sprite *>(take_again(timer, sizeof(Sprite)));
    static const char atlas[] = "atlas";
    *sprite = { sprite, const_cast<Sprite *>(reinterpret_cast<const Sprite *>(atlas)), 320, 200, const_cast<char *>(atlas), 4, sprite, 2, 8 };
    return call(&timer->lock);
}
#elif defined(FREE_FILL)
// The heap fills what is freed.
struct Channel { char name[12]; CRITICAL_SECTION lock; int volume; };
static int scenario()
{
    static const DWORD pattern = FREE_FILL;
    Channel *channel = new Channel;
    initialize(&channel->lock);
    will("memory-released", &channel->lock);
    fill(channel, sizeof *channel, reinterpret_cast<const char *>(&pattern), 4);
    HeapFree(GetProcessHeap(), 0, channel);
    return call(&channel->lock);
}
#elif defined(FRAME_ARENA)
// A frame's arena starts again from its bottom; a late job has a lock of the frame before.
static int scenario()
{
    char *arena = pages(0x4000);
    kept = reinterpret_cast<CRITICAL_SECTION *>(arena + 0x520);
    initialize(kept);
    will("memory-released", kept);
    for (int i = 0; i < 0x800; i++)
        reinterpret_cast<volatile float *>(arena)[i] = i % 3 ? 0.5f * i : 1.0f;
    return call(kept);
}
#elif defined(SCOPE_ENDED)
// A callback is registered with a local's address, and called when another function's table is there.
NOINLINE static void subscribe()
{
    struct { volatile char text[160]; CRITICAL_SECTION lock; volatile char more[320]; } local;
    asm volatile("" : : "r"(&local) : "memory");
    initialize(&local.lock);
    kept = &local.lock;
    will("memory-released", kept);
}
NOINLINE static int render(int n)
{
    volatile ULONG_PTR offsets[128];
    for (int i = 0; i < 128; i++)
        offsets[i] = 0x1000 + 0x40 * i;
    asm volatile("" : : "r"(offsets) : "memory");
    CALL(kept);
    return static_cast<int>(offsets[n]);
}
static int scenario() { subscribe(); return render(5); }
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
