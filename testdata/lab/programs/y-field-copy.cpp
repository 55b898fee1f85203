// Eighth batch: classes with a lock and a destructor, but with the compiler's own copying. Macros choose who copies.
#include "k-common.h"

struct Lock {
    CRITICAL_SECTION native;
    Lock() { initialize(&native); }
    ~Lock() { DeleteCriticalSection(&native); }
    void enter() { EnterCriticalSection(&native); }
    void leave() { LeaveCriticalSection(&native); }
};
[[maybe_unused]] static void want(Lock *lock) { make_waiters(&waiters, WAITERS, pass_through, &lock->native); }
[[maybe_unused]] static void copied_to(CRITICAL_SECTION *goes_on) { reporter_expect(goes_on, goes_on->LockSemaphore); }

#if defined(COMPACTED)
// A table without holes: what lies behind a removed entry is moved down as bytes, then the last one is destroyed.
struct Download { int id; char url[28]; Lock lock; DWORD got, size; };
static int downloads;
alignas(16) static char table[6 * sizeof(Download)];
static Download *at(int i) { return reinterpret_cast<Download *>(table) + i; }
NOINLINE static void remove(int i)
{
    memmove(static_cast<void *>(at(i)), at(i + 1), (downloads - 1 - i) * sizeof(Download));
    downloads--;
    will_signal("copied", &at(downloads)->lock.native);
    at(downloads)->~Download();
}
NOINLINE static void progress(int i)
{
    at(i)->got += 4096;
    at(i)->lock.leave();
    sink++;
}
static void *slot(int i) { return at(i); }
static int scenario()
{
    for (; downloads < 4; downloads++) {
        memset(slot(downloads), 0, sizeof(Download));
        initialize(&at(downloads)->lock.native);
        at(downloads)->id = 500 + downloads;
    }
    want(&at(3)->lock);
    at(3)->lock.enter();
    start_waiters(&waiters);
    remove(1);
    copied_to(&at(2)->lock.native);
    progress(2);
    return sink;
}
#elif defined(INSERTED)
// insert(key, entry): the parameter is stored and destroyed.
struct Entry { Lock lock; LONGLONG expires; int uses; };
struct Cache { int count; int keys[8]; Entry *slots; };
static Cache cache;
NOINLINE static void insert(int key, Entry entry)
{
    cache.keys[cache.count] = key;
    memcpy(static_cast<void *>(&cache.slots[cache.count++]), &entry, sizeof entry);
    act("copied", &entry.lock.native);
}
NOINLINE static DWORD use(Entry *entry)
{
    entry->lock.enter();
    entry->uses++;
    Sleep(3000);
    entry->lock.leave();
    return 0;
}
static DWORD WINAPI user(void *entry) { return use(static_cast<Entry *>(entry)); }
static int scenario()
{
    Entry *first = new Entry;
    cache.slots = static_cast<Entry *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, 8 * sizeof(Entry)));
    contend_once(&first->lock.native);
    make_waiters(&waiters, 2, user, &cache.slots[0]);
    insert(17, *first);
    copied_to(&cache.slots[0].lock.native);
    start_waiters(&waiters);
    Sleep(6000);
    return sink;
}
#elif defined(FOR_EACH)
// for (Device device : devices), without "&".
struct Device { int id; wchar_t name[9]; Lock lock; bool present; };
static int scenario_with(Device (&devices)[3]);
NOINLINE static int count_present(Device (&devices)[3])
{
    int present = 0;
    for (Device device : devices) {
        present += device.present;
        if (device.id == 2)
            act("copied", &device.lock.native);
    }
    return present;
}
static int scenario_with(Device (&devices)[3])
{
    Device *mine = &devices[1];
    for (int i = 0; i < 3; i++)
        devices[i].id = i + 1;
    want(&mine->lock);
    contend(&mine->lock.native);
    mine->present = true;
    expect_handle(&mine->lock.native);
    sink += count_present(devices);
    FINISH(&mine->lock.native);
    return sink;
}
static int scenario()
{
    static Device devices[3];
    return scenario_with(devices);
}
#elif defined(TO_FRONT)
// What was found goes to the front, by way of a local; then a semaphore is made.
struct Glyph { int code; Lock lock; void *bitmap; };
struct Font { char face[14]; int used; Glyph glyphs[5]; };
NOINLINE static Glyph *to_front(Font *font, int i)
{
    Glyph hit = font->glyphs[i];
    memmove(static_cast<void *>(&font->glyphs[1]), &font->glyphs[0], i * sizeof(Glyph));
    font->glyphs[0] = hit;
    act("copied", &hit.lock.native);
    return &font->glyphs[0];
}
static int scenario()
{
    Font *font = new Font;
    font->glyphs[3].code = 0x20AC;
    want(&font->glyphs[3].lock);
    contend(&font->glyphs[3].lock.native);
    Glyph *euro = to_front(font, 3);
    copied_to(&euro->lock.native);
    take_number();
    FINISH(&euro->lock.native);
    return sink + font->used;
}
#elif defined(FRESH_LOCK)
// lock = Lock(): "to be sure that it is initialized".
struct Store {
    DWORD size, crc;
    const char *root;
    Lock lock;
    NOINLINE void initialize_store(const char *path)
    {
        Lock fresh;
        root = path;
        lock = fresh;
        act("copied", &fresh.native);
    }
    NOINLINE void put(DWORD value) { lock.enter(); size++; crc ^= value; lock.leave(); }
    NOINLINE ~Store() { crc = 0; }
};
static int scenario()
{
    Store *store = new Store();
    store->initialize_store("C:\\Data\\kv");
    store->put(77);
    store->put(78);
    expect(&store->lock.native);
    delete store;
    return sink;
}
#elif defined(DEFAULTS)
// "Restore defaults" assigns the default object, which others have used and waited for; at the end both are destroyed.
struct Options { int zoom; bool grid; Lock lock; wchar_t printer[12]; };
struct Pages { Options *current, *defaults; };
NOINLINE static void restore_defaults(Pages *pages) { *pages->current = *pages->defaults; }
NOINLINE static void close_pages(Pages *pages)
{
    act("copied", &pages->current->lock.native);
    delete pages->current;
    expect(&pages->defaults->lock.native);
    delete pages->defaults;
}
static int scenario()
{
    Pages pages = { new Options, new Options };
    contend_once(&pages.defaults->lock.native);
    restore_defaults(&pages);
    close_pages(&pages);
    return sink;
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
