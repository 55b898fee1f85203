// Sixth batch: an idle section is written over as a whole or in the middle, Enter passes by chance, and Leave signals what it finds. Macros choose the writer.
#include "w-over.h"

[[maybe_unused]] static void make_idle(CRITICAL_SECTION *lock)
{
    initialize(lock);
    EnterCriticalSection(lock);
    LeaveCriticalSection(lock);
    act("corrupted", lock);
}

#if defined(CONTACT)
// A name is longer than its field.
struct Contact { DWORD id; wchar_t name[16]; CRITICAL_SECTION lock; DWORD flags; };
NOINLINE static void rename(wchar_t *name, const wchar_t *to)
{
    while ((*name++ = *to++) != 0) { }
}
static int scenario()
{
    Contact *contact = static_cast<Contact *>(block(sizeof(Contact)));
    contact->id = 1207;
    make_idle(&contact->lock);
    rename(contact->name, L"Vereinigung Deutscher Sportlehrerinnen e.V.");
    return use(&contact->lock);
}
#elif defined(SCRAMBLE)
// A record is scrambled in place before it is saved, with all that is in it.
struct Account { char user[16]; DWORD number; CRITICAL_SECTION lock; LONGLONG balance; };
NOINLINE static void scramble(void *record, SIZE_T size)
{
    for (SIZE_T i = 0; i < size; i++)
        static_cast<volatile BYTE *>(record)[i] ^= 0x5C;
}
static int scenario()
{
    Account *account = static_cast<Account *>(block(sizeof(Account)));
    lstrcpyA(account->user, "m.okafor");
    account->number = 300415;
    account->balance = 129950;
    make_idle(&account->lock);
    scramble(account, sizeof(Account));
    return use(&account->lock);
}
#elif defined(SEQUENCE)
// The table's size in bytes is taken for its size.
static struct { DWORD first; int numbers[24]; CRITICAL_SECTION lock; DWORD used; } tickets;
NOINLINE static void fill(volatile int *numbers, int count)
{
    for (int i = 0; i < count; i++)
        numbers[i] = 70003 + 8 * i;
}
static int scenario()
{
    make_idle(&tickets.lock);
    fill(tickets.numbers, 24 + sizeof(CRITICAL_SECTION) / 4 + 1);
    return use(&tickets.lock);
}
#elif defined(PICTURE)
// Packed data out of a file goes into the wrong block, all of it.
struct Viewer { int x, y; CRITICAL_SECTION lock; void *device; DWORD zoom[4]; };
static int scenario()
{
    BYTE packed[sizeof(Viewer)];
    DWORD seed = 20091, count;
    for (BYTE &byte : packed)
        byte = static_cast<BYTE>((seed = seed * 1103515245 + 12345) >> 19);
    packed[offsetof(Viewer, lock) + offsetof(CRITICAL_SECTION, LockCount)] |= 3;
    HANDLE file = CreateFileA("thumb.dat", GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    WriteFile(file, packed, sizeof packed, &count, NULL);
    memset(packed, 0, sizeof packed);
    SetFilePointer(file, 0, NULL, FILE_BEGIN);
    Viewer *viewer = static_cast<Viewer *>(block(sizeof(Viewer)));
    make_idle(&viewer->lock);
    ReadFile(file, viewer, sizeof(Viewer), &count, NULL);
    CloseHandle(file);
    return use(&viewer->lock);
}
#elif defined(PACKED_VIEW)
// A library was built with another packing: its "speed" lies elsewhere.
struct Download { DWORD id; BYTE kind; CRITICAL_SECTION lock; LONGLONG size; DWORD speed; };
#pragma pack(push, 1)
struct DownloadOfLibrary { DWORD id; BYTE kind; BYTE lock[29]; WORD speed; };
#pragma pack(pop)
NOINLINE static void measured(void *download) { static_cast<DownloadOfLibrary *>(download)->speed = 8600; }
static int scenario()
{
    static Download downloads[3];
    CRITICAL_SECTION *lock = &downloads[1].lock;
    prepare(lock);
    contend(lock);
    act("corrupted", lock);
    measured(&downloads[1]);
    expect_handle(lock);
    FINISH(lock);
    return sink;
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
