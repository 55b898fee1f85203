/* Leave through a pointer that is NULL, because the object was never found. */
#include "lab.h"

struct Table { CRITICAL_SECTION *lock; int rows; };

__attribute__((noinline)) static struct Table *find_table(struct Table *tables, int id) { return &tables[id & 3]; }

__attribute__((noinline)) static void unlock_table(struct Table *table)
{
    LeaveCriticalSection(table->lock);
    table->rows++;
}

int main(void)
{
    static struct Table tables[4];
    static CRITICAL_SECTION lock;
    LAB_START();
    InitializeCriticalSection(&lock);
    tables[0].lock = &lock;
    EnterCriticalSection(find_table(tables, 0)->lock);
    unlock_table(find_table(tables, 2)); /* the bug: the wrong table */
    return 0;
}
