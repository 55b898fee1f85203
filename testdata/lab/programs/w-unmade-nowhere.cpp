// Sixth batch: what is passed is no section's address, and nothing can be read or written there. Macros choose where it comes from.
#include "k-common.h"

template <class T> static CRITICAL_SECTION *as_lock(T value) { return reinterpret_cast<CRITICAL_SECTION *>(static_cast<ULONG_PTR>(value)); }
template <class T> NOINLINE static T *same(T *pointer)
{
    asm volatile("" : "+r"(pointer));
    return pointer;
}
[[maybe_unused]] static void astray(const volatile void *lock) { will("bad-pointer", const_cast<CRITICAL_SECTION *>(static_cast<const volatile CRITICAL_SECTION *>(lock))); }

#if defined(NEVER_ALLOCATED)
// A library's lock is allocated by its start function; it is used before.
static CRITICAL_SECTION *volatile library_lock;
[[gnu::used]] NOINLINE static void start_library()
{
    library_lock = static_cast<CRITICAL_SECTION *>(HeapAlloc(GetProcessHeap(), 0, sizeof(CRITICAL_SECTION)));
    initialize(library_lock);
}
NOINLINE static int random_byte()
{
    EnterCriticalSection(library_lock);
    sink++;
    LeaveCriticalSection(library_lock);
    return sink;
}
static int scenario() { astray(library_lock); return random_byte(); }
#elif defined(GUARD_OF_NULL)
// The guard checks on its way in whether there is a lock; on its way out it does not.
struct FileLock { int descriptor; const char *path; CRITICAL_SECTION section; };
struct Guard {
    FileLock *lock;
    explicit Guard(FileLock *l) : lock(l) { if (lock) EnterCriticalSection(&lock->section); }
    ~Guard() { LeaveCriticalSection(&lock->section); sink++; }
};
NOINLINE static int write_audit(FileLock *lock, const char *text)
{
    Guard guard(lock);
    return lstrlenA(text);
}
static int scenario()
{
    FileLock good = { 4, "audit.log", {} }, *none = same<FileLock>(NULL);
    initialize(&good.section);
    sink += write_audit(&good, "first");
    astray(&none->section);
    return write_audit(none, "second");
}
#elif defined(AFTER_SHUTDOWN)
// instance() is NULL after the shutdown; a thread reports once more.
struct Metrics { char host[32]; double values[6]; CRITICAL_SECTION lock; static Metrics *volatile instance; };
Metrics *volatile Metrics::instance;
NOINLINE static void report(int index, double value)
{
    Metrics *metrics = Metrics::instance;
    EnterCriticalSection(&metrics->lock);
    metrics->values[index] += value;
    LeaveCriticalSection(&metrics->lock);
}
static DWORD WINAPI worker(void *)
{
    report(1, 0.5);
    Sleep(600);
    report(2, 1.5);
    return 0;
}
static int scenario()
{
    Waiters one;
    Metrics *metrics = new Metrics();
    initialize(&metrics->lock);
    Metrics::instance = metrics;
    make_waiters(&one, 1, worker, NULL);
    ResumeThread(one.threads[0]);
    Sleep(200);
    Metrics::instance = NULL;
    DeleteCriticalSection(&metrics->lock);
    delete metrics;
    astray(&static_cast<Metrics *>(NULL)->lock);
    WaitForSingleObject(one.threads[0], 5000);
    return sink;
}
#elif defined(SWAPPED)
// The library calls back with (id, context), the program declared (context, id).
struct Scan { CRITICAL_SECTION lock; int found; };
static int on_file(Scan *scan, int id)
{
    if (TryEnterCriticalSection(&scan->lock)) {
        scan->found += id;
        LeaveCriticalSection(&scan->lock);
    }
    return 0;
}
NOINLINE static int each_file(int (*callback)(int, void *), void *context)
{
    for (int id = 7; id < 10; id++)
        if (callback(id, context))
            return id;
    return 0;
}
static int scenario()
{
    Scan scan = {};
    initialize(&scan.lock);
    astray(as_lock(7));
    return each_file(reinterpret_cast<int (*)(int, void *)>(on_file), same(&scan));
}
#elif defined(SIGNED_ITEM)
// An item's data is a long: the pointer comes back with its sign.
struct Item { const char *text; long data; };
struct Document { wchar_t title[20]; CRITICAL_SECTION lock; };
NOINLINE static int select(const volatile Item *item)
{
    Document *document = reinterpret_cast<Document *>(static_cast<LONG_PTR>(item->data));
    astray(&document->lock);
    EnterCriticalSection(&document->lock);
    document->title[0] = 'D';
    LeaveCriticalSection(&document->lock);
    return sink++;
}
static int scenario()
{
    static Item item;
    Document *document = reinterpret_cast<Document *>(pages(0x1000, reinterpret_cast<void *>(0x9B240000ull)));
    initialize(&document->lock);
    item.text = "Document 1";
    item.data = static_cast<long>(reinterpret_cast<ULONG_PTR>(document));
    return select(&item);
}
#elif defined(RESULT_CODE)
// A function returns either an object or a result code in one integer.
struct Stream { int position, size; char name[24]; CRITICAL_SECTION lock; };
NOINLINE static ULONG_PTR open_stream(const char *name)
{
    if (name[0] == '\\')
        return 0x80070005;
    Stream *stream = new Stream();
    initialize(&stream->lock);
    return reinterpret_cast<ULONG_PTR>(stream);
}
static int scenario()
{
    Stream *good = reinterpret_cast<Stream *>(open_stream("a.txt")), *stream = reinterpret_cast<Stream *>(open_stream("\\\\server\\b.txt"));
    good->size = 4;
    astray(&stream->lock);
    EnterCriticalSection(&stream->lock);
    stream->position = 0;
    LeaveCriticalSection(&stream->lock);
    return sink++;
}
#elif defined(FAILED_MAP)
// The failure value of a map function is -1; only NULL is checked.
struct Map { ULONG_PTR size, flags; char *base; CRITICAL_SECTION lock; };
NOINLINE static Map *map_file(const char *name) { return name[0] == 'Z' ? reinterpret_cast<Map *>(static_cast<LONG_PTR>(-1)) : NULL; }
NOINLINE static void unmap(Map *map)
{
    if (map)
        DeleteCriticalSection(&map->lock);
    sink++;
}
static int scenario()
{
    Map *map = map_file("Z:\\missing");
    astray(&map->lock);
    unmap(map);
    return sink++;
}
#elif defined(MUTEX_HANDLE)
// Mutexes were replaced by critical sections, but for one member.
struct Port { int number; void *volatile guard; HANDLE event; };
NOINLINE static int write_byte(Port *port, int byte)
{
    WaitForSingleObject(port->guard, INFINITE);
    port->number += byte;
    LeaveCriticalSection(static_cast<CRITICAL_SECTION *>(port->guard));
    return port->number;
}
static int scenario()
{
    Port port = { 1, CreateMutexA(NULL, FALSE, NULL), CreateEventA(NULL, FALSE, FALSE, NULL) };
    astray(port.guard);
    return write_byte(&port, 3);
}
#elif defined(UNSET_LOCAL)
// One of the cases does not set the pointer; what lies there is a number of an earlier call.
struct Cell { double value; CRITICAL_SECTION lock; };
static Cell cells[3];
NOINLINE static double average(int n)
{
    volatile double values[40];
    double sum = 0;
    for (int i = 0; i < 40; i++)
        values[i] = 1.0 / (i + 3);
    for (int i = 0; i < n; i++)
        sum += values[i];
    return sum;
}
NOINLINE static int find(int kind)
{
    volatile int path[30];
    Cell *cell;
    asm volatile("" : "=m"(cell));
    path[kind] = kind;
    switch (kind) {
    case 0: cell = &cells[0]; break;
    case 1: cell = &cells[2]; break;
    }
    astray(&cell->lock);
    EnterCriticalSection(&cell->lock);
    cell->value = path[kind];
    LeaveCriticalSection(&cell->lock);
    return kind;
}
static int scenario()
{
    for (auto &cell : cells)
        initialize(&cell.lock);
    sink = find(1) + static_cast<int>(average(9));
    return find(2);
}
#elif defined(PAST_END)
// <= instead of <, and the table ends with its page.
struct Band { int gain; char name[36]; CRITICAL_SECTION lock; };
static int scenario()
{
    const int count = 0x1000 / sizeof(Band);
    pages(0x1000, reinterpret_cast<void *>(0x2A310000)); // 64 KiB apart: the next page is free
    Band *bands = reinterpret_cast<Band *>(0x2A310000 + 0x1000 - count * sizeof(Band));
    for (int i = 0; i < count; i++)
        initialize(&bands[i].lock);
    astray(&bands[count].lock);
    for (int i = 0; i <= count; i++) {
        EnterCriticalSection(&bands[i].lock);
        bands[i].gain = 6;
        LeaveCriticalSection(&bands[i].lock);
    }
    return sink++;
}
#elif defined(NOT_FOUND_INDEX)
// find() returns -1, and its result is an index.
struct Column { wchar_t title[12]; int width; CRITICAL_SECTION lock; };
NOINLINE static int find(const Column *columns, int count, int width)
{
    for (int i = 0; i < count; i++)
        if (columns[i].width == width)
            return i;
    return -1;
}
static int scenario()
{
    Column *columns = reinterpret_cast<Column *>(pages(0x1000, reinterpret_cast<void *>(0x53110000)));
    for (int i = 0; i < 6; i++) {
        columns[i].width = 80 + 10 * i;
        initialize(&columns[i].lock);
    }
    Column *column = &columns[find(columns, 6, 75)];
    astray(&column->lock);
    if (TryEnterCriticalSection(&column->lock)) {
        column->width++;
        LeaveCriticalSection(&column->lock);
    }
    return sink++;
}
#elif defined(FREED_OWNER)
// The owner is destroyed by the callback, and its memory filled; on the way back its lock is left.
struct Owner {
    int id;
    CRITICAL_SECTION *lock;
    virtual void notify(void (*callback)(Owner *)) { EnterCriticalSection(lock); callback(this); CALL(lock); }
    virtual ~Owner() { }
};
static void remove(Owner *owner)
{
    for (unsigned i = 0; i < sizeof *owner / 4; i++)
        reinterpret_cast<volatile DWORD *>(owner)[i] = FILL;
    astray(owner->lock);
}
static int scenario()
{
    static CRITICAL_SECTION lock;
    initialize(&lock);
    Owner *owner = same(new Owner);
    owner->lock = &lock;
    owner->id = 3;
    owner->notify(remove);
    return sink++;
}
#elif defined(TEXT_SETTING)
// A setting is a text or an object; which of both says a flag that was not kept.
struct Provider { void *table; CRITICAL_SECTION lock; };
struct Setting { const char *name; union { Provider *provider; SETTING_CHAR text[8]; } value; };
static int scenario()
{
    static Setting settings[3];
    settings[0].value.provider = new Provider();
    initialize(&settings[0].value.provider->lock);
    settings[1].name = "Enabled";
    for (int i = 0; i < 4; i++)
        reinterpret_cast<volatile SETTING_CHAR *>(settings[1].value.text)[i] = "TRUE"[i];
    Provider *provider = same(settings[1].value.provider);
    astray(&provider->lock);
    CALL(&provider->lock);
    return sink++;
}
#elif defined(BEFORE_CREATE)
// The window function's object is stored with WM_CREATE; a message comes before.
struct Window { void *table; int width, height; char text[40]; CRITICAL_SECTION lock; };
struct Native { void *user_data; ULONG_PTR (*function)(Native *, unsigned, ULONG_PTR); };
static ULONG_PTR on_message(Native *native, unsigned message, ULONG_PTR parameter)
{
    Window *window = static_cast<Window *>(native->user_data);
    if (message == 1) {
        native->user_data = reinterpret_cast<void *>(parameter);
        return 1;
    }
    astray(&window->lock);
    EnterCriticalSection(&window->lock);
    window->width = static_cast<int>(parameter);
    LeaveCriticalSection(&window->lock);
    return 0;
}
NOINLINE static ULONG_PTR create(Native *native, Window *window)
{
    native->function(native, 0x24, 640);
    native->function(native, 1, reinterpret_cast<ULONG_PTR>(window));
    return native->function(native, 5, 320);
}
static int scenario()
{
    Native native = { NULL, on_message };
    Window *window = new Window();
    initialize(&window->lock);
    return static_cast<int>(create(same(&native), window));
}
#elif defined(END_OF_TABLE)
// The table of objects has one less than its count says; behind it come other numbers.
struct Mode { int id; CRITICAL_SECTION lock; };
struct Modes { int count; Mode *table[4]; volatile int width, height; };
static int scenario()
{
    Modes *modes = static_cast<Modes *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(Modes)));
    for (auto &mode : modes->table) {
        mode = new Mode();
        initialize(&mode->lock);
    }
    modes->width = 1280;
    modes->height = 720;
    modes->count = 5;
    for (int i = 0; i < same(modes)->count; i++) {
        Mode *mode = same(&modes->table[0])[i];
        if (i == 4)
            astray(&mode->lock);
        EnterCriticalSection(&mode->lock);
        mode->id = i;
        LeaveCriticalSection(&mode->lock);
    }
    return sink++;
}
#elif defined(LITERAL)
// The name and the lock are swapped, as both are void pointers to the tracing library.
static CRITICAL_SECTION trace_lock;
NOINLINE static int trace(void *lock, void *name)
{
    EnterCriticalSection(static_cast<CRITICAL_SECTION *>(lock));
    sink += *static_cast<volatile char *>(name);
    LeaveCriticalSection(static_cast<CRITICAL_SECTION *>(lock));
    return sink;
}
static int scenario()
{
    static const char name[] = "trace of the importer, without attachments";
    initialize(&trace_lock);
    sink += trace(&trace_lock, const_cast<char *>(name));
    astray(reinterpret_cast<CRITICAL_SECTION *>(const_cast<char *>(name)));
    return trace(const_cast<char *>(name), &trace_lock);
}
#elif defined(CODE)
// Two arguments of a hook are swapped: its function is taken for its lock.
NOINLINE static int hook(void *lock, void *function, int code)
{
    reinterpret_cast<void (*)(int)>(function)(code);
    LeaveCriticalSection(static_cast<CRITICAL_SECTION *>(lock));
    return sink;
}
static void on_key(int code) { sink += code; }
static void (*volatile chain)(int) = on_key;
static int scenario()
{
    astray(reinterpret_cast<void *>(chain));
    return hook(reinterpret_cast<void *>(chain), reinterpret_cast<void *>(chain), 0x41);
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
