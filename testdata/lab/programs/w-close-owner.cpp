// Sixth batch: two parts of a C++ program own one handle, or one part closes it twice. Macros choose the classes and who meets it.
#include "k-common.h"

#if defined(SOCKET_BASE)
// close() of the derived class does not reset what the base class's destructor closes.
struct BaseSocket {
    HANDLE socket = INVALID_HANDLE_VALUE;
    virtual ~BaseSocket() { if (socket != INVALID_HANDLE_VALUE) CloseHandle(socket); }
};
struct ClientSocket : BaseSocket {
    char peer[20] = "10.0.0.17";
    explicit ClientSocket(const char *name) { socket = CreateNamedPipeA(name, PIPE_ACCESS_DUPLEX, 0, 1, 512, 512, 0, NULL); }
    NOINLINE void close() { if (socket != INVALID_HANDLE_VALUE) CloseHandle(socket); }
};
struct Listener { ClientSocket *client; short port, backlog; CRITICAL_SECTION lock; ULONGLONG accepted; };
NOINLINE static int serve(Listener *listener)
{
    listener->client->close();
    contend(&listener->lock);
    listener->accepted++;
    will_signal("handle-closed", &listener->lock);
    delete listener->client;
    take_number();
    FINISH(&listener->lock);
    return sink;
}
static int scenario()
{
    Listener *listener = new Listener { NULL, 8443, 16, {}, 0 };
    prepare(&listener->lock);
    listener->client = new ClientSocket("\\\\.\\pipe\\contoso-8443");
    return serve(listener);
}
#elif defined(MOVED)
// The move constructor leaves the handle in the object that was moved from, which dies first.
struct FileDescriptor {
    HANDLE handle;
    explicit FileDescriptor(const char *path) : handle(CreateFileA(path, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL)) { }
    FileDescriptor(FileDescriptor &&other) : handle(other.handle) { }
    NOINLINE ~FileDescriptor() { CloseHandle(handle); }
};
struct Launcher { FileDescriptor log; wchar_t command[14]; CRITICAL_SECTION lock; int running; };
NOINLINE static FileDescriptor *redirect(void *place)
{
    FileDescriptor file("stdout.log");
    return new (place) FileDescriptor(static_cast<FileDescriptor &&>(file));
}
inline void *operator new(size_t, Launcher *place) { return place; }
static int scenario()
{
    Launcher *launcher = static_cast<Launcher *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(Launcher)));
    lstrcpyW(launcher->command, L"ping -n 4");
    prepare(&launcher->lock);
    redirect(&launcher->log);
    contend(&launcher->lock);
    will_signal("handle-closed", &launcher->lock);
    launcher->log.~FileDescriptor();
    take_number();
    FINISH(&launcher->lock);
    return launcher->running;
}
#elif defined(ASYNC_PIPE)
// A pipe's destructor closes its ends; then the service that they are registered with closes what it knows.
struct Implementation { HANDLE handle; bool open; Implementation *next; };
struct Service {
    Implementation *first = nullptr;
    CRITICAL_SECTION mutex;
    unsigned shut_down_count = 0;
    NOINLINE void close_for_destruction(Implementation *one) { if (one->open) { CloseHandle(one->handle); one->open = false; } }
};
struct AsyncPipe {
    Service *service;
    Implementation sink_end, source_end;
    explicit AsyncPipe(Service *s) : service(s), sink_end(), source_end()
    {
        CreatePipe(&source_end.handle, &sink_end.handle, NULL, 0);
        sink_end.open = source_end.open = true;
    }
    NOINLINE void destroy()
    {
        CloseHandle(sink_end.handle);
        CloseHandle(source_end.handle);
        contend(&service->mutex);
        will_signal("handle-closed", &service->mutex);
        service->close_for_destruction(&sink_end);
        service->close_for_destruction(&source_end);
        take_number();
        FINISH(&service->mutex);
    }
};
static int scenario()
{
    Service *service = new Service;
    prepare(&service->mutex);
    AsyncPipe pipe(service);
    pipe.destroy();
    return sink;
}
#elif defined(STOPPABLE)
// stop() of a thread object closes its stop event, and so does the destructor of its base.
class StoppableThread {
public:
    virtual ~StoppableThread() { if (stop_event) CloseHandle(stop_event); }
    virtual void stop() { SetEvent(stop_event); CloseHandle(stop_event); }
    HANDLE stop_event = CreateEventA(NULL, TRUE, FALSE, NULL);
};
class StatusText : public StoppableThread {
public:
    NOINLINE void stop() override { StoppableThread::stop(); items = 0; }
    int items = 12;
    wchar_t text[24] = L"12 items";
};
static struct { void *window; int dpi; CRITICAL_SECTION update; StatusText *status; } folder;
NOINLINE static int close_folder()
{
    StoppableThread *volatile any = folder.status;
    any->stop();
    contend(&folder.update);
    will_signal("handle-closed", &folder.update);
    delete any;
    take_number();
    FINISH(&folder.update);
    return folder.dpi;
}
static int scenario()
{
    prepare(&folder.update);
    folder.status = new StatusText;
    return close_folder();
}
#elif defined(POLLSET)
// A manager closes all that is in its poll set, though the entries are others'.
struct Connector { HANDLE read_end, write_end; NOINLINE ~Connector() { CloseHandle(read_end); CloseHandle(write_end); } };
struct Manager {
    HANDLE poll_set[6];
    int count = 0;
    CRITICAL_SECTION lock;
    NOINLINE void close_all() { while (count) CloseHandle(poll_set[--count]); }
};
static int scenario()
{
    static Manager manager;
    prepare(&manager.lock);
    Connector *connector = new Connector;
    CreatePipe(&connector->read_end, &connector->write_end, NULL, 0);
    manager.poll_set[manager.count++] = connector->read_end;
    manager.poll_set[manager.count++] = connector->write_end;
    manager.close_all();
    contend(&manager.lock);
    will_signal("handle-closed", &manager.lock);
    delete connector;
    take_number();
    FINISH(&manager.lock);
    return manager.count;
}
#elif defined(LATENCY)
// A swap chain's waitable object: each call gives the same handle, a resize closes it, and the renderer closes it at its end.
struct SwapChain { HANDLE waitable; int width, height; NOINLINE HANDLE waitable_object() { return waitable; } };
struct Renderer {
    SwapChain chain = { CreateSemaphoreA(NULL, 2, 16, NULL), 1280, 720 };
    HANDLE frame_latency;
    float clear[4] = { 0.1f, 0.1f, 0.2f, 1 };
    CRITICAL_SECTION device_lock;
    NOINLINE void resize() { HANDLE old = chain.waitable_object(); chain.width *= 2; CloseHandle(old); }
    NOINLINE void shut_down() { CloseHandle(frame_latency); }
};
static int scenario()
{
    Renderer *renderer = static_cast<Renderer *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Renderer)));
    prepare(&renderer->device_lock);
    Renderer fresh;
    renderer->chain = fresh.chain;
    renderer->frame_latency = renderer->chain.waitable_object();
    renderer->resize();
    contend(&renderer->device_lock);
    will_signal("handle-closed", &renderer->device_lock);
    renderer->shut_down();
    take_number();
    FINISH(&renderer->device_lock);
    return renderer->chain.width;
}
#elif defined(SCOPE)
// The error path closes by hand what the scope's end closes anyway.
template <class Function> struct ScopeExit { Function function; ~ScopeExit() { function(); } };
template <class Function> static ScopeExit<Function> at_exit(Function f) { return { f }; }
struct Update { char version[12]; CRITICAL_SECTION lock; long expected_size; };
NOINLINE static bool verify_download(Update *update)
{
    HANDLE file = CreateFileA("update.msi", GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    auto close = at_exit([file] { CloseHandle(file); });
    if (static_cast<long>(GetFileSize(file, NULL)) != update->expected_size) {
        CloseHandle(file);
        contend(&update->lock);
        will_signal("handle-closed", &update->lock);
        return false;
    }
    return true;
}
static int scenario()
{
    static Update update = { "4.11.2", {}, 80000 };
    prepare(&update.lock);
    if (!verify_download(&update)) {
        take_number();
        FINISH(&update.lock);
    }
    return sink;
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
