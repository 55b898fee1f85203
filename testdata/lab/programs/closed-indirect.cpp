// As closed.c, four waiters, recursion before; C++ without optimisation, a scope guard that leaves through a pointer it
// got from GetProcAddress: no import names Leave. The section is a member on main's own stack frame.
#include "lab.h"

typedef void(WINAPI *lock_function)(CRITICAL_SECTION *);

struct LockTable {
    lock_function enter, leave;
    void load()
    {
        HMODULE kernel = GetModuleHandleA("cslabk32.dll");
        enter = (lock_function)(void *)GetProcAddress(kernel, "EnterCriticalSection");
        leave = (lock_function)(void *)GetProcAddress(kernel, "LeaveCriticalSection");
    }
};

static LockTable table;

struct Guard {
    CRITICAL_SECTION *section;
    explicit Guard(CRITICAL_SECTION *s) : section(s) { table.enter(section); }
    ~Guard() { table.leave(section); }
};

struct Document {
    virtual void save() { Guard inner(&lock); version++; }
    int version;
    CRITICAL_SECTION lock;
};

static DWORD WINAPI worker(void *argument)
{
    static_cast<Document *>(argument)->save();
    return 0;
}

static void edit(Document *document, Waiters *waiters)
{
    Guard guard(&document->lock);
    document->save();
    HANDLE stale = free_a_slot();
    start_waiters(waiters);
    reporter_expect(&document->lock, document->lock.LockSemaphore);
    CloseHandle(stale); // the bug
    document->version++;
}

int main()
{
    Waiters waiters;
    Document document;
    LAB_START();
    table.load();
    document.version = 1;
    InitializeCriticalSection(&document.lock);
    make_waiters(&waiters, 4, worker, &document);
    edit(&document, &waiters);
    return 0;
}
