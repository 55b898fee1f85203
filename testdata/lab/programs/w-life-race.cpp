// Sixth batch: a Delete overtakes a Leave or an Enter that is under way. Macros choose whose lock it is, and what the place becomes.
#include "q-stub.h"

#if defined(STACK_MONITOR)
// One thread waits for a task with a monitor on its stack; the task is still leaving it when that is over.
struct Monitor {
    CRITICAL_SECTION lock;
    volatile bool done;
};
static DWORD WINAPI task(void *argument)
{
    Monitor *monitor = static_cast<Monitor *>(argument);
    EnterCriticalSection(&monitor->lock);
    start_waiters(&waiters);
    monitor->done = true;
    stop_at("NtSetEvent");
    LeaveCriticalSection(&monitor->lock);
    return 0;
}
NOINLINE static int run_task()
{
    Monitor monitor;
    monitor.done = false;
    prepare(&monitor.lock);
    HANDLE thread = CreateThread(NULL, STACK_RESERVE, task, &monitor, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    while (!stub_hit)
        Sleep(1);
    EnterCriticalSection(&monitor.lock);
    sink += monitor.done;
    LeaveCriticalSection(&monitor.lock);
    will("deleted", &monitor.lock);
    DeleteCriticalSection(&monitor.lock);
    other_done = 1;
    WaitForSingleObject(thread, INFINITE);
    return sink + monitor.done;
}
int main()
{
    LAB_START();
    crowd();
    return run_task();
}

#elif defined(OF_A_SESSION)
// The last of two references goes while the other's owner is leaving; the block has the same size as many others.
struct Buffer { ULONG codes[16]; };
struct Session { ULONG id; LONG references; CRITICAL_SECTION lock; char peer[16]; };
static_assert(sizeof(Session) <= sizeof(Buffer) + 16, "size");
static Session *session;
static DWORD WINAPI hang_up(void *)
{
    act("deleted", &session->lock);
    DeleteCriticalSection(&session->lock);
    HeapFree(GetProcessHeap(), 0, session);
#if defined(ZEROED_ANEW)
    HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(Session));
#else
    ULONG *codes = static_cast<ULONG *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Session)));
    for (unsigned i = 0; i < sizeof(Session) / 4; i++)
        codes[i] = 0x2000 + 0x1B * i;
#endif
    other_done = 1;
    Sleep(INFINITE);
    return 0;
}
struct Scoped {
    Session *of;
    explicit Scoped(Session *s) : of(s) { EnterCriticalSection(&of->lock); }
    ~Scoped()
    {
        stop_at("NtSetEvent");
        LeaveCriticalSection(&of->lock);
    }
};
NOINLINE static int answer(Session *to)
{
    Scoped scoped(to);
    start_waiters(&waiters);
    to->references--;
    return sink += static_cast<int>(to->id);
}
int main()
{
    Waiters other;
    LAB_START();
    crowd();
    session = static_cast<Session *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(Session)));
    session->id = 81;
    session->references = 2;
    prepare(&session->lock);
    make_waiters(&other, 1, hang_up, NULL);
    other_thread = other.threads[0];
    expect(&session->lock);
    return answer(session);
}

#elif defined(JOINING)
// A room closes while somebody waits to join it.
struct Room { char topic[16]; int guests; CRITICAL_SECTION lock; };
static Room rooms[3];
static DWORD WINAPI join(void *argument)
{
    Room *room = static_cast<Room *>(argument);
    stop_at("NtWaitForSingleObject");
    EnterCriticalSection(&room->lock);
    room->guests++;
    LeaveCriticalSection(&room->lock);
    return 0;
}
static DWORD WINAPI close_room(void *argument)
{
    Room *room = static_cast<Room *>(argument);
    act("deleted", &room->lock);
    DeleteCriticalSection(&room->lock);
    room->topic[0] = 0;
    other_done = 1;
    Sleep(INFINITE);
    return 0;
}
int main()
{
    Waiters guest, closer;
    LAB_START();
    crowd();
    for (Room &room : rooms)
        initialize(&room.lock);
    make_waiters(&guest, 1, join, &rooms[1]);
    make_waiters(&closer, 1, close_room, &rooms[1]);
    other_thread = closer.threads[0];
    EnterCriticalSection(&rooms[1].lock);
    expect(&rooms[1].lock);
    start_waiters(&guest);
    Sleep(5000);
    return sink;
}

#elif defined(MAILBOX)
// A mailbox is removed while its last reader leaves; the next thing that is opened gets the event's number.
struct Mailbox { Mailbox *next; wchar_t owner[10]; CRITICAL_SECTION lock; int unread; };
static Mailbox inbox;
static DWORD WINAPI remove_box(void *)
{
    act("deleted", &inbox.lock);
    DeleteCriticalSection(&inbox.lock);
    take_number();
    other_done = 1;
    Sleep(INFINITE);
    return 0;
}
template <class Reader> NOINLINE static int read(Mailbox &box, Reader reader)
{
    EnterCriticalSection(&box.lock);
    start_waiters(&waiters);
    expect_handle(&box.lock);
    reader(box);
    stop_at("NtSetEvent");
    LeaveCriticalSection(&box.lock);
    return sink++;
}
int main()
{
    Waiters other;
    LAB_START();
    crowd();
    prepare(&inbox.lock);
    lstrcpyW(inbox.owner, L"anna");
    make_waiters(&other, 1, remove_box, NULL);
    other_thread = other.threads[0];
    return read(inbox, [](Mailbox &box) { box.unread = 0; });
}
#endif
