// Sixth batch: locks that the end of a program deletes while something still wants them. Macros choose what ends, and who comes after.
#include "w-life.h"

typedef void (*plugin_function)(void);
typedef void (*plugin_text_function)(const char *);
template <class Function> static Function from_plugin(HMODULE library, const char *name)
{
    return reinterpret_cast<Function>(reinterpret_cast<void *>(GetProcAddress(library, name)));
}

#if defined(STATIC_ORDER)
// The journal is made at its first use, so it goes before the global that writes its last line to it.
struct Journal {
    char file[24];
    CRITICAL_SECTION lock;
    int lines;
    Journal() : lines(0)
    {
        lstrcpyA(file, "session.log");
        initialize(&lock);
    }
    ~Journal()
    {
        will("deleted", &lock);
        DeleteCriticalSection(&lock);
    }
    NOINLINE void write(const char *text)
    {
        EnterCriticalSection(&lock);
        lines += lstrlenA(text);
        LeaveCriticalSection(&lock);
    }
};
static Journal &journal() { static Journal one; return one; }
struct Session { ~Session() { journal().write("session ends"); sink++; } };
static Session session;
static int scenario()
{
    journal().write("session begins");
    exit(0);
}
#elif defined(STOP_ORDER)
// Services are stopped in the order in which they were started; a later one needs an earlier one for its farewell.
struct Service { virtual void start() = 0; virtual void stop() = 0; };
struct Settings : Service {
    int values[5];
    CRITICAL_SECTION lock;
    void start() override { made(&lock); values[2] = 25; }
    void stop() override
    {
        will("deleted", &lock);
        DeleteCriticalSection(&lock);
    }
    NOINLINE int get(int which)
    {
        EnterCriticalSection(&lock);
        int value = values[which];
        LeaveCriticalSection(&lock);
        return value;
    }
};
static Settings settings;
struct Mailer : Service {
    int port;
    void start() override { port = settings.get(2); }
    NOINLINE void stop() override { sink += settings.get(3) + port; }
};
static Mailer mailer;
static Service *const services[] = { &settings, &mailer };
static int scenario()
{
    for (Service *one : services)
        one->start();
    for (Service *one : services)
        one->stop();
    return sink;
}
#elif defined(AUDIO_THREAD)
// The mixer's lock goes before the device is closed; its callback comes until then.
static struct { volatile LONG playing; short frame[22]; CRITICAL_SECTION lock; LONG frames; } device;
static void mix(short *to)
{
    EnterCriticalSection(&device.lock);
    device.frames++;
    for (int i = 0; i < 22; i++)
        to[i] = static_cast<short>(100 * i);
    LeaveCriticalSection(&device.lock);
}
static DWORD WINAPI play(void *callback)
{
    while (device.playing) {
        Sleep(40);
        reinterpret_cast<void (*)(short *)>(callback)(device.frame);
    }
    return 0;
}
static int scenario()
{
    initialize(&device.lock);
    device.playing = 1;
    HANDLE thread = CreateThread(NULL, STACK_RESERVE, play, reinterpret_cast<void *>(mix), STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    Sleep(300);
    will("deleted", &device.lock);
    DeleteCriticalSection(&device.lock);
    Sleep(500); // the other subsystems
    device.playing = 0;
    WaitForSingleObject(thread, INFINITE);
    return sink++;
}
#elif defined(TIMER_QUEUE)
// The globals are cleaned up, the maintenance timer is not stopped.
static ULONGLONG last_tick;
static CRITICAL_SECTION time_lock;
static ULONGLONG monotonic()
{
    EnterCriticalSection(&time_lock);
    ULONGLONG now = GetTickCount();
    if (now < last_tick)
        now += 1ull << 32;
    last_tick = now;
    LeaveCriticalSection(&time_lock);
    return now;
}
static void CALLBACK maintain(void *, BOOLEAN) { sink += static_cast<int>(monotonic() % 7); }
NOINLINE static void clean_up_globals()
{
    will("deleted", &time_lock);
    DeleteCriticalSection(&time_lock);
    last_tick = 0;
}
static int scenario()
{
    HANDLE timer;
    initialize(&time_lock);
    CreateTimerQueueTimer(&timer, NULL, maintain, NULL, 200, 300, WT_EXECUTEDEFAULT);
    sink += static_cast<int>(monotonic() % 5);
    Sleep(350);
    clean_up_globals();
    Sleep(3000); // unloads its libraries
    return sink;
}
#elif defined(FINALIZER)
// At the end all objects are finalized as they come; the lock of the handle table comes before a handle.
struct Object {
    Object *next;
    virtual void finalize() = 0;
};
static Object *unreachable;
struct TableLock : Object {
    CRITICAL_SECTION native;
    int owners;
    TableLock() : owners(1) { made(&native); }
    void finalize() override
    {
        will("deleted", &native);
        DeleteCriticalSection(&native);
        owners = 0;
    }
};
struct Bitmap : Object {
    int width, height;
    TableLock *table;
    NOINLINE void finalize() override
    {
        EnterCriticalSection(&table->native);
        width = height = 0;
        LeaveCriticalSection(&table->native);
    }
};
static DWORD WINAPI finalizer(void *)
{
    for (Object *one = unreachable; one; one = one->next)
        one->finalize();
    return 0;
}
static int scenario()
{
    TableLock *table = new TableLock;
    Bitmap *bitmap = new Bitmap;
    bitmap->table = table;
    bitmap->width = bitmap->height = 512;
    bitmap->next = NULL;
    table->next = bitmap;
    unreachable = table;
    in_thread(finalizer, NULL);
    return sink;
}
#elif defined(POOL_ITEM)
// A global holds an item of a pool that has been destroyed; its destructor gives the item back.
struct Pool {
    int free_items, all_items;
    char name[16];
    CRITICAL_SECTION lock;
    void *items[6];
    Pool() : free_items(6), all_items(6) { made(&lock); }
    ~Pool()
    {
        will("deleted", &lock);
        DeleteCriticalSection(&lock);
    }
    NOINLINE void give_back()
    {
        EnterCriticalSection(&lock);
        free_items++;
        LeaveCriticalSection(&lock);
    }
};
struct Item {
    Pool *pool;
    ~Item()
    {
        if (pool)
            pool->give_back();
    }
};
static Item item;
static int scenario()
{
    Pool *pool = new Pool;
    item.pool = pool;
    pool->free_items--;
    delete pool;
    exit(0);
}
#elif defined(THREAD_DETACH)
// The library was stopped; a thread ends, and the library notes that.
static DWORD WINAPI worker(void *log)
{
    reinterpret_cast<plugin_text_function>(log)("thread begins");
    Sleep(700);
    return 0;
}
static int scenario()
{
    HMODULE library = LoadLibraryA("plugin.dll");
    from_plugin<plugin_function>(library, "plugin_start")();
    meanwhile(worker, reinterpret_cast<void *>(from_plugin<plugin_text_function>(library, "plugin_log")));
    Sleep(300);
    from_plugin<plugin_function>(library, "plugin_stop")();
    Sleep(3000);
    return sink;
}
#elif defined(TWO_USERS)
// Two parts of the host use the library, the first to close stops it for both.
static int started;
struct Part {
    HMODULE library;
    const char *name;
    void open()
    {
        library = LoadLibraryA("plugin.dll");
        if (!started++)
            from_plugin<plugin_function>(library, "plugin_start")();
    }
    NOINLINE void log(const char *text) { from_plugin<plugin_text_function>(library, "plugin_log")(text); }
    void close()
    {
        log(name);
        from_plugin<plugin_function>(library, "plugin_stop")();
        FreeLibrary(library);
    }
};
static Part editor = { NULL, "editor" }, viewer = { NULL, "viewer" };
static int scenario()
{
    editor.open();
    viewer.open();
    viewer.log("ready");
    editor.close();
    viewer.log("page 2");
    return sink;
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
