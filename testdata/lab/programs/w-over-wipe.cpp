// Sixth batch, faults: an object is cleared or filled with its section in it, or with half of its neighbours. Macros choose how far.
#include "w-over.h"

#if defined(RESET)
// reset() clears all, not only what it should; HEAP: from the block's first byte to its last.
struct Session {
    DWORD id;
    char user[24];
    CRITICAL_SECTION lock;
    int state;
    void *peer;
    NOINLINE void reset() { memset(static_cast<void *>(this), 0, sizeof *this); }
};
static int scenario()
{
    Session *session = static_cast<Session *>(block(sizeof(Session)));
    session->id = 31;
    session->state = 2;
    session->peer = session;
    lstrcpyA(session->user, "j.petrov");
    make(&session->lock);
    session->reset();
    return meet(&session->lock);
}
#elif defined(BLANKS)
// A record of fixed length is filled with blanks.
struct Record { char key[12], text[52]; CRITICAL_SECTION lock; };
NOINLINE static void clear(Record *record) { memset(static_cast<void *>(record), ' ', sizeof *record); }
static int scenario()
{
    Record *record = static_cast<Record *>(block(sizeof(Record)));
    lstrcpyA(record->key, "A-20417");
    make(&record->lock);
    clear(record);
    return meet(&record->lock);
}
#elif defined(OPTIONS)
// sizeof of the whole, from the middle on.
struct Config { char path[36]; DWORD options[4]; CRITICAL_SECTION lock; DWORD port; };
static Config configs[3];
NOINLINE static void defaults(DWORD *options) { ZeroMemory(options, sizeof(Config)); }
static int scenario()
{
    for (Config &config : configs) {
        lstrcpyA(config.path, "D:\\data\\incoming");
        config.port = 8443;
        config.options[1] = 1;
    }
    initialize(&configs[0].lock);
    make(&configs[1].lock);
    defaults(configs[1].options);
    return meet(&configs[1].lock);
}
#elif defined(SECTOR)
// A block of a file is read to where something else lies: several objects.
struct Port { DWORD number; CRITICAL_SECTION lock; HANDLE event; BYTE mode[12]; };
static Port ports[10];
static int scenario()
{
    BYTE sector[384];
    DWORD seed = 411, count;
    HANDLE file = CreateFileA("drive.img", GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    for (BYTE &byte : sector)
        byte = static_cast<BYTE>((seed = seed * 1103515245 + 12345) >> 17);
    SIZE_T target = reinterpret_cast<char *>(&ports[5].lock) - reinterpret_cast<char *>(&ports[2].event);
    sector[target + offsetof(CRITICAL_SECTION, LockCount)] &= 0xFE;
    WriteFile(file, sector, sizeof sector, &count, NULL);
    SetFilePointer(file, 0, NULL, FILE_BEGIN);
    memset(sector, 0, sizeof sector);
    for (Port &port : ports)
        if (&port != &ports[5])
            initialize(&port.lock);
    make(&ports[5].lock);
    ReadFile(file, &ports[2].event, sizeof sector, &count, NULL);
    return meet(&ports[5].lock);
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
