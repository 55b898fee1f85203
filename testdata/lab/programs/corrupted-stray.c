/* One stray pointer-sized write hits LockSemaphore: a stale "next" pointer of a list node points into the section.
 * Section on the heap by itself, three waiters, -O0. */
#include "lab.h"

struct Node { struct Node *next; char text[24]; };

static DWORD WINAPI worker(void *argument)
{
    EnterCriticalSection((CRITICAL_SECTION *)argument);
    LeaveCriticalSection((CRITICAL_SECTION *)argument);
    return 0;
}

static void link_node(struct Node **where, struct Node *node) { *where = node; }

int main(void)
{
    struct Waiters waiters;
    CRITICAL_SECTION *lock;
    struct Node *node;
    LAB_START();
    lock = HeapAlloc(GetProcessHeap(), 0, sizeof *lock);
    InitializeCriticalSection(lock);
    node = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof *node);
    lstrcpyA(node->text, "queue entry");
    make_waiters(&waiters, 3, worker, lock);
    EnterCriticalSection(lock);
    start_waiters(&waiters);
    link_node((struct Node **)&lock->LockSemaphore, node); /* the bug */
    reporter_expect(lock, lock->LockSemaphore);
    LeaveCriticalSection(lock);
    return 0;
}
