/* An update helper: one thread per download; the job of the thread lies on the stack of the one that starts it. */
#include "lab.h"
#include <string.h>

struct download {
    char url[32];
    int size;
    CRITICAL_SECTION lock;
    int received, retries, state;
};
struct job {
    struct download *download;
    char request[120];
    HANDLE thread;
};
static struct Waiters threads;

static struct download *new_download(const char *url)
{
    struct download *d = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof *d);
    lstrcpynA(d->url, url, sizeof d->url);
    InitializeCriticalSection(&d->lock);
    return d;
}
static void receive(struct download *d, int bytes)
{
    reporter_act("bad-pointer", &d->lock);
    reporter_expect(&d->lock, NULL);
    EnterCriticalSection(&d->lock);
    d->received += bytes;
    if (d->received >= d->size)
        d->state = 2;
    LeaveCriticalSection(&d->lock);
}
static DWORD WINAPI run(void *argument)
{
    struct download *d = argument;
    int i;
    for (i = 0; i < 8; i++) {
        receive(d, 4096);
        Sleep(10);
    }
    return 0;
}
static void build_request(char *to, const struct download *d)
{
    wsprintfA(to, "GET %s HTTP/1.1\r\nHost: files.contoso.com\r\nUser-Agent: updater/5\r\n\r\n", d->url);
}
static int progress(struct download *d)
{
    int percent;
    EnterCriticalSection(&d->lock);
    percent = d->size ? 100 * (d->received / 16) / (d->size / 16) : 0;
    LeaveCriticalSection(&d->lock);
    return percent;
}
static int fetch(const char *url, int size)
{
    struct job job;
    int seen = 0, i;
    job.download = new_download(url);
    job.download->size = size;
    build_request(job.request, job.download);
    make_waiters(&threads, 1, run, &job.download);
    job.thread = threads.threads[0];
    ResumeThread(job.thread);
    for (i = 0; i < 200 && seen < 100; i++) {
        seen = progress(job.download);
        if (WaitForSingleObject(job.thread, 20) == WAIT_OBJECT_0)
            break;
    }
    DeleteCriticalSection(&job.download->lock);
    HeapFree(GetProcessHeap(), 0, job.download);
    return seen;
}

int main(void)
{
    int done;
    LAB_START();
    done = fetch("/pub/releases/2.4/setup-x86.exe", 32768);
    return done != 100;
}
