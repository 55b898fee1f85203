/* Enter on a section that is all zero: never initialised (the default) or, with DELETED, deleted before. */
#include "lab.h"

static CRITICAL_SECTION registry_lock;
static int entries;

__attribute__((noinline)) static void add_entry(void)
{
    EnterCriticalSection(&registry_lock);
    entries++;
    LeaveCriticalSection(&registry_lock);
    entries++;
}

int main(void)
{
    LAB_START();
    reporter_expect(&registry_lock, NULL);
#ifdef DELETED
    InitializeCriticalSection(&registry_lock);
    add_entry();
    DeleteCriticalSection(&registry_lock); /* shutdown; the late call below is the bug */
#endif
    add_entry();
    return 0;
}
