// Eighth batch: a member or a local that nobody makes; old bytes lie there. Macros choose which.
#include "k-common.h"
#include <string.h>

#if defined(LOCAL_MERGE)
// A local of a merge, beside what a printer of names had on the stack.
alignas(4) static const char days[7][4] = { "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun" };
NOINLINE static int print(int from)
{
    const char *volatile names[48];
    for (int i = 0; i < 48; i++)
        names[i] = days[(i + from) % 7];
    return names[from][0];
}
struct Merge {
    int left, right;
    volatile char spare[72];
    CRITICAL_SECTION lock;
    int *result;
};
NOINLINE static void step(Merge *merge)
{
    will("never-initialized", &merge->lock);
    EnterCriticalSection(&merge->lock);
    *merge->result += merge->left + merge->right;
    LeaveCriticalSection(&merge->lock);
}
NOINLINE static int merge(int left, int right)
{
    int result = 0;
    Merge work;
    work.left = left;
    work.right = right;
    work.result = &result;
    step(&work);
    return result;
}
static int scenario()
{
    sink = print(2);
    return merge(3, 5);
}
#elif defined(SECOND_CONSTRUCTOR)
// The constructor from a file forgets what the usual one does. The block was a page's text.
class Template {
public:
    Template() : size(0), name("empty") { initialize(&lock); }
    explicit Template(const char *file) : size(lstrlenA(file)), name(file) { }
    virtual ~Template() { }
    NOINLINE virtual int render()
    {
        act("never-initialized", &lock);
        expect_handle(&lock);
        EnterCriticalSection(&lock);
        uses++;
        LeaveCriticalSection(&lock);
        return uses;
    }
private:
    int size;
    char tag[28];
    CRITICAL_SECTION lock;
    const char *name;
    int uses = 0;
};
static int scenario()
{
    char *text = static_cast<char *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Template)));
    memcpy(text, "<!DOCTYPE html><html lang=en><head><title>Offer</title><link href=/main.css rel=stylesheet></head><body>", sizeof(Template));
    sink = text[5];
    asm volatile("" : : "r"(text) : "memory");
    HeapFree(GetProcessHeap(), 0, text);
    Template *page = new Template("offers.html");
    return page->render();
}
#elif defined(NEW_FILL)
// A debug heap's fill. One thread alone gets through; the second one has to wait.
struct Mixer { CRITICAL_SECTION lock; int channels; float volume; void *device; char name[24]; };
NOINLINE static int mix(Mixer *mixer, int hold)
{
    EnterCriticalSection(&mixer->lock);
    mixer->channels++;
    Sleep(hold);
    LeaveCriticalSection(&mixer->lock);
    return mixer->channels;
}
static DWORD WINAPI second(void *argument) { return mix(static_cast<Mixer *>(argument), 0); }
static int scenario()
{
    Waiters one;
    Mixer *mixer = static_cast<Mixer *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Mixer)));
    for (unsigned i = 0; i < sizeof *mixer; i++)
        reinterpret_cast<volatile BYTE *>(mixer)[i] = 0xCD;
    mixer->channels = 2;
    mixer->volume = 0.75f;
    mixer->device = NULL;
    lstrcpyA(mixer->name, "front");
    will("never-initialized", &mixer->lock);
    mix(mixer, 0);
    make_waiters(&one, 1, second, mixer);
    ResumeThread(one.threads[0]);
    return mix(mixer, 4000);
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
