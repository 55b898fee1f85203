// Sixth batch: an array or a text lies behind the section, and an index below its first element, or filling from its end, reaches into the section.
#include "w-over.h"

#if defined(GAIN)
// Channels are counted from 1 here and from 3 there.
struct Holder { int channels; CRITICAL_SECTION lock; int values[6]; };
NOINLINE static void strike(Holder *mixer, int first)
{
    volatile int *gains = mixer->values;
    for (int channel = 1; channel <= 6; channel++)
        gains[channel - first] *= 3;
}
#define ARGUMENT 3
#elif defined(LIMITS)
struct Holder { char name[20]; CRITICAL_SECTION lock; int values[8]; };
NOINLINE static void strike(Holder *quota, int level)
{
    volatile int *limits = quota->values;
    for (int i = level; i < 8; i++)
        limits[i] = 1000;
}
#define ARGUMENT -2
#elif defined(JUSTIFY)
// Right-aligned: blanks from the end, as many as the column is wide.
struct Holder { void *form; short row, column; CRITICAL_SECTION lock; char text[12]; };
NOINLINE static void strike(Holder *cell, int width)
{
    volatile char *end = cell->text + sizeof cell->text;
    for (int i = 1; i <= width; i++)
        end[-i] = ' ';
}
#define ARGUMENT 26
#elif defined(DIGITS)
// Leading zeros.
struct Holder { CRITICAL_SECTION lock; char digits[10]; short count; };
NOINLINE static void strike(Holder *number, int places)
{
    volatile char *end = number->digits + sizeof number->digits;
    unsigned value = 40718;
    for (int i = 1; i <= places; i++, value /= 10)
        end[-i] = static_cast<char>('0' + value % 10);
}
#define ARGUMENT 22
#elif defined(MATRIX)
// Row n - 1, for n = 0.
struct Holder { DWORD id; CRITICAL_SECTION lock; float rows[4][4]; };
NOINLINE static void strike(Holder *bone, int row)
{
    volatile float *to = bone->rows[row - 1];
    for (int i = 0; i < 4; i++)
        to[i] = i == 1 ? -0.5f : 0.25f * static_cast<float>(i + 1);
}
#define ARGUMENT 0
#elif defined(PIXELS)
// A filter of five rows begins two rows too early.
struct Holder { WORD width, height; CRITICAL_SECTION lock; BYTE rows[6][8]; };
NOINLINE static void strike(Holder *image, int y)
{
    for (int dy = -2; dy <= 2; dy++) {
        volatile BYTE *row = image->rows[0] + 8 * (y + dy);
        for (int x = 0; x < 8; x++)
            row[x] = static_cast<BYTE>(90 + 9 * x + 3 * dy);
    }
}
#define ARGUMENT 0
#elif defined(CENTER)
// A title is centered in a line that is shorter than the title.
struct Holder { int page; CRITICAL_SECTION lock; char line[40]; };
NOINLINE static void strike(Holder *header, int width)
{
    static const char title[] = "Consolidated statement of cash flows, third quarter 2009";
    int length = sizeof title - 1, start = (width - length) / 2;
    for (int i = 0; i < length; i++)
        const_cast<volatile char *>(header->line)[start + i] = title[i];
}
#define ARGUMENT 40
#endif

#ifdef IN_TABLE
static Holder table[4];
static Holder *holder() { return &table[2]; }
#else
static Holder *holder() { return static_cast<Holder *>(block(sizeof(Holder))); }
#endif

static int scenario()
{
    Holder *holds = holder();
    CRITICAL_SECTION *lock = &holds->lock;
    prepare(lock);
    contend(lock);
    act("corrupted", lock);
    strike(holds, ARGUMENT);
    expect_handle(lock);
    FINISH(lock);
    return sink;
}

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
