// Fourth batch: a handle variable that is stale is closed once more; the number is that of a section's event by now. Macros choose the
// program that does it, what takes the number then, and who meets it.
#include "k-common.h"
#include <stdlib.h>

#if defined(SPOOLER)
// A print job's file is closed on its error path; the caller closes what it had handed over because the function returned FALSE.
struct Job { wchar_t document[20]; HANDLE spool; int pages_done; CRITICAL_SECTION lock; };
NOINLINE static BOOL start_page(Job *job)
{
    if (job->pages_done < 100)
        return TRUE;
    CloseHandle(job->spool);
    return FALSE;
}
static int scenario()
{
    Job *job = new Job { L"Invoice 2210", NULL, 100, {} };
    prepare(&job->lock);
    job->spool = CreateFileA("spool.tmp", GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    if (!start_page(job)) {
        contend(&job->lock);
        will_signal("handle-closed", &job->lock);
        CloseHandle(job->spool);
        take_number();
        FINISH(&job->lock);
    }
    return sink;
}
#elif defined(SETTINGS)
// A settings watcher reloads: the key is closed but its variable keeps the value, since the new key could not be opened.
#ifndef NEXT_KEY
#define NEXT_KEY "Software\\Contoso\\User"
#endif
class Settings {
public:
    CRITICAL_SECTION lock;
    NOINLINE void reload(const char *path)
    {
        HKEY next;
        RegCloseKey(key);
        if (RegOpenKeyExA(HKEY_LOCAL_MACHINE, path, 0, KEY_READ, &next) == ERROR_SUCCESS)
            key = next;
    }
    NOINLINE int apply()
    {
        contend(&lock);
        will_signal("handle-closed", &lock);
        reload(NEXT_KEY);
        take_number();
        FINISH(&lock);
        return ++generation;
    }
private:
    HKEY key = NULL;
    int generation = 1;
};
static Settings settings;
static int scenario()
{
    prepare(&settings.lock);
    settings.reload("Software\\Microsoft");
    settings.reload("Software\\Contoso\\Missing");
    return settings.apply();
}
#elif defined(FREE_LIST)
// A connection goes back into the pool twice, so two clients have the same one, and each closes it.
struct Connection { HANDLE pipe; unsigned id; };
struct Pool {
    CRITICAL_SECTION lock;
    Connection *idle[8];
    int count;
    void put(Connection *connection) { idle[count++] = connection; }
    Connection *get() { return idle[--count]; }
};
NOINLINE static void hang_up(Connection *connection) { CloseHandle(connection->pipe); connection->id = 0; }
static int scenario()
{
    Pool *pool = new Pool();
    Connection connection = { NULL, 17 };
    prepare(&pool->lock);
    connection.pipe = CreateSemaphoreA(NULL, 1, 1, NULL);
    pool->put(&connection);
    pool->put(&connection);
    hang_up(pool->get());
    contend(&pool->lock);
    will_signal("handle-closed", &pool->lock);
    hang_up(pool->get());
    take_number();
    FINISH(&pool->lock);
    return sink;
}
#elif defined(DECODER)
// A library that was lent a file takes it for its own.
typedef int (*decode_function)(HANDLE);
static struct { int version; CRITICAL_SECTION lock; int images; } gallery;
NOINLINE static int import(decode_function decode, HANDLE file)
{
    int width = decode(file);
    contend(&gallery.lock);
    gallery.images++;
    will_signal("handle-closed", &gallery.lock);
    CloseHandle(file);
    take_number();
    FINISH(&gallery.lock);
    return width;
}
static int scenario()
{
    HMODULE library = LoadLibraryA("plugin.dll");
    decode_function decode = reinterpret_cast<decode_function>(reinterpret_cast<void *>(GetProcAddress(library, "plugin_decode")));
    prepare(&gallery.lock);
    return import(decode, CreateFileA("photo.tmp", GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL));
}
#elif defined(LIBRARY_CLOSES)
// The library remembers the handle it was lent, and closes it at its end, when the host has closed it long ago.
typedef void (*lend_function)(HANDLE);
typedef void (*done_function)(void);
static int scenario()
{
    HMODULE library = LoadLibraryA("plugin.dll");
    lend_function lend = reinterpret_cast<lend_function>(reinterpret_cast<void *>(GetProcAddress(library, "plugin_lend")));
    done_function done = reinterpret_cast<done_function>(reinterpret_cast<void *>(GetProcAddress(library, "plugin_done")));
    CRITICAL_SECTION *lock = place();
    prepare(lock);
    HANDLE ready = CreateEventA(NULL, TRUE, FALSE, NULL);
    lend(ready);
    CloseHandle(ready);
    contend(lock);
    will_signal("handle-closed", lock);
    done();
    take_number();
    FINISH(lock);
    return sink;
}
#elif defined(COPIED_OWNER)
// A class that closes in its destructor is copied into a vector-like list, and the temporary dies.
struct Sound { HANDLE buffer_ready; int frequency; ~Sound() { if (buffer_ready) CloseHandle(buffer_ready); } };
struct Mixer {
    Sound *sounds[4];
    CRITICAL_SECTION lock;
    int playing;
    NOINLINE void add(const Sound &sound) { sounds[playing++] = new Sound(sound); }
    NOINLINE void stop() { delete sounds[--playing]; }
};
NOINLINE static void load(Mixer *mixer)
{
    Sound explosion = { CreateEventA(NULL, FALSE, FALSE, NULL), 22050 };
    mixer->add(explosion);
}
static int scenario()
{
    static Mixer mixer;
    prepare(&mixer.lock);
    load(&mixer);
    contend(&mixer.lock);
    will_signal("handle-closed", &mixer.lock);
    mixer.stop();
    take_number();
    FINISH(&mixer.lock);
    return sink;
}
#elif defined(OVERLAPPED_EVENT)
// A request's event is closed by cancel() and again when the cancelled request completes.
struct Request { OVERLAPPED io; int state; Request *next; };
static struct Device { CRITICAL_SECTION queue_lock; Request *pending; unsigned completed; } device;
NOINLINE static void cancel(Request *request) { request->state = -1; CloseHandle(request->io.hEvent); }
NOINLINE static void complete(Request *request)
{
    device.completed++;
    CloseHandle(request->io.hEvent);
    device.pending = request->next;
}
static int scenario()
{
    static Request request;
    device.pending = &request;
    prepare(&device.queue_lock);
    request.io.hEvent = CreateEventA(NULL, TRUE, FALSE, NULL);
    cancel(&request);
    contend(&device.queue_lock);
    will_signal("handle-closed", &device.queue_lock);
    complete(device.pending);
    take_number();
    FINISH(&device.queue_lock);
    return sink;
}
#elif defined(LOCKDOWN)
// A sandboxed child closes what it must not have by numbers that the broker gave it; they are those of some seconds ago.
static struct Policy { ULONG to_close[6]; int count; } policy;
NOINLINE static void lock_down()
{
    for (int i = 0; i < policy.count; i++)
        CloseHandle(reinterpret_cast<HANDLE>(static_cast<ULONG_PTR>(policy.to_close[i])));
}
static int scenario()
{
    CRITICAL_SECTION *lock = place();
    HANDLE inherited[3];
    prepare(lock);
    for (HANDLE &one : inherited) {
        one = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0x1000, NULL);
        policy.to_close[policy.count++] = static_cast<ULONG>(reinterpret_cast<ULONG_PTR>(one));
    }
    for (HANDLE one : inherited)
        CloseHandle(one);
    contend(lock);
    will_signal("handle-closed", lock);
    lock_down();
    take_number();
    FINISH(lock);
    return sink;
}
#elif defined(OWN_WRAPPER)
// get() where release() was meant: two unique owners of one handle.
struct Unique {
    HANDLE handle;
    explicit Unique(HANDLE h) : handle(h) { }
    ~Unique() { if (handle) CloseHandle(handle); }
    HANDLE get() const { return handle; }
    void reset() { CloseHandle(handle); handle = NULL; }
};
struct Download { Unique file; CRITICAL_SECTION lock; ULONGLONG received; };
static int scenario()
{
    Unique temporary(NULL);
    Download *download = new Download { Unique(NULL), {}, 4096 };
    prepare(&download->lock);
    temporary.handle = CreateFileA("part.tmp", GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    download->file.handle = temporary.get();
    temporary.reset();
    contend(&download->lock);
    will_signal("handle-closed", &download->lock);
    download->file.reset();
    take_number();
    FINISH(&download->lock);
    return sink;
}
#elif defined(CLIENT_NUMBER)
// A service is sent a handle's number by its client, and closes it without having duplicated it: the number means another here.
struct Call { ULONG size, opcode; ULONG64 handle; };
struct Server { int port; CRITICAL_SECTION clients_lock; int clients; };
NOINLINE static void serve(Server *server, const Call *call)
{
    contend(&server->clients_lock);
    will_signal("handle-closed", &server->clients_lock);
    if (call->opcode == 9)
        CloseHandle(reinterpret_cast<HANDLE>(static_cast<ULONG_PTR>(call->handle)));
    server->clients--;
    take_number();
    FINISH(&server->clients_lock);
}
static int scenario()
{
    static Server server = { 5040, {}, 3 };
    prepare(&server.clients_lock);
    HANDLE stale = free_a_slot();
    Call call = { sizeof call, 9, reinterpret_cast<ULONG_PTR>(stale) };
    serve(&server, &call);
    return sink;
}
#elif defined(POWER_RESUME)
// A device helper's suspend and resume both start with closing the device, which only one of them opens.
struct Helper {
    HANDLE device = NULL;
    int resumed = 0;
    CRITICAL_SECTION state;
    virtual ~Helper() { }
    NOINLINE virtual void on_suspend() { CloseHandle(device); }
    NOINLINE virtual void on_resume()
    {
        contend(&state);
        will_signal("handle-closed", &state);
        CloseHandle(device);
        take_number();
        resumed++;
        FINISH(&state);
    }
};
static int scenario()
{
    Helper *volatile helper = new Helper;
    prepare(&helper->state);
    helper->device = CreateFileA("device.tmp", GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    helper->on_suspend();
    helper->on_resume();
    return sink;
}
#elif defined(FENCE_GARBAGE)
// A renderer's deferred deletion has a fence's event in two frames' lists.
struct Frame { HANDLE dead[4]; int count; };
static struct Renderer { Frame frames[3]; CRITICAL_SECTION submit_lock; unsigned long long fence; } renderer;
NOINLINE static void collect(Frame *frame)
{
    while (frame->count)
        CloseHandle(frame->dead[--frame->count]);
}
static int scenario()
{
    prepare(&renderer.submit_lock);
    HANDLE event = CreateEventA(NULL, FALSE, FALSE, NULL);
    for (int i = 0; i < 2; i++)
        renderer.frames[i].dead[renderer.frames[i].count++] = event;
    collect(&renderer.frames[0]);
    contend(&renderer.submit_lock);
    renderer.fence = 1022;
    will_signal("handle-closed", &renderer.submit_lock);
    collect(&renderer.frames[1]);
    take_number();
    FINISH(&renderer.submit_lock);
    return sink;
}
#elif defined(AT_EXIT)
// shut_down() is called by the window's WM_DESTROY and again by an exit handler.
static HANDLE instance_mutex;
static CRITICAL_SECTION *app_lock;
NOINLINE static void shut_down()
{
    CloseHandle(instance_mutex);
}
static void on_exit()
{
    contend(app_lock);
    will_signal("handle-closed", app_lock);
    shut_down();
    take_number();
    FINISH(app_lock);
}
static int scenario()
{
    app_lock = place();
    prepare(app_lock);
    atexit(on_exit);
    instance_mutex = CreateMutexA(NULL, TRUE, NULL);
    shut_down();
    exit(sink);
}
#endif


int main()
{
    LAB_START();
    crowd();
    return scenario();
}
