// Fourth batch: objects with a section in them are copied as bytes, and one of the two is destroyed. Macros choose how the copy comes
// about, and which of the two the program goes on with.
#include "k-common.h"
#include <stdlib.h>

#if defined(EMPLACE)
// A vector grows while an element is locked; its elements are copied and destroyed.
struct Shard {
    CRITICAL_SECTION lock;
    ULONGLONG rows;
    NOINLINE ~Shard() { DeleteCriticalSection(&lock); }
};
struct Shards {
    Shard *first = NULL;
    int count = 0, room = 0;
    NOINLINE Shard *emplace()
    {
        if (count == room) {
            room = room ? 2 * room : 2;
            Shard *more = static_cast<Shard *>(operator new(room * sizeof(Shard)));
            for (int i = 0; i < count; i++) {
                memcpy(static_cast<void *>(&more[i]), &first[i], sizeof(Shard));
                if (waiters.count && first[i].lock.RecursionCount)
                    will_signal("copied", &first[i].lock);
                first[i].~Shard();
            }
            operator delete(first);
            first = more;
        }
        Shard *made = &first[count++];
        initialize(&made->lock);
        made->rows = 0;
        return made;
    }
};
static int scenario()
{
    Shards shards;
    Shard *one = shards.emplace();
    shards.emplace();
    make_waiters(&waiters, WAITERS, pass_through, &one->lock);
    contend(&one->lock);
    shards.emplace();
    reporter_expect(&shards.first[0].lock, shards.first[0].lock.LockSemaphore);
    take_number();
    FINISH(&shards.first[0].lock);
    return sink;
}
#elif defined(CLONED_CONFIG)
// clone() copies all of a configuration; the clone is destroyed at the end of the dialog, the original is in use.
struct Config {
    wchar_t profile[16];
    CRITICAL_SECTION lock;
    int options[6];
    Config *clone() const
    {
        Config *made = static_cast<Config *>(operator new(sizeof(Config)));
        memcpy(static_cast<void *>(made), this, sizeof *made);
        return made;
    }
    NOINLINE ~Config() { DeleteCriticalSection(&lock); profile[0] = 0; }
};
static int scenario()
{
    Config *config = new Config { L"default", {}, { 1, 0, 3 } };
    prepare(&config->lock);
    contend(&config->lock);
    Config *edited = config->clone();
    will_signal("copied", &config->lock);
    delete edited;
    take_number();
    FINISH(&config->lock);
    return sink;
}
#elif defined(SAVE_STATE)
// A game saves its world as bytes and loads it back after the level has been torn down and made again.
struct World { int level; CRITICAL_SECTION lock; float gravity; int entities; };
static World world, saved;
static int scenario()
{
    world.level = 3;
    prepare(&world.lock);
    contend(&world.lock);
    saved = world;
    will_signal("copied", &world.lock);
    DeleteCriticalSection(&world.lock);
    initialize(&world.lock);
    world = saved;
    expect_handle(&world.lock);
    take_number();
    FINISH(&world.lock);
    return sink;
}
#elif defined(CAPTURED)
// A callback captures its object by value; each call destroys a copy.
struct Feed {
    int id;
    CRITICAL_SECTION lock;
    NOINLINE ~Feed() { if (id) DeleteCriticalSection(&lock); }
};
template <class Function> NOINLINE static int call_later(Function function) { return function(2); }
static int scenario()
{
    static Feed feed;
    feed.id = 8;
    prepare(&feed.lock);
    contend(&feed.lock);
    will_signal("copied", &feed.lock);
    sink = call_later([copy = feed](int n) { return copy.id + n; });
    take_number();
    FINISH(&feed.lock);
    return sink;
}
#elif defined(SWAP_ENTRIES)
// Two entries of a table are swapped by their bytes while one is locked; the one that moved away is removed.
struct Entry { char key[8]; CRITICAL_SECTION lock; void *value; };
static Entry entries[6];
NOINLINE static void swap_bytes(Entry *a, Entry *b)
{
    for (SIZE_T i = 0; i < sizeof *a; i++) {
        volatile char *x = reinterpret_cast<char *>(a) + i, *y = reinterpret_cast<char *>(b) + i;
        char byte = *x;
        *x = *y;
        *y = byte;
    }
}
static int scenario()
{
    for (Entry &entry : entries)
        initialize(&entry.lock);
    make_waiters(&waiters, WAITERS, pass_through, &entries[1].lock);
    contend(&entries[1].lock);
    Entry undo = entries[1];
    swap_bytes(&entries[1], &entries[5]);
    act("copied", &entries[5].lock);
    DeleteCriticalSection(&entries[5].lock);
    entries[5] = undo;
    reporter_expect(&entries[5].lock, entries[5].lock.LockSemaphore);
    take_number();
    FINISH(&entries[5].lock);
    return sink;
}
#elif defined(BOTH_DESTROYED)
// A structure is passed by value to a function that cleans up, and the caller cleans up as well.
struct Task { int id; CRITICAL_SECTION lock; char name[20]; };
NOINLINE static void finish(Task task) { sink += task.name[0]; DeleteCriticalSection(&task.lock); }
NOINLINE static int clean(Task *task)
{
    will("copied", &task->lock);
    finish(*task);
    DeleteCriticalSection(&task->lock);
    return sink;
}
static int scenario()
{
    Task *task = new Task { 4, {}, "thumbnails" };
    initialize(&task->lock);
    return clean(task);
}
#elif defined(REALLOCATED)
// A C table is moved by its allocator and both the old pointer's entry and the new one are destroyed at the end.
struct Slot { int used; CRITICAL_SECTION lock; };
static int scenario()
{
    Slot *slots = static_cast<Slot *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, 4 * sizeof(Slot)));
    for (int i = 0; i < 4; i++)
        initialize(&slots[i].lock);
    Slot *kept = &slots[2];
    Slot *more = static_cast<Slot *>(HeapAlloc(GetProcessHeap(), 0, 16 * sizeof(Slot)));
    memcpy(static_cast<void *>(more), slots, 4 * sizeof(Slot));
    act("copied", &kept->lock);
    DeleteCriticalSection(&kept->lock);
    expect(&more[2].lock);
    for (int i = 3; i >= 0; i--)
        DeleteCriticalSection(&more[i].lock);
    return sink;
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
