// Seventh batch: the address is that of no lock, and there is nothing. Macros choose where it comes from.
#include "k-common.h"

template <class T> struct Guard {
    T *object;
    explicit Guard(T *o) : object(o)
    {
        will("bad-pointer", &object->lock);
        EnterCriticalSection(&object->lock);
    }
    ~Guard() { LeaveCriticalSection(&object->lock); }
};

#if defined(SESSION)
// A weak reference whose session has ended gives NULL; one caller does not look.
struct Session { virtual int id() { return number; } virtual ~Session() { } int number; wchar_t user[32]; void *sockets[6]; CRITICAL_SECTION lock; int state; };
struct Weak {
    Session *object;
    volatile LONG *alive;
    NOINLINE Session *get() const { return *alive ? object : NULL; }
};
NOINLINE static int keep_alive(const Weak &weak)
{
    Session *session = weak.get();
    Guard<Session> guard(session);
    return session->state++;
}
static int scenario()
{
    static volatile LONG alive = 1;
    Session *session = new Session;
    initialize(&session->lock);
    Weak weak = { session, &alive };
    DeleteCriticalSection(&session->lock);
    alive = 0;
    return keep_alive(weak);
}
#elif defined(VIEW)
// The window keeps 32 bits of its object's address.
struct View { CRITICAL_SECTION *unused; int frame, frames; RECT where; CRITICAL_SECTION lock; };
static struct { int handle; LONG_PTR user_data; } windows[3] = { { 0x20412, 0 }, { 0x30418, 0 }, { 0x1042A, 0 } };
NOINLINE static void set_user_data(int handle, LONG_PTR value)
{
    for (auto &window : windows)
        if (window.handle == handle)
            window.user_data = value;
}
NOINLINE static LONG_PTR user_data(int handle)
{
    for (auto &window : windows)
        if (window.handle == handle)
            return window.user_data;
    return 0;
}
NOINLINE static int on_timer(int handle)
{
    View *view = reinterpret_cast<View *>(user_data(handle));
    Guard<View> guard(view);
    return ++view->frame;
}
static int scenario()
{
    View *view = reinterpret_cast<View *>(pages(0x1000, reinterpret_cast<void *>(0x1C64F8E0000ull)) + 0x5D0);
    initialize(&view->lock);
    view->frames = 12;
    set_user_data(0x30418, PtrToUlong(view));
    return on_timer(0x30418);
}
#elif defined(COMBO)
// The list holds the entries' numbers, not their addresses.
struct Printer { wchar_t name[24]; CRITICAL_SECTION lock; int jobs; };
static Printer *printers[5];
static LONG_PTR item_data[5];
NOINLINE static int select(int line)
{
    Printer *printer = reinterpret_cast<Printer *>(item_data[line]);
    will("bad-pointer", &printer->lock);
    if (!TryEnterCriticalSection(&printer->lock))
        return -1;
    return printer->jobs;
}
static int scenario()
{
    for (int i = 0; i < 5; i++) {
        printers[i] = new Printer;
        initialize(&printers[i]->lock);
        item_data[i] = i;
    }
    return select(3);
}
#elif defined(TIMER)
// A timer's entry has been freed, and its block is a text; the timer takes its owner from there.
struct Owner { int id; CRITICAL_SECTION lock; };
struct Timer { int due, period; Owner *owner; void (*elapsed)(Owner *); };
NOINLINE static void fire(const Timer *timer)
{
    Guard<Owner> guard(timer->owner);
    sink = timer->due;
}
static int scenario()
{
    Owner *owner = new Owner;
    initialize(&owner->lock);
    Timer *timers[30];
    for (Timer *&timer : timers)
        timer = new Timer { 500, 100, owner, NULL };
    Timer *mine = timers[11];
    for (Timer *timer : timers)
        delete timer;
    for (int i = 0; i < 60; i++)
        lstrcpyA(static_cast<char *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Timer))), "ws://10.0.4.17:8080/status");
    fire(mine);
    return sink;
}
#elif defined(LOOKUP)
// The function that looks it up leaves its result alone when it finds nothing.
struct Account { int number; CRITICAL_SECTION lock; int balance; };
static Account *accounts[4];
NOINLINE static int describe(int n)
{
    char text[400];
    for (int i = 0; i < 25; i++)
        lstrcpynA(text + 16 * i, "total: 1,250.00 ", 17 - (i == 24));
    sink = n;
    return text[n];
}
NOINLINE static bool find(int number, Account **account)
{
    for (Account *one : accounts)
        if (one && one->number == number) {
            *account = one;
            return true;
        }
    return false;
}
NOINLINE static int book(int number, int amount)
{
    volatile char note[120];
    Account *account;
    note[0] = 'b';
    find(number, &account);
    will("bad-pointer", &account->lock);
    EnterCriticalSection(&account->lock);
    account->balance += amount + note[0];
    LeaveCriticalSection(&account->lock);
    return amount;
}
static int scenario()
{
    for (int i = 0; i < 4; i++) {
        accounts[i] = new Account;
        accounts[i]->number = 100 + i;
        initialize(&accounts[i]->lock);
    }
    sink += describe(5);
    return book(204, 15);
}
#elif defined(MAP_FAILS)
// mmap() of a port: what fails is -1, and the caller looks for NULL.
struct Header { char magic[8]; ULONGLONG size; CRITICAL_SECTION lock; };
NOINLINE static void *map(HANDLE file, SIZE_T size)
{
    HANDLE mapping = CreateFileMappingA(file, NULL, PAGE_READWRITE, 0, static_cast<DWORD>(size), NULL);
    void *view = mapping ? MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, size) : NULL;
    return view ? view : reinterpret_cast<void *>(static_cast<LONG_PTR>(-1));
}
NOINLINE static int open_store(const char *path)
{
    HANDLE file = CreateFileA(path, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    Header *header = static_cast<Header *>(map(file, 0x1000));
    if (!header)
        return -1;
    auto lock = [header] {
        will("bad-pointer", &header->lock);
        EnterCriticalSection(&header->lock);
        return header->magic[0];
    };
    return lock();
}
static int scenario() { return open_store("cslab.dll"); } // read-only: it cannot be mapped for writing
#elif defined(JOB)
// A thread's parameter is a local of the function that started it, which has returned.
struct Connection { char host[20]; CRITICAL_SECTION lock; };
struct Job { int number; Connection *connection; };
static DWORD WINAPI run(void *argument)
{
    Sleep(500);
    Connection *connection = static_cast<Job *>(argument)->connection;
    Guard<Connection> guard(connection);
    return connection->host[0];
}
NOINLINE static void start_job(int number)
{
    static Waiters one;
    volatile char log[200];
    Job job = { number, new Connection };
    initialize(&job.connection->lock);
    log[0] = 'j';
    make_waiters(&one, 1, run, &job);
    sink += log[0];
    ResumeThread(one.threads[0]);
}
NOINLINE static int report()
{
    char page[900];
    for (int i = 0; i < 45; i++)
        lstrcpynA(page + 20 * i, "<tr><td>ok</td></tr>", 21 - (i == 44));
    Sleep(4000);
    return page[sink % 900];
}
static int scenario()
{
    start_job(9);
    return report();
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
