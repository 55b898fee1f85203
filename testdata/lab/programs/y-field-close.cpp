// Eighth batch: handles with two owners, as in public bug reports; the second close meets a section's event. Macros choose the owners.
#include "k-common.h"

[[maybe_unused]] static HANDLE own_handle_of(HANDLE thing)
{
    HANDLE copy = NULL;
    DuplicateHandle(GetCurrentProcess(), thing, GetCurrentProcess(), &copy, 0, FALSE, DUPLICATE_SAME_ACCESS);
    return copy;
}

#if defined(THREAD_TABLE)
// A thread strikes itself off the table and closes its handle; whoever started it joins by a handle that he has kept.
struct Running { HANDLE thread; DWORD id; const char *what; };
static struct { int count; Running all[8]; CRITICAL_SECTION lock; DWORD generation; } threads;
NOINLINE static void strike_off(const char *what)
{
    for (int i = 0; i < threads.count; i++)
        if (threads.all[i].what == what) {
            CloseHandle(threads.all[i].thread);
            threads.all[i] = threads.all[--threads.count];
        }
}
static const char avatars[] = "avatars";
static DWORD WINAPI fetch_avatars(void *) { sink += 40; strike_off(avatars); return 0; }
NOINLINE static void end_all(HANDLE kept)
{
    EnterCriticalSection(&threads.lock);
    threads.generation++;
    start_waiters(&waiters);
    will_signal("handle-closed", &threads.lock);
    CloseHandle(kept);
    LeaveCriticalSection(&threads.lock);
    sink++;
}
static int scenario()
{
    Waiters fetcher;
    prepare(&threads.lock);
    make_waiters(&fetcher, 1, fetch_avatars, NULL);
    threads.all[threads.count++] = { own_handle_of(GetCurrentThread()), 1, "main" };
    threads.all[threads.count++] = { own_handle_of(fetcher.threads[0]), 2, avatars };
    HANDLE kept = threads.all[1].thread;
    ResumeThread(fetcher.threads[0]);
    WaitForSingleObject(fetcher.threads[0], INFINITE);
    end_all(kept);
    return sink;
}
#elif defined(MOVED)
// The move constructor leaves the old owner its handle.
class Channel {
public:
    explicit Channel(const char *topic) : topic(topic), pipe(CreateMutexA(NULL, FALSE, NULL)) { }
    Channel(Channel &&other) : topic(other.topic), pipe(other.pipe) { other.topic = nullptr; }
    ~Channel() { if (pipe) CloseHandle(pipe); pipe = NULL; }
    const char *topic;
    HANDLE pipe;
};
struct Broker {
    LONGLONG published = 0;
    CRITICAL_SECTION lock;
    alignas(Channel) char storage[4 * sizeof(Channel)];
    int channels = 0;
    NOINLINE void add(Channel &&channel) { new (&storage[channels++ * sizeof(Channel)]) Channel(static_cast<Channel &&>(channel)); }
    NOINLINE void drop() { reinterpret_cast<Channel *>(storage)[--channels].~Channel(); }
};
static int scenario()
{
    Broker *broker = new Broker;
    prepare(&broker->lock);
    broker->add(Channel("quotes"));
    contend(&broker->lock);
    broker->published++;
    will_signal("handle-closed", &broker->lock);
    broker->drop();
    FINISH(&broker->lock);
    return sink;
}
#elif defined(LAUNCH)
// launch() gives away the handle that its own guard closes at the end; the caller's guard closes it again.
struct ProcessGuard {
    HANDLE process;
    NOINLINE ~ProcessGuard() { CloseHandle(process); sink++; }
};
NOINLINE static HANDLE launch()
{
    ProcessGuard guard = { own_handle_of(GetCurrentProcess()) };
    sink += GetPriorityClass(guard.process) != 0;
    return guard.process;
}
NOINLINE static int supervise(CRITICAL_SECTION *lock)
{
    EnterCriticalSection(lock);
    {
        ProcessGuard child = { launch() };
        start_waiters(&waiters);
        will_signal("handle-closed", lock);
    }
    FINISH(lock);
    return sink;
}
static int scenario()
{
    CRITICAL_SECTION *lock = place();
    prepare(lock);
    return supervise(lock);
}
#elif defined(STOPPABLE)
// A stoppable thread's procedure closes the thread's handle when it is through, as _endthread does; so does the destructor.
class Stoppable {
public:
    virtual ~Stoppable() { stop(); CloseHandle(thread); }
    virtual void stop() { stopping = 1; }
    static DWORD WINAPI run(void *self) { HANDLE mine = static_cast<Stoppable *>(self)->thread; static_cast<Stoppable *>(self)->rounds++; CloseHandle(mine); return 0; }
    HANDLE thread = NULL;
    volatile LONG stopping = 0, rounds = 0;
};
class StatusText : public Stoppable { public: wchar_t text[20] = L"14 items"; void stop() override { stopping = 2; } };
struct Window { int x, y, width, height; StatusText *status; CRITICAL_SECTION paint_lock; wchar_t title[16]; };
static int scenario()
{
    Waiters real;
    Window *window = new Window { 0, 0, 800, 600, new StatusText, {}, L"Pictures" };
    prepare(&window->paint_lock);
    make_waiters(&real, 1, Stoppable::run, window->status);
    window->status->thread = own_handle_of(real.threads[0]);
    ResumeThread(real.threads[0]);
    WaitForSingleObject(real.threads[0], INFINITE);
    contend(&window->paint_lock);
    will_signal("handle-closed", &window->paint_lock);
    delete static_cast<Stoppable *>(window->status);
    window->width = 640;
    FINISH(&window->paint_lock);
    return sink;
}
#elif defined(BASE_CLOSES)
// close() of the derived class does not tell the base class, whose destructor asks for the old value.
class Stream { public: HANDLE handle = INVALID_HANDLE_VALUE; virtual void close() { } virtual ~Stream() { if (handle != INVALID_HANDLE_VALUE) CloseHandle(handle); } };
class ClientStream : public Stream {
public:
    void open() { handle = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0x1000, NULL); }
    void close() override { if (handle != INVALID_HANDLE_VALUE) CloseHandle(handle); sink--; }
};
struct Server { Stream *client; LONG sessions; CRITICAL_SECTION clients_lock; };
NOINLINE static void disconnect(Server *server)
{
    contend(&server->clients_lock);
    server->sessions--;
    will_signal("handle-closed", &server->clients_lock);
    delete server->client;
    FINISH(&server->clients_lock);
}
static int scenario()
{
    static Server server;
    ClientStream *client = new ClientStream;
    prepare(&server.clients_lock);
    client->open();
    server.client = client;
    server.sessions = 1;
    client->close();
    disconnect(&server);
    return sink;
}
#elif defined(RECYCLED_REQUEST)
// Requests come from a pool and are not cleared; the error path closes a file that this request has not opened.
struct Request { Request *next; int part; HANDLE file; char path[24]; };
static Request pool[3], *unused;
static struct Loader { Request *current; CRITICAL_SECTION lock; int done, failed; } loader;
NOINLINE static void handle_request(int part)
{
    Request *request = unused;
    unused = request->next;
    request->part = part;
    if (part < 10)
        request->file = CreateFileA("part.tmp", GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    else
        loader.failed++;
    CloseHandle(request->file);
    request->next = unused;
    unused = request;
}
static int scenario()
{
    for (Request &one : pool) {
        one.next = unused;
        unused = &one;
    }
    prepare(&loader.lock);
    handle_request(3);
    contend(&loader.lock);
    will_signal("handle-closed", &loader.lock);
    handle_request(11);
    FINISH(&loader.lock);
    return sink;
}
#elif defined(SAVE)
// A failed save closes its file, the end of the function closes it in any case; then the log is opened.
static struct Log { HANDLE file; CRITICAL_SECTION lock; DWORD lines; } document_log;
NOINLINE static bool write_all(HANDLE file, const char *text) { DWORD done = 0; return WriteFile(file, text, lstrlenA(text), &done, NULL) && done; }
NOINLINE static void save(CRITICAL_SECTION *lock)
{
    HANDLE file = CreateFileA("draft.tmp", GENERIC_READ, 0, NULL, CREATE_ALWAYS, 0, NULL); // cannot be written
    if (!write_all(file, "Dear Sir or Madam"))
        CloseHandle(file);
    contend(lock);
    will_signal("handle-closed", lock);
    CloseHandle(file);
}
static int scenario()
{
    prepare(&document_log.lock);
    save(&document_log.lock);
    document_log.file = CreateFileA("editor.log", GENERIC_WRITE, FILE_SHARE_READ, NULL, CREATE_ALWAYS, 0, NULL);
    FINISH(&document_log.lock);
    return sink;
}
#elif defined(KEYS)
// A settings object closes its key, and so does the list of all objects' keys at the end of the session; another key has been opened by then.
struct Settings { HKEY key; DWORD flags; };
static HKEY all_keys[6];
static int key_count;
NOINLINE static void open_settings(Settings *settings, const char *path)
{
    RegOpenKeyExA(HKEY_LOCAL_MACHINE, path, 0, KEY_READ, &settings->key);
    all_keys[key_count++] = settings->key;
}
NOINLINE static void close_all() { while (key_count) RegCloseKey(all_keys[--key_count]); }
static int scenario()
{
    Settings colors, fonts;
    CRITICAL_SECTION *lock = place();
    prepare(lock);
    open_settings(&colors, "Software");
    RegCloseKey(colors.key);
    contend(lock);
    will_signal("handle-closed", lock);
    close_all();
    open_settings(&fonts, "Software\\Microsoft");
    FINISH(lock);
    return sink + fonts.flags;
}
#elif defined(STOP_EVENT)
// The service's stop event was closed by its handler; the second stop request closes it again, then another module listens only.
struct Service { HANDLE stop; DWORD state; };
static Service service;
NOINLINE static DWORD control(DWORD code)
{
    service.state = code;
    CloseHandle(service.stop);
    return 0;
}
NOINLINE static HANDLE listen() { return CreateEventExA(NULL, "Contoso.Agent.Stop", CREATE_EVENT_MANUAL_RESET, SYNCHRONIZE); }
static int scenario()
{
    CRITICAL_SECTION *lock = place();
    CreateMutexA(NULL, FALSE, "Contoso.Agent");
    prepare(lock);
    service.stop = CreateEventA(NULL, TRUE, FALSE, NULL);
    control(3);
    contend(lock);
    will_signal("handle-closed", lock);
    control(1);
    HANDLE listener = listen();
    FINISH(lock);
    return sink + (listener != NULL);
}
#elif defined(CHANGE_WATCH)
// The watching thread closes its change handle when the folder is gone; so does the tab that is closed. The next tab's thread wants the lock.
struct Tab { wchar_t folder[12]; HANDLE changes; };
static Tab tabs[4];
static DWORD WINAPI watch(void *tab) { CloseHandle(static_cast<Tab *>(tab)->changes); return 0; }
static int scenario()
{
    Waiters watcher;
    CRITICAL_SECTION *lock = place();
    prepare(lock);
    make_waiters(&watcher, 1, watch, &tabs[2]);
    tabs[2] = { L"D:\\Photos", CreateEventA(NULL, FALSE, FALSE, NULL) };
    ResumeThread(watcher.threads[0]);
    WaitForSingleObject(watcher.threads[0], INFINITE);
    contend(lock);
    will_signal("handle-closed", lock);
    CloseHandle(tabs[2].changes);
    start_waiters(&late_one);
    Sleep(4000);
    return sink;
}
#elif defined(SHUTDOWN)
// Shutdown closes a timer that the timer's own end has closed; then the lock goes.
struct Scheduler { HANDLE timer; CRITICAL_SECTION lock; int entries; };
static int scenario()
{
    Scheduler *scheduler = new Scheduler();
    prepare(&scheduler->lock);
    scheduler->timer = CreateWaitableTimerA(NULL, TRUE, NULL);
    CloseHandle(scheduler->timer);
    contend(&scheduler->lock);
    will_signal("handle-closed", &scheduler->lock);
    CloseHandle(scheduler->timer);
    HeapFree(GetProcessHeap(), 0, new int[scheduler->entries + 4]);
    scheduler->timer = NULL;
    FINISH(&scheduler->lock);
    return sink;
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
