/* Eighth batch, in C: locks that were deleted, and locks whose memory was given back. */
#include "lab.h"
#include <stddef.h>
#include <string.h>

#ifndef CALL
#define CALL EnterCriticalSection
#endif
#define NOINLINE __attribute__((noinline))
static volatile int sink;

#if defined(SECOND)
/* A module's cleanup is called by each of its users; the lock that guards it is what it deletes. */
struct module_state { int users, opened; void *table[8]; CRITICAL_SECTION lock; };
static struct module_state module;
static HANDLE requests, sender_end;
static DWORD WINAPI caller(void *text)
{
    DWORD done;
    WriteFile(sender_end, text, lstrlenA(text), &done, NULL);
    return 0;
}
NOINLINE static void module_init(void)
{
    InitializeCriticalSection(&module.lock);
    module.users++;
}
NOINLINE static int module_cleanup(int told)
{
    reporter_expect(&module.lock, NULL);
    EnterCriticalSection(&module.lock);
    memset(module.table, 0, sizeof module.table);
    module.users = 0;
    LeaveCriticalSection(&module.lock);
    if (!told)
        reporter_act("deleted", &module.lock);
    DeleteCriticalSection(&module.lock);
    return sink++;
}
static int scenario(void)
{
    struct Waiters one;
    int told = 0;
    CreatePipe(&requests, &sender_end, NULL, 0);
    make_waiters(&one, 1, caller, "icc");
    start_waiters(&one);
    for (;;) {
        char c = 0;
        DWORD done;
        ReadFile(requests, &c, 1, &done, NULL);
        if (c == 'i')
            module_init();
        else if (c == 'c')
            module_cleanup(told++);
        else
            return 0;
    }
}
#elif defined(BIG)
/* A cache's header is the first part of one big block; it is freed with it, before what is in it. */
struct cache { char magic[8]; CRITICAL_SECTION lock; unsigned lines, line_size; unsigned char data[0x120000]; };
NOINLINE static int cache_destroy(struct cache *cache)
{
    unsigned lines = cache->lines;
    reporter_act("memory-released", &cache->lock);
    HeapFree(GetProcessHeap(), 0, cache);
    reporter_expect(&cache->lock, NULL);
    CALL(&cache->lock);
    return sink + lines;
}
static int scenario(void)
{
    struct cache *cache = HeapAlloc(GetProcessHeap(), 0, sizeof *cache);
    memcpy(cache->magic, "CACHE01", 8);
    cache->lines = 512;
    InitializeCriticalSectionAndSpinCount(&cache->lock, 400);
    EnterCriticalSection(&cache->lock);
    cache->line_size = 64;
    LeaveCriticalSection(&cache->lock);
    return cache_destroy(cache);
}
#elif defined(PLUG)
/* The host lists the locks of its plug-ins, and deletes them at the end: the plug-in is not loaded any more. */
typedef CRITICAL_SECTION *(*holder)(void);
static CRITICAL_SECTION *listed[4];
static unsigned listed_count;
NOINLINE static void load(HMODULE *plugin)
{
    *plugin = LoadLibraryA("plugin.dll");
    listed[listed_count] = ((holder)(void *)GetProcAddress(*plugin, "plugin_section"))();
    InitializeCriticalSection(listed[listed_count++]);
}
NOINLINE static int delete_all(void)
{
    for (unsigned i = 0; i < listed_count; i++)
        CALL(listed[i]);
    return sink++;
}
static int scenario(void)
{
    HMODULE plugin;
    load(&plugin);
    reporter_act("memory-released", listed[0]);
    reporter_expect(listed[0], NULL);
    FreeLibrary(plugin);
    return delete_all();
}
#elif defined(SEGMENT)
/* A segment of a log in memory is dropped by the writer; the flusher has its turn after that. */
struct segment { volatile LONG used; CRITICAL_SECTION lock; unsigned char bytes[0x3000]; };
static struct segment *current;
static DWORD WINAPI flusher(void *argument)
{
    struct segment *segment = argument;
    Sleep(700);
    if (CALL(&segment->lock))
        sink += segment->used;
    return 0;
}
static int scenario(void)
{
    struct Waiters one;
    current = VirtualAlloc(NULL, sizeof *current, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
    InitializeCriticalSection(&current->lock);
    make_waiters(&one, 1, flusher, current);
    ResumeThread(one.threads[0]);
    reporter_act("memory-released", &current->lock);
    reporter_expect(&current->lock, NULL);
    VirtualFree(current, 0, MEM_RELEASE);
    current = NULL;
    Sleep(5000);
    return sink;
}
#elif defined(ARENA)
/* An arena gives back what is above its mark; the lock of the last chunk lies there, threads had waited for it. */
struct chunk { struct chunk *next; size_t used; CRITICAL_SECTION lock; };
static unsigned char *arena;
static struct chunk *last_chunk;
static DWORD WINAPI allocate(void *chunk)
{
    struct chunk *c = chunk;
    EnterCriticalSection(&c->lock);
    c->used += 48;
    LeaveCriticalSection(&c->lock);
    return 0;
}
NOINLINE static void grow(void)
{
    struct Waiters one;
    last_chunk = (struct chunk *)(arena + 0x24000);
    last_chunk->used = sizeof *last_chunk;
    InitializeCriticalSection(&last_chunk->lock);
    make_waiters(&one, 1, allocate, last_chunk);
    EnterCriticalSection(&last_chunk->lock);
    start_waiters(&one);
    LeaveCriticalSection(&last_chunk->lock);
    WaitForSingleObject(one.threads[0], INFINITE);
}
NOINLINE static void trim(size_t mark)
{
    reporter_act("memory-released", &last_chunk->lock);
    reporter_expect(&last_chunk->lock, NULL);
    VirtualFree(arena + mark, 0x40000 - mark, MEM_DECOMMIT);
}
static int scenario(void)
{
    arena = VirtualAlloc(NULL, 0x40000, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
    memset(arena, 0x11, 0x2000);
    grow();
    trim(0x10000);
    return allocate(last_chunk) + sink;
}
#endif

int main(void)
{
    LAB_START();
    return scenario();
}
