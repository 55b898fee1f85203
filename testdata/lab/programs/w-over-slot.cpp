// Sixth batch: whoever kept the address of a freed block writes one field of what was there, into the next owner's section. Macros choose the field.
#include "w-over.h"
#include <time.h>

#ifndef NAME
#define NAME 9
#endif
struct Channel { int id; wchar_t name[NAME]; CRITICAL_SECTION lock; void *target; DWORD rate, bits; };
enum { SEMAPHORE = offsetof(Channel, lock) + offsetof(CRITICAL_SECTION, LockSemaphore), COUNT = offsetof(Channel, lock) + offsetof(CRITICAL_SECTION, LockCount) };

#if defined(METER)
struct Old { char title[SEMAPHORE]; double peak; };
NOINLINE static void strike(Old *volatile meter) { meter->peak = 0.70710678; }
#elif defined(COLOR)
struct Old { char face[SEMAPHORE]; COLORREF color; };
NOINLINE static void strike(Old *volatile pen) { pen->color = RGB(0xC0, 0xC0, 0xC0); }
#elif defined(STAMP)
struct Old { char host[SEMAPHORE]; DWORD last_seen; };
NOINLINE static void strike(Old *volatile peer) { peer->last_seen = static_cast<DWORD>(time(NULL)); }
#elif defined(TAIL)
// A queue remembers where its next entry's address goes.
struct Entry { Entry *next; int line; char text[20]; };
struct Old { char path[SEMAPHORE]; Entry *first; };
NOINLINE static void strike(Old *volatile log)
{
    Entry **tail = &log->first;
    Entry *entry = static_cast<Entry *>(block(sizeof(Entry)));
    entry->line = 318;
    lstrcpyA(entry->text, "retry in 30 s");
    *tail = entry;
}
#elif defined(OPENED)
struct Old { char format[SEMAPHORE]; HANDLE output; };
NOINLINE static void strike(Old *volatile job) { job->output = CreateFileA("export.tmp", GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL); }
#elif defined(KEY)
struct Old { char path[SEMAPHORE]; HKEY key; };
NOINLINE static void strike(Old *volatile settings) { RegOpenKeyExA(HKEY_LOCAL_MACHINE, "Software", 0, KEY_READ, &settings->key); }
#elif defined(UNIT)
struct Old { char caption[SEMAPHORE], unit[8]; };
NOINLINE static void strike(Old *volatile axis) { lstrcpyA(axis->unit, "percent"); }
#elif defined(GUEST)
struct Old { char host[SEMAPHORE]; wchar_t user[6]; };
NOINLINE static void strike(Old *volatile login) { memcpy(login->user, L"\x413\x43E\x441\x442\x44C", sizeof login->user); }
#elif defined(TOGGLE)
struct Old { char caption[SEMAPHORE]; DWORD style; };
NOINLINE static void strike(Old *volatile window) { window->style ^= 0x8000; }
#elif defined(PORT)
// To network order, a second time.
struct Old { char host[SEMAPHORE]; WORD port; };
NOINLINE static void strike(Old *volatile peer)
{
    WORD port = *const_cast<volatile WORD *>(&peer->port);
    peer->port = static_cast<WORD>(port << 8 | port >> 8);
}
#elif defined(WIDTH)
struct Old { char caption[SEMAPHORE]; SIZE_T width; };
NOINLINE static void strike(Old *volatile view) { view->width = WIDTH; }
#elif defined(SERIAL)
struct Old { char vendor[SEMAPHORE]; SIZE_T serial; };
NOINLINE static void strike(Old *volatile disk) { disk->serial = SERIAL; }
#elif defined(REFERENCES)
struct Old { char kind[COUNT]; LONG references; };
NOINLINE static void strike(Old *volatile object) { InterlockedIncrement(&object->references); }
#elif defined(STATE)
struct Old { char kind[COUNT]; int state; };
NOINLINE static void strike(Old *volatile machine) { machine->state = STATE; }
#elif defined(SELECTED)
struct Old { char caption[COUNT]; DWORD flags; };
NOINLINE static void strike(Old *volatile item) { *const_cast<volatile DWORD *>(&item->flags) |= 1; }
#endif

static int scenario()
{
    Old *old = static_cast<Old *>(block(sizeof(Channel)));
    Channel *channel = static_cast<Channel *>(next_owner(old, sizeof(Channel)));
    CRITICAL_SECTION *lock = &channel->lock;
    channel->id = 7 + NAME;
    channel->rate = NAME & 1 ? 44100 : 8000;
    lstrcpyW(channel->name, L"left");
    prepare(lock);
#if defined(BEFORE_ANYBODY) // the first one who wants it waits for what was written
    EnterCriticalSection(lock);
    act("corrupted", lock);
    strike(old);
    expect_handle(lock);
    start_waiters(&waiters);
    Sleep(4000);
    LeaveCriticalSection(lock);
#elif defined(STRICT_DELETE)
    contend_once(lock);
    act("corrupted", lock);
    strike(old);
    expect_handle(lock);
    FINISH(lock);
#elif defined(ALONE)
    EnterCriticalSection(lock);
    act("corrupted", lock);
    strike(old);
    expect(lock);
    FINISH(lock);
#else
    contend(lock);
    act("corrupted", lock);
    strike(old);
    expect_handle(lock);
    FINISH(lock);
#endif
    return sink;
}

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
