/* Mistakes under Application Verifier's look-alike (verifier/): the stop is a breakpoint in vrfcore.dll. */
#include "lab.h"

#define NOINLINE __attribute__((noinline))

static CRITICAL_SECTION lock;
static volatile int done;

static void load_verifier(void)
{
    LoadLibraryA("verifier.dll");
    LoadLibraryA("vfbasics.dll");
}

static void watch_handles(void) { ((void (*)(void))(void *)GetProcAddress(GetModuleHandleA("vfbasics.dll"), "watch_handles"))(); }

static DWORD WINAPI worker(void *unused)
{
    (void)unused;
    EnterCriticalSection(&lock);
    done++;
    LeaveCriticalSection(&lock);
    return 0;
}

#if defined(NOT_INITIALIZED)
NOINLINE static void mistake(void) { reporter_expect(&lock, NULL); EnterCriticalSection(&lock); done++; }
#elif defined(DELETED)
NOINLINE static void use(void) { LeaveCriticalSection(&lock); done++; }
NOINLINE static void mistake(void)
{
    InitializeCriticalSection(&lock);
    DeleteCriticalSection(&lock);
    reporter_expect(&lock, NULL);
    use();
}
#elif defined(FREED)
struct Object { char name[40]; CRITICAL_SECTION lock; int count; };
NOINLINE static void release(struct Object *object) { HeapFree(GetProcessHeap(), 0, object); done++; }
NOINLINE static void mistake(void)
{
    struct Object *object = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof *object);
    InitializeCriticalSection(&object->lock);
    reporter_expect(&object->lock, NULL);
    release(object);
}
#elif defined(VFREE)
NOINLINE static void mistake(void)
{
    CRITICAL_SECTION *section = VirtualAlloc(NULL, 0x1000, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
    InitializeCriticalSection(section + 1);
    reporter_expect(section + 1, NULL);
    VirtualFree(section, 0, MEM_RELEASE);
    done++;
}
#elif defined(UNMAPPED)
NOINLINE static void mistake(void)
{
    HANDLE mapping = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0x1000, NULL);
    CRITICAL_SECTION *section = MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, 0);
    InitializeCriticalSection(section);
    reporter_expect(section, NULL);
    UnmapViewOfFile(section);
    done++;
}
#elif defined(UNLOADED)
NOINLINE static void mistake(void)
{
    HMODULE plugin = LoadLibraryA("plugin.dll");
    CRITICAL_SECTION *section = ((CRITICAL_SECTION *(*)(void))(void *)GetProcAddress(plugin, "plugin_section"))();
    InitializeCriticalSection(section);
    reporter_expect(section, NULL);
    FreeLibrary(plugin);
    done++;
}
#elif defined(CORRUPTED)
static struct { char name[8]; CRITICAL_SECTION lock; } object;
NOINLINE static void mistake(void)
{
    InitializeCriticalSection(&object.lock);
    reporter_expect(&object.lock, NULL);
    lstrcpyA(object.name, "printer-07a"); /* the bug: runs into DebugInfo */
    EnterCriticalSection(&object.lock);
    done++;
}
#elif defined(RECURSION)
NOINLINE static void mistake(void)
{
    InitializeCriticalSection(&lock);
    EnterCriticalSection(&lock);
    reporter_expect(&lock, NULL);
    lock.RecursionCount = 0x6C6C6548; /* the bug */
    LeaveCriticalSection(&lock);
    done++;
}
#elif defined(OVER_RELEASED)
NOINLINE static void leave_again(void) { LeaveCriticalSection(&lock); done++; }
NOINLINE static void mistake(void)
{
    InitializeCriticalSection(&lock);
    EnterCriticalSection(&lock);
    LeaveCriticalSection(&lock);
    reporter_expect(&lock, NULL);
    leave_again();
}
#elif defined(OTHER_THREAD)
static DWORD WINAPI owner(void *unused) { (void)unused; EnterCriticalSection(&lock); Sleep(INFINITE); return 0; }
NOINLINE static void mistake(void)
{
    struct Waiters threads;
    InitializeCriticalSection(&lock);
    make_waiters(&threads, 1, owner, NULL);
    start_waiters(&threads);
    reporter_expect(&lock, NULL);
    LeaveCriticalSection(&lock);
    done++;
}
#elif defined(IN_USE)
NOINLINE static void mistake(void)
{
    InitializeCriticalSection(&lock);
    EnterCriticalSection(&lock);
    reporter_expect(&lock, NULL);
    DeleteCriticalSection(&lock);
    done++;
}
#elif defined(HANDLE_IN_LEAVE) || defined(STRICT_LEAVE)
/* As closed.c, with the kernel raising by itself (LAB_STRICT) */
NOINLINE static void finish(void) { LeaveCriticalSection(&lock); done++; }
NOINLINE static void mistake(void)
{
    struct Waiters waiters;
    HANDLE stale;
    InitializeCriticalSection(&lock);
    make_waiters(&waiters, 2, worker, NULL);
    EnterCriticalSection(&lock);
    stale = free_a_slot();
    start_waiters(&waiters);
    reporter_expect(&lock, lock.LockSemaphore);
    CloseHandle(stale); /* the bug */
#ifdef HANDLE_IN_LEAVE
    watch_handles();
#endif
    finish();
}
#elif defined(HANDLE_IN_CLOSE)
NOINLINE static void mistake(void)
{
    watch_handles();
#ifdef _WIN64
    *(ULONG *)(__readgsqword(0x60) + 0xBC) |= 0x00400000;
#else
    *(ULONG *)(__readfsdword(0x30) + 0x68) |= 0x00400000;
#endif
    InitializeCriticalSection(&lock);
    EnterCriticalSection(&lock);
    LeaveCriticalSection(&lock);
    CloseHandle((HANDLE)(ULONG_PTR)0x1a4);
    done++;
}
#elif defined(NULL_HANDLE)
NOINLINE static void mistake(void) { InitializeCriticalSection(&lock); EnterCriticalSection(&lock); CloseHandle(NULL); done++; }
#elif defined(HEAP_SUFFIX)
NOINLINE static void mistake(void)
{
    DWORD *block = HeapAlloc(GetProcessHeap(), 0, 0x200);
    InitializeCriticalSection(&lock);
    EnterCriticalSection(&lock);
    LeaveCriticalSection(&lock);
    *block = 0xF0F0F0F0;
    HeapFree(GetProcessHeap(), 0, block);
    done++;
}
#elif defined(BREAKPOINT)
/* no stop: the program breaks by itself, just after a Leave that went through the verifier */
NOINLINE static void mistake(void)
{
    InitializeCriticalSection(&lock);
    EnterCriticalSection(&lock);
    LeaveCriticalSection(&lock);
    __asm__ volatile("int3");
    done++;
}
#endif

int main(void)
{
#ifndef STRICT_LEAVE
    load_verifier();
#endif
    LAB_START();
    (void)worker;
    (void)watch_handles;
    mistake();
    done++;
    return 0;
}
