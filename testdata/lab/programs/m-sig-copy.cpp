// Third batch: bytes of a section are copied by the compiler's copy operations, one of the two is destroyed, and the other one goes on.
#include "unseen.h"

static Waiters waiters;
[[maybe_unused]] static void own_contended(CRITICAL_SECTION *lock)
{
    make_waiters(&waiters, WAITERS, pass_through, lock);
    EnterCriticalSection(lock);
    start_waiters(&waiters);
    act("copied", lock);
}
[[maybe_unused]] NOINLINE static int unlock(CRITICAL_SECTION *lock)
{
    expect_handle(lock);
    sink++;
    LeaveCriticalSection(lock);
    return sink++;
}
[[maybe_unused]] static DWORD WINAPI late_visitor(void *argument) { pass_through(argument); return 9; }
[[maybe_unused]] static void take_number()
{
#if defined(TAKE_MUTEX)
    CreateMutexA(NULL, FALSE, NULL);
#endif
}

struct Mutex {
    Mutex() { initialize(&native); }
    ~Mutex() { DeleteCriticalSection(&native); }
    Mutex(const Mutex &) = default;
    Mutex &operator=(const Mutex &) = default;
    CRITICAL_SECTION native;
};

#if defined(COROUTINE)
// A coroutine's frame does not fit any more: it is copied into a bigger one, and the old one's locals are destroyed.
struct Locals { int step = 0; Mutex guard; char name[10] = "download"; };
struct Frame { int (*resume)(Frame *); SIZE_T size; Locals locals; };
static int second_step(Frame *frame)
{
    frame->locals.step++;
    take_number();
    return unlock(&frame->locals.guard.native);
}
static int first_step(Frame *frame)
{
    own_contended(&frame->locals.guard.native);
    frame->resume = second_step;
    return 0;
}
NOINLINE static Frame *enlarge(Frame *frame)
{
    Frame *bigger = static_cast<Frame *>(operator new(frame->size * 3));
    memcpy(static_cast<void *>(bigger), frame, frame->size);
    bigger->size *= 3;
    frame->locals.~Locals();
    operator delete(frame);
    return bigger;
}
static int scenario()
{
    Frame *frame = new Frame { first_step, sizeof(Frame), {} };
    frame->resume(frame);
    frame = enlarge(frame);
    return frame->resume(frame);
}
#elif defined(EXCHANGED)
// swap() of two channels by the generic function: its temporary is destroyed with what was the first one's event.
struct Channel { unsigned short port; Mutex lock; LONG bytes; };
static Channel channels[5];
template <class T> NOINLINE static void exchange(T &a, T &b)
{
    T kept = a;
    a = b;
    b = kept;
}
static int scenario()
{
    own_contended(&channels[1].lock.native);
    exchange(channels[1], channels[4]);
    take_number();
    return unlock(&channels[4].lock.native);
}
#elif defined(BY_VALUE_LOOP)
// "for (auto device : devices)" makes a copy of each, and destroys it.
struct Device { int id = 0; Mutex lock; short volume = 70; };
class Devices {
public:
    Device *begin() { return all; }
    Device *end() { return all + 3; }
private:
    Device all[3];
};
static Devices *devices;
NOINLINE static int total()
{
    int sum = 0;
    for (auto device : *devices)
        sum += device.volume;
    return sum;
}
static int scenario()
{
    devices = new Devices;
    CRITICAL_SECTION *lock = &(devices->begin() + 1)->lock.native;
    own_contended(lock);
    sink = total();
    take_number();
    return unlock(lock);
}
#elif defined(THREAD_CONTEXT)
// Each thread begins with a copy of its parent's context, and destroys it at its end.
struct Context { wchar_t user[12]; Mutex lock; int level; };
static Context *root;
static DWORD WINAPI child(void *)
{
    Context own(*root);
    own.level++;
    return own.level;
}
static int scenario()
{
    Waiters children;
    root = new Context { L"operator", {}, 1 };
    make_waiters(&children, 1, child, NULL);
    own_contended(&root->lock.native);
    start_waiters(&children);
    WaitForSingleObject(children.threads[0], 4000);
    return unlock(&root->lock.native);
}
#elif defined(ROLLED_BACK)
// An undo record is the bytes of the whole document; in between its lock was made anew.
struct Document { int revision = 1; Mutex lock; char title[20] = "untitled"; };
static int scenario()
{
    static char record[sizeof(Document)];
    Waiters late;
    Document *document = new Document;
    make_waiters(&late, WAITERS, late_visitor, &document->lock.native);
    contend_once(&document->lock.native);
    act("copied", &document->lock.native);
    memcpy(record, document, sizeof record);
    document->lock.~Mutex();
    new (&document->lock) Mutex;
    document->revision++;
    memcpy(static_cast<void *>(document), record, sizeof record);
    expect_handle(&document->lock.native);
    EnterCriticalSection(&document->lock.native);
    start_waiters(&late);
    return unlock(&document->lock.native);
}
#elif defined(PROTOTYPE)
// Objects are cloned from a prototype that had been used; the clone that is thrown away closes the event of all of them.
struct Shape { virtual Shape *clone() const { return new Shape(*this); } virtual ~Shape() { } int edges = 4; Mutex lock; float scale = 1.5f; };
static int scenario()
{
    Waiters late;
    Shape *prototype = new Shape;
    Shape *volatile any = prototype;
    contend_once(&prototype->lock.native);
    act("copied", &prototype->lock.native);
    Shape *kept = any->clone(), *preview = any->clone();
    make_waiters(&late, WAITERS, late_visitor, &kept->lock.native);
    delete preview;
    take_number();
    expect_handle(&kept->lock.native);
    EnterCriticalSection(&kept->lock.native);
    start_waiters(&late);
    return unlock(&kept->lock.native);
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
