// Fifth batch: an idle section lies behind what is written too far; Enter passes by chance, Leave signals what it finds. Macros choose the writer.
#include "k-common.h"

[[maybe_unused]] NOINLINE static int enter_and_leave(CRITICAL_SECTION *lock)
{
    EnterCriticalSection(lock);
    expect_handle(lock);
    sink++;
    LeaveCriticalSection(lock);
    return sink;
}
[[maybe_unused]] static void make(CRITICAL_SECTION *lock)
{
    initialize(lock);
    EnterCriticalSection(lock);
    LeaveCriticalSection(lock);
    act("corrupted", lock);
}

#if defined(CSV_LINE)
// A line of a table is longer than the reader thought.
struct Reader { int line; char cell[20]; CRITICAL_SECTION lock; int columns; };
NOINLINE static void read_cell(char *to, const char *from, int length) { memcpy(to, from, length); }
static int scenario()
{
    static const char text[] = "Groß-Gerau;64521;8.4.2019;12,50;ok;Groß-Umstadt;64823;9.4.2019;7,75;";
    static Reader reader;
    char line[sizeof text];
    lstrcpyA(line, text);
    line[20 + offsetof(CRITICAL_SECTION, LockCount)] = ';';
    make(&reader.lock);
    read_cell(reader.cell, line, 20 + sizeof(CRITICAL_SECTION));
    return enter_and_leave(&reader.lock);
}
#elif defined(HISTOGRAM)
// Values over the highest class are counted behind the table; many of them.
struct Histogram { int classes[16]; CRITICAL_SECTION lock; int total; };
static int scenario()
{
    Histogram *histogram = new Histogram();
    make(&histogram->lock);
    volatile int *classes = histogram->classes;
    for (int i = 0; i < static_cast<int>(16 + sizeof(CRITICAL_SECTION) / 4); i++)
        classes[i] = 24007 + 4 * 937 * i;
    return enter_and_leave(&histogram->lock);
}
#elif defined(OBJECT_COPY)
// The wrong size is copied over an object: the bytes are another class's, with names and pointers.
struct Big { void *table; int kind, id; Big *next; char *name, *path; };
struct Small { int kind; CRITICAL_SECTION lock; };
static int scenario()
{
    char *block = static_cast<char *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, 160));
    Small *small = reinterpret_cast<Small *>(block);
    static Big big;
    big = { block, 0x1033, 70, &big, block + 32, block + 16 };
    make(&small->lock);
    memcpy(static_cast<void *>(&small->lock), &big, sizeof big);
    return enter_and_leave(&small->lock);
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
