// Sixth batch, faults: across the border of a heap block. NEIGHBOUR: a text in the block in front runs through the border into an object that begins with
// its section; RECORD: into the section's debug record, which has a block of its own; COUNTER: the record has a block whose last owner still counts in it.
#include "w-over.h"

NOINLINE static void append(char *to, const char *text, SIZE_T length)
{
    for (SIZE_T i = 0; i < length; i++)
        const_cast<volatile char *>(to)[i] = text[i % 45];
}
static const char message[] = "connection reset by peer (10054), will retry;";

// ntdll itself has room for the first records only.
[[maybe_unused]] static void use_up_records()
{
    static CRITICAL_SECTION others[18];
    for (CRITICAL_SECTION &other : others)
        initialize(&other);
}

#if defined(NEIGHBOUR)
struct Worker { CRITICAL_SECTION lock; int index, jobs; void *first; };
static int scenario()
{
    for (int i = 0; i < 200; i++) {
        char *text = static_cast<char *>(block(sizeof(Worker)));
        Worker *worker = static_cast<Worker *>(block(sizeof(Worker)));
        SIZE_T distance = reinterpret_cast<char *>(worker) - text;
        if (distance > 2 * sizeof(Worker))
            continue;
        worker->index = i;
        make(&worker->lock);
        append(text, message, distance + NEIGHBOUR);
        return meet(&worker->lock);
    }
    return 1;
}
#elif defined(RECORD)
static int scenario()
{
    static CRITICAL_SECTION locks[200];
    use_up_records();
    for (CRITICAL_SECTION &lock : locks) {
        char *text = static_cast<char *>(block(sizeof(RTL_CRITICAL_SECTION_DEBUG)));
        initialize(&lock);
        SIZE_T distance = reinterpret_cast<char *>(lock.DebugInfo) - text;
        if (distance > 3 * sizeof(RTL_CRITICAL_SECTION_DEBUG))
            continue;
        act("corrupted", &lock);
        append(text, message, distance + sizeof(RTL_CRITICAL_SECTION_DEBUG));
        return meet(&lock);
    }
    return 1;
}
#elif defined(COUNTER)
struct Old { char name[offsetof(RTL_CRITICAL_SECTION_DEBUG, ProcessLocksList.Blink)]; SIZE_T hits; void *next, *more; };
static int scenario()
{
    static CRITICAL_SECTION locks[200];
    use_up_records();
    for (CRITICAL_SECTION &lock : locks) {
        Old *old = static_cast<Old *>(block(sizeof(RTL_CRITICAL_SECTION_DEBUG)));
        HeapFree(GetProcessHeap(), 0, old);
        initialize(&lock);
        if (static_cast<void *>(lock.DebugInfo) != old)
            continue;
        act("corrupted", &lock);
        *const_cast<volatile SIZE_T *>(&old->hits) = 42;
        return meet(&lock);
    }
    return 1;
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
