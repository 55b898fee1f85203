/* Seventh batch, in C: one mistake each around a lock that was not made, or a pointer that is none. */
#include "lab.h"
#include <string.h>

#define NOINLINE __attribute__((noinline, unused))
static volatile int sink;

static NOINLINE void will(const char *cause, CRITICAL_SECTION *lock)
{
    reporter_act(cause, lock);
    reporter_expect(lock, NULL);
}

#if defined(CRAM) /* its locks are made together with the threads; a file without threads locks too */
struct reference { char name[16]; long long length; CRITICAL_SECTION lock; };
struct stream { int version, level, threads; void *pool; char path[24]; CRITICAL_SECTION metrics_lock; struct reference *references; CRITICAL_SECTION ref_lock; long long records; };
static NOINLINE struct stream *stream_open(const char *path)
{
    struct stream *s = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof *s);
    s->version = 3;
    s->level = 5;
    strcpy(s->path, path);
    return s;
}
static NOINLINE void stream_set_threads(struct stream *s, int threads)
{
    s->threads = threads;
    if (threads > 0) {
        InitializeCriticalSection(&s->metrics_lock);
        InitializeCriticalSection(&s->ref_lock);
    }
}
static NOINLINE int stream_get_reference(struct stream *s)
{
    will("never-initialized", &s->ref_lock);
    EnterCriticalSection(&s->ref_lock);
    s->records++;
    LeaveCriticalSection(&s->ref_lock);
    return (int)s->records;
}
static NOINLINE void stream_close(struct stream *s)
{
    if (s->threads > 0) {
        DeleteCriticalSection(&s->metrics_lock);
        DeleteCriticalSection(&s->ref_lock);
    }
    HeapFree(GetProcessHeap(), 0, s);
}
static int scenario(void)
{
    struct stream *s = stream_open("sample.cram");
    volatile int threads = 0;
    stream_set_threads(s, threads);
    sink = stream_get_reference(s);
    stream_close(s);
    return sink;
}
#elif defined(PCAP) /* DllMain makes it, but this is the static library */
static int compiled;
static CRITICAL_SECTION compile_lock;
__attribute__((used, noinline)) BOOL WINAPI packet_DllMain(HINSTANCE dll, DWORD reason, void *reserved)
{
    if (reason == DLL_PROCESS_ATTACH)
        InitializeCriticalSection(&compile_lock);
    else if (reason == DLL_PROCESS_DETACH)
        DeleteCriticalSection(&compile_lock);
    return TRUE;
}
static NOINLINE int packet_compile(const char *filter)
{
    will("never-initialized", &compile_lock);
    EnterCriticalSection(&compile_lock);
    compiled += filter[0];
    LeaveCriticalSection(&compile_lock);
    return compiled;
}
static int scenario(void) { return packet_compile("tcp port 443"); }
#elif defined(SETUP) /* a local job; the file is missing, and the cleanup is the same for all */
struct job { HANDLE file; CRITICAL_SECTION lock; char buffer[200]; };
static NOINLINE int banner(int n)
{
    volatile char text[600];
    static const char words[] = "usage: import [options] file... ";
    for (int i = 0; i < 600; i++)
        text[i] = words[i % 32];
    return text[n];
}
static NOINLINE int import_file(const char *path)
{
    struct job job;
    int result = -1;
    job.file = CreateFileA(path, GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
    if (job.file == INVALID_HANDLE_VALUE)
        goto cleanup;
    InitializeCriticalSection(&job.lock);
    result = job.buffer[0];
cleanup:
    will("never-initialized", &job.lock);
    DeleteCriticalSection(&job.lock);
    return result;
}
static int scenario(void)
{
    sink = banner(7);
    return import_file("Z:\\data\\missing.csv");
}
#elif defined(PEER) /* the connection is detached while it is locked */
struct link { int socket; char address[40]; CRITICAL_SECTION lock; int state; };
struct peer { struct link *link; int errors; };
static NOINLINE void on_error(struct peer *p)
{
    if (++p->errors > 2)
        p->link = NULL;
}
static NOINLINE int receive(struct peer *p)
{
    EnterCriticalSection(&p->link->lock);
    for (int i = 0; i < 3; i++)
        on_error(p);
    will("bad-pointer", &p->link->lock);
    LeaveCriticalSection(&p->link->lock);
    return p->errors;
}
static int scenario(void)
{
    struct link *link = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof *link);
    struct peer *p = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof *p);
    InitializeCriticalSection(&link->lock);
    p->link = link;
    return receive(p);
}
#elif defined(PORT) /* a lock is a kernel object in one half of the port, a critical section in the other */
typedef void *lock_t;
struct channel { lock_t lock; char name[20]; };
static NOINLINE void channel_open(struct channel *c) { c->lock = CreateMutexA(NULL, FALSE, NULL); }
static NOINLINE int channel_send(struct channel *c)
{
    WaitForSingleObject(c->lock, INFINITE);
    sink++;
    return ReleaseMutex(c->lock);
}
static NOINLINE int lock_destroy(lock_t lock)
{
    will("bad-pointer", lock);
    DeleteCriticalSection(lock);
    return sink++;
}
static int scenario(void)
{
    static struct channel channel = { NULL, "telemetry" };
    channel_open(&channel);
    sink += channel_send(&channel);
    return lock_destroy(channel.lock);
}
#elif defined(CLEANUP) /* the second allocation failed; the cleanup takes all for made */
struct queue { void *items[32]; int head, tail; CRITICAL_SECTION lock; };
struct session { int id; CRITICAL_SECTION lock; struct queue *in, *out; };
static NOINLINE struct queue *queue_new(unsigned limit)
{
    struct queue *q = limit < 4096 ? HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof *q) : NULL;
    if (q)
        InitializeCriticalSection(&q->lock);
    return q;
}
static NOINLINE void queue_free(struct queue *q)
{
    will("bad-pointer", &q->lock);
    DeleteCriticalSection(&q->lock);
    HeapFree(GetProcessHeap(), 0, q);
}
static NOINLINE struct session *session_new(int id, unsigned limit)
{
    struct session *s = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof *s);
    s->id = id;
    InitializeCriticalSection(&s->lock);
    s->in = queue_new(limit);
    if (!s->in)
        goto fail;
    s->out = queue_new(64);
    return s;
fail:
    queue_free(s->in);
    DeleteCriticalSection(&s->lock);
    HeapFree(GetProcessHeap(), 0, s);
    return NULL;
}
static int scenario(void)
{
    volatile unsigned limit = 1u << 20;
    return session_new(77, limit) == NULL;
}
#endif

int main(void)
{
    LAB_START();
    return scenario();
}
