// Sixth batch, faults: what lies in front of a section is filled too far, into DebugInfo and what follows. Macros choose what it is.
#include "w-over.h"

#if defined(PHONE)
// Eight characters too many.
struct Person { char name[24], phone[16]; CRITICAL_SECTION lock; int age; };
NOINLINE static void store(volatile char *to, const char *from)
{
    while (*from)
        *to++ = *from++;
}
static int scenario()
{
    Person *person = static_cast<Person *>(block(sizeof(Person) + 8));
    lstrcpyA(person->name, "H. Lindqvist");
    make(&person->lock);
    store(person->phone, "+46 (0)8 555 21 40, ext.");
    return meet(&person->lock);
}
#elif defined(CAPTION)
// A count of characters is taken for one of bytes, the other way round.
struct Frame { DWORD style; wchar_t caption[12]; CRITICAL_SECTION lock; RECT place; };
NOINLINE static void set(volatile wchar_t *caption, const wchar_t *text, int bytes)
{
    for (int i = 0; i < bytes; i++)
        caption[i] = text[i];
}
static int scenario()
{
    static Frame frames[3];
    make(&frames[2].lock);
    set(frames[2].caption, L"\x41F\x435\x440\x435\x434\x430\x447\x430 \x444\x430\x439\x43B\x430", 14);
    return meet(&frames[2].lock);
}
#elif defined(LEVELS)
static struct Level { CRITICAL_SECTION idle; int values[10]; CRITICAL_SECTION lock; double mean; } levels[4];
static int scenario()
{
    make(&levels[1].lock);
    volatile int *values = levels[1].values;
    for (int i = 0; i <= 12; i++)
        values[i] = 1300 - 12 * i;
    return meet(&levels[1].lock);
}
#elif defined(RING)
// The producer wraps round one message too late.
struct Message { DWORD id, length; char text[16]; };
struct Ring { DWORD next; Message messages[4]; CRITICAL_SECTION lock; DWORD read; };
NOINLINE static void post(Ring *ring, const char *text)
{
    Message *message = &ring->messages[ring->next];
    message->id = 0x200 + ring->next;
    message->length = lstrlenA(text);
    lstrcpyA(message->text, text);
    ring->next = ring->next >= 4 ? 0 : ring->next + 1;
}
static int scenario()
{
    Ring *ring = static_cast<Ring *>(block(sizeof(Ring)));
    static const char *const texts[] = { "door open", "temp=21.5", "light off", "motion", "door closed" };
    make(&ring->lock);
    for (const char *text : texts)
        post(ring, text);
    return meet(&ring->lock);
}
#elif defined(TAG)
// 16-bit text out of its own field.
struct Element { Element *parent; wchar_t tag[8]; CRITICAL_SECTION lock; int children; };
static int scenario()
{
    Element *element = static_cast<Element *>(block(sizeof(Element)));
    element->parent = element;
    make(&element->lock);
    volatile wchar_t *to = element->tag;
    for (const wchar_t *from = L"xs:restriction"; *from; from++)
        *to++ = *from;
    *to = 0;
    return meet(&element->lock);
}
#elif defined(COMPOSE)
// A path is put together beside the lock, on the stack.
NOINLINE static int compose(const char *folder, const char *name)
{
    struct { CRITICAL_SECTION other; char path[32]; CRITICAL_SECTION lock; } local;
    initialize(&local.other);
    make(&local.lock);
    char *to = local.path;
    const char *const parts[] = { folder, "\\", name };
    for (const char *part : parts)
        for (; *part; part++)
            *const_cast<volatile char *>(to++) = *part;
    return meet(&local.lock);
}
static int scenario() { return compose("C:\\Dokumente und Einstellungen", "Thumbs.db"); }
#elif defined(NESTING)
// A parser's stack, deeper than it was made for, in thread-local storage.
static __thread struct { int depth, states[12]; CRITICAL_SECTION lock; } parser;
NOINLINE static void push(int state)
{
    int *volatile states = parser.states;
    states[parser.depth++] = state;
}
static int scenario()
{
    make(&parser.lock);
    for (int i = 0; i < 15; i++)
        push(100 + 7 * i);
    return meet(&parser.lock);
}
#elif defined(ONE_MORE)
// A character is put in front; all behind it moves on, the lock too.
struct Line { int length; char text[20]; CRITICAL_SECTION lock; int column; };
NOINLINE static void put_in_front(char *text, int length, char c)
{
    memmove(text + 1, text, length);
    text[0] = c;
}
static int scenario()
{
    static Line lines[5];
    Line *line = &lines[3];
    lstrcpyA(line->text, "nit: see section 4");
    line->length = sizeof line->text + sizeof line->lock;
    make(&line->lock);
    put_in_front(line->text, line->length, 'u');
    return meet(&line->lock);
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
