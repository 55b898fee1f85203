// Held-out variants of an access violation (or a raise without a waiter) in Enter, TryEnter, Leave or Delete: garbage
// memory, memory given back, wrong pointers. CALL is the operation.
#include "lab.h"

#ifndef CALL
#define CALL EnterCriticalSection
#endif
#define NOINLINE __attribute__((noinline))

struct Node { void *next; int kind; char label[20]; CRITICAL_SECTION lock; int tail[6]; };
static volatile int sink;

NOINLINE static int use(Node *node)
{
    node->label[0] ^= 0;
    CALL(&node->lock);
    return sink++;
}

NOINLINE static int use_section(CRITICAL_SECTION *section)
{
    sink++;
    CALL(section);
    return sink++;
}

static void expect(CRITICAL_SECTION *section) { reporter_expect(section, NULL); }

#if defined(FILL_WITH)
static void fill(void *at, SIZE_T size)
{
    DWORD *words = static_cast<DWORD *>(at);
    for (SIZE_T i = 0; i < size / 4; i++)
        words[i] = FILL_WITH;
}
static int scenario(void)
{
    Node *node = static_cast<Node *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Node)));
    fill(node, sizeof(Node));
#ifdef ENTER_FIRST
    reporter_expect(&node->lock, node->lock.LockSemaphore);
    EnterCriticalSection(&node->lock);
#else
    expect(&node->lock);
