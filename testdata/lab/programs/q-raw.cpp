// Fifth batch: no section, or none any more, but its bytes let Enter pass, and Leave signals what lies there. Macros choose why.
#include "k-common.h"

static CRITICAL_SECTION *shared;
static void did(const char *cause, CRITICAL_SECTION *lock)
{
    shared = lock;
    act(cause, lock);
    expect_handle(lock);
}
[[maybe_unused]] NOINLINE static int use(CRITICAL_SECTION *lock)
{
    EnterCriticalSection(lock);
    sink++;
    LeaveCriticalSection(lock);
    return sink;
}
[[maybe_unused]] static void repeat(void *to, SIZE_T size, const void *pattern, SIZE_T length)
{
    for (SIZE_T i = 0; i < size; i++)
        static_cast<volatile char *>(to)[i] = static_cast<const char *>(pattern)[i % length];
}

#if defined(UNSET_MEMBER)
// A new member of an old class; one of three constructors does not make it. The allocator fills new blocks.
struct Report { int pages; const wchar_t *printer; CRITICAL_SECTION lock; bool landscape; };
static int scenario()
{
    static const DWORD fill = UNSET_MEMBER;
    Report *report = static_cast<Report *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Report)));
    repeat(report, sizeof *report, &fill, 4);
    report->pages = 3;
    report->printer = L"Office 2";
    report->landscape = true;
    did("never-initialized", &report->lock);
    return use(&report->lock);
}
#elif defined(OLD_TEXT)
// init() returns early when it cannot have its file. The block was a text.
struct Log { HANDLE file; int level; CRITICAL_SECTION lock; };
NOINLINE static bool init(Log *log)
{
    log->level = 2;
    log->file = CreateFileA("Z:\\missing\\log.txt", GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    if (log->file == INVALID_HANDLE_VALUE)
        return false;
    initialize(&log->lock);
    return true;
}
static int scenario()
{
    static const char text[] = "{\"g\":\"ok\",\"w\":[3,7],\"s\":\"warm\",\"k\":\"solid\",\"o\":1,";
    Log *log = static_cast<Log *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Log)));
    repeat(log, sizeof *log, text, sizeof text - 1);
    reinterpret_cast<volatile char *>(&log->lock.LockCount)[0] = 'g';
    init(log);
    did("never-initialized", &log->lock);
    return use(&log->lock);
}
#elif defined(LOCAL_NUMBERS)
// A local state without its init call, on a stack that a checksum has just used.
NOINLINE static ULONG checksum(int n)
{
    volatile ULONG table[128];
    for (int i = 0; i < 128; i++)
        table[i] = 0xEDB88323u ^ (i * 0x01000194u);
    return table[n];
}
NOINLINE static int transfer()
{
    struct { volatile int before[20]; CRITICAL_SECTION lock; volatile int behind[40]; } local;
    asm volatile("" : : "r"(&local) : "memory");
    did("never-initialized", &local.lock);
    return use(&local.lock);
}
static int scenario() { sink = checksum(9); return transfer(); }
#elif defined(FREED_STRUCT)
// A freed connection is used again by its timer; the block is a list of ports by now.
struct Connection { ULONG address; unsigned short port; CRITICAL_SECTION lock; char state; };
static int scenario()
{
    Connection *connection = static_cast<Connection *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Connection)));
    initialize(&connection->lock);
    use(&connection->lock);
    did("memory-released", &connection->lock);
    HeapFree(GetProcessHeap(), 0, connection);
    volatile unsigned short *ports = static_cast<unsigned short *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Connection)));
    for (unsigned i = 0; i < sizeof(Connection) / 2; i++)
        ports[i] = static_cast<unsigned short>(49155 + 4 * 13 * i);
    expect_handle(&connection->lock);
    return use(&connection->lock);
}
#elif defined(SCRATCH_RESET)
// A scratch arena is reset between two requests; a callback has an object of the first.
struct Request { ULONGLONG id; CRITICAL_SECTION lock; char *body; };
static DWORD WINAPI callback(void *) { return use(shared); }
static int scenario()
{
    Waiters one;
    char *arena = pages(0x4000);
    Request *request = reinterpret_cast<Request *>(arena + 0x340);
    initialize(&request->lock);
    use(&request->lock);
    did("memory-released", &request->lock);
    make_waiters(&one, 1, callback, NULL);
    repeat(arena, 0x1000, "Content-Length: 437; keep; q=0.7; ", 32);
    reinterpret_cast<volatile char *>(&request->lock.LockCount)[0] = 'o';
    expect_handle(&request->lock);
    start_waiters(&one);
    Sleep(3000);
    return sink;
}
#elif defined(FREED_FILL)
// The allocator fills freed blocks.
struct Texture { int width, height; CRITICAL_SECTION lock; void *bits; };
static int scenario()
{
    static const DWORD fill = FREED_FILL;
    Texture *texture = static_cast<Texture *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Texture)));
    initialize(&texture->lock);
    use(&texture->lock);
    did("memory-released", &texture->lock);
    repeat(texture, sizeof *texture, &fill, 4);
    expect_handle(&texture->lock);
    return use(&texture->lock);
}
#elif defined(WRONG_CAST)
// A message's parameter is taken for a document; it is a window's description.
struct Description { int left, top, width, height; const wchar_t *title; ULONG_PTR style; void *owner, *menu; };
struct Document { CRITICAL_SECTION lock; int changes; };
NOINLINE static int on_message(void *parameter) { return use(&static_cast<Document *>(parameter)->lock); }
static int scenario()
{
    Description *description = static_cast<Description *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Description)));
    *description = { 40, 30, 803, 600, L"Properties of the selected object", 0x80CF0003, description, NULL };
    did("bad-pointer", reinterpret_cast<CRITICAL_SECTION *>(description));
    return on_message(description);
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
