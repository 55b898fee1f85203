// Third batch: nobody had initialised the section. Macros choose why not, and what the memory held instead.
#include "unseen.h"

static void never(const CRITICAL_SECTION *lock)
{
    act("never-initialized", lock);
    expect(lock);
}
[[maybe_unused]] NOINLINE static int use(CRITICAL_SECTION *lock)
{
    sink++;
    EnterCriticalSection(lock);
    sink++;
    LeaveCriticalSection(lock);
    return sink;
}

#if defined(SAVED_FLAG)
// The settings are read back as they were saved, with the flag that says that the lock is ready.
struct Settings { int version; bool ready; int volume, balance; CRITICAL_SECTION lock; };
static Settings settings;
static const struct { int version; bool ready; int volume, balance; } saved = { 4, true, 70, -3 };
NOINLINE static void load() { memcpy(static_cast<void *>(&settings), &saved, sizeof saved); }
NOINLINE static int set_volume(int volume)
{
    if (!settings.ready) {
        initialize(&settings.lock);
        settings.ready = true;
    }
    EnterCriticalSection(&settings.lock);
    settings.volume = volume;
    LeaveCriticalSection(&settings.lock);
    return volume;
}
static int scenario()
{
    load();
    never(&settings.lock);
    return set_volume(80);
}
#elif defined(OLD_NUMBERS)
// The second constructor, for a borrowed name, was written later and forgets the lock; the block had held a matrix.
struct Account {
    const char *name;
    int kind, uses;
    CRITICAL_SECTION lock;
    explicit Account(int k) : name("anonymous"), kind(k), uses(0) { initialize(&lock); }
    explicit Account(const char *n) : name(n), kind(1), uses(0) { }
    NOINLINE int charge(int amount)
    {
        EnterCriticalSection(&lock);
        uses += amount;
        LeaveCriticalSection(&lock);
        return uses;
    }
};
NOINLINE static double solve()
{
    double *matrix[6];
    double trace = 0;
    for (double *&row : matrix) {
        row = static_cast<double *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Account) & ~static_cast<SIZE_T>(7)));
        for (unsigned i = 0; i < sizeof(Account) / 8; i++)
            row[i] = 0.375 * (i + 2);
    }
    for (double *row : matrix) {
        trace += row[1];
        HeapFree(GetProcessHeap(), 0, row);
    }
    return trace;
}
static int scenario()
{
    Account *accounts[6];
    sink += static_cast<int>(solve());
    for (int i = 0; i < 6; i++)
        accounts[i] = i == 4 ? new Account("retail-2207") : new Account(i);
    never(&accounts[4]->lock);
    for (Account *account : accounts)
        sink += account->charge(5);
    return sink;
}
#elif defined(BASE_NOT_CALLED)
// init() is virtual; the override does its own part only.
struct Element {
    CRITICAL_SECTION lock;
    int links;
    virtual void init() { initialize(&lock); links = 0; }
    virtual ~Element() { }
    NOINLINE int link() { return use(&lock) + links++; }
};
struct Mixer : Element {
    int inputs;
    NOINLINE void init() override { inputs = 8; }
};
template <class T> static T *zeroed() { return new (HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(T))) T; }
static int scenario()
{
    Element *elements[3] = { zeroed<Element>(), zeroed<Mixer>(), zeroed<Element>() };
    for (Element *element : elements)
        element->init();
    never(&elements[1]->lock);
    for (Element *element : elements)
        sink += element->link();
    return sink;
}
#elif defined(VAR_PATTERN)
// -ftrivial-auto-var-init=pattern, by hand: a local that is not initialised gets the pattern of the pointer size.
struct Transfer { int state, retries; CRITICAL_SECTION lock; void *buffer; };
NOINLINE static int transfer(bool shared)
{
    Transfer local;
    memset(static_cast<void *>(&local), VAR_PATTERN, sizeof local);
    local.state = 1;
    if (shared)
        initialize(&local.lock);
    else
        never(&local.lock);
    EnterCriticalSection(&local.lock);
    local.retries = 0;
    LeaveCriticalSection(&local.lock);
    if (shared)
        DeleteCriticalSection(&local.lock);
    return local.state;
}
static int scenario() { return transfer(true) + transfer(sink > 100); }
#elif defined(TO_CAPACITY)
// The table is torn down to its capacity, not to its count; its block had been an index of pointers.
struct Item { ULONG_PTR key; CRITICAL_SECTION lock; ULONG_PTR value; };
struct Table { int count, capacity; Item *items; };
struct Leaf { Leaf *next; int counts[14]; };
NOINLINE static Table *make_table(int capacity)
{
    static Leaf leaves[4];
    SIZE_T size = capacity * sizeof(Item);
    Leaf **index = static_cast<Leaf **>(HeapAlloc(GetProcessHeap(), 0, size));
    for (unsigned i = 0; i < size / sizeof(Leaf *); i++)
        index[i] = &leaves[i % 4];
    Table *table = new Table;
    table->count = 0;
    table->capacity = capacity;
    table->items = reinterpret_cast<Item *>(index);
    return table;
}
NOINLINE static void tear_down(Table *table)
{
    for (int i = 0; i < table->capacity; i++)
        DeleteCriticalSection(&table->items[i].lock);
    HeapFree(GetProcessHeap(), 0, table->items);
}
static int scenario()
{
    Table *table = make_table(9);
    while (table->count < 6) {
        table->items[table->count].key = 100 + table->count;
        table->items[table->count].value = 0;
        initialize(&table->items[table->count++].lock);
    }
    sink += use(&table->items[3].lock);
    never(&table->items[6].lock);
    tear_down(table);
    return sink;
}
#elif defined(SAME_TWICE)
// Two sections, and a line that was pasted and half changed: the first is initialised twice, the second never.
struct Pipe { CRITICAL_SECTION read_lock; int readers; CRITICAL_SECTION write_lock; int writers; };
static Pipe pipe_state;
NOINLINE static void open_pipe(Pipe *p)
{
    initialize(&p->read_lock);
    p->readers = 0;
    initialize(&p->read_lock);
    p->writers = 0;
}
static int scenario()
{
    open_pipe(&pipe_state);
    never(&pipe_state.write_lock);
    return use(&pipe_state.read_lock) + use(&pipe_state.write_lock);
}
#elif defined(REFUSED_PLUGIN)
// The host asks a plugin for its lock although the plugin's start was refused.
typedef CRITICAL_SECTION *(*section_function)(void);
static section_function function(HMODULE plugin, const char *name) { return reinterpret_cast<section_function>(reinterpret_cast<void *>(GetProcAddress(plugin, name))); }
static DWORD WINAPI poll(void *argument) { return use(static_cast<CRITICAL_SECTION *>(argument)); }
static int scenario()
{
    HMODULE plugin = LoadLibraryA("plugin.dll");
    if (sink > 50)
        LeaveCriticalSection(function(plugin, "plugin_enter")());
    CRITICAL_SECTION *lock = function(plugin, "plugin_section")();
    never(lock);
    Waiters pollers;
    make_waiters(&pollers, 1, poll, lock);
    start_waiters(&pollers);
    WaitForSingleObject(pollers.threads[0], INFINITE);
    return sink;
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
