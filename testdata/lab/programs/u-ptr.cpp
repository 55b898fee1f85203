// Unseen: what is passed is no section at all. CALL is the operation; macros choose where the wrong pointer comes from.
#include "unseen.h"

#ifndef CALL
#define CALL EnterCriticalSection
#endif

NOINLINE static int use(CRITICAL_SECTION *lock)
{
    sink++;
    CALL(lock);
    return sink++;
}

[[maybe_unused]] static int fail_with(void *wrong)
{
    CRITICAL_SECTION *lock = static_cast<CRITICAL_SECTION *>(wrong);
    act("bad-pointer", lock);
    expect(lock);
    return use(lock);
}

#if defined(WHOLE_OBJECT)
// The object instead of its member: the table of virtual functions stands where DebugInfo would.
class Stream {
public:
    virtual ~Stream() { }
    virtual int read() { return position; }
    int position = 4096, buffered = 0;
    void *file = nullptr, *callback = nullptr;
    CRITICAL_SECTION lock;
};
static int scenario()
{
    Stream *stream = new Stream;
    initialize(&stream->lock);
    return fail_with(static_cast<void *>(stream));
}
#elif defined(HANDLE_INSTEAD)
static int scenario() { return fail_with(CreateMutexA(NULL, FALSE, NULL)); }
#elif defined(TRUNCATED)
// A pointer that went through an int.
static CRITICAL_SECTION table_lock;
static int scenario()
{
    initialize(&table_lock);
    int token = static_cast<int>(reinterpret_cast<ULONG_PTR>(&table_lock));
    return fail_with(reinterpret_cast<void *>(static_cast<ULONG_PTR>(static_cast<unsigned>(token))));
}
#elif defined(SHIFTED)
// One field too early (two versions of a header).
struct Pipe { void *filter; CRITICAL_SECTION lock; int state; };
static int scenario()
{
    Pipe *pipe = new Pipe;
    pipe->filter = NULL;
    initialize(&pipe->lock);
    return fail_with(&pipe->filter);
}
#elif defined(TEXT_POINTER)
// The pointer itself was written over: by a text.
static struct { char name[8]; CRITICAL_SECTION *lock; } entry;
static int scenario()
{
    entry.lock = new CRITICAL_SECTION;
    initialize(entry.lock);
    memcpy(entry.name, "Unterminated name", 8 + sizeof(void *));
    return fail_with(entry.lock);
}
#elif defined(CONSTANT)
// A section in read-only storage.
static const struct { int version; CRITICAL_SECTION lock; } defaults = { 3, { NULL, -1, 0, NULL, NULL, 0 } };
static int scenario() { return fail_with(const_cast<CRITICAL_SECTION *>(&defaults.lock)); }
#elif defined(VALUE)
static int scenario() { return fail_with(reinterpret_cast<void *>(static_cast<ULONG_PTR>(VALUE))); }
#elif defined(ELEMENT_OF_NULL)
struct Port { char name[32]; CRITICAL_SECTION lock; int users; };
static Port *volatile ports;
static int scenario() { return fail_with(&ports[ELEMENT_OF_NULL].lock); }
#elif defined(FUNCTION)
// The address of a function that returns the section, instead of its result.
NOINLINE static CRITICAL_SECTION *the_lock() { static CRITICAL_SECTION lock; sink++; return &lock; }
static int scenario()
{
    initialize(the_lock());
    return fail_with(reinterpret_cast<void *>(the_lock));
}
#elif defined(PAST_THE_END)
// The iterator behind the last element; the array ends with its page.
struct Bin { CRITICAL_SECTION lock; void *first; };
static int scenario()
{
    char *pages = static_cast<char *>(VirtualAlloc(NULL, 0x2000, MEM_RESERVE, PAGE_READWRITE));
    VirtualAlloc(pages, 0x1000, MEM_COMMIT, PAGE_READWRITE);
    Bin *bins = reinterpret_cast<Bin *>(pages + 0x1000) - 4;
    for (int i = 0; i < 4; i++)
        initialize(&bins[i].lock);
    for (int i = 0; i < 4; i++)
        EnterCriticalSection(&bins[i].lock);
    return fail_with(&bins[4].lock);
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
