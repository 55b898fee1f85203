// Fifth batch: somebody closes what is no longer his, and the number is a section's event by now. Macros choose who.
#include "k-common.h"

[[maybe_unused]] static HANDLE new_pipe() { return CreateNamedPipeA("\\\\.\\pipe\\contoso.feed", PIPE_ACCESS_DUPLEX, 0, 4, 512, 512, 0, NULL); }

#if defined(BOTH_ENDS)
// The receiving and the sending loop of a session both end by closing the session's pipe.
struct Session { HANDLE pipe; char peer[20]; LONG sent, received; CRITICAL_SECTION send_lock; };
static Session *session;
static DWORD WINAPI receive_loop(void *) { session->received = -1; CloseHandle(session->pipe); return 0; }
NOINLINE static void send_loop(Session *s)
{
    contend(&s->send_lock);
    s->sent++;
    will_signal("handle-closed", &s->send_lock);
    CloseHandle(s->pipe);
    take_number();
    FINISH(&s->send_lock);
}
static int scenario()
{
    Waiters receiver;
    session = new Session { NULL, "10.0.4.17:9100", 0, 0, {} };
    prepare(&session->send_lock);
    make_waiters(&receiver, 1, receive_loop, NULL);
    session->pipe = new_pipe();
    ResumeThread(receiver.threads[0]);
    WaitForSingleObject(receiver.threads[0], INFINITE);
    send_loop(session);
    return sink;
}
#elif defined(STD_REDIRECT)
// Output was redirected for a child; "restore" closes the redirected handle, and the next capture starts with a restore.
static struct Capture { HANDLE saved, redirected; CRITICAL_SECTION lock; char text[64]; } capture;
NOINLINE static void restore() { SetStdHandle(STD_OUTPUT_HANDLE, capture.saved); CloseHandle(capture.redirected); }
static int scenario()
{
    prepare(&capture.lock);
    capture.saved = GetStdHandle(STD_OUTPUT_HANDLE);
    capture.redirected = CreateFileA("out.tmp", GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    SetStdHandle(STD_OUTPUT_HANDLE, capture.redirected);
    restore();
    contend(&capture.lock);
    will_signal("handle-closed", &capture.lock);
    restore();
    take_number();
    FINISH(&capture.lock);
    return sink;
}
#elif defined(TOKEN_REVERT)
// revert() closes the token that it has been impersonating; so does the caller's guard.
struct TokenGuard { HANDLE token; ~TokenGuard() { CloseHandle(token); } };
NOINLINE static void revert(HANDLE token) { RevertToSelf(); CloseHandle(token); }
NOINLINE static int serve(CRITICAL_SECTION *lock)
{
    TokenGuard mine = { NULL };
    OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &mine.token);
    revert(mine.token);
    contend(lock);
    will_signal("handle-closed", lock);
    return sink++;
}
static int scenario()
{
    CRITICAL_SECTION *lock = place();
    prepare(lock);
    serve(lock);
    take_number();
    FINISH(lock);
    return sink;
}
#elif defined(CHILD_INFO)
// The child's two handles are kept; the thread's was closed at once, and again with the rest of the structure.
struct Child { PROCESS_INFORMATION info; DWORD exit_code; };
struct Runner { Child children[3]; int count; CRITICAL_SECTION table_lock; };
NOINLINE static void forget(Runner *runner, int i)
{
    CloseHandle(runner->children[i].info.hProcess);
    CloseHandle(runner->children[i].info.hThread);
    runner->count--;
}
NOINLINE static void launch(Runner *runner)
{
    PROCESS_INFORMATION *info = &runner->children[runner->count++].info;
    DuplicateHandle(GetCurrentProcess(), GetCurrentProcess(), GetCurrentProcess(), &info->hProcess, 0, FALSE, DUPLICATE_SAME_ACCESS);
    DuplicateHandle(GetCurrentProcess(), GetCurrentThread(), GetCurrentProcess(), &info->hThread, 0, FALSE, DUPLICATE_SAME_ACCESS);
    CloseHandle(info->hThread);
}
static int scenario()
{
    Runner *runner = new Runner();
    prepare(&runner->table_lock);
    launch(runner);
    contend(&runner->table_lock);
    will_signal("handle-closed", &runner->table_lock);
    forget(runner, 0);
    take_number();
    FINISH(&runner->table_lock);
    return sink;
}
#elif defined(MAPPED_FILE)
// A mapped file: close() closes all three, the destructor asks only whether the view is there.
class MappedFile {
public:
    HANDLE file = NULL, mapping = NULL;
    char *view = NULL;
    bool open_view = true;
    NOINLINE void open()
    {
        file = CreateFileA("index.tmp", GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
        mapping = CreateFileMappingA(file, NULL, PAGE_READWRITE, 0, 0x1000, NULL);
        view = static_cast<char *>(MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, 0));
    }
    NOINLINE void close() { UnmapViewOfFile(view); CloseHandle(mapping); CloseHandle(file); }
    ~MappedFile() { if (open_view) close(); }
};
struct Index { MappedFile *file; CRITICAL_SECTION lock; LONG terms[8]; };
static int scenario()
{
    Index *index = new Index();
    prepare(&index->lock);
    index->file = new MappedFile;
    index->file->open();
    index->file->close();
    contend(&index->lock);
    will_signal("handle-closed", &index->lock);
    delete index->file;
    take_number();
    FINISH(&index->lock);
    return sink;
}
#elif defined(RETRY)
// Each failed attempt closes the connection; giving up closes it, too.
static struct Link { CRITICAL_SECTION lock; HANDLE line; int attempts; const char *error; } links[5];
NOINLINE static bool attempt(Link *link)
{
    if (!link->attempts)
        link->line = CreateMutexA(NULL, FALSE, NULL);
    if (++link->attempts > 1)
        return false;
    CloseHandle(link->line);
    link->error = "timed out";
    return false;
}
NOINLINE static void give_up(Link *link) { CloseHandle(link->line); link->error = "gave up"; }
static int scenario()
{
    Link *link = &links[3];
    for (Link &one : links)
        if (&one != link)
            initialize(&one.lock);
    prepare(&link->lock);
    attempt(link);
    contend(&link->lock);
    if (!attempt(link)) {
        will_signal("handle-closed", &link->lock);
        give_up(link);
    }
    take_number();
    FINISH(&link->lock);
    return sink;
}
#elif defined(PORT_WORKERS)
// Every worker that is told to quit closes the queue's semaphore; two of them are told.
static struct Pool { HANDLE queue; volatile LONG running; CRITICAL_SECTION jobs_lock; } pool;
static DWORD WINAPI quit(void *) { CloseHandle(pool.queue); InterlockedDecrement(&pool.running); return 0; }
static int scenario()
{
    Waiters workers;
    prepare(&pool.jobs_lock);
    make_waiters(&workers, 2, quit, NULL);
    pool.running = 2;
    pool.queue = CreateSemaphoreA(NULL, 0, 100, NULL);
    ResumeThread(workers.threads[0]);
    WaitForSingleObject(workers.threads[0], INFINITE);
    contend(&pool.jobs_lock);
    will_signal("handle-closed", &pool.jobs_lock);
    ResumeThread(workers.threads[1]);
    WaitForSingleObject(workers.threads[1], INFINITE);
    take_number();
    FINISH(&pool.jobs_lock);
    return sink;
}
#elif defined(SWAP_REMOVE)
// table[i] = table[--count], but the end's own index is kept by somebody, who removes it once more.
struct Watch { HANDLE changed; int folder; };
static struct Watches { Watch all[6]; int count; } watches;
NOINLINE static void remove_watch(int i) { CloseHandle(watches.all[i].changed); watches.all[i] = watches.all[--watches.count]; }
static int scenario()
{
    CRITICAL_SECTION *lock = place();
    prepare(lock);
    for (int i = 0; i < 4; i++)
        watches.all[watches.count++] = { CreateEventA(NULL, FALSE, FALSE, NULL), i };
    remove_watch(1);
    remove_watch(1);
    contend(lock);
    will_signal("handle-closed", lock);
    remove_watch(3);
    take_number();
    FINISH(lock);
    return sink;
}
#elif defined(FINALIZER)
// A scripting object was disposed of by hand; the collector's thread finalizes it later.
struct Object { void *type; HANDLE native; Object *next; };
static Object *finalizable;
static CRITICAL_SECTION *heap_lock;
static DWORD WINAPI collector(void *)
{
    for (Object *one = finalizable; one; one = one->next)
        CloseHandle(one->native);
    for (;;)
        Sleep(1000);
}
static int scenario()
{
    Waiters thread;
    heap_lock = place();
    prepare(heap_lock);
    make_waiters(&thread, 1, collector, NULL);
    finalizable = new Object { NULL, CreateFileA("script.tmp", GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL), NULL };
    CloseHandle(finalizable->native);
    contend(heap_lock);
    will_signal("handle-closed", heap_lock);
    start_waiters(&thread);
    take_number();
    FINISH(heap_lock);
    return sink;
}
#elif defined(SNAPSHOT)
// Options are passed by value, a file among them; the dialog's copy and the document's are both thrown away.
struct Options { int zoom; HANDLE template_file; bool grid; };
struct Document { Options options; CRITICAL_SECTION lock; wchar_t title[12]; };
NOINLINE static void discard(Options options) { if (options.template_file) CloseHandle(options.template_file); sink += options.zoom; }
static int scenario()
{
    Document *document = new Document { { 100, NULL, true }, {}, L"Untitled 3" };
    prepare(&document->lock);
    document->options.template_file = CreateFileA("normal.tmp", GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    Options edited = document->options;
    edited.zoom = 150;
    discard(edited);
    contend(&document->lock);
    will_signal("handle-closed", &document->lock);
    discard(document->options);
    take_number();
    FINISH(&document->lock);
    return sink;
}
#elif defined(TIMEOUT)
// A thread that does not end in time is given up and its handle closed; the end of the function closes it in any case.
NOINLINE static int wait_for(CRITICAL_SECTION *lock, Waiters *slow)
{
    HANDLE thread;
    DuplicateHandle(GetCurrentProcess(), slow->threads[0], GetCurrentProcess(), &thread, 0, FALSE, DUPLICATE_SAME_ACCESS);
    if (WaitForSingleObject(thread, 20) == WAIT_TIMEOUT)
        CloseHandle(thread);
    contend(lock);
    will_signal("handle-closed", lock);
    CloseHandle(thread);
    take_number();
    FINISH(lock);
    return sink++;
}
static int scenario()
{
    Waiters slow;
    CRITICAL_SECTION *lock = place();
    prepare(lock);
    make_waiters(&slow, 1, reinterpret_cast<LPTHREAD_START_ROUTINE>(reinterpret_cast<void *>(Sleep)), reinterpret_cast<void *>(60000));
    start_waiters(&slow);
    return wait_for(lock, &slow);
}
#elif defined(INSTANCE)
// "Is another instance there?" closes its mutex if so; the program's end closes it through the same variable.
static HANDLE instance;
NOINLINE static bool first_instance()
{
    instance = CreateMutexA(NULL, FALSE, "Contoso.Viewer");
    if (GetLastError() != ERROR_ALREADY_EXISTS)
        return true;
    CloseHandle(instance);
    return false;
}
static int scenario()
{
    CRITICAL_SECTION *lock = place();
    prepare(lock);
    CreateMutexA(NULL, FALSE, "Contoso.Viewer");
    first_instance();
    contend(lock);
    will_signal("handle-closed", lock);
    CloseHandle(instance);
    take_number();
    FINISH(lock);
    return sink;
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
