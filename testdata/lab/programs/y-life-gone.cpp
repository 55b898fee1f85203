// Eighth batch: a lock whose memory is no memory any more. Macros choose what memory it was, and how it went.
#include "k-common.h"
#include <stdlib.h>

#ifndef CALL
#define CALL EnterCriticalSection
#endif
static void released(const CRITICAL_SECTION *lock) { act("memory-released", lock); expect(lock); }
typedef CRITICAL_SECTION *(*holder_function)(void);

#if defined(CODEC)
// The codec is released once too often, by a callback of its own stream, which runs under the codec's lock.
static HMODULE codec;
static CRITICAL_SECTION *codec_lock;
struct Stream { virtual void frame(int number) = 0; virtual ~Stream() { } };
struct Closer : Stream {
    NOINLINE void frame(int number) override
    {
        released(codec_lock);
        FreeLibrary(codec);
        sink += number;
    }
};
NOINLINE static int decode(Stream *stream)
{
    EnterCriticalSection(codec_lock);
    stream->frame(7);
    CALL(codec_lock);
    return sink;
}
static int scenario()
{
    Closer closer;
    Stream *volatile stream = &closer;
    codec = LoadLibraryA("plugin.dll");
    codec_lock = reinterpret_cast<holder_function>(reinterpret_cast<void *>(GetProcAddress(codec, "plugin_section")))();
    initialize(codec_lock);
    return decode(stream);
}
#elif defined(OTHERS_STACK)
// A thread lends a lock of its own frame and ends before the borrower is through.
struct Progress { CRITICAL_SECTION lock; int percent; };
static Progress *volatile lent;
static DWORD WINAPI copy_files(void *)
{
    Progress progress = { };
    initialize(&progress.lock);
    lent = &progress;
    EnterCriticalSection(&progress.lock);
    progress.percent = 100;
    LeaveCriticalSection(&progress.lock);
    released(&progress.lock);
    return progress.percent;
}
static DWORD WINAPI say_done(void *) { Sleep(50); return sink; }
NOINLINE static int show(Progress *progress)
{
    CALL(&progress->lock);
    int percent = progress->percent;
    LeaveCriticalSection(&progress->lock);
    return percent;
}
static int scenario()
{
    Waiters one = { };
    make_waiters(&one, 1, copy_files, NULL);
    start_waiters(&one);
    WaitForSingleObject(one.threads[0], INFINITE);
    CloseHandle(one.threads[0]);
    make_waiters(&one, 2, say_done, NULL); // one by one, a stack may be kept until the next thread ends
    for (HANDLE thread : one.threads)
        if (thread) {
            ResumeThread(thread);
            WaitForSingleObject(thread, INFINITE);
        }
    return show(lent);
}
#elif defined(OWN_PAGE)
// Each window has its own page, as under page heap; the last message destroys the window, in a method that has a guard.
class Window {
public:
    static Window *create()
    {
        char *page = pages(0x1000);
        Window *one = reinterpret_cast<Window *>(page + ((0x1000 - sizeof(Window)) & ~15));
        initialize(&one->lock);
        one->references = 1;
        return one;
    }
    NOINLINE int message(UINT what)
    {
        struct Guard {
            CRITICAL_SECTION *lock;
            explicit Guard(CRITICAL_SECTION *l) : lock(l) { EnterCriticalSection(l); }
            ~Guard() { CALL(lock); }
        } guard(&lock);
        last = what;
        if (what == WM_NCDESTROY)
            release();
        return sink;
    }
private:
    NOINLINE void release()
    {
        if (--references == 0) {
            released(&lock);
            VirtualFree(reinterpret_cast<char *>(reinterpret_cast<ULONG_PTR>(this) & ~static_cast<ULONG_PTR>(0xFFF)), 0, MEM_RELEASE);
        }
    }
    UINT last;
    LONG references;
    RECT bounds;
    CRITICAL_SECTION lock;
};
static int scenario()
{
    Window *window = Window::create();
    window->message(WM_PAINT);
    return window->message(WM_NCDESTROY);
}
#elif defined(TWO_VIEWS)
// A configuration is read anew: the view with the lock goes, a thread has kept its address.
struct Config { DWORD version; char name[20]; CRITICAL_SECTION lock; };
static Config *config;
static HANDLE mapping;
static DWORD WINAPI poll(void *argument)
{
    Config *mine = static_cast<Config *>(argument);
    for (int i = 0; i < 5; i++) {
        CALL(&mine->lock);
        sink += mine->version;
        LeaveCriticalSection(&mine->lock);
        Sleep(300);
    }
    return 0;
}
NOINLINE static void reload()
{
    Config *anew = static_cast<Config *>(MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0x10000, 0x10000));
    initialize(&anew->lock);
    anew->version = config->version + 1;
    Config *old = config;
    config = anew;
    released(&old->lock);
    UnmapViewOfFile(old);
}
static int scenario()
{
    Waiters one;
    mapping = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0x20000, NULL);
    config = static_cast<Config *>(MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, 0x10000));
    config->version = 3;
    initialize(&config->lock);
    make_waiters(&one, 1, poll, config);
    start_waiters(&one);
    reload();
    Sleep(4000);
    return sink;
}
#elif defined(FIBER)
// A script's coroutine is ended by its scheduler; the others send to its channel yet.
struct Channel { CRITICAL_SECTION lock; int values[4]; };
static Channel *channel;
static void *scheduler, *coroutine;
static VOID CALLBACK script(void *)
{
    Channel mine = { };
    initialize(&mine.lock);
    channel = &mine;
    EnterCriticalSection(&mine.lock);
    mine.values[0] = 5;
    LeaveCriticalSection(&mine.lock);
    SwitchToFiber(scheduler);
}
NOINLINE static void cancel()
{
    released(&channel->lock);
    DeleteFiber(coroutine);
}
NOINLINE static int send(Channel *to)
{
    CALL(&to->lock);
    int value = ++to->values[0];
    LeaveCriticalSection(&to->lock);
    return value;
}
static int scenario()
{
    scheduler = ConvertThreadToFiber(NULL);
    coroutine = CreateFiber(0x10000, script, NULL);
    SwitchToFiber(coroutine);
    cancel();
    return send(channel);
}
#elif defined(OWN_HEAP)
// A tab has a heap of its own, which goes with it; a background task asks whether the tab is busy.
struct Tab { wchar_t title[16]; int id; CRITICAL_SECTION lock; };
static DWORD WINAPI background(void *argument)
{
    Tab *tab = static_cast<Tab *>(argument);
    Sleep(600);
    if (CALL(&tab->lock)) {
        sink += tab->id;
        LeaveCriticalSection(&tab->lock);
    }
    return 0;
}
NOINLINE static void close_tab(HANDLE heap, Tab *tab)
{
    released(&tab->lock);
    HeapDestroy(heap);
}
static int scenario()
{
    Waiters one;
    HANDLE heap = HeapCreate(0, 0, 0);
    for (int i = 0; i < 12; i++)
        HeapAlloc(heap, 0, 96 + 24 * i);
    Tab *tab = static_cast<Tab *>(HeapAlloc(heap, HEAP_ZERO_MEMORY, sizeof(Tab)));
    tab->id = 4;
    initialize(&tab->lock);
    make_waiters(&one, 1, background, tab);
    ResumeThread(one.threads[0]);
    close_tab(heap, tab);
    Sleep(4000);
    return sink;
}
#elif defined(GROWS)
// A table of large rows is grown by somebody whom a row calls, under the row's lock: the reference is to the old block.
struct Row { CRITICAL_SECTION lock; ULONG key; unsigned char cells[0x40000]; };
static Row *rows;
static int row_count;
NOINLINE static Row *append()
{
    Row *more = static_cast<Row *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, (row_count + 4) * sizeof(Row)));
    if (rows) {
        memcpy(static_cast<void *>(more), rows, row_count * sizeof(Row));
        released(&rows[1].lock);
        HeapFree(GetProcessHeap(), 0, rows);
    }
    rows = more;
    for (int i = 0; i < 4; i++)
        initialize(&rows[row_count + i].lock);
    row_count += 4;
    return &rows[row_count - 4];
}
NOINLINE static ULONG link(Row &from)
{
    EnterCriticalSection(&from.lock);
    Row *to = append();
    to->key = 9;
    CALL(&from.lock);
    return to->key;
}
static int scenario()
{
    append();
    return link(rows[1]);
}
#elif defined(MAPPED_ANEW)
// A viewer's page window moves on: the system gives it the same address for another part of the file.
struct Page { ULONG number, lines; CRITICAL_SECTION lock; };
static HANDLE mapping;
static Page *view;
NOINLINE static void make_page(ULONG number)
{
    view->number = number;
    initialize(&view->lock);
}
NOINLINE static void map(DWORD offset)
{
    view = static_cast<Page *>(MapViewOfFileEx(mapping, FILE_MAP_WRITE, 0, offset, 0x10000, view));
}
NOINLINE static void unmap()
{
    released(&view->lock);
    UnmapViewOfFile(view);
}
NOINLINE static ULONG count(Page *page)
{
    CALL(&page->lock);
    ULONG lines = ++page->lines;
    LeaveCriticalSection(&page->lock);
    return lines;
}
static int scenario()
{
    mapping = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0x40000, NULL);
    map(0);
    make_page(1);
    unmap();
    map(0x20000);
    return count(view);
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
