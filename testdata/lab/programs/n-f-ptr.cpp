// Fresh faults: what is passed never was a section. Macros choose how the program came by the pointer.
#include "unseen.h"

static CRITICAL_SECTION *wrong(void *pointer)
{
    CRITICAL_SECTION *lock = static_cast<CRITICAL_SECTION *>(pointer);
    act("bad-pointer", lock);
    expect(lock);
    return lock;
}

#if defined(NULL_POOL)
// The pool could not be made, which its creator said in a log only; acquire() is called on the NULL that it returned.
class Pool {
public:
    static Pool *create(int size);
    NOINLINE int acquire()
    {
        EnterCriticalSection(wrong(&lock));
        int got = idle > 0 ? idle-- : -1;
        LeaveCriticalSection(&lock);
        return got;
    }
private:
    char connection_string[52];
    int idle, limit;
    CRITICAL_SECTION lock;
    void *slots[8];
};
NOINLINE Pool *Pool::create(int size) { return size > 16 ? nullptr : new Pool; }
static int scenario()
{
    Pool *volatile pool = Pool::create(64);
    return pool->acquire();
}
#elif defined(MOVED_GUARD)
// A guard that was moved from and released "once more, to be sure": its pointer is NULL.
class UniqueLock {
public:
    explicit UniqueLock(CRITICAL_SECTION *s) : section(s) { EnterCriticalSection(section); }
    UniqueLock(UniqueLock &&other) : section(other.section) { other.section = nullptr; }
    ~UniqueLock() { if (section) LeaveCriticalSection(section); }
    NOINLINE void unlock() { LeaveCriticalSection(wrong(section)); section = nullptr; sink++; }
private:
    CRITICAL_SECTION *section;
};
static CRITICAL_SECTION journal;
NOINLINE static void keep(UniqueLock &&lock) { UniqueLock kept(static_cast<UniqueLock &&>(lock)); sink++; }
static int scenario()
{
    InitializeCriticalSection(&journal);
    UniqueLock lock(&journal);
    keep(static_cast<UniqueLock &&>(lock));
    lock.unlock();
    return sink;
}
#elif defined(COOKIE)
// advise() gives a cookie, the caller stored it where the sink's pointer belongs.
struct EventSink { virtual void fire() { } CRITICAL_SECTION lock; int cookies; };
static EventSink *advised[4];
NOINLINE static ULONG_PTR advise(EventSink *one)
{
    for (int i = 0; i < 4; i++)
        if (!advised[i]) {
            advised[i] = one;
            return 0x10001 * (i + 1);
        }
    return 0;
}
NOINLINE static void unadvise(EventSink *one)
{
    TryEnterCriticalSection(wrong(&one->lock));
    one->cookies--;
    LeaveCriticalSection(&one->lock);
}
static int scenario()
{
    EventSink *mine = new EventSink;
    InitializeCriticalSection(&mine->lock);
    advise(mine);
    ULONG_PTR cookie = advise(mine);
    unadvise(reinterpret_cast<EventSink *>(cookie));
    return sink;
}
#elif defined(POISONED_NODE)
// The node goes back to a pool that fills, and then the lock is left by way of the node.
struct Owner { int children; CRITICAL_SECTION lock; };
struct Node { Node *next; Owner *owner; int value[6]; };
alignas(16) static char pool_memory[16 * sizeof(Node)];
NOINLINE static void give_back(Node *node) { memset(static_cast<void *>(node), POISONED_NODE, sizeof *node); }
NOINLINE static int detach(Node *node)
{
    EnterCriticalSection(&node->owner->lock);
    int left = --node->owner->children;
    give_back(node);
    LeaveCriticalSection(wrong(&node->owner->lock));
    return left;
}
static int scenario()
{
    Node *node = reinterpret_cast<Node *>(pool_memory) + 5;
    node->owner = new Owner;
    node->owner->children = 2;
    InitializeCriticalSection(&node->owner->lock);
    return detach(node);
}
#elif defined(COUNTED_HEAD)
// A lock-free stack keeps a counter in the upper 16 bits of its head; one of its users forgot to strip it.
struct Job { Job *next; int id; CRITICAL_SECTION lock; };
static volatile LONG64 head;
NOINLINE static void push(Job *job)
{
    LONG64 old = head;
    job->next = reinterpret_cast<Job *>(old & 0xFFFFFFFFFFFF);
    head = static_cast<LONG64>(reinterpret_cast<ULONG_PTR>(job)) | ((old >> 48) + 1) << 48;
}
NOINLINE static int peek()
{
    Job *top = reinterpret_cast<Job *>(static_cast<ULONG_PTR>(head));
    EnterCriticalSection(wrong(&top->lock));
    int id = top->id;
    LeaveCriticalSection(&top->lock);
    return id;
}
static int scenario()
{
    for (int i = 0; i < 7; i++) {
        Job *job = new Job;
        job->id = i;
        InitializeCriticalSection(&job->lock);
        push(job);
    }
    return peek();
}
#elif defined(CROSS_CAST)
// A C callback gets void *, made from the derived class and cast to its second base: no adjustment.
struct Named { virtual ~Named() { } char name[24]; };
struct Lockable { virtual ~Lockable() { } CRITICAL_SECTION native; int depth = 0; };
struct Toolbar : Named, Lockable {
    Toolbar() { memcpy(name, "toolbar-left-docked-0042", 24); InitializeCriticalSection(&native); }
    int buttons = 9;
};
typedef int (*each_function)(void *context);
NOINLINE static int for_each(each_function each, void *context) { sink++; return each(context) + sink; }
static int redraw(void *context)
{
    Lockable *lockable = static_cast<Lockable *>(context);
    EnterCriticalSection(wrong(&lockable->native));
    int depth = lockable->depth++;
    LeaveCriticalSection(&lockable->native);
    return depth;
}
static int scenario() { return for_each(redraw, new Toolbar); }
#elif defined(SWAPPED_ARGUMENTS)
// subscribe(context, function) called with its two arguments exchanged, through casts that made the compiler quiet.
struct Subscription { void *context; void *function; };
static Subscription subscriptions[3];
NOINLINE static void subscribe(void *context, void *function) { subscriptions[1] = { context, function }; }
static CRITICAL_SECTION topic;
static void on_message(int) { sink++; }
NOINLINE static int publish()
{
    CRITICAL_SECTION *lock = wrong(subscriptions[1].context);
    EnterCriticalSection(lock);
    reinterpret_cast<void (*)(int)>(subscriptions[1].function)(1);
    LeaveCriticalSection(lock);
    return sink;
}
static int scenario()
{
    InitializeCriticalSection(&topic);
    subscribe(reinterpret_cast<void *>(on_message), &topic);
    return publish();
}
#elif defined(HANDLE_CONTEXT)
// The work item's context is the event's handle, not the structure that holds it.
struct Work { HANDLE done; int state; char label[16]; CRITICAL_SECTION lock; };
static DWORD WINAPI run(void *context)
{
    Work *work = static_cast<Work *>(context);
    EnterCriticalSection(wrong(&work->lock));
    work->state = 2;
    LeaveCriticalSection(&work->lock);
    return SetEvent(work->done);
}
static int scenario()
{
    Work *work = new Work;
    InitializeCriticalSection(&work->lock);
    for (int i = 0; i < 9; i++)
        work->done = CreateEventA(NULL, TRUE, FALSE, NULL);
    HANDLE thread = CreateThread(NULL, 0, run, work->done, 0, NULL);
    WaitForSingleObject(thread, INFINITE);
    return work->state;
}
#elif defined(TIMER_ID)
// A pointer went through a 32-bit timer id and comes back sign-extended.
struct Session { ULONG_PTR id; CRITICAL_SECTION lock; int ticks; };
static int timer_ids[4];
NOINLINE static void set_timer(Session *session) { timer_ids[2] = static_cast<int>(reinterpret_cast<LONG_PTR>(session)); }
NOINLINE static int on_timer(int id)
{
    Session *session = reinterpret_cast<Session *>(static_cast<LONG_PTR>(id));
    EnterCriticalSection(wrong(&session->lock));
    session->ticks++;
    LeaveCriticalSection(&session->lock);
    return session->ticks;
}
static int scenario()
{
    // far up, where large programs' heaps are
    char *memory = static_cast<char *>(VirtualAlloc(reinterpret_cast<void *>(TIMER_ID), 0x10000, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
    Session *session = reinterpret_cast<Session *>(memory + 0x1240);
    InitializeCriticalSection(&session->lock);
    set_timer(session);
    return on_timer(timer_ids[2]);
}
#elif defined(ADDRESS_OF_POINTER)
// lock became a pointer in a refactoring; one destructor still takes its address.
struct Document {
    CRITICAL_SECTION *lock;
    int pages, dirty;
    ULONG_PTR marks[6];
    NOINLINE void close() { DeleteCriticalSection(wrong(&lock)); pages = 0; }
};
static int scenario()
{
    Document *document = new Document;
    document->lock = static_cast<CRITICAL_SECTION *>(HeapAlloc(GetProcessHeap(), 0, sizeof(CRITICAL_SECTION)));
    InitializeCriticalSection(document->lock);
    document->pages = 31;
    document->dirty = 0;
    memset(document->marks, 0, sizeof document->marks);
    document->close();
    return document->pages;
}
#elif defined(OLD_STRIDE)
// A plugin compiled with an older header walks the host's table with a smaller stride.
struct Row { int id, kind; ULONG_PTR limit, used; const char *label; CRITICAL_SECTION lock; ULONG_PTR added_in_2; };
struct OldRow { int id, kind; ULONG_PTR limit, used; const char *label; CRITICAL_SECTION lock; };
static Row rows[6];
NOINLINE static int use_row(char *base, SIZE_T stride, int index)
{
    OldRow *row = reinterpret_cast<OldRow *>(base + stride * index);
    EnterCriticalSection(wrong(&row->lock));
    int used = static_cast<int>(row->used++);
    LeaveCriticalSection(&row->lock);
    return used;
}
static int scenario()
{
    for (int i = 0; i < 6; i++) {
        rows[i].id = i;
        rows[i].limit = 120;
        rows[i].used = 4;
        rows[i].label = "quota";
        InitializeCriticalSection(&rows[i].lock);
    }
    return use_row(reinterpret_cast<char *>(rows), sizeof(OldRow), 3);
}
#elif defined(RESIDUE)
// Only the good path assigns the pointer; what lies in the frame is a sample of the function before.
struct Query { int status; double weight; CRITICAL_SECTION *lock; };
NOINLINE static double average(int count)
{
    volatile double samples[40];
    for (int i = 0; i < 40; i++)
        samples[i] = 3.75 * (i + count);
    return samples[count];
}
NOINLINE static int execute(int count)
{
    Query queries[10];
    if (count > 50)
        for (Query &query : queries)
            query.lock = NULL;
    EnterCriticalSection(wrong(queries[6].lock));
    sink++;
    LeaveCriticalSection(queries[6].lock);
    return sink;
}
static int scenario()
{
    sink = static_cast<int>(average(3));
    return execute(sink & 7);
}
#elif defined(WRONG_MEMBER)
// A value that is a time or a session's address, by a tag; the tag says session, the value is a time.
struct Session { CRITICAL_SECTION lock; int users; };
struct Value { int tag; union { FILETIME time; Session *session; }; };
NOINLINE static void dispose(Value *value)
{
    if (value->tag == 2)
        DeleteCriticalSection(wrong(&value->session->lock));
    value->tag = 0;
}
static int scenario()
{
    Value *values = new Value[3];
    for (int i = 0; i < 3; i++) {
        values[i].time = { 0xF2A4C3D0u + 16 * i, 0x01DA3B52 };
        values[i].tag = i < 2 ? 1 : 2;
    }
    for (int i = 0; i < 3; i++)
        dispose(&values[i]);
    return sink;
}
#elif defined(LIST_HEAD)
// front() of an intrusive list that is empty: the record "around" the head is the manager's own numbers.
struct Session { CRITICAL_SECTION lock; int id; LIST_ENTRY link; };
struct Manager { ULONG_PTR limits[offsetof(Session, link) / sizeof(ULONG_PTR)]; LIST_ENTRY head; };
static Manager manager = { { 0x400, 30, 0x1000, 60, 2, 8 }, { &manager.head, &manager.head } };
NOINLINE static Session *front(Manager *m) { return CONTAINING_RECORD(m->head.Flink, Session, link); }
NOINLINE static int touch(Manager *m)
{
    Session *session = front(m);
    EnterCriticalSection(wrong(&session->lock));
    int id = session->id;
    LeaveCriticalSection(&session->lock);
    return id;
}
static int scenario() { return touch(&manager); }
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
