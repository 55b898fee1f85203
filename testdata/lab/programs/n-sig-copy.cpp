// Second batch: bytes of a section are copied, the copy or the original is destroyed, and the other one goes on.
#include "unseen.h"

static Waiters waiters;

NOINLINE static int unlock(CRITICAL_SECTION *lock)
{
    expect_handle(lock);
    sink++;
    LeaveCriticalSection(lock);
    return sink++;
}
[[maybe_unused]] static void own_contended(CRITICAL_SECTION *lock)
{
    make_waiters(&waiters, WAITERS, pass_through, lock);
    EnterCriticalSection(lock);
    start_waiters(&waiters);
    act("copied", lock);
}

// The class that all of them copy: the compiler's copy operations, a destructor of its own.
struct Lock {
    Lock() { initialize(&native); }
    ~Lock() { DeleteCriticalSection(&native); }
    Lock(const Lock &) = default;
    Lock &operator=(const Lock &) = default;
    CRITICAL_SECTION native;
};

#if defined(REHASH)
// A table with open addressing grows: entries are assigned to their new places, the old ones destroyed.
struct Entry { unsigned key = 0; Lock lock; int value = 0; };
class Table {
public:
    Table() : entries(new Entry[size]) { }
    Entry *find(unsigned key)
    {
        unsigned i = key * 2654435761u % size;
        while (entries[i].key && entries[i].key != key)
            i = (i + 1) % size;
        entries[i].key = key;
        return &entries[i];
    }
    void grow()
    {
        Entry *old = entries;
        unsigned old_size = size;
        size = 2 * size + 1;
        entries = static_cast<Entry *>(operator new(size * sizeof(Entry)));
        memset(static_cast<void *>(entries), 0, size * sizeof(Entry));
        for (unsigned i = 0; i < old_size; i++) {
            if (old[i].key)
                *find(old[i].key) = old[i];
            old[i].~Entry();
        }
    }
private:
    unsigned size = 7;
    Entry *entries;
};
static int scenario()
{
    Table *table = new Table;
    table->find(31)->value = 2;
    table->find(77);
    own_contended(&table->find(31)->lock.native);
    table->grow();
    return unlock(&table->find(31)->lock.native);
}
#elif defined(MOVED)
// "Moved" to another owner: no move constructor was written, so it is copied; the old owner goes out of scope.
struct Stream { int id = 3; Lock lock; char buffer[64]; };
template <class T> struct Box {
    explicit Box(T *from) : content(static_cast<T &&>(*from)) { }
    T content;
};
static int scenario()
{
    Stream *stream = new Stream;
    own_contended(&stream->lock.native);
    Box<Stream> *box = new Box<Stream>(stream);
    delete stream;
    return unlock(&box->content.lock.native);
}
#elif defined(SHARED_STATE)
// Copy on write: detach() makes a clone of the state for one of its users, who soon drops it.
struct State { LONG references = 1; Lock lock; int values[4] = { 1, 2, 3, 4 }; };
class Document {
public:
    Document() : state(new State) { }
    Document(const Document &other) : state(other.state) { InterlockedIncrement(&state->references); }
    ~Document() { if (!InterlockedDecrement(&state->references)) delete state; }
    void detach()
    {
        State *shared = state;
        state = new State(*shared);
        state->references = 1;
        InterlockedDecrement(&shared->references);
    }
    State *state;
};
NOINLINE static void preview(const Document &document)
{
    Document own(document);
    own.detach();
    own.state->values[2] = 0;
}
static int scenario()
{
    Document *document = new Document;
    own_contended(&document->state->lock.native);
    preview(*document);
    return unlock(&document->state->lock.native);
}
#elif defined(SPLICED)
// A node is built on the stack, used, and copied into the list's own node at the end of the function.
struct Node { Node *next = nullptr; Lock lock; char name[16] = "first"; };
static Node *list;
NOINLINE static void append()
{
    Node local;
    make_waiters(&waiters, WAITERS, pass_through, &local.lock.native);
    EnterCriticalSection(&local.lock.native);
    start_waiters(&waiters);
    act("copied", &local.lock.native);
    list = new Node(local);
}
static int scenario()
{
    append();
    return unlock(&list->lock.native);
}
#elif defined(SORTED)
// An insertion sort holds the element in a local, whose destructor runs when it has found its place.
struct Job { int priority = 0; Lock lock; };
static Job *jobs;
NOINLINE static void sort(int n)
{
    for (int i = 1; i < n; i++) {
        Job held = jobs[i];
        int at = i;
        for (; at > 0 && jobs[at - 1].priority > held.priority; at--)
            jobs[at] = jobs[at - 1];
        if (at != i)
            jobs[at] = held;
    }
}
static int scenario()
{
    jobs = new Job[5];
    for (int i = 0; i < 5; i++)
        jobs[i].priority = 10 * i;
    jobs[3].priority = 5;
    own_contended(&jobs[3].lock.native);
    sort(5);
    return unlock(&jobs[1].lock.native);
}
#elif defined(RELOADED)
// The new configuration starts as a copy of the old one, which is destroyed; the lock had been waited for before, and is again.
struct Settings { int version = 1; wchar_t path[20] = L"C:\\contoso"; Lock lock; };
static Settings *settings;
static DWORD WINAPI reader(void *)
{
    EnterCriticalSection(&settings->lock.native);
    sink += settings->version;
    LeaveCriticalSection(&settings->lock.native);
    return 0;
}
NOINLINE static void reload()
{
    Settings *fresh = new Settings(*settings), *old = settings;
    fresh->version++;
    settings = fresh;
    delete old;
}
static int scenario()
{
    make_waiters(&waiters, WAITERS, reader, NULL);
    settings = new Settings;
    contend_once(&settings->lock.native);
    act("copied", &settings->lock.native);
    reload();
    expect_handle(&settings->lock.native);
    EnterCriticalSection(&settings->lock.native);
    start_waiters(&waiters);
    return unlock(&settings->lock.native);
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
