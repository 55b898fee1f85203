// Second batch: the section is written over. Each program has its own way to write where it should not, and its own neighbours.
#include "unseen.h"

static Waiters waiters, late;

[[maybe_unused]] NOINLINE static int unlock(CRITICAL_SECTION *lock)
{
    sink++;
    LeaveCriticalSection(lock);
    return sink++;
}
// Owned by this thread and waited for by the others; then the mistake.
[[maybe_unused]] static void own_contended(CRITICAL_SECTION *lock)
{
    make_waiters(&waiters, WAITERS, pass_through, lock);
    EnterCriticalSection(lock);
    start_waiters(&waiters);
    act("corrupted", lock);
}
[[maybe_unused]] static DWORD WINAPI late_visitor(void *argument) { pass_through(argument); return 3; }
template <class T> static T *zeroed() { return static_cast<T *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(T))); }

#if defined(TEXT_FIELD)
// A download's address is longer than the field for it; nobody holds the lock then, and Enter gets through.
struct Mirror { char address[24]; CRITICAL_SECTION lock; int failures; char rest[64]; };
static Mirror mirrors[4];
NOINLINE static void set_address(Mirror *mirror, const char *address) { lstrcpyA(mirror->address, address); }
static int scenario()
{
    Mirror *mirror = &mirrors[2];
    for (Mirror &one : mirrors)
        initialize(&one.lock);
    set_address(&mirrors[0], "https://www.contoso.com");
    act("corrupted", &mirror->lock);
    set_address(mirror, "https://packages.contoso.com/docs/tools/workspace/7.3.1/setup-win.exe?ticket=8371&look=ok");
    EnterCriticalSection(&mirror->lock);
    expect_handle(&mirror->lock);
    return unlock(&mirror->lock);
}
#elif defined(WIDE_FIELD)
// The same with 16-bit characters, in an object of the heap with a vtable in front.
class Group {
public:
    Group() { initialize(&lock); }
    virtual void rename(const wchar_t *to) { memcpy(name, to, 2 * lstrlenW(to)); }
    wchar_t name[20] = L"everyone";
    CRITICAL_SECTION lock;
    wchar_t comment[40];
};
static int scenario()
{
    Group *group = new Group;
    Group *volatile any = group;
    act("corrupted", &group->lock);
    any->rename(L"Kiosk Workgroup\\Backoffice\\Gateways\\Kowloon\\shook\\okok");
    EnterCriticalSection(&group->lock);
    expect_handle(&group->lock);
    return unlock(&group->lock);
}
#elif defined(HISTOGRAM)
// Counters of samples; those out of range count in the fields behind the table's start.
static struct { CRITICAL_SECTION lock; unsigned short bins[32]; } statistics;
NOINLINE static void count(const signed char *samples, int n)
{
    for (int i = 0; i < n; i++)
        statistics.bins[samples[i] - 16]++;
}
static int scenario()
{
    static signed char samples[0x540];
    initialize(&statistics.lock);
    own_contended(&statistics.lock);
    memset(samples, 16 - static_cast<int>(sizeof(void *)), sizeof samples);
    count(samples, sizeof samples);
    expect_handle(&statistics.lock);
    return unlock(&statistics.lock);
}
#elif defined(DIGITS)
// A number is written from its last digit to the first, padded with zeros to a width that the buffer does not have.
struct Counter { CRITICAL_SECTION lock; char digits[16]; };
NOINLINE static void format(Counter *counter, unsigned value, int width)
{
    char *at = counter->digits + sizeof counter->digits;
    for (; width > 0; width--, value /= 10)
        *--at = '0' + value % 10;
}
static int scenario()
{
    Counter *counter = new Counter;
    initialize(&counter->lock);
    own_contended(&counter->lock);
    format(counter, 20261127, 16 + 2 * sizeof(void *));
    expect_handle(&counter->lock);
    return unlock(&counter->lock);
}
#elif defined(NETWORK_WORDS)
// A header of 16-bit words is turned for the network; the pointer stands before it.
struct Packet { int size; CRITICAL_SECTION lock; unsigned short words[10]; };
NOINLINE static void turn(unsigned short *at, unsigned short *end) { for (; at < end; at++) *at = static_cast<unsigned short>(*at << 8 | *at >> 8); }
static int scenario()
{
    Packet *packet = zeroed<Packet>();
    initialize(&packet->lock);
    own_contended(&packet->lock);
    turn(reinterpret_cast<unsigned short *>(&packet->lock.LockSemaphore), packet->words + 10);
    expect_handle(&packet->lock);
    return unlock(&packet->lock);
}
#elif defined(TOGGLE)
// options ^= mask, through a pointer to an object that was moved away.
struct Options { unsigned mask; int values[3]; };
NOINLINE static void toggle(Options *options, unsigned bit) { options->mask ^= bit; }
static struct Panel { CRITICAL_SECTION lock; int visible; } panels[7];
static int scenario()
{
    Panel *panel = &panels[4];
    initialize(&panel->lock);
    own_contended(&panel->lock);
    toggle(reinterpret_cast<Options *>(&panel->lock.LockSemaphore), TOGGLE);
    expect_handle(&panel->lock);
    return unlock(&panel->lock);
}
#elif defined(QUIET_STRAY)
// The stray write comes while nobody waits and nobody ever has: the first who has to wait finds it.
static struct Cache { char tag[8]; CRITICAL_SECTION lock; size_t hits; } *cache;
struct Entry { char head[8 + offsetof(CRITICAL_SECTION, LockSemaphore)]; void *value; };
static int scenario()
{
    cache = new Cache;
    initialize(&cache->lock);
    make_waiters(&late, 1, late_visitor, &cache->lock);
#ifdef VISITED_BEFORE
    contend_once(&cache->lock);
#endif
    EnterCriticalSection(&cache->lock);
    act("corrupted", &cache->lock);
    Entry *dangling = reinterpret_cast<Entry *>(cache);
    dangling->value = reinterpret_cast<void *>(QUIET_STRAY);
    expect_handle(&cache->lock);
    start_waiters(&late);
    return unlock(&cache->lock);
}
#elif defined(PIXELS)
// A filter looks (and writes) two pixels to the left of the first.
struct Bitmap { int width, height; CRITICAL_SECTION lock; float row[64]; };
NOINLINE static void sharpen(float *row, int width) { for (int x = 0; x < width; x++) row[x - static_cast<int>(sizeof(void *)) / 2] = 0.25f * x + 1.5f; }
static int scenario()
{
    Bitmap *bitmap = zeroed<Bitmap>();
    initialize(&bitmap->lock);
    own_contended(&bitmap->lock);
    sharpen(bitmap->row, 48);
    expect_handle(&bitmap->lock);
    return unlock(&bitmap->lock);
}
#elif defined(LAST_CHANGE)
// A time of eight bytes is stored in an object that is no longer there.
struct File { char head[offsetof(CRITICAL_SECTION, LockSemaphore)]; unsigned long long changed; };
NOINLINE static void touch(File *file) { file->changed = 0x01DC5FB2A17E4C30ull; }
static int scenario()
{
    CRITICAL_SECTION *lock = place();
    initialize(lock);
    own_contended(lock);
    touch(reinterpret_cast<File *>(lock));
    expect_handle(lock);
    return unlock(lock);
}
#elif defined(ONE_BYTE_ON)
// A line is moved by one byte to insert a character; it begins where the section's last fields are.
static struct { CRITICAL_SECTION lock; char line[48]; } editor = { {}, "the quick brown fox" };
NOINLINE static void insert(char *at, char c, int length) { memmove(at + 1, at, length); at[1] = c; }
static int scenario()
{
    initialize(&editor.lock);
    own_contended(&editor.lock);
    insert(reinterpret_cast<char *>(&editor.lock.LockSemaphore), 'x', 24);
    expect_handle(&editor.lock);
    return unlock(&editor.lock);
}
#elif defined(WRONG_CAST)
// A base object is taken for a derived one, and a member that it does not have is set.
struct Node { virtual ~Node() { } int kind = 1; };
struct Locked : Node { CRITICAL_SECTION lock; };
struct Branch : Node { char padding[offsetof(CRITICAL_SECTION, LockSemaphore)]; Node *parent; };
NOINLINE static void attach(Node *child, Node *parent) { static_cast<Branch *>(child)->parent = parent; }
static int scenario()
{
    Locked *child = new Locked;
    initialize(&child->lock);
    own_contended(&child->lock);
    attach(child, new Branch);
    expect_handle(&child->lock);
    return unlock(&child->lock);
}
#elif defined(PAIRS)
// A table of (id, flag) pairs has more rows than room; what comes to lie in the counts passes as an owned section with waiters.
struct Row { int id, flag; };
static struct { Row rows[6]; CRITICAL_SECTION lock; Row more[4]; } table;
NOINLINE static void read_rows(int n) { Row *volatile rows = table.rows; for (int i = 0; i < n; i++) rows[i] = { 806 + 4 * i, 1 }; }
static int scenario()
{
    initialize(&table.lock);
    own_contended(&table.lock);
    read_rows(11);
    expect_handle(&table.lock);
    return unlock(&table.lock);
}
#elif defined(STRIPES)
// Limits are set with the wrong offset, in each stripe of a table with one lock per stripe.
struct Stripe { CRITICAL_SECTION lock; ULONG_PTR used, limit; };
static Stripe stripes[8];
NOINLINE static void set_limits(ULONG_PTR limit)
{
    ULONG_PTR *words = reinterpret_cast<ULONG_PTR *>(stripes);
    for (unsigned i = 0; i < 8; i++)
        words[i * sizeof(Stripe) / sizeof(void *) + offsetof(CRITICAL_SECTION, LockSemaphore) / sizeof(void *)] = limit;
}
static int scenario()
{
    for (Stripe &stripe : stripes)
        initialize(&stripe.lock);
    own_contended(&stripes[5].lock);
    set_limits(0x7D0);
    expect_handle(&stripes[5].lock);
    return unlock(&stripes[5].lock);
}
#elif defined(LENGTH)
// A length is stored through a reference to a vector that has been freed.
struct Vector { void *begin; int size, room; void *allocator; size_t length; };
NOINLINE static void shrink(Vector *vector) { vector->length = LENGTH; }
static int scenario()
{
    CRITICAL_SECTION *lock = place();
    initialize(lock);
    own_contended(lock);
    shrink(reinterpret_cast<Vector *>(lock));
    expect_handle(lock);
    return unlock(lock);
}
#elif defined(HANDLE_STORED)
// An open handle is stored through a pointer to a job whose memory the section has now.
struct Job { char head[offsetof(CRITICAL_SECTION, LockSemaphore)]; HANDLE output; };
NOINLINE static void open_output(Job *job)
{
#if HANDLE_STORED == 1
    job->output = CreateFileA("job.out", GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
#else
    RegOpenKeyExA(HKEY_LOCAL_MACHINE, "Software", 0, KEY_READ, reinterpret_cast<HKEY *>(&job->output));
#endif
}
static int scenario()
{
    CRITICAL_SECTION *lock = place();
    initialize(lock);
#if HANDLE_STORED == 1
    own_contended(lock);
#else
    make_waiters(&late, 1, late_visitor, lock);
    EnterCriticalSection(lock);
    act("corrupted", lock);
#endif
    open_output(reinterpret_cast<Job *>(lock));
    expect_handle(lock);
#if HANDLE_STORED == 2
    start_waiters(&late);
#endif
    return unlock(lock);
}
#elif defined(COUNTED)
// usage[n]++ with a wrong n counts in LockCount, while this thread owns the section.
static struct { int usage[6]; CRITICAL_SECTION lock; } meter;
NOINLINE static void use(int n) { static_cast<volatile int *>(meter.usage)[n]++; }
static int scenario()
{
    initialize(&meter.lock);
    EnterCriticalSection(&meter.lock);
    act("corrupted", &meter.lock);
    expect(&meter.lock);
    use((reinterpret_cast<char *>(const_cast<LONG *>(&meter.lock.LockCount)) - reinterpret_cast<char *>(meter.usage)) / sizeof(int));
    return unlock(&meter.lock);
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
