// Sixth batch: what is passed is no section's address, but there is memory there, with something else in it. Macros choose what.
#include "k-common.h"

template <class T> NOINLINE static T *same(T *pointer)
{
    asm volatile("" : "+r"(pointer));
    return pointer;
}
[[maybe_unused]] static void astray(CRITICAL_SECTION *lock) { will("bad-pointer", lock); }

#if defined(ADDRESS_OF_POINTER)
// The lock became a pointer; the clean-up still passes its address.
static struct { const char *name; CRITICAL_SECTION *lock; int references, limit; CRITICAL_SECTION *spare; } global = { "global", NULL, 1, 16, NULL };
NOINLINE static void clean_up(void *lock)
{
    DeleteCriticalSection(static_cast<CRITICAL_SECTION *>(lock));
    global.references = 0;
}
static int scenario()
{
    global.lock = new CRITICAL_SECTION;
    initialize(global.lock);
    EnterCriticalSection(global.lock);
    LeaveCriticalSection(global.lock);
    astray(reinterpret_cast<CRITICAL_SECTION *>(&global.lock));
    clean_up(&global.lock);
    return sink++;
}
#elif defined(TAGGED)
// The low bit of the pointer says who owns it, and is not taken off.
struct Node { void *left, *right; CRITICAL_SECTION lock; };
typedef ULONG_PTR tagged;
NOINLINE static void drop(tagged lock)
{
    if (lock & 1)
        DeleteCriticalSection(reinterpret_cast<CRITICAL_SECTION *>(lock));
    sink++;
}
static int scenario()
{
    Node *node = new Node();
    initialize(&node->lock);
    tagged owned = reinterpret_cast<tagged>(&node->lock) | 1;
    astray(reinterpret_cast<CRITICAL_SECTION *>(owned));
    drop(owned);
    return sink++;
}
#elif defined(OLD_LAYOUT)
// A library was built with an older header: two fields lie where it looks for the lock.
struct Stream { int rate, channels; void *filter; const wchar_t *device; LONGLONG position; CRITICAL_SECTION lock; void *buffers[4]; };
static int scenario()
{
    auto mix = reinterpret_cast<int (*)(Stream *)>(reinterpret_cast<void *>(GetProcAddress(LoadLibraryA("plugin.dll"), "plugin_mix")));
    Stream *stream = static_cast<Stream *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(Stream)));
    stream->rate = 44100;
    stream->channels = 2;
    initialize(&stream->lock);
    contend_once(&stream->lock);
    astray(reinterpret_cast<CRITICAL_SECTION *>(&stream->filter));
    return mix(stream) + sink++;
}
#elif defined(SIBLING)
// The shape is taken for a group without asking.
struct Shape { virtual double area() const = 0; virtual ~Shape() { } };
struct Group : Shape { CRITICAL_SECTION lock; int count = 0; Shape *parts[4]; double area() const override { return count; } };
struct Circle : Shape { double x = 4.25, y = 1.5, radius = 12.125, width = 0.5; int color = 0x3060F0; double area() const override { return radius * radius * 3.14; } };
static Shape *selection[2];
NOINLINE static int ungroup(Group *group)
{
    EnterCriticalSection(&group->lock);
    int count = group->count;
    LeaveCriticalSection(&group->lock);
    return count;
}
static int scenario()
{
    Group *group = new Group;
    initialize(&group->lock);
    selection[0] = group;
    selection[1] = new Circle;
    sink += static_cast<int>(selection[1]->area());
    for (Shape *shape : selection) {
        Group *one = static_cast<Group *>(same(shape));
        astray(&one->lock);
        sink += ungroup(one);
    }
    return sink;
}
#elif defined(ADDRESS_OF_LOCAL)
// The address of a pointer, a local, where the pointer is meant.
struct Holder { CRITICAL_SECTION *volatile lock; volatile int mode, depth; const char *volatile name; void *volatile next; volatile ULONG_PTR count; };
NOINLINE static void update(CRITICAL_SECTION *lock, int amount)
{
    EnterCriticalSection(lock);
    sink += amount;
    LeaveCriticalSection(lock);
}
static int scenario()
{
    CRITICAL_SECTION *lock = new CRITICAL_SECTION[2];
    initialize(lock);
    Holder holder = { lock, 2, 0, "holder", &holder, 6 };
    act("bad-pointer", reinterpret_cast<CRITICAL_SECTION *>(&holder));
    expect_handle(reinterpret_cast<CRITICAL_SECTION *>(&holder));
    update(reinterpret_cast<CRITICAL_SECTION *>(&holder), 4);
    return sink;
}
#elif defined(PACKED_HEADER)
// Two files see the structure with a different packing: four bytes too far.
struct Loose { int level; CRITICAL_SECTION lock; char name[20]; };
#pragma pack(push, 4)
struct Tight { int level, spare; int more; CRITICAL_SECTION lock; };
#pragma pack(pop)
NOINLINE static int set_level(Tight *player, int level)
{
    EnterCriticalSection(&player->lock);
    player->level = level;
    LeaveCriticalSection(&player->lock);
    return level;
}
static int scenario()
{
    Loose *player = new Loose();
    initialize(&player->lock);
    lstrcpyA(player->name, "speaker");
    Tight *tight = reinterpret_cast<Tight *>(same(player));
    act("bad-pointer", &tight->lock);
    expect_handle(&tight->lock);
    return set_level(tight, 11);
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
