// Third batch: crashes that are no lock failure. Statuses are those of one, locks are held or broken, Enter and Leave have just run.
#include "unseen.h"

extern "C" __declspec(dllimport) LONG NTAPI NtWaitForSingleObject(HANDLE handle, BOOLEAN alertable, LARGE_INTEGER *timeout);
extern "C" __declspec(dllimport) void NTAPI RtlRaiseStatus(LONG status);

struct Node { Node *next; int key; CRITICAL_SECTION lock; };
static Node *first;
static Waiters waiters;

NOINLINE static Node *make_list(int n)
{
    for (int i = 0; i < n; i++) {
        first = new Node { first, 10 * i, {} };
        initialize(&first->lock);
    }
    return first;
}
// Others wait for the node's lock, and this thread has it.
[[maybe_unused]] static void hold(Node *node)
{
    make_waiters(&waiters, WAITERS, pass_through, &node->lock);
    EnterCriticalSection(&node->lock);
    start_waiters(&waiters);
}
[[maybe_unused]] NOINLINE static void visit(Node *node)
{
    hold(node);
    LeaveCriticalSection(&node->lock);
    sink++;
}

#if defined(OWN_SEMAPHORE) // a lock of the program's own, with the same fields, waits by itself and raises what it is told
struct FastLock {
    void *debug;
    LONG state, depth;
    HANDLE owner, semaphore;
    NOINLINE void enter()
    {
        if (InterlockedIncrement(&state) > 1) {
            LONG status = NtWaitForSingleObject(semaphore, FALSE, NULL);
            if (status < 0)
                RtlRaiseStatus(status);
        }
        depth++;
    }
};
NOINLINE static int crash()
{
    static FastLock lock = { NULL, 1, 0, NULL, NULL };
    visit(first->next);
    lock.semaphore = OWN_SEMAPHORE;
    lock.enter();
    return sink;
}
#elif defined(REQUIRED) // an assertion about a handle raises its status, under a lock whose event is open
NOINLINE static void require(bool yes, DWORD status) { if (!yes) RaiseException(status, 0, 0, NULL); }
NOINLINE static int crash()
{
    DWORD flags;
    hold(first);
    HANDLE file = free_a_slot();
    require(GetHandleInformation(file, &flags), REQUIRED);
    LeaveCriticalSection(&first->lock);
    return sink;
}
#elif defined(CLOSE_TWICE) // CloseHandle raises for a handle of the program; the lock's event has been closed too, and nobody has noticed
NOINLINE static int crash()
{
    HANDLE file = CreateFileA("list.tmp", GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    hold(first->next);
    CloseHandle(file);
    CloseHandle(first->next->lock.LockSemaphore);
#ifdef _WIN64
    *reinterpret_cast<ULONG *>(__readgsqword(0x60) + 0xBC) |= 0x00400000;
#else
    *reinterpret_cast<ULONG *>(__readfsdword(0x30) + 0x68) |= 0x00400000;
#endif
    CloseHandle(file);
    LeaveCriticalSection(&first->next->lock);
    return sink;
}
#elif defined(BROKEN_LINK) // a list's link and the lock behind it are text; what crashes is the walk
NOINLINE static int find(int key)
{
    Node *at = first;
    while (at->key != key)
        at = at->next, sink++;
    return at->key;
}
NOINLINE static int crash()
{
    Node *third = first->next->next;
    visit(first);
    memcpy(static_cast<void *>(third), "customer=3007;sort=lastname;ascending=yes;page=12", sizeof(Node) < 50 ? sizeof(Node) : 50);
    return find(-1);
}
#elif defined(IN_CALLBACK) // a comparison, called by the C library's sort under two locks, reads what is not there
static int compare(const void *a, const void *b)
{
    const Node *const *left = static_cast<const Node *const *>(a), *const *right = static_cast<const Node *const *>(b);
    return (*left)->key - (*right)->key;
}
NOINLINE static int crash()
{
    Node *all[4] = { first, first->next, NULL, first->next->next };
    hold(first);
    EnterCriticalSection(&first->next->lock);
    qsort(all, 4, sizeof *all, compare);
    LeaveCriticalSection(&first->next->lock);
    LeaveCriticalSection(&first->lock);
    return sink;
}
#elif defined(OWNER_CHECK) // a check of its own finds a stranger's lock, and breaks
NOINLINE static void must_own(const CRITICAL_SECTION *lock)
{
    if (lock->OwningThread != reinterpret_cast<HANDLE>(static_cast<ULONG_PTR>(GetCurrentThreadId())))
        DebugBreak();
}
NOINLINE static int crash()
{
    visit(first);
    must_own(&first->lock);
    LeaveCriticalSection(&first->lock);
    return sink;
}
#elif defined(THREAD_DIES) // a worker faults just after its Enter, main waits for the same lock
static DWORD WINAPI worker(void *)
{
    Node *volatile last = first->next->next->next->next;
    EnterCriticalSection(&first->lock);
    sink = last->key;
    LeaveCriticalSection(&first->lock);
    return 0;
}
NOINLINE static int crash()
{
    Waiters one;
    make_waiters(&one, 1, worker, NULL);
    hold(first);
    ResumeThread(one.threads[0]);
    Sleep(300);
    LeaveCriticalSection(&first->lock);
    Sleep(200);
    EnterCriticalSection(&first->lock);
    Sleep(3000);
    return sink;
}
#elif defined(FREED_TWICE) // a wild pointer is freed after the lock's object was destroyed as it should be
NOINLINE static int crash()
{
    Node *node = first;
    visit(node);
    WaitForSingleObject(waiters.threads[0], 2000);
    DeleteCriticalSection(&node->lock);
    first = node->next;
    HeapFree(GetProcessHeap(), 0, node);
    HeapFree(GetProcessHeap(), 0, reinterpret_cast<void *>(static_cast<ULONG_PTR>(0x6B636F73)));
    return sink;
}
#endif

int main()
{
    LAB_START();
    crowd();
    make_list(4);
    return crash();
}
