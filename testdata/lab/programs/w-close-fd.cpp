// Sixth batch: a descriptor of the C library owns a handle, and the program closes it too. Macros choose the program and who meets it.
#include "k-common.h"
#include <fcntl.h>
#include <io.h>

#if defined(RUNNER)
// A test runner reads a child's output through a stream; closing the stream closes the pipe, the runner's cleanup does it again.
struct Child { char test[24]; HANDLE output; DWORD status; CRITICAL_SECTION lock; int lines; };
NOINLINE static void copy_output(Child *child)
{
    char line[64];
    FILE *stream = _fdopen(_open_osfhandle(reinterpret_cast<intptr_t>(child->output), _O_RDONLY | _O_TEXT), "rt");
    while (fgets(line, sizeof line, stream))
        child->lines++;
    fclose(stream);
}
NOINLINE static void clean_up(Child *child) { CloseHandle(child->output); child->status = 0; }
static int scenario()
{
    HANDLE end;
    DWORD written;
    Child *child = new Child { "tcp_ping_pong", NULL, STILL_ACTIVE, {}, 0 };
    prepare(&child->lock);
    CreatePipe(&child->output, &end, NULL, 0);
    WriteFile(end, "ok 1\nok 2\n", 10, &written, NULL);
    CloseHandle(end);
    copy_output(child);
    contend(&child->lock);
    will_signal("handle-closed", &child->lock);
    clean_up(child);
    take_number();
    FINISH(&child->lock);
    return child->lines;
}
#elif defined(TWO_STREAMS)
// A daemon makes a descriptor each for reading and for writing from one connection, and closes both streams.
struct Client { FILE *in, *out; unsigned short port; };
static struct { int clients; double frequency; CRITICAL_SECTION rig_lock; } rig = { 1, 14.074, {} };
NOINLINE static FILE *stream_of(HANDLE connection, int flags, const char *mode)
{
    return _fdopen(_open_osfhandle(reinterpret_cast<intptr_t>(connection), flags), mode);
}
NOINLINE static int handle_exit(Client *client)
{
    fclose(client->in);
    contend(&rig.rig_lock);
    rig.clients--;
    will_signal("handle-closed", &rig.rig_lock);
    fclose(client->out);
    take_number();
    FINISH(&rig.rig_lock);
    return rig.clients;
}
static int scenario()
{
    prepare(&rig.rig_lock);
    HANDLE connection = CreateFileA("client.tmp", GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    Client client = { stream_of(connection, _O_RDONLY, "rb"), stream_of(connection, 0, "wb"), 4532 };
    return handle_exit(&client);
}
#else
// close() closes what is below the descriptor; the descriptor itself is closed when its owner goes.
class ArchiveFile {
public:
    explicit ArchiveFile(const char *path) : fd(_open(path, _O_RDWR | _O_CREAT | _O_BINARY, 0600)) { }
    ~ArchiveFile() { if (fd >= 0) _close(fd); }
    NOINLINE bool close() { return CloseHandle(reinterpret_cast<HANDLE>(_get_osfhandle(fd))); }
private:
    int fd;
};
NOINLINE static int read_header(CRITICAL_SECTION *lock)
{
    {
        ArchiveFile archive("wikipedia.zim");
        archive.close();
        contend(lock);
        will_signal("handle-closed", lock);
    }
    take_number();
    FINISH(lock);
    return sink;
}
static int scenario()
{
    CRITICAL_SECTION *lock = place();
    prepare(lock);
    return read_header(lock);
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
