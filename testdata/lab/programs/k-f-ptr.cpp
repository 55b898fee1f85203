// Fourth batch, faults: what is passed is no section: a pointer that was NULL, stale, truncated, never set, or another's. Macros choose how.
#include "k-common.h"

#ifndef CALL
#define CALL EnterCriticalSection
#endif
[[maybe_unused]] NOINLINE static int call(CRITICAL_SECTION *lock)
{
    will("bad-pointer", lock);
    CALL(lock);
    return sink++;
}

#if defined(NO_WINDOW)
// The window was not found, so there is no model behind it.
struct Model { void *table; wchar_t title[NO_WINDOW]; CRITICAL_SECTION lock; int rows; };
static Model *models[4];
NOINLINE static Model *find(int id)
{
    for (Model *model : models)
        if (model && model->rows == id)
            return model;
    return NULL;
}
static int scenario() { return call(&find(7)->lock); }
#elif defined(NOT_STARTED)
// A logger that was not started: the pointer to its lock is NULL.
static struct { CRITICAL_SECTION *lock; int lines; } logger;
NOINLINE static int log_line(const char *text)
{
    sink += text[0];
    will("bad-pointer", logger.lock);
    CALL(logger.lock);
    return ++logger.lines;
}
static int scenario() { return log_line("starting"); }
#elif defined(UNSET)
// A local pointer is set in two of three branches only; a function before left something else in its place.
NOINLINE static int before(int n)
{
    volatile double numbers[48];
    for (int i = 0; i < 48; i++)
        numbers[i] = 0.3712 * i * n + 41.5;
    return static_cast<int>(numbers[n]);
}
NOINLINE static int choose(int kind)
{
    CRITICAL_SECTION *volatile unset[32];
    static CRITICAL_SECTION a, b;
    asm volatile("" : : "r"(unset) : "memory");
    if (kind == 1)
        unset[9] = &a;
    else if (kind == 2)
        unset[9] = &b;
    CRITICAL_SECTION *lock = unset[9];
    will("bad-pointer", lock);
    CALL(lock);
    return kind;
}
static int scenario() { sink = before(3); return choose(sink & 0 ? 1 : 4); }
#elif defined(WINDOW_LONG)
// The pointer to an object is kept in a window's 32-bit user data.
struct Document { int id; CRITICAL_SECTION lock; };
static LONG user_data;
static int scenario()
{
    Document *document = reinterpret_cast<Document *>(pages(0x2000, reinterpret_cast<void *>(0x1F7A30000ull)) + 0x460);
    initialize(&document->lock);
    user_data = static_cast<LONG>(reinterpret_cast<LONG_PTR>(document));
    return call(&reinterpret_cast<Document *>(static_cast<LONG_PTR>(user_data))->lock);
}
#elif defined(FREED_LINK)
// A node of a list was freed and filled; the walk goes on with its link.
struct Item { Item *next; int key; CRITICAL_SECTION lock; };
NOINLINE static int walk(Item *item)
{
    int seen = 0;
    for (; item; item = item->next) {
        if (reinterpret_cast<ULONG_PTR>(item) >> (sizeof(void *) == 8 ? 48 : 31))
            will("bad-pointer", &item->lock);
        CALL(&item->lock);
        seen += item->key;
        LeaveCriticalSection(&item->lock);
    }
    return seen;
}
static int scenario()
{
    Item *last = new Item { NULL, 3, {} }, *first = new Item { last, 1, {} };
    initialize(&first->lock);
    memset(&first->next, FREED_LINK, sizeof first->next);
    return walk(first);
}
#elif defined(BELOW_TABLE)
// indexOf() returned -1: the word in front of the table is a text.
static struct { char label[2 * sizeof(void *)]; CRITICAL_SECTION *locks[4]; } bank = { "channel0", {} };
NOINLINE static int index_of(int id) { return id < 4 ? id : -1; }
static int scenario()
{
    memcpy(bank.label, "channels of bank", sizeof bank.label);
    CRITICAL_SECTION *const *volatile locks = bank.locks;
    return call(locks[index_of(9)]);
}
#elif defined(TAG)
// A message's parameter is a small identifier, and is cast to the object that another message has there.
struct Target { wchar_t name[8]; CRITICAL_SECTION lock; };
NOINLINE static int on_message(unsigned message, LONG_PTR parameter)
{
    if (message == 0x402)
        return call(&reinterpret_cast<Target *>(parameter)->lock);
    return 0;
}
static int scenario() { return on_message(0x402, TAG); }
#elif defined(PIMPL_OVERRUN)
// A name runs over the pointer to the implementation, whose lock is sound.
struct Impl { int state; CRITICAL_SECTION lock; };
struct Printer { char name[16]; Impl *impl; };
NOINLINE static int print(Printer *printer)
{
    will("bad-pointer", &printer->impl->lock);
    CALL(&printer->impl->lock);
    return sink++;
}
static int scenario()
{
    Printer *printer = new Printer { "", new Impl() };
    initialize(&printer->impl->lock);
    char *volatile name = printer->name;
    lstrcpyA(name, "HP LaserJet 4200 PCL6 (copy)");
    return print(printer);
}
#elif defined(WRONG_INTERFACE)
// The first word of an object is its table of functions; another class has a pointer to its lock there.
struct Shape { virtual int area() { return sink; } virtual ~Shape() { } };
struct Monitor { CRITICAL_SECTION *lock; };
static int scenario()
{
    Shape *shape = new Shape;
    return call(reinterpret_cast<Monitor *>(shape)->lock);
}
#elif defined(HALF_MADE)
// A factory failed; the holder's destructor destroys the member of what it never got.
struct Texture { char path[40]; void *bits; CRITICAL_SECTION lock; };
struct Holder {
    Texture *texture = NULL;
    NOINLINE ~Holder() { will("bad-pointer", &texture->lock); CALL(&texture->lock); sink++; }
};
NOINLINE static bool load(Holder *holder, const char *path) { holder->texture = *path == 'x' ? new Texture : NULL; return holder->texture != NULL; }
static int scenario()
{
    Holder holder;
    return load(&holder, "menu.dds");
}
#elif defined(PAST_END)
// end() is dereferenced: behind the table's block the heap keeps its own.
struct Table { int count; CRITICAL_SECTION *locks[5]; DWORD tail[8]; };
static int scenario()
{
    Table *table = new Table;
    for (CRITICAL_SECTION *&lock : table->locks)
        initialize(lock = new CRITICAL_SECTION);
    for (DWORD &word : table->tail)
        word = 0xABABABAB;
    CRITICAL_SECTION **volatile end = table->locks + 5;
    return call(*end);
}
#elif defined(OBJECT_START)
// An interface's void * context is the object, and is used as the lock that it has further in.
struct Downloader { virtual ~Downloader() { } int running = 0x20, failed = 0; ULONG_PTR id = 0; CRITICAL_SECTION lock; };
static int scenario()
{
    Downloader *downloader = new Downloader;
    initialize(&downloader->lock);
    void *volatile context = downloader;
    return call(static_cast<CRITICAL_SECTION *>(context));
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
