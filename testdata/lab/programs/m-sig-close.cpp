// Third batch: the event of a healthy section is closed by other code. The number was the program's own once, was closed, and went to the
// section's event when the first thread had to wait; who closes it again, and what takes the number then, is chosen by macros.
#include "unseen.h"

static Waiters waiters;
[[maybe_unused]] static void about_to_close(const CRITICAL_SECTION *lock)
{
    expect_handle(lock);
    act("handle-closed", lock);
}
[[maybe_unused]] static void take_number()
{
#if defined(TAKE_SEMAPHORE)
    CreateSemaphoreA(NULL, 4, 16, NULL);
#elif defined(TAKE_TIMER)
    CreateWaitableTimerA(NULL, TRUE, NULL);
#elif defined(TAKE_MAPPING)
    CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0x4000, NULL);
#elif defined(TAKE_PROCESS)
    OpenProcess(PROCESS_ALL_ACCESS, FALSE, GetCurrentProcessId());
#elif defined(TAKE_QUERY_ONLY) // an event that may only be asked for its state
    CreateEventExA(NULL, NULL, CREATE_EVENT_MANUAL_RESET, 1);
#endif
}

#if defined(EVENT_LOOP)
// A dialog's loop: "device gone" closes the device and posts "close", which closes it as well, under the lock of the model.
enum What { PAINT, DEVICE_GONE, CLOSE, QUIT };
struct Dialog;
struct Message { What what; Dialog *to; LONG_PTR parameter; };
struct Dialog {
    const wchar_t *title = L"Scan";
    HANDLE device = NULL;
    CRITICAL_SECTION model;
    int painted = 0;
};
static Message posted[16];
static unsigned head, tail;
static void post(What what, Dialog *to, LONG_PTR parameter) { posted[tail++ & 15] = { what, to, parameter }; }
NOINLINE static LONG_PTR on_close(Dialog *dialog)
{
    EnterCriticalSection(&dialog->model);
    start_waiters(&waiters);
    about_to_close(&dialog->model);
    CloseHandle(dialog->device);
    take_number();
    dialog->painted = 0;
    LeaveCriticalSection(&dialog->model);
    return 1;
}
NOINLINE static LONG_PTR procedure(Dialog *dialog, What what, LONG_PTR parameter)
{
    switch (what) {
    case PAINT: return ++dialog->painted;
    case DEVICE_GONE: CloseHandle(dialog->device); post(CLOSE, dialog, parameter); return 0;
    case CLOSE: return on_close(dialog);
    default: return -1;
    }
}
static int scenario()
{
    Dialog *dialog = new Dialog;
    initialize(&dialog->model);
    dialog->device = CreateFileA("scan.tmp", GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    make_waiters(&waiters, WAITERS, pass_through, &dialog->model);
    post(PAINT, dialog, 0);
    post(DEVICE_GONE, dialog, 7);
    while (head != tail) {
        Message message = posted[head++ & 15];
        sink += procedure(message.to, message.what, message.parameter);
    }
    return sink;
}
#elif defined(SERVICE)
// A service's handler gets STOP and then SHUTDOWN, and releases its resources for each.
struct Status { DWORD type, state, accepted, code; };
static struct { Status status; HANDLE stop, log; CRITICAL_SECTION state_lock; DWORD checkpoint; } service;
static void set_status(DWORD state) { service.status.state = state; service.checkpoint++; }
NOINLINE static void release() { CloseHandle(service.stop); service.status.accepted = 0; }
NOINLINE static DWORD WINAPI handler(DWORD control, DWORD, void *, void *context)
{
    if (control != 1 && control != 5)
        return 120;
    EnterCriticalSection(&service.state_lock);
    if (context)
        start_waiters(static_cast<Waiters *>(context));
    set_status(3);
    if (control == 5)
        about_to_close(&service.state_lock);
    release();
    take_number();
    LeaveCriticalSection(&service.state_lock);
    return 0;
}
static int scenario()
{
    service.status = { 0x10, 4, 5, 0 };
    initialize(&service.state_lock);
    service.stop = CreateEventA(NULL, TRUE, FALSE, NULL);
    service.log = CreateSemaphoreA(NULL, 0, 1, NULL);
    make_waiters(&waiters, WAITERS, pass_through, &service.state_lock);
    handler(1, 0, NULL, NULL);
    return handler(5, 0, NULL, &waiters);
}
#elif defined(DIR_WATCH)
// A watcher's folder goes away: the change notification is ended by the scanner; the tree's owner closes it with a plain CloseHandle.
class Folder {
public:
    explicit Folder(const char *path) : changes(FindFirstChangeNotificationA(path, FALSE, FILE_NOTIFY_CHANGE_FILE_NAME)) { lstrcpynA(name, path, sizeof name); }
    void scan_failed() { FindCloseChangeNotification(changes); files = -1; }
    ~Folder() { CloseHandle(changes); }
    int files = 0;
private:
    char name[30];
    HANDLE changes;
};
class Tree {
public:
    Tree() : folder(new Folder(".")) { initialize(&lock); }
    Folder *folder;
    CRITICAL_SECTION lock;
    NOINLINE int drop()
    {
        about_to_close(&lock);
        delete folder;
        folder = NULL;
        take_number();
        return unlock();
    }
private:
    NOINLINE int unlock() { LeaveCriticalSection(&lock); return sink++; }
};
static int scenario()
{
    Tree *tree = new Tree;
    make_waiters(&waiters, WAITERS, pass_through, &tree->lock);
    tree->folder->scan_failed();
    EnterCriticalSection(&tree->lock);
    start_waiters(&waiters);
    return tree->drop();
}
#elif defined(LRU)
// A cache of mappings, the oldest goes first. A hit puts an entry to the front, but the list keeps it in its old place too.
struct Entry { unsigned key; HANDLE view; unsigned used; };
static struct Cache {
    Entry *order[8];
    int count;
    CRITICAL_SECTION lock;
    Entry entries[8];
} cache;
static void evict() { CloseHandle(cache.order[--cache.count]->view); }
static void touch(int place)
{
    Entry *entry = cache.order[place];
    for (int i = cache.count++; i > 0; i--)
        cache.order[i] = cache.order[i - 1];
    cache.order[0] = entry;
}
NOINLINE static int insert(unsigned key)
{
    EnterCriticalSection(&cache.lock);
    start_waiters(&waiters);
    about_to_close(&cache.lock);
    while (cache.count)
        evict();
    take_number();
    cache.entries[5].key = key;
    LeaveCriticalSection(&cache.lock);
    return cache.count;
}
static int scenario()
{
    initialize(&cache.lock);
    for (unsigned i = 0; i < 5; i++) {
        cache.entries[i] = { 100 + i, CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0x1000, NULL), i };
        cache.order[cache.count++] = &cache.entries[i];
    }
    make_waiters(&waiters, WAITERS, pass_through, &cache.lock);
    touch(4);
    evict();
    return insert(207);
}
#elif defined(TWO_OWNERS)
// Two counted holders are made of the same raw pointer: each has a count of its own, and each destroys at zero.
struct Signal { HANDLE native = CreateEventA(NULL, TRUE, FALSE, NULL); bool quiet = false; };
struct Count { LONG users; Signal *object; };
class Holder {
public:
    explicit Holder(Signal *object) : count(new Count { 1, object }) { }
    Holder(const Holder &other) : count(other.count) { InterlockedIncrement(&count->users); }
    ~Holder() { release(); }
    NOINLINE void release()
    {
        if (count && !InterlockedDecrement(&count->users))
            CloseHandle(count->object->native);
        count = NULL;
    }
private:
    Count *count;
};
class Session {
public:
    Session() { initialize(&lock); }
    CRITICAL_SECTION lock;
    LONG bytes[5] = { };
    NOINLINE void finish(Holder *last)
    {
        about_to_close(&lock);
        last->release();
        take_number();
        LeaveCriticalSection(&lock);
        bytes[1]++;
    }
};
static int scenario()
{
    char *room = static_cast<char *>(operator new(0x180));
    Session *session = new (room + 0x4C) Session;
    Signal *signal = new Signal;
    Holder *first = new Holder(signal), *second = new Holder(signal), third(*first);
    make_waiters(&waiters, WAITERS, pass_through, &session->lock);
    first->release();
    third.release();
    EnterCriticalSection(&session->lock);
#ifdef RECURSE
    EnterCriticalSection(&session->lock);
    LeaveCriticalSection(&session->lock);
#endif
    start_waiters(&waiters);
    session->finish(second);
    return sink;
}
#elif defined(STATE_MACHINE)
// A transfer's states are functions; an error while closing goes to "failed", which begins with closing.
struct Transfer;
typedef void (*State)(Transfer *);
struct Transfer { State next; HANDLE pipe; int error; CRITICAL_SECTION *owner; };
static CRITICAL_SECTION *transfers;
static void finished(Transfer *transfer) { transfer->next = NULL; }
static void failed(Transfer *transfer)
{
    EnterCriticalSection(transfer->owner);
    start_waiters(&waiters);
    about_to_close(transfer->owner);
    CloseHandle(transfer->pipe);
    take_number();
    transfer->next = finished;
    LeaveCriticalSection(transfer->owner);
    sink++;
}
static void closing(Transfer *transfer)
{
    CloseHandle(transfer->pipe);
    transfer->next = transfer->error ? failed : finished;
}
static int scenario()
{
    HANDLE other;
    Transfer transfer = { closing, NULL, 109, place() };
    transfers = transfer.owner;
    initialize(transfers);
    make_waiters(&waiters, WAITERS, pass_through, transfers);
    CreatePipe(&transfer.pipe, &other, NULL, 0);
    while (transfer.next)
        transfer.next(&transfer);
    return sink;
}
#elif defined(VOICES)
// A mixer has four voices; the oldest is stolen for a new sound, and its end is reported afterwards all the same.
struct Voice { HANDLE done; short *samples; unsigned short left, volume; };
class Mixer {
public:
    Mixer() { initialize(&lock); for (Voice &voice : voices) voice = { CreateEventA(NULL, FALSE, FALSE, NULL), new short[64], 64, 0x7F }; }
    void steal(int i) { CloseHandle(voices[i].done); voices[i].volume = 0; }
    NOINLINE int mix()
    {
        EnterCriticalSection(&lock);
        start_waiters(&waiters);
        for (Voice &voice : voices) {
            if (voice.left > 64 - 32)
                voice.left -= 32;
            if (!voice.volume) {
                about_to_close(&lock);
                CloseHandle(voice.done);
                take_number();
            }
        }
        LeaveCriticalSection(&lock);
        return voices[0].left;
    }
    CRITICAL_SECTION lock;
private:
    Voice voices[4];
};
static char room[sizeof(Mixer) + 16];
static int scenario()
{
    Mixer *mixer = new (room + 4) Mixer;
    make_waiters(&waiters, WAITERS, pass_through, &mixer->lock);
    mixer->steal(2);
    return mixer->mix();
}
#elif defined(UNDO)
// Undoing "open" closes the file; redo and undo go through the same record again, though the redo failed and left the number.
struct Command { virtual void run() = 0; virtual void undo() = 0; virtual ~Command() { } };
struct Open : Command {
    HANDLE file = INVALID_HANDLE_VALUE;
    const char *path = "drawing.tmp";
    void run() override
    {
        HANDLE opened = CreateFileA(path, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
        if (opened != INVALID_HANDLE_VALUE)
            file = opened;
    }
    NOINLINE void undo() override { CloseHandle(file); }
};
static struct History { Command *done[12]; int at; CRITICAL_SECTION lock; wchar_t document[16]; } histories[3];
NOINLINE static int undo(History *history)
{
    EnterCriticalSection(&history->lock);
    start_waiters(&waiters);
    about_to_close(&history->lock);
    history->done[--history->at]->undo();
    take_number();
    LeaveCriticalSection(&history->lock);
    return history->at;
}
static int scenario()
{
    History *history = &histories[1];
    Open *open = new Open;
    initialize(&history->lock);
    history->done[history->at++] = open;
    open->run();
    make_waiters(&waiters, WAITERS, pass_through, &history->lock);
    open->undo();
    open->path = "c:\\nowhere\\drawing.tmp";
    open->run();
    return undo(history);
}
#elif defined(UNION_VALUE)
// A variant's type is set before its value: the number of an earlier count is taken for a handle and closed.
struct Value {
    enum { EMPTY, NUMBER, HANDLE_OWNED } type = EMPTY;
    union { LONG_PTR number; HANDLE handle; double real; };
    void clear() { if (type == HANDLE_OWNED) CloseHandle(handle); type = EMPTY; }
};
struct Row { Value cells[4]; };
static CRITICAL_SECTION *table_lock;
NOINLINE static int assign(Value *value, HANDLE handle)
{
    value->type = Value::HANDLE_OWNED;
    if (!handle)
        value->clear();
    LeaveCriticalSection(table_lock);
    return sink++;
}
static int scenario()
{
    Row *row = new Row;
    table_lock = place();
    initialize(table_lock);
    make_waiters(&waiters, WAITERS, pass_through, table_lock);
    EnterCriticalSection(table_lock);
    start_waiters(&waiters);
    row->cells[2].type = Value::NUMBER; // rows so far
    row->cells[2].number = reinterpret_cast<LONG_PTR>(table_lock->LockSemaphore);
    about_to_close(table_lock);
    return assign(&row->cells[2], NULL);
}
#elif defined(REQUEST)
// A request lies on its thread's stack, with a lock for those who look at it; the dispatcher closes its number as "finished" and as "late".
struct Request { char verb[8]; HANDLE answered; CRITICAL_SECTION lock; volatile LONG state; };
static Request *volatile current;
static DWORD WINAPI serve(void *)
{
    Request request = { "PUT", CreateEventA(NULL, TRUE, FALSE, NULL), {}, 1 };
    initialize(&request.lock);
    current = &request;
    while (request.state)
        Sleep(20);
    return 0;
}
NOINLINE static void finished(Request *request) { SetEvent(request->answered); CloseHandle(request->answered); }
NOINLINE static int late(Request *request)
{
    about_to_close(&request->lock);
    CloseHandle(request->answered);
    take_number();
    LeaveCriticalSection(&request->lock);
    return request->state;
}
static int scenario()
{
    Waiters servers;
    make_waiters(&servers, 1, serve, NULL);
    start_waiters(&servers);
    make_waiters(&waiters, WAITERS, pass_through, &current->lock);
    finished(current);
    EnterCriticalSection(&current->lock);
    start_waiters(&waiters);
    return late(current);
}
#elif defined(LOOKUP_ENTER)
// A string table is loaded lazily; the loader's temporary file is closed by it and by the table; those who look up later cannot wait.
class Strings {
public:
    Strings() { initialize(&lock); temporary = CreateFileA("strings.tmp", GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL); }
    void load() { CloseHandle(temporary); loaded = true; }
    NOINLINE int lookup(int id)
    {
        EnterCriticalSection(&lock);
        int length = lengths[id & 7];
        LeaveCriticalSection(&lock);
        return length;
    }
    NOINLINE void unload(Waiters *late)
    {
        EnterCriticalSection(&lock);
        start_waiters(&waiters);
        about_to_close(&lock);
        CloseHandle(temporary);
        take_number();
        start_waiters(late);
        LeaveCriticalSection(&lock);
    }
private:
    bool loaded = false;
    short lengths[8] = { 4, 8, 15, 16, 23, 42 };
    HANDLE temporary;
public:
    CRITICAL_SECTION lock;
};
static Strings *strings;
static DWORD WINAPI early(void *) { return strings->lookup(3); }
static DWORD WINAPI late(void *) { sink = strings->lookup(5); return 0; }
static int scenario()
{
    Waiters latecomers;
    strings = new Strings;
    make_waiters(&waiters, WAITERS, early, NULL);
    make_waiters(&latecomers, LATE, late, NULL);
    strings->load();
    strings->unload(&latecomers);
    Sleep(3000);
    return sink;
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
