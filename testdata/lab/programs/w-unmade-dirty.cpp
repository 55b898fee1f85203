// Sixth batch: no Initialize ran, and what lies there is what was there before: Enter or Delete meets it as a debug record. Macros choose what.
#include "k-common.h"

// A block that had an owner before, with what that one left in it.
[[maybe_unused]] static void *used_block(SIZE_T size, const void *pattern, SIZE_T length)
{
    char *before = static_cast<char *>(HeapAlloc(GetProcessHeap(), 0, size));
    HeapFree(GetProcessHeap(), 0, before);
    char *block = static_cast<char *>(HeapAlloc(GetProcessHeap(), 0, size));
    for (SIZE_T i = 0; i < size; i++)
        static_cast<volatile char *>(block)[i] = static_cast<const char *>(pattern)[i % length];
    return block;
}

#if defined(OLD_TEXT)
// A contact's lock is made when its protocol goes on-line; the list locks all of them.
struct Contact { int id; const char *protocol; CRITICAL_SECTION lock; Contact *next; };
NOINLINE static int refresh(Contact *contact)
{
    EnterCriticalSection(&contact->lock);
    int id = contact->id;
    LeaveCriticalSection(&contact->lock);
    return id;
}
static int scenario()
{
    static const char text[] = "<a href=\"mailto:anyone@example.org\">anyone</a>, ";
    Contact *contact = static_cast<Contact *>(used_block(sizeof(Contact), text, sizeof text - 1));
    contact->id = 12;
    contact->protocol = "irc";
    contact->next = NULL;
    will("never-initialized", &contact->lock);
    return refresh(contact);
}
#elif defined(OLD_POINTS)
// A structure gets a mutex; of the two places that make the structure one does not know it.
struct Title { const char *file; int width, height; CRITICAL_SECTION lock; void *scene; };
NOINLINE static int draw(Title *title)
{
    EnterCriticalSection(&title->lock);
    sink += title->width;
    LeaveCriticalSection(&title->lock);
    return sink;
}
static int scenario()
{
    static const double points[] = { 12.5, 720.25, 13.75, 718.5, 15.125 };
    Title *title = static_cast<Title *>(used_block(sizeof(Title), points, sizeof points));
    title->file = "intro.kdenlivetitle";
    title->width = 1920;
    title->height = 1080;
    title->scene = NULL;
    will("never-initialized", &title->lock);
    return draw(title);
}
#elif defined(NEW_FILL)
// The fill of a debugging heap passes for a free section until two threads meet.
struct Meeting { virtual ~Meeting() { } int people = 2; CRITICAL_SECTION lock; };
static DWORD WINAPI join(void *meeting)
{
    EnterCriticalSection(&static_cast<Meeting *>(meeting)->lock);
    static_cast<Meeting *>(meeting)->people++;
    LeaveCriticalSection(&static_cast<Meeting *>(meeting)->lock);
    return 0;
}
static int scenario()
{
    static const unsigned char fill = 0xCD;
    Waiters one;
    Meeting *meeting = new (used_block(sizeof(Meeting), &fill, 1)) Meeting;
    make_waiters(&one, 1, join, meeting);
    will("never-initialized", &meeting->lock);
    join(meeting);
    join(meeting);
    EnterCriticalSection(&meeting->lock);
    start_waiters(&one);
    Sleep(3000);
    return sink;
}
#elif defined(LOCAL_FILL)
// The destructor deletes; the constructor's Initialize was lost in a merge.
struct Settings {
    CRITICAL_SECTION lock;
    const wchar_t *section;
    int entries;
    NOINLINE explicit Settings(const wchar_t *name) : section(name), entries(0) { }
    NOINLINE ~Settings() { DeleteCriticalSection(&lock); entries = 0; }
};
static int scenario()
{
    static const DWORD fill = 0xBAADF00D;
    Settings *settings = new (used_block(sizeof(Settings), &fill, 4)) Settings(L"Window");
    sink += settings->entries;
    will("never-initialized", &settings->lock);
    settings->~Settings();
    return sink;
}
#elif defined(STACK_REST)
// A local job, without its init call, where a hash had its table.
NOINLINE static DWORD hash(const char *text)
{
    volatile DWORD table[160];
    for (int i = 0; i < 160; i++)
        table[i] = (0x9E3779B2u * (i + 3)) ^ (text[i % 5] << 8);
    return table[7];
}
struct Job { int kind; CRITICAL_SECTION lock; const char *name; };
NOINLINE static int run(Job *job)
{
    EnterCriticalSection(&job->lock);
    job->kind++;
    LeaveCriticalSection(&job->lock);
    return job->kind;
}
NOINLINE static int start()
{
    volatile int results[24];
    Job job;
    results[3] = 1;
    job.kind = 4;
    job.name = "index";
    will("never-initialized", &job.lock);
    return run(&job) + results[3];
}
static int scenario() { sink = static_cast<int>(hash("index")); return start(); }
#elif defined(GROWN)
// The table grows, and the new ones are made up to the old size.
struct Room { short width, height; int guests; CRITICAL_SECTION lock; };
static int scenario()
{
    static const char text[] = "Good evening, traveller. The inn is full.";
    int count = 5;
    Room *rooms = static_cast<Room *>(used_block(8 * sizeof(Room), text, sizeof text));
    for (int i = 0; i < count + 2; i++) {
        rooms[i].width = rooms[i].height = 12;
        rooms[i].guests = 0;
        initialize(&rooms[i].lock);
    }
    count += 3;
    Room *last = &rooms[count - 1];
    last->width = last->height = 9;
    will("never-initialized", &last->lock);
    EnterCriticalSection(&last->lock);
    last->guests++;
    LeaveCriticalSection(&last->lock);
    return sink++;
}
#elif defined(HALF_BUILT)
// The second of two locks was not made, as the file could not be opened; cleaning up deletes both.
struct Journal { CRITICAL_SECTION readers; HANDLE file; CRITICAL_SECTION writers; };
NOINLINE static bool open(Journal *journal, const char *name)
{
    initialize(&journal->readers);
    journal->file = CreateFileA(name, GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
    if (journal->file == INVALID_HANDLE_VALUE)
        return false;
    initialize(&journal->writers);
    return true;
}
NOINLINE static void close(Journal *journal)
{
    DeleteCriticalSection(&journal->writers);
    DeleteCriticalSection(&journal->readers);
}
static int scenario()
{
    static const wchar_t path[] = L"\\Journal\\2014\\";
    Journal *journal = static_cast<Journal *>(used_block(sizeof(Journal), path, sizeof path - 2));
    if (!open(journal, "Z:\\missing\\journal.dat")) {
        will("never-initialized", &journal->writers);
        close(journal);
    }
    return sink++;
}
#elif defined(POOL_LINK)
// A block out of a pool begins with the link to the next free one; its user was cancelled before he made it.
struct Task { CRITICAL_SECTION lock; int priority; char name[12]; };
union Slot { Slot *next; Task task; };
static Slot *free_slots;
NOINLINE static void destroy(Task *task)
{
    DeleteCriticalSection(&task->lock);
    task->priority = -1;
}
static int scenario()
{
    Slot *slots = reinterpret_cast<Slot *>(pages(0x2000));
    for (int i = 40; i-- > 0; ) {
        slots[i].next = free_slots;
        free_slots = &slots[i];
    }
    Task *made = &free_slots->task;
    free_slots = free_slots->next;
    initialize(&made->lock);
    lstrcpyA(made->name, "download");
    Task *cancelled = &free_slots->task;
    free_slots = free_slots->next;
    lstrcpyA(cancelled->name, "upload");
    will("never-initialized", &cancelled->lock);
    destroy(cancelled);
    return sink++;
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
