/* The debug record of the section's neighbour on the list was overwritten: Delete finds links that do not agree and
 * ends the process by a fast fail. */
#include "lab.h"

static CRITICAL_SECTION first, second, third;
static volatile int done;

__attribute__((noinline)) static void destroy(CRITICAL_SECTION *section) { DeleteCriticalSection(section); done++; }

int main(void)
{
    LAB_START();
    InitializeCriticalSection(&first);
    InitializeCriticalSection(&second);
    InitializeCriticalSection(&third);
    reporter_expect(&second, NULL);
    second.DebugInfo->ProcessLocksList.Flink = (LIST_ENTRY *)&third; /* the bug: readable, and no record */
    destroy(&second);
    return 0;
}
