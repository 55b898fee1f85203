// Sixth batch: objects with a lock are copied as bytes or member by member; one of the two is destroyed. Macros choose the occasion.
#include "k-common.h"
#include <utility>
#ifdef VECTOR
#include <vector>
#endif

struct Mutex {
    CRITICAL_SECTION native;
    NOINLINE void make() { initialize(&native); }
    NOINLINE void destroy() { DeleteCriticalSection(&native); }
};

[[maybe_unused]] static void others_wait(CRITICAL_SECTION *lock)
{
    make_waiters(&waiters, WAITERS, pass_through, lock);
    EnterCriticalSection(lock);
    start_waiters(&waiters);
}

#if defined(FACTORY)
// A factory's local is returned as a copy and destroyed; it had been waited for before.
struct UncheckedMutex : Mutex {
    explicit UncheckedMutex(int) { make(); contend_once(&native); }
    UncheckedMutex(const UncheckedMutex &other) = default;
    ~UncheckedMutex() { destroy(); }
};
struct Synth { float gain; UncheckedMutex *mutex; double rate; };
NOINLINE static UncheckedMutex *make_unchecked_mutex(void *place)
{
    UncheckedMutex local(1);
    UncheckedMutex *copy = new (place) UncheckedMutex(local);
    act("copied", &local.native);
    expect_handle(&copy->native);
    return copy;
}
static DWORD WINAPI audio(void *mutex) { EnterCriticalSection(static_cast<CRITICAL_SECTION *>(mutex)); sink++; LeaveCriticalSection(static_cast<CRITICAL_SECTION *>(mutex)); return 0; }
static int scenario()
{
    alignas(16) static char storage[0x40];
    make_waiters(&waiters, 1, audio, storage + 8); // exists before a number becomes free
    Synth synth = { 0.7f, make_unchecked_mutex(storage + 8), 44100 };
    EnterCriticalSection(&synth.mutex->native);
    start_waiters(&waiters);
    LeaveCriticalSection(&synth.mutex->native);
    return sink;
}
#elif defined(THREAD_ARGUMENT)
// A worker object is given to its thread as a copy; the one it was made from ends with its function.
struct Worker {
    int number;
    Mutex mutex;
    wchar_t queue[8];
    explicit Worker(int n) : number(n), queue(L"resize") { mutex.make(); contend_once(&mutex.native); }
    Worker(const Worker &other) = default;
    ~Worker() { mutex.destroy(); }
};
static Worker *of_thread_one;
static DWORD WINAPI work(void *argument)
{
    Worker *self = static_cast<Worker *>(argument);
    EnterCriticalSection(&self->mutex.native);
    Sleep(INFINITE);
    return 0;
}
NOINLINE static void start_worker(Waiters *threads)
{
    Worker local(4);
    of_thread_one = new Worker(local);
    act("copied", &local.mutex.native);
    expect_handle(&of_thread_one->mutex.native);
    make_waiters(threads, 2, work, of_thread_one);
}
static int scenario()
{
    Waiters threads;
    start_worker(&threads);
    start_waiters(&threads);
    Sleep(4000);
    return sink;
}
#elif defined(PARAMETER)
// A logger is passed by value, while its lock is held and wanted; the parameter's destructor deletes.
struct Logger {
    Mutex mutex;
    int level;
    const char *file;
    Logger(int l, const char *f) : level(l), file(f) { mutex.make(); }
    Logger(const Logger &other) = default;
    ~Logger() { mutex.destroy(); }
};
NOINLINE static void write(Logger logger, const char *text) { sink += logger.level + text[0]; }
static int scenario()
{
    Logger *logger = new Logger(3, "service.log");
    others_wait(&logger->mutex.native);
    act("copied", &logger->mutex.native);
    expect_handle(&logger->mutex.native);
    write(*logger, "started");
    FINISH(&logger->mutex.native);
    return sink;
}
#elif defined(MOVE_ASSIGNED)
// A defaulted move assignment copies the lock; the object that was moved from is destroyed, and its memory is a text.
struct Session {
    ULONGLONG id = 0x51;
    Mutex mutex;
    char *buffer = nullptr;
    Session() { mutex.make(); }
    Session &operator=(Session &&other) = default;
    ~Session() { mutex.destroy(); }
};
static Session *slots[3];
static int scenario()
{
    slots[1] = new Session;
    Session *fresh = new Session;
    others_wait(&fresh->mutex.native);
    *slots[1] = std::move(*fresh);
    act("copied", &fresh->mutex.native);
    expect_handle(&slots[1]->mutex.native);
    delete fresh;
    char *text = static_cast<char *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Session)));
    lstrcpyA(text, "GET /favicon.ico HTTP/1.1\r\nHost: contoso");
    FINISH(&slots[1]->mutex.native);
    return sink;
}
#elif defined(MAP_INSERT)
// map[key] = Value(): the temporary is copied into the node and destroyed. All goes well until the node's lock is deleted.
struct Channel { Mutex mutex; int subscribers; Channel() : subscribers(2) { mutex.make(); } Channel(const Channel &) = default; };
struct Node { Node *left, *right; int colour; char key[12]; Channel value; };
NOINLINE static Node *insert(const char *key)
{
    Channel temporary;
    Node *node = new Node { NULL, NULL, 1, "", temporary };
    lstrcpyA(node->key, key);
    act("copied", &temporary.mutex.native);
    expect(&node->value.mutex.native);
    temporary.mutex.destroy();
    return node;
}
NOINLINE static int erase(Node *node)
{
    node->value.mutex.destroy();
    delete node;
    return ++sink;
}
static int scenario()
{
    Node *node = insert("telemetry");
    EnterCriticalSection(&node->value.mutex.native);
    node->value.subscribers++;
    LeaveCriticalSection(&node->value.mutex.native);
    return erase(node);
}
#elif defined(QUEUE_POP)
// A locked job is copied out of a ring, and pop() destroys its place, which the next job takes at once.
struct Job { int kind; Mutex mutex; unsigned size; };
static struct Ring { Job jobs[4]; unsigned head, tail; } ring;
NOINLINE static void push(int kind) { Job *job = &ring.jobs[ring.tail++ % 4]; job->kind = kind; job->mutex.make(); }
NOINLINE static void pop() { ring.jobs[ring.head++ % 4].mutex.destroy(); }
static int scenario()
{
    for (int i = 0; i < 4; i++)
        push(10 + i);
    others_wait(&ring.jobs[0].mutex.native);
    Job job = ring.jobs[0];
    act("copied", &ring.jobs[0].mutex.native);
    expect_handle(&job.mutex.native);
    pop();
    push(14);
    FINISH(&job.mutex.native);
    return job.kind;
}
#elif defined(VECTOR)
// A vector grows under a call that holds one element's lock: member-wise copies, and the old elements are destroyed.
struct Connection {
    std::pair<int, int> port;
    Mutex mutex;
    int bytes = 0;
    explicit Connection(int p) : port(p, p + 1) { mutex.make(); }
    Connection(const Connection &other) = default;
    ~Connection() { mutex.destroy(); }
};
static std::vector<Connection> *connections;
NOINLINE static int on_connect(unsigned index)
{
    others_wait(&(*connections)[index].mutex.native);
    act("copied", &(*connections)[index].mutex.native);
    connections->emplace_back(6000);
    take_number();
    expect_handle(&(*connections)[index].mutex.native);
    FINISH(&(*connections)[index].mutex.native);
    return (*connections)[index].bytes;
}
static int scenario()
{
    connections = new std::vector<Connection>;
    connections->reserve(3);
    for (int i = 0; i < 3; i++)
        connections->emplace_back(5000 + i);
    return on_connect(1);
}
#elif defined(SWAP_REMOVE)
// An element is removed from an array by putting the last one in its place, whose own place is then destroyed.
struct Player { wchar_t name[8]; int health; Mutex mutex; };
struct World { Player players[6]; int count; };
NOINLINE static void remove(World *world, int index)
{
    world->players[index].mutex.destroy();
    world->players[index] = world->players[--world->count];
    act("copied", &world->players[world->count].mutex.native);
    expect_handle(&world->players[index].mutex.native);
    world->players[world->count].mutex.destroy();
}
static int scenario()
{
    World *world = new World();
    for (world->count = 0; world->count < 5; world->count++) {
        lstrcpyW(world->players[world->count].name, L"player");
        world->players[world->count].mutex.make();
    }
    others_wait(&world->players[4].mutex.native);
    remove(world, 1);
    FINISH(&world->players[1].mutex.native);
    return world->count;
}
#elif defined(LOOP_BY_VALUE)
// for (Account account : accounts): every turn's copy is destroyed. The next one that has to wait fails.
struct Account {
    Mutex mutex;
    double balance = 10;
    char currency[4] = "EUR";
    Account() { mutex.make(); }
    Account(const Account &other) = default;
    ~Account() { mutex.destroy(); }
};
static Account accounts[3];
NOINLINE static double total()
{
    double sum = 0;
    for (Account account : accounts)
        sum += account.balance;
    return sum;
}
static DWORD WINAPI withdraw(void *argument)
{
    Account *account = static_cast<Account *>(argument);
    EnterCriticalSection(&account->mutex.native);
    account->balance--;
    LeaveCriticalSection(&account->mutex.native);
    return 0;
}
static int scenario()
{
    Waiters one;
    contend_once(&accounts[2].mutex.native);
    make_waiters(&one, 1, withdraw, &accounts[2]);
    act("copied", &accounts[2].mutex.native);
    expect_handle(&accounts[2].mutex.native);
    sink += static_cast<int>(total());
    EnterCriticalSection(&accounts[2].mutex.native);
    start_waiters(&one);
    LeaveCriticalSection(&accounts[2].mutex.native);
    return sink;
}
#elif defined(ASSIGNED)
// operator= copies all members, the lock among them: two objects have one event, and the one assigned to is destroyed.
struct Profile {
    char name[16] = "default";
    Mutex mutex;
    int theme = 2;
    Profile() { mutex.make(); }
    ~Profile() { mutex.destroy(); }
};
static int scenario()
{
    Profile *current = new Profile;
    others_wait(&current->mutex.native);
    {
        Profile backup;
        backup = *current;
        backup.theme = 0;
        act("copied", &current->mutex.native);
        expect_handle(&current->mutex.native);
    }
    FINISH(&current->mutex.native);
    return current->theme;
}
#else
// A document is cloned (or a staged configuration is made the active one) byte by byte; both are destroyed at the end.
struct Document { int pages; const char *title; Mutex mutex; Document *clone_of; };
NOINLINE static void close(Document *document) { document->mutex.destroy(); document->pages = 0; }
#ifdef COMMIT
static Document active, staging;
#endif
static int scenario()
{
#ifdef COMMIT
    Document *original = &staging, *clone = &active;
#else
    Document *original = new Document { 12, "Annual report", {}, NULL }, *clone = new Document;
#endif
    original->mutex.make();
    contend_once(&original->mutex.native);
    *clone = *original;
    clone->clone_of = original;
    act("copied", &original->mutex.native);
    expect(&clone->mutex.native);
    close(original);
    EnterCriticalSection(&clone->mutex.native);
    clone->pages++;
    LeaveCriticalSection(&clone->mutex.native);
    close(clone);
    return sink++;
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
