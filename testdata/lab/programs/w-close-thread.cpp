// Sixth batch: threads and what closes their handles, or what threads close. Macros choose the program and who meets it.
#include "k-common.h"
#include <process.h>

#if defined(BEGINTHREAD)
// _beginthread's thread closes its own handle when it ends; the program does it too.
struct Miner { double rate; uintptr_t thread; CRITICAL_SECTION lock; int accepted; };
static void mine(void *argument) { static_cast<Miner *>(argument)->rate = 12.5; }
NOINLINE static void stop(Miner *miner) { CloseHandle(reinterpret_cast<HANDLE>(miner->thread)); }
static int scenario()
{
    Miner *miner = new Miner();
    prepare(&miner->lock);
    miner->thread = _beginthread(mine, 0, miner);
    Sleep(300);
    contend(&miner->lock);
    will_signal("handle-closed", &miner->lock);
    stop(miner);
    take_number();
    FINISH(&miner->lock);
    return miner->accepted;
}
#elif defined(THREAD_POP)
// A thread that ends takes itself off the list and closes its handle; the list's owner has kept the handle for its wait.
struct Entry { HANDLE thread; DWORD id; };
static struct List { Entry entries[8]; int count; CRITICAL_SECTION lock; } *list;
NOINLINE static void pop()
{
    for (int i = 0; i < list->count; i++)
        if (list->entries[i].id == GetCurrentThreadId())
            CloseHandle(list->entries[i].thread);
    list->count--;
}
static DWORD WINAPI plugin_thread(void *) { pop(); return 0; }
NOINLINE static void join(HANDLE thread)
{
    WaitForSingleObject(thread, 200);
    CloseHandle(thread);
}
static int scenario()
{
    list = new List();
    prepare(&list->lock);
    Entry *one = &list->entries[list->count++];
    HANDLE kept = one->thread = CreateThread(NULL, STACK_RESERVE, plugin_thread, NULL, CREATE_SUSPENDED | STACK_SIZE_PARAM_IS_A_RESERVATION, &one->id);
    ResumeThread(kept);
    Sleep(300);
    contend(&list->lock);
    will_signal("handle-closed", &list->lock);
    join(kept);
    take_number();
    FINISH(&list->lock);
    return list->count;
}
#else
// A device is pulled out: the window closes it, and then its reading thread, whose read has failed.
struct Port { char name[8]; int baud; volatile HANDLE device; volatile LONG gone, reader_done; CRITICAL_SECTION lock; };
static Port *port;
static DWORD WINAPI reader(void *)
{
    HANDLE device = port->device;
    while (!port->gone)
        Sleep(20);
    CloseHandle(device);
    port->reader_done = 1;
    Sleep(INFINITE);
    return 0;
}
NOINLINE static void on_removed() { CloseHandle(port->device); }
static int scenario()
{
    Waiters reading;
#ifdef IN_TLS
    static __thread Port of_thread;
    port = &of_thread;
#else
    port = new Port();
#endif
    lstrcpyA(port->name, "COM7");
    port->baud = 115200;
    prepare(&port->lock);
    make_waiters(&reading, 1, reader, NULL);
    port->device = CreateFileA("adapter.tmp", GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    start_waiters(&reading);
    on_removed();
    contend(&port->lock);
    will_signal("handle-closed", &port->lock);
    port->gone = 1;
    while (!port->reader_done)
        Sleep(20);
    take_number();
    FINISH(&port->lock);
    return port->baud;
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
