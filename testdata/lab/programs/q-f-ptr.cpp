// Fifth batch, faults: what is passed is no section's address. Macros choose where it comes from.
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
template <class T> static CRITICAL_SECTION *as_lock(T value) { return reinterpret_cast<CRITICAL_SECTION *>(static_cast<ULONG_PTR>(value)); }
struct Device { char serial[PAD]; CRITICAL_SECTION lock; int state; };

#if defined(NOT_FOUND)
// find() returns NULL, and its caller locks the result.
NOINLINE static Device *find(const char *serial) { return serial[0] == 'A' ? new Device() : NULL; }
static int scenario() { return call(&find("B-20071")->lock); }
#elif defined(NO_CONTEXT)
// A callback's context is NULL: it was registered before its object existed.
struct Registration { void (*callback)(void *); void *context; };
static void changed(void *context) { sink += call(static_cast<CRITICAL_SECTION *>(context)); }
static Registration registration = { changed, NULL };
static int scenario() { registration.callback(registration.context); return sink; }
#elif defined(THREAD_SLOT)
// TlsGetValue of a thread that has not set it.
static DWORD slot;
static DWORD WINAPI foreign(void *) { return call(&static_cast<Device *>(TlsGetValue(slot))->lock); }
static int scenario()
{
    Waiters one;
    Device *mine = new Device();
    initialize(&mine->lock);
    slot = TlsAlloc();
    TlsSetValue(slot, mine);
    make_waiters(&one, 1, foreign, NULL);
    start_waiters(&one);
    Sleep(4000);
    return sink;
}
#elif defined(INT_PARAMETER)
// A pointer goes through a parameter of 32 bits.
NOINLINE static int post(int message, long parameter) { return call(as_lock(static_cast<ULONG>(parameter + message))); }
static int scenario()
{
    Device *device = reinterpret_cast<Device *>(pages(0x1000, reinterpret_cast<void *>(0x5A3C10000ull)));
    initialize(&device->lock);
    return post(0, static_cast<long>(reinterpret_cast<ULONG_PTR>(&device->lock)));
}
#elif defined(ERROR_AS_POINTER)
// An error value where an object is expected: -1, or a status.
static int scenario() { Device *device = reinterpret_cast<Device *>(static_cast<LONG_PTR>(ERROR_AS_POINTER)); return call(&device->lock); }
#elif defined(NAME_IN_POINTER)
// A union's string is used as its object.
union Value { Device *object; char text[16]; };
static int scenario()
{
    static Value value;
    lstrcpyA(value.text, "localhost:8080");
    return call(&value.object->lock);
}
#elif defined(OVERRUN_TABLE)
// The pointer to the device was written over by the name in front of it.
static int scenario()
{
    struct { wchar_t name[8]; Device *device; } *entry = static_cast<decltype(entry)>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, 96));
    entry->device = new Device();
    initialize(&entry->device->lock);
    const wchar_t *from = L"Brother HL-2030 series";
    for (volatile wchar_t *to = entry->name; *from; )
        *to++ = *from++;
    return call(&entry->device->lock);
}
#elif defined(CONSTANT_OBJECT)
// A default object in read-only storage, used like the others.
static const struct { CRITICAL_SECTION lock; int limit; char name[12]; } defaults = { { NULL, -1, 0, NULL, NULL, 0 }, 10, "default" };
static int scenario() { return call(const_cast<CRITICAL_SECTION *>(&defaults.lock)); }
#elif defined(FREED_MEMBER)
// The owner has been freed and filled; its pointer to the device is that fill.
struct Owner { int id; Device *device; };
static int scenario()
{
    Owner *owner = new Owner { 4, new Device() };
    initialize(&owner->device->lock);
    for (unsigned i = 0; i < sizeof *owner; i++)
        reinterpret_cast<volatile BYTE *>(owner)[i] = FREED_MEMBER;
    return call(&owner->device->lock);
}
#elif defined(INDEX_TOO_LARGE)
// An index out of a file is used without a check.
static int scenario()
{
    Device *devices = reinterpret_cast<Device *>(pages(0x2000));
    initialize(&devices[3].lock);
    volatile unsigned index = INDEX_TOO_LARGE;
    return call(&devices[index].lock);
}
#elif defined(POINTER_TO_FIRST)
// The object where its lock is meant: what lies there is a table of functions and the object's texts.
struct Sensor { virtual int read() { return sink; } virtual ~Sensor() { } char unit[28]; CRITICAL_SECTION lock; };
static int scenario()
{
    Sensor *sensor = new Sensor;
    initialize(&sensor->lock);
    lstrcpyA(sensor->unit, "dB, relative to 20 uPa");
    return call(reinterpret_cast<CRITICAL_SECTION *>(sensor));
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
