// Eighth batch: no object, so no lock: NULL, an error, an id, what a freed or unset variable holds. Macros choose which.
#include "k-common.h"

template <class T> struct Lock {
    T *object;
    NOINLINE explicit Lock(T *o) : object(o)
    {
        will("bad-pointer", &object->lock);
        EnterCriticalSection(&object->lock);
    }
    ~Lock() { LeaveCriticalSection(&object->lock); }
};

#if defined(NO_DOCUMENT)
// The active view has no document any more: a method is called on NULL.
struct Document {
    wchar_t path[260];
    int pages;
    CRITICAL_SECTION lock;
    NOINLINE int count() { Lock<Document> hold(this); return pages; }
};
struct View { Document *document; int zoom; Document *get() const { return document; } };
static View view = { NULL, 100 };
static View *volatile active = &view;
static int scenario()
{
    Document *closed = new Document;
    initialize(&closed->lock);
    view.document = closed;
    sink = closed->count();
    view.document = NULL;
    return active->get()->count();
}
#elif defined(RESET_UNDER_GUARD)
// The guard unlocks through the pointer that the work has set to NULL.
struct Session { int id; char user[24]; CRITICAL_SECTION lock; };
static Session *current;
struct Guard {
    Session *&session;
    explicit Guard(Session *&s) : session(s) { EnterCriticalSection(&session->lock); }
    ~Guard()
    {
        will("bad-pointer", &session->lock);
        LeaveCriticalSection(&session->lock);
        sink++;
    }
};
NOINLINE static void log_off() { current = NULL; }
NOINLINE static int handle(int message)
{
    Guard guard(current);
    if (message == 2)
        log_off();
    return sink += message;
}
static int scenario()
{
    current = new Session();
    current->id = 41;
    initialize(&current->lock);
    return handle(2);
}
#elif defined(MESSAGE_ID)
// post() and its receiver do not agree: what arrives is a command's number.
struct Job { int state; CRITICAL_SECTION lock; };
struct Message { unsigned what; ULONG_PTR first, second; };
static Message queue[4];
NOINLINE static int receive(const Message *message)
{
    Job *job = reinterpret_cast<Job *>(message->first);
    will("bad-pointer", &job->lock);
    if (!TryEnterCriticalSection(&job->lock))
        return 0;
    job->state = 2;
    LeaveCriticalSection(&job->lock);
    return 1;
}
static int scenario()
{
    queue[0] = { 0x8001, 40021, 0 };
    return receive(&queue[0]);
}
#elif defined(FREED_OWNER)
// A callback destroys the connection; the debug heap fills it, and its guard finds its server in the fill.
struct Server { CRITICAL_SECTION lock; int clients; };
struct Connection { int socket; Server *server; char peer[20]; };
NOINLINE static void fill(void *block, SIZE_T size)
{
    for (SIZE_T i = 0; i < size; i++)
        static_cast<volatile BYTE *>(block)[i] = i % 2 ? 0xFE : 0xEE;
}
NOINLINE static void closed(Connection *connection)
{
    fill(connection, sizeof *connection);
}
template <class F> NOINLINE static int with(Connection *connection, F work)
{
    EnterCriticalSection(&connection->server->lock);
    work(connection);
    will("bad-pointer", &connection->server->lock);
    LeaveCriticalSection(&connection->server->lock);
    return sink++;
}
static int scenario()
{
    Server *server = new Server;
    Connection *connection = new Connection;
    initialize(&server->lock);
    server->clients = 1;
    connection->socket = 0x1C4;
    connection->server = server;
    return with(connection, [](Connection *c) { closed(c); sink++; });
}
#elif defined(UNSET_LOCAL)
// One branch does not set the pointer; the stack has a size there.
struct Image { int width, height; CRITICAL_SECTION lock; };
NOINLINE static int measure(int scale)
{
    struct { int width, height; } volatile sizes[24];
    for (auto &one : sizes) {
        one.width = 400 * scale;
        one.height = 600 * scale;
    }
    return sizes[3].width;
}
NOINLINE static int discard(int kind)
{
    struct { volatile char line[96]; Image *image; volatile char rest[64]; } local;
    asm volatile("" : : "r"(&local) : "memory");
    if (kind == 1) {
        local.image = new Image;
        initialize(&local.image->lock);
    }
    will("bad-pointer", &local.image->lock);
    DeleteCriticalSection(&local.image->lock);
    delete local.image;
    return kind;
}
static int scenario()
{
    sink = measure(1);
    return discard(sink == 400 ? 2 : 1);
}
#elif defined(MAP_FAILED)
// A port's mmap() fails with -1, and its caller asks for NULL.
struct Header { char magic[8]; int version; CRITICAL_SECTION lock; };
NOINLINE static void *map(const char *name, SIZE_T size)
{
    HANDLE mapping = OpenFileMappingA(FILE_MAP_ALL_ACCESS, FALSE, name);
    void *view = mapping ? MapViewOfFile(mapping, FILE_MAP_ALL_ACCESS, 0, 0, size) : NULL;
    return view ? view : reinterpret_cast<void *>(static_cast<INT_PTR>(-1));
}
static int scenario()
{
    Header *header = static_cast<Header *>(map("ContosoShared", 0x1000));
    if (!header)
        return 1;
    Lock<Header> hold(header);
    return header->version;
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
