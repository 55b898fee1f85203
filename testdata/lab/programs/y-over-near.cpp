// Eighth batch: an index leaves the table beside the section. Macros choose the table, and who comes.
#include "k-common.h"

[[maybe_unused]] NOINLINE static int done(CRITICAL_SECTION *lock)
{
    expect_handle(lock);
    FINISH(lock);
    return sink;
}
[[maybe_unused]] static CRITICAL_SECTION *busy(CRITICAL_SECTION *lock)
{
    prepare(lock);
    contend(lock);
    act("corrupted", lock);
    return lock;
}
// This thread has it; the next one sleeps for what stands in LockSemaphore by then.
[[maybe_unused]] NOINLINE static int next_one(CRITICAL_SECTION *lock)
{
    expect_handle(lock);
    start_waiters(&waiters);
    Sleep(4000);
    LeaveCriticalSection(lock);
    return sink;
}

#if defined(LEDGER)
// What was not found (-1) is taken out: the entries move down, the first in front of all.
struct Entry { int account, branch; double amount; };
class Ledger {
public:
    virtual ~Ledger() { }
    NOINLINE int find(int account) const
    {
        for (int i = 0; i < count; i++)
            if (entries[i].account == account)
                return i;
        return -1;
    }
    NOINLINE void take_out(int at)
    {
        for (volatile Entry *e = entries + at; at < count - 1; at++, e++) {
            e->account = entries[at + 1].account;
            e->branch = entries[at + 1].branch;
            e->amount = entries[at + 1].amount;
        }
        count--;
    }
    CRITICAL_SECTION lock;
    Entry entries[6];
    int count = 0;
};
static int scenario()
{
    Ledger *ledger = new Ledger;
    for (; ledger->count < 5; ledger->count++)
        ledger->entries[ledger->count] = { 10022 + 31 * ledger->count, 118, 249.5 * (ledger->count + 1) };
    busy(&ledger->lock);
    ledger->take_out(ledger->find(10030));
    return done(&ledger->lock);
}
#elif defined(MENU)
// The offset in bytes is taken for the index.
static struct Menu { wchar_t title[10]; WORD commands[20]; CRITICAL_SECTION lock; HMENU popup; } menus[4];
NOINLINE static void set_command(Menu *menu, int offset, WORD command) { static_cast<volatile WORD *>(menu->commands)[offset] = command; }
static int scenario()
{
    Menu *menu = &menus[2];
    lstrcpyW(menu->title, L"&View");
    for (int i = 0; i < 10; i++)
        set_command(menu, i, 0xC10 + i);
    busy(&menu->lock);
    set_command(menu, 14 * sizeof(WORD), 0xC1E);
    return done(&menu->lock);
}
#elif defined(BOOK)
// The first two are dropped: the loop begins at the first instead of the third.
struct Book { CRITICAL_SECTION lock; HANDLE pages[6]; int count; const char *title; };
NOINLINE static void drop(Book *book, int many)
{
    HANDLE volatile *pages = book->pages;
    for (int i = 0; i < book->count; i++)
        pages[i - many] = pages[i];
    book->count -= many;
}
static int scenario()
{
    Book *book = new Book();
    book->title = "Minutes";
    char name[] = "page0.tmp";
    for (; book->count < 5; book->count++, name[4]++)
        book->pages[book->count] = CreateFileA(name, GENERIC_WRITE, FILE_SHARE_READ, NULL, CREATE_ALWAYS, 0, NULL);
    busy(&book->lock);
    drop(book, 2);
    return done(&book->lock);
}
#elif defined(MIXER)
// What fades in is put in front of the position, which is 0.
struct Mixer { int rate; CRITICAL_SECTION lock; float out[32]; int position; };
NOINLINE static void fade_in(Mixer *mixer, const float *in)
{
    volatile float *at = mixer->out + mixer->position - 4;
    for (int i = 0; i < 4; i++)
        at[i] = in[i] * 0.25f * (i + 1);
}
static int scenario()
{
    static const float in[4] = { 0.31f, -0.62f, 0.87f, -0.15f };
    static Mixer mixers[2];
    mixers[1].rate = 44100;
    busy(&mixers[1].lock);
    fade_in(&mixers[1], in);
    return done(&mixers[1].lock);
}
#elif defined(PACKET)
// The trailer belongs into the last eight bytes of a packet, which has none.
struct Packet { WORD port, kind; CRITICAL_SECTION lock; BYTE data[48]; int size; };
NOINLINE static DWORD checksum(const BYTE *data, int size)
{
    DWORD sum = 0xB1D92C4E;
    while (size-- > 0)
        sum = (sum << 5 | sum >> 27) ^ *data++;
    return sum;
}
NOINLINE static void seal(Packet *packet)
{
    volatile DWORD *trailer = reinterpret_cast<volatile DWORD *>(packet->data + packet->size - 8);
    trailer[0] = checksum(packet->data, packet->size - 8);
    trailer[1] = packet->size;
}
static int scenario()
{
    Packet *packet = new Packet();
    packet->port = 8443;
    packet->kind = 7;
    prepare(&packet->lock);
    EnterCriticalSection(&packet->lock);
    act("corrupted", &packet->lock);
    seal(packet);
    return next_one(&packet->lock);
}
#elif defined(BOARD)
// Two rows up, from the first.
struct Board { int moves; CRITICAL_SECTION lock; BYTE cells[8][8]; BYTE turn; };
NOINLINE static void set_cell(Board *board, int row, int column, BYTE piece) { (&board->cells[0][0])[8 * row + column] = piece; }
static int scenario()
{
    Board *board = new Board();
    for (int i = 0; i < 8; i++)
        set_cell(board, 6, i, 1);
    busy(&board->lock);
    set_cell(board, 0 - 2, 1, 2);
    return done(&board->lock);
}
#elif defined(SEATS)
// A seat that this hall has not.
struct Hall { DWORD taken[4]; CRITICAL_SECTION lock; int seats; wchar_t name[12]; };
NOINLINE static void reserve(Hall *hall, int seat) { static_cast<volatile DWORD *>(hall->taken)[seat / 32] |= 1u << seat % 32; }
static int scenario()
{
    Hall *hall = new Hall();
    hall->seats = 128;
    lstrcpyW(hall->name, L"Studio");
    reserve(hall, 17);
    reserve(hall, 18);
    prepare(&hall->lock);
    contend_once(&hall->lock);
    EnterCriticalSection(&hall->lock);
    act("corrupted", &hall->lock);
    reserve(hall, 265);
    return next_one(&hall->lock);
}
#elif defined(CHART)
// Sorted in: the loop looks for a smaller one, however far it is.
static struct Chart { int floor; CRITICAL_SECTION lock; int values[12]; int count; } chart = { -100, {}, { 3, 8, 15, 21 }, 4 };
NOINLINE static void sort_in(int value)
{
    volatile int *at = chart.values + chart.count++;
    while (at[-1] > value) {
        at[0] = at[-1];
        at--;
    }
    *at = value;
}
static int scenario()
{
    initialize(&chart.lock);
    EnterCriticalSection(&chart.lock);
    sort_in(11);
    LeaveCriticalSection(&chart.lock);
    act("corrupted", &chart.lock);
    sort_in(-40);
    expect(&chart.lock);
    EnterCriticalSection(&chart.lock);
    return sink++;
}
#elif defined(MACHINE)
// A stack that grows down, and nobody asks how deep it is.
static struct Machine { int id; char name[16]; CRITICAL_SECTION lock; int stack[16]; int top; } machines[3];
NOINLINE static void call(Machine *machine, int depth)
{
    static_cast<volatile int *>(machine->stack)[--machine->top] = 0x2A10 + 12 * depth;
    if (depth < 23)
        call(machine, depth + 1);
}
NOINLINE static int destroy(Machine *machine)
{
    expect(&machine->lock);
    DeleteCriticalSection(&machine->lock);
    return machine->id = 0;
}
static int scenario()
{
    Machine *machine = &machines[1];
    for (int i = 0; i < 3; i++) {
        machines[i].id = 40 + i;
        machines[i].top = 16;
        lstrcpyA(machines[i].name, "script");
        initialize(&machines[i].lock);
    }
    contend_once(&machine->lock);
    act("corrupted", &machine->lock);
    call(machine, 0);
    return destroy(machine);
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
