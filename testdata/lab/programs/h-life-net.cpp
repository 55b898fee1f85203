// A small server's connections. KEEPALIVE: timers in a multimap. GOODBYE: sessions and packets from one slab.
#include "h-life.h"
#include <map>
#include <new>
#include <string>
#include <vector>

#if defined(KEEPALIVE)
class Connection {
public:
    int descriptor, pings = 0;
    CRITICAL_SECTION lock;
    std::vector<char> output;
    char peer[32];

    Connection(int d, const char *name) : descriptor(d)
    {
        lstrcpynA(peer, name, sizeof peer);
        InitializeCriticalSection(&lock);
    }
    virtual ~Connection() { DeleteCriticalSection(&lock); }
    NOINLINE virtual void ping()
    {
        EnterCriticalSection(&lock);
        output.push_back('\0');
        pings++;
        LeaveCriticalSection(&lock);
    }
};
class HttpRequest {
public:
    unsigned long long length;
    std::string host, path, agent;

    HttpRequest(const char *h, const char *p, unsigned long long l) : length(l), host(h), path(p), agent("curl/7.88") { }
    virtual ~HttpRequest() { }
    virtual int hash() const
    {
        int sum = static_cast<int>(length);
        for (char c : host + path)
            sum = sum * 31 + c;
        return sum;
    }
};
static std::multimap<int, Connection *> timers;
static std::map<int, Connection *> connections;
static std::vector<HttpRequest *> requests;
static int now;

NOINLINE static void accept_peer(int descriptor, const char *name)
{
    Connection *connection = new Connection(descriptor, name);
    connections[descriptor] = connection;
    timers.emplace(now + 30 + descriptor, connection);
}
NOINLINE static void fire_timers()
{
    while (!timers.empty() && timers.begin()->first <= now) {
        Connection *connection = timers.begin()->second;
        timers.erase(timers.begin());
        connection->Connection::ping();
        timers.emplace(now + 30, connection);
    }
}
NOINLINE static void hang_up(int descriptor)
{
    auto found = connections.find(descriptor);
    if (found == connections.end())
        return;
    will("memory-released", &found->second->lock);
    delete found->second;
    connections.erase(found);
}
int main()
{
    LAB_START();
    for (int i = 0; i < 5; i++)
        accept_peer(i, "192.168.1.20:51034");
    for (now = 0; now < 90; now++) {
        fire_timers();
        if (now == 50) {
            hang_up(3);
            requests.push_back(new HttpRequest("mail.test.de", "/inbox?page=2", 0));
        }
        if (now % 20 == 0 && !requests.empty())
            sink += requests.back()->hash();
    }
    return sink;
}
#elif defined(GOODBYE)
struct Packet;
struct PacketKind { const char *name; int (*size)(const Packet *); };
struct Session {
    int id;
    LONG state;
    CRITICAL_SECTION lock;
    Packet *first;
    char user[24];
};
struct Packet {
    Packet *next;
    unsigned char *data, *cursor;
    int length;
    LONG references;
    int session;
    const PacketKind *kind;
    unsigned char bytes[32];
};
union Cell { Cell *next; Session session; Packet packet; };

class Slab {
    Cell *cells = nullptr, *free = nullptr;
public:
    int used = 0;
    void *take()
    {
        if (!free) {
            cells = static_cast<Cell *>(malloc(32 * sizeof(Cell)));
            for (int i = 31; i >= 0; i--) {
                cells[i].next = free;
                free = &cells[i];
            }
        }
        Cell *cell = free;
        free = cell->next;
        used++;
        return cell;
    }
    void give_back(void *at)
    {
        Cell *cell = static_cast<Cell *>(at);
        cell->next = free;
        free = cell;
        used--;
    }
};
static Slab slab;
static Session *sessions[6];
static Packet *out;

static int size_of_text(const Packet *packet) { return packet->length + 4; }
static const PacketKind text_kind = { "text", size_of_text };

NOINLINE static void send(int session, const char *text)
{
    Packet *packet = static_cast<Packet *>(slab.take());
    packet->next = out;
    packet->data = packet->cursor = packet->bytes;
    packet->length = lstrlenA(text);
    packet->references = 1;
    packet->session = session;
    packet->kind = &text_kind;
    memcpy(packet->bytes, text, packet->length);
    out = packet;
}
NOINLINE static void flush()
{
    while (out) {
        Packet *packet = out;
        out = packet->next;
        sink += packet->kind->size(packet);
        slab.give_back(packet);
    }
}
NOINLINE static void log_in(int id, const char *user)
{
    Session *session = static_cast<Session *>(slab.take());
    session->id = id;
    session->state = 1;
    session->first = nullptr;
    lstrcpynA(session->user, user, sizeof session->user);
    InitializeCriticalSection(&session->lock);
    sessions[id] = session;
}
NOINLINE static void log_out(int id)
{
    Session *session = sessions[id];
    sessions[id] = nullptr;
    will("memory-released", &session->lock);
    DeleteCriticalSection(&session->lock);
    slab.give_back(session);
    send(id, "BYE, see you again");
}
struct Locked {
    Session *session;
    explicit Locked(Session *s) : session(s) { EnterCriticalSection(&s->lock); }
    ~Locked() { LeaveCriticalSection(&session->lock); sink++; }
};
NOINLINE static void command(int id, const std::string &line)
{
    Locked locked(sessions[id]);
    if (line == "QUIT")
        log_out(id);
    else if (line.compare(0, 4, "SAY ") == 0)
        send((id + 1) % 6, line.c_str() + 4);
    else
        locked.session->state++;
}
int main()
{
    LAB_START();
    for (int i = 0; i < 6; i++)
        log_in(i, i % 2 ? "anna" : "otto");
    command(0, "SAY hello");
    command(1, "WHO");
    flush();
    command(4, "SAY good evening");
    command(4, "QUIT");
    flush();
    return sink;
}
#endif
