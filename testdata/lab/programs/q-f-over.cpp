// Fifth batch, faults: a section is written over so that its DebugInfo leads nowhere. Macros choose the writer, and who meets it.
#include "k-common.h"
#include <stdlib.h>

#ifndef CALL
#define CALL EnterCriticalSection
#endif
// OWNED: this thread has it, and another wants it.
[[maybe_unused]] NOINLINE static int meet(CRITICAL_SECTION *lock)
{
    expect(lock);
#ifdef OWNED
    start_waiters(&late_one);
    Sleep(4000);
#else
    CALL(lock);
#endif
    return sink++;
}
[[maybe_unused]] static void make(CRITICAL_SECTION *lock)
{
    initialize(lock);
#ifdef OWNED
    make_waiters(&late_one, 1, pass_through, lock);
    make_waiters(&waiters, WAITERS, pass_through, lock);
    EnterCriticalSection(lock);
    if (WAITERS)
        start_waiters(&waiters);
#endif
    act("corrupted", lock);
}
[[maybe_unused]] NOINLINE static void put(void *to, const void *from, SIZE_T size)
{
    for (SIZE_T i = 0; i < size; i++)
        static_cast<volatile char *>(to)[i] = static_cast<const char *>(from)[i];
}

#if defined(JSON)
// A value is longer than its field.
struct Entry { char key[12], value[24]; CRITICAL_SECTION lock; Entry *next; };
static int scenario()
{
    static const char text[] = "\"2024-03-11T08:15:00+01:00\", \"state\": \"pending\", \"retry\": 2, \"x\"";
    Entry *entry = new Entry();
    lstrcpyA(entry->key, "created");
    make(&entry->lock);
    put(entry->value, text, 24 + JSON);
    return meet(&entry->lock);
}
#elif defined(SCORES)
// A thirteenth month.
static struct Year { int months[12]; CRITICAL_SECTION lock; int year; } years[3];
static int scenario()
{
    make(&years[1].lock);
    volatile int *months = years[1].months;
    for (int i = 0; i < 12 + SCORES; i++)
        months[i] = 30 + 2 * (i & 1) + 1200 * i;
    return meet(&years[1].lock);
}
#elif defined(CLASS_ID)
// A class's identifier is written into a structure of an older layout.
struct Factory { ULONG version; CRITICAL_SECTION lock; LONG objects; };
static int scenario()
{
    static const GUID id = { 0x6295DF2E, 0x35EE, 0x11D1, { 0x86, 0x07, 0x00, 0xC0, 0x4F, 0xD9, 0x33, 0x27 } };
    Factory *factory = new Factory();
    make(&factory->lock);
    put(&factory->lock, &id, 4 * (1 + sizeof(void *) / 4));
    return meet(&factory->lock);
}
#elif defined(VERTICES)
// A mesh has one more corner than its buffer.
struct Mesh { float corners[4][3]; CRITICAL_SECTION lock; int faces; };
static int scenario()
{
    static const float corner[3] = { 1.5f, -20.25f, 0.125f };
    Mesh *mesh = new Mesh();
    make(&mesh->lock);
    for (int i = 0; i < 5; i++)
        put(reinterpret_cast<char *>(mesh) + i * sizeof corner, corner, sizeof corner);
    return meet(&mesh->lock);
}
#elif defined(RESET)
// reset() clears the object that it is a method of.
struct Parser {
    int state;
    wchar_t token[12];
    CRITICAL_SECTION lock;
    NOINLINE void reset() { memset(static_cast<void *>(this), 0, sizeof *this); }
};
static int scenario()
{
    static Parser parsers[2];
    Parser *parser = &parsers[1];
    initialize(&parsers[0].lock);
    parser->state = 6;
    make(&parser->lock);
    parser->reset();
    return meet(&parser->lock);
}
#elif defined(FIRST_FIELD_NULL)
// obj->handler = NULL, through a pointer to an object that is another's now.
NOINLINE static void detach(void *volatile *handler) { *handler = NULL; }
static int scenario()
{
    CRITICAL_SECTION *lock = place();
    make(lock);
    detach(reinterpret_cast<void **>(lock));
    return meet(lock);
}
#elif defined(SMASHED_LOCAL)
// A local buffer overflows into the section beside it.
NOINLINE static int compose(const char *name)
{
    struct { char text[16]; CRITICAL_SECTION lock; } local;
    make(&local.lock);
    put(local.text, "Dear ", 5);
    put(local.text + 5, name, 11 + 2 * sizeof(void *) - 2);
    return meet(&local.lock);
}
static int scenario() { return compose("Mr and Mrs Featherstonehaugh-Fortescue"); }
#elif defined(ID_STAMP)
// A stale pointer writes a four-byte identifier into the lower half of DebugInfo.
NOINLINE static void stamp(volatile ULONG *to) { *to = ID_STAMP; }
static int scenario()
{
    CRITICAL_SECTION *lock = place();
    make(lock);
    stamp(reinterpret_cast<volatile ULONG *>(lock));
    return meet(lock);
}
#elif defined(CONST_NAME)
// "label = "...": a pointer to a constant, through an object that has been freed.
NOINLINE static void set_label(const char *volatile *field, const char *text) { *field = text; }
static int scenario()
{
    CRITICAL_SECTION *lock = place();
    make(lock);
    set_label(reinterpret_cast<const char **>(lock), "Print preview of the selected pages, and of all others");
    return meet(lock);
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
