/* The memory that holds the section is given back while the section is entered; Leave (or, with ENTER, a later Enter
 * on a mapped view that was unmapped) faults on it. */
#include "lab.h"

struct State { int counters[8]; CRITICAL_SECTION lock; };

#ifdef ENTER
static struct State *take(void)
{
    HANDLE mapping = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0x1000, NULL);
    return MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, 0x1000);
}
static void give_back(struct State *state) { UnmapViewOfFile(state); }
#else
static struct State *take(void) { return VirtualAlloc(NULL, 0x1000, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE); }
static void give_back(struct State *state) { VirtualFree(state, 0, MEM_RELEASE); }
#endif

__attribute__((noinline)) static int work(struct State *state)
{
    int result = GetTickCount() & 1;
#ifdef ENTER
    EnterCriticalSection(&state->lock);
    LeaveCriticalSection(&state->lock);
    give_back(state); /* the bug: one user too early */
    EnterCriticalSection(&state->lock);
#else
    EnterCriticalSection(&state->lock);
    give_back(state); /* the bug */
    LeaveCriticalSection(&state->lock);
#endif
    return result + 1;
}

int main(void)
{
    struct State *state;
    LAB_START();
    state = take();
    InitializeCriticalSection(&state->lock);
    reporter_expect(&state->lock, NULL);
    return work(state) > 5;
}