#endif
    return use(node);
}
#elif defined(H_CALLOCED)
static int scenario(void)
{
    Node *node = static_cast<Node *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(Node)));
    expect(&node->lock);
    return use(node);
}
#elif defined(STATIC_EXIT)
class Registry {
public:
    Registry() { InitializeCriticalSection(&lock); }
    ~Registry() { DeleteCriticalSection(&lock); }
    NOINLINE void add() { EnterCriticalSection(&lock); sink++; LeaveCriticalSection(&lock); }
    CRITICAL_SECTION lock;
};
class Plugin {
public:
    Plugin() { sink++; }
    ~Plugin();
};
static Plugin plugin;     // made first, destroyed last
static Registry registry;
Plugin::~Plugin() { registry.add(); }
static int scenario(void)
{
    registry.add();
    expect(&registry.lock);
    return 0;
}
#elif defined(DELETED_HEAP)
static int scenario(void)
{
    Node *node = static_cast<Node *>(HeapAlloc(GetProcessHeap(), 0, sizeof(Node)));
    InitializeCriticalSection(&node->lock);
    EnterCriticalSection(&node->lock);
    LeaveCriticalSection(&node->lock);
    DeleteCriticalSection(&node->lock);
    expect(&node->lock);
    return use(node);
}
#elif defined(DECOMMITTED)
static int scenario(void)
{
    char *arena = static_cast<char *>(VirtualAlloc(NULL, 0x10000, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
    Node *node = reinterpret_cast<Node *>(arena + 0x3008);
    InitializeCriticalSection(&node->lock);
    EnterCriticalSection(&node->lock);
    expect(&node->lock);
    VirtualFree(arena + 0x3000, 0x1000, MEM_DECOMMIT);
    return use_section(&node->lock);
}
#elif defined(BIG_HEAP)
static int scenario(void)
{
    char *block = static_cast<char *>(HeapAlloc(GetProcessHeap(), 0, 3 << 20));
    Node *node = reinterpret_cast<Node *>(block + 0x2340);
    InitializeCriticalSection(&node->lock);
    EnterCriticalSection(&node->lock);
    expect(&node->lock);
    HeapFree(GetProcessHeap(), 0, block);
    return use_section(&node->lock);
}
#elif defined(DLL_GONE)
typedef CRITICAL_SECTION *(*plugin_enter_function)(void);
static int scenario(void)
{
    HMODULE plugin = LoadLibraryA("plugin.dll");
    CRITICAL_SECTION *section = reinterpret_cast<plugin_enter_function>(reinterpret_cast<void *>(GetProcAddress(plugin, "plugin_enter")))();
    LeaveCriticalSection(section);
    expect(section);
    FreeLibrary(plugin);
    return use_section(section);
}
#elif defined(DEAD_FRAME)
// The section was a local of a function that returned; a later, shallower call wrote over its upper half.
static CRITICAL_SECTION *shared;
static DWORD WINAPI worker(void *argument)
{
    EnterCriticalSection(static_cast<CRITICAL_SECTION *>(argument));
    LeaveCriticalSection(static_cast<CRITICAL_SECTION *>(argument));
    return 0;
}
NOINLINE static void begin(void)
{
    CRITICAL_SECTION *local = static_cast<CRITICAL_SECTION *>(__builtin_alloca(0x9000));
    Waiters waiters;
    local = reinterpret_cast<CRITICAL_SECTION *>(reinterpret_cast<char *>(local) + 0x200);
    InitializeCriticalSection(local);
    make_waiters(&waiters, 1, worker, local);
    EnterCriticalSection(local);
    start_waiters(&waiters);
    shared = local;
}
NOINLINE static void write_over(void)
{
    char *from = reinterpret_cast<char *>(&shared->LockSemaphore);
    char *buffer = static_cast<char *>(__builtin_alloca(reinterpret_cast<char *>(&from) - from));
    // what a function with a large buffer does whose lowest byte lies here
    lstrcpynA(from, "Content-Type: text/html", 24);
    sink += buffer == NULL;
}
static int scenario(void)
{
    begin();
    write_over();
    reporter_expect(shared, shared->LockSemaphore);
    return use_section(shared);
}
#elif defined(H_POINTER)
static int scenario(void)
{
    CRITICAL_SECTION *section = reinterpret_cast<CRITICAL_SECTION *>(static_cast<ULONG_PTR>(H_POINTER));
    expect(section);
    return use_section(section);
}
#elif defined(MEMBER_OF_NULL)
static int scenario(void)
{
    Node *volatile node = NULL;
    expect(&node->lock);
    Node *n = node;
    CALL(&n->lock);
    return sink++;
}
#elif defined(CODE_ADDRESS)
static int scenario(void)
{
    CRITICAL_SECTION *section = reinterpret_cast<CRITICAL_SECTION *>(reinterpret_cast<ULONG_PTR>(&use_section) & ~static_cast<ULONG_PTR>(15));
    expect(section);
    return use_section(section);
}
#elif defined(DEBUG_INFO_HIT)
// An overrun from the field before reaches DebugInfo and stops; a second thread then waits.
static struct { char title[16]; CRITICAL_SECTION lock; } window;
static DWORD WINAPI worker(void *)
{
    use_section(&window.lock);
    return 0;
}
static int scenario(void)
{
    Waiters waiters;
    InitializeCriticalSection(&window.lock);
    make_waiters(&waiters, 1, worker, NULL);
    EnterCriticalSection(&window.lock);
    memcpy(window.title, "Quarterly report 2026 draft", 16 + sizeof(void *));
    expect(&window.lock);
    start_waiters(&waiters);
    LeaveCriticalSection(&window.lock);
    return 0;
}
#elif defined(COPIED_IDLE)
// A section that was contended once is copied while nobody holds it, the original is deleted; the copy's first waiter
// waits on the closed event: Enter raises.
static CRITICAL_SECTION *moved;
static DWORD WINAPI first(void *argument)
{
    EnterCriticalSection(static_cast<CRITICAL_SECTION *>(argument));
    LeaveCriticalSection(static_cast<CRITICAL_SECTION *>(argument));
    return 0;
}
static DWORD WINAPI second(void *)
{
    use_section(moved);
    return 0;
}
static int scenario(void)
{
    Waiters waiters, later;
    Node *a = static_cast<Node *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(Node)));
    Node *b = static_cast<Node *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(Node)));
    InitializeCriticalSection(&a->lock);
    make_waiters(&waiters, 1, first, &a->lock);
    make_waiters(&later, 1, second, NULL);
    EnterCriticalSection(&a->lock);
    start_waiters(&waiters);
    LeaveCriticalSection(&a->lock);
    WaitForSingleObject(waiters.threads[0], INFINITE);
    memcpy(b, a, sizeof(Node));
    reporter_expect(&b->lock, b->lock.LockSemaphore);
    DeleteCriticalSection(&a->lock);
    HeapFree(GetProcessHeap(), 0, a);
    moved = &b->lock;
    EnterCriticalSection(moved);
    start_waiters(&later);
    LeaveCriticalSection(moved);
    return 0;
}
#endif

int main(void)
{
    LAB_START();
    return scenario();
}
