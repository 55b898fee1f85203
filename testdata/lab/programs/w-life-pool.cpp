// Sixth batch: the place of a lock in an arena, a pool, a vector or a frame belongs to something else now. Macros choose which.
#include "w-life.h"

#if defined(MATRICES)
// A frame's memory begins anew with each frame; a light of the last one is kept in a list.
struct Light { float position[4]; int shadow; CRITICAL_SECTION lock; };
static struct { char bytes[0x4000]; unsigned used; } frame_memory;
static void *from_frame(unsigned size)
{
    void *at = frame_memory.bytes + frame_memory.used;
    frame_memory.used += (size + 15) & ~15u;
    return at;
}
static Light *brightest;
static void draw_frame(void *number)
{
    frame_memory.used = 0;
    float *matrices = static_cast<float *>(from_frame(64 * 40));
    for (int i = 0; i < 16 * 40; i++)
        matrices[i] = i % 5 ? -0.25f - 0.5f * static_cast<float>(i % 3) : -1.0f;
    if (brightest)
        call(&brightest->lock);
    frame_memory.used /= 2; // most of them were for culling
    brightest = static_cast<Light *>(from_frame(sizeof(Light)));
    made(&brightest->lock);
    released(&brightest->lock);
    if (number)
        post(draw_frame, NULL);
}
static int scenario()
{
    post(draw_frame, &jobs);
    return run_jobs();
}
#elif defined(DETACHED)
// A detached thread has captured a local by reference; the function has returned, another one's text is there.
struct Progress { int percent; CRITICAL_SECTION lock; };
static const CRITICAL_SECTION *copying;
template <class Function> static void detach(Function function)
{
    meanwhile([](void *argument) -> DWORD { (*static_cast<Function *>(argument))(); return 0; }, new Function(function));
}
NOINLINE static void start_copy()
{
    char files[600];
    Progress progress = { 0, { NULL, 0, 0, NULL, NULL, 0 } };
    files[static_cast<volatile int &>(progress.percent)] = 0;
    copying = made(&progress.lock);
    detach([&progress] {
        Sleep(700);
        call(&progress.lock);
    });
    Sleep(100);
    released(&progress.lock);
}
NOINLINE static int show_report()
{
    char lines[1400];
    write_text(lines, sizeof lines, "Copied 12 of 80 files to D:\\Backup, 3 were skipped. ", copying);
    Sleep(3000);
    return lines[sink & 7];
}
static int scenario()
{
    start_copy();
    return show_report();
}
#elif defined(RESIDUE)
// An observer that is a local was not removed; its function has returned, and others have used the stack since.
struct Observer { Observer *next; int mask; CRITICAL_SECTION lock; };
static Observer *observers;
NOINLINE static void subscribe()
{
    volatile char names[900];
    Observer mine = { NULL, 3, { NULL, 0, 0, NULL, NULL, 0 } };
    names[0] = 0;
    observers = &mine;
    made(&mine.lock);
    released(&mine.lock);
    sink += names[0];
}
NOINLINE static int sort_table()
{
    volatile ULONG rows[420];
    for (int i = 0; i < 420; i++)
        rows[i] = 0xC0100000u + 0x20u * i;
    return static_cast<int>(rows[sink & 31] & 0xFF);
}
static DWORD WINAPI notify(void *) { return call(&observers->lock); }
static int scenario()
{
    subscribe();
    Observer *one = observers;
    sink += sort_table();
    observers = one;
    in_thread(notify, NULL);
    return sink;
}
#elif defined(VECTOR)
// A reference into a vector is kept over push_back; the vector's old block has rows of text.
struct Account { char owner[16]; LONGLONG balance; CRITICAL_SECTION lock; };
struct Accounts {
    Account *begin = nullptr;
    unsigned size = 0, capacity = 0;
    NOINLINE Account &add(const char *owner)
    {
        if (size == capacity) {
            Account *more = static_cast<Account *>(allocate(sizeof(Account) * (capacity = 2 * capacity + 2)));
            for (unsigned i = 0; i < size; i++) {
                lstrcpyA(more[i].owner, begin[i].owner);
                more[i].balance = begin[i].balance;
                made(&more[i].lock);
            }
            if (begin) {
                released(&begin[0].lock);
                HeapFree(GetProcessHeap(), 0, begin);
            }
            begin = more;
        }
        Account &one = begin[size++];
        lstrcpyA(one.owner, owner);
        made(&one.lock);
        return one;
    }
};
static char *statement;
static int scenario()
{
    Accounts accounts;
    Account &first = accounts.add("smith");
    accounts.add("jones");
    accounts.add("brown");
    statement = static_cast<char *>(anew(&first, 2 * sizeof(Account)));
    write_text(statement, 2 * sizeof(Account), "date;text;amount\n2024-05-02;rent;-950.00\n2024-05-03;bread;-4.20\n", &first.lock);
    return call(&first.lock);
}
#elif defined(SCRATCH)
// A task's scratch memory goes to the next task, which writes names to it; the first one has left a timer.
struct Task { int id; wchar_t name[14]; CRITICAL_SECTION lock; };
static char *scratch;
static unsigned scratch_used;
static void *take(unsigned size) { scratch_used += size; return scratch + scratch_used - size; }
static DWORD WINAPI timer(void *task)
{
    Sleep(700);
    return call(&static_cast<Task *>(task)->lock);
}
static DWORD WINAPI first_task(void *)
{
    take(0x80);
    Task *task = static_cast<Task *>(take(sizeof(Task)));
    task->id = 1;
    made(&task->lock);
    meanwhile(timer, task);
    Sleep(150);
    released(&task->lock);
    scratch_used = 0;
    return 0;
}
static DWORD WINAPI second_task(void *)
{
    write_text(static_cast<wchar_t *>(take(0x800)), 0x400, L"Dhaka,Oslo,Lima,Bern,Rome,Cairo,Tokyo,", &reinterpret_cast<Task *>(scratch + 0x80)->lock);
    return 0;
}
static int scenario()
{
    scratch = pages(0x1000);
    in_thread(first_task, NULL);
    in_thread(second_task, NULL);
    Sleep(3000);
    return sink;
}
#elif defined(COMPACTED)
// A compaction moves the objects that are left; the destructor of one that has not noticed comes to its old place.
struct Object { ULONG kind, size; Object *forward; CRITICAL_SECTION lock; char text[76]; };
static struct { Object objects[7]; unsigned count; } young;
NOINLINE static void compact()
{
    for (unsigned i = 0; i < young.count; i += 2)
        young.objects[i / 2] = young.objects[i];
    young.count = (young.count + 1) / 2;
    static const char strings[] = "Monday\0Tuesday\0Wednesday\0Thursday\0Friday\0Saturday\0Sunday\0January";
    char *to = reinterpret_cast<char *>(&young.objects[young.count]);
    for (unsigned i = 0; i < sizeof(Object) * (7 - young.count); i++)
        to[i] = strings[i % sizeof strings];
}
struct Handle {
    Object *object;
    ~Handle() { call(&object->lock); }
};
static int scenario()
{
    Handle handle = { &young.objects[6] };
    young.count = 7;
    for (Object &one : young.objects)
        made(&one.lock);
    released(&handle.object->lock);
    compact();
    return sink;
}
#elif defined(POOLED)
// A pool of equal blocks gives a session's block to a message; a watcher has the session's address.
union Block { Block *next; char bytes[120]; };
static Block pool_blocks[10], *free_blocks;
static void *pool_get() { Block *one = free_blocks; free_blocks = one->next; return one; }
static void pool_put(void *block) { static_cast<Block *>(block)->next = free_blocks; free_blocks = static_cast<Block *>(block); }
struct Session { int id; CRITICAL_SECTION lock; char user[20]; };
struct Message { ULONG kind, flags; const char *subject, *sender; ULONG_PTR sizes[3]; const char *parts[4]; };
static Session *watched;
static Message *message;
static void log_in(void *)
{
    watched = static_cast<Session *>(pool_get());
    made(&watched->lock);
}
static void log_out(void *)
{
    released(&watched->lock);
    pool_put(watched);
}
static void receive(void *)
{
    message = static_cast<Message *>(pool_get());
    *message = { 6, 0, "weekly report", "office@contoso.com", { 4096, 512, 64 }, { "text", "table", "chart", "logo" } };
}
static void watch(void *) { call(&watched->lock); }
static int scenario()
{
    for (Block &one : pool_blocks)
        pool_put(&one);
    void (*const works[])(void *) = { log_in, log_out, receive, watch };
    for (auto work : works)
        post(work, NULL);
    return run_jobs();
}
#elif defined(CLEANUP_LIST)
// Locks are registered for the cleanup at the end; one was a local of a function that has returned.
static CRITICAL_SECTION *registered[4], general;
static unsigned registered_count;
static void register_lock(CRITICAL_SECTION *lock) { registered[registered_count++] = made(lock); }
NOINLINE static void import_file()
{
    volatile int columns[150];
    CRITICAL_SECTION lock;
    columns[3] = 0;
    register_lock(&lock);
    released(&lock);
    sink += columns[3];
}
NOINLINE static int clean_up()
{
    volatile double totals[160];
    for (int i = 0; i < 160; i++)
        totals[i] = -1200.0 - 0.1 * i;
    for (unsigned i = registered_count; i-- > 0;)
        call(registered[i]);
    return static_cast<int>(totals[sink & 15]);
}
static int scenario()
{
    register_lock(&general);
    import_file();
    return clean_up();
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
