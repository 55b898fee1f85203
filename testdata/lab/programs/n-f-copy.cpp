// Fresh faults: a section's bytes were copied; one of the two was deleted, and the other one's debug record went with it.
#include "unseen.h"

static void copies(const CRITICAL_SECTION *original) { act("copied", original); }

#if defined(BY_VALUE)
// A lock class that owns its section by value, passed by value: the parameter's destructor deletes, then the original's does.
struct Lock {
    Lock() { initialize(&native); }
    NOINLINE ~Lock() { sink++; DeleteCriticalSection(&native); sink--; }
    CRITICAL_SECTION native;
};
NOINLINE static int measure(Lock lock)
{
    EnterCriticalSection(&lock.native);
    sink += 2;
    LeaveCriticalSection(&lock.native);
    return sink;
}
static int scenario()
{
    Lock *lock = new Lock;
    expect(&lock->native);
    copies(&lock->native);
    measure(*lock);
    delete lock;
    return sink;
}
#elif defined(ERASED)
// erase() of a small vector moves the tail down by memcpy and destroys the last; later all that is left is destroyed.
struct Item { int id; CRITICAL_SECTION lock; void *owner; };
struct Items {
    Item items[6];
    int count = 0;
    NOINLINE void add(int id)
    {
        items[count].id = id;
        initialize(&items[count++].lock);
    }
    NOINLINE void erase(int at)
    {
        DeleteCriticalSection(&items[at].lock);
        memcpy(static_cast<void *>(&items[at]), &items[count - 1], sizeof(Item));
        DeleteCriticalSection(&items[--count].lock);
    }
    NOINLINE void clear()
    {
        while (count)
            DeleteCriticalSection(&items[--count].lock);
    }
};
static Items table;
static int scenario()
{
    for (int i = 0; i < 5; i++)
        table.add(300 + i);
    contend_once(&table.items[4].lock);
    copies(&table.items[4].lock);
    expect(&table.items[1].lock);
    table.erase(1);
    table.clear();
    return sink;
}
#elif defined(UNDO)
// The whole record is saved for an undo, the edit is thrown away, and the saved bytes come back.
struct Record { int fields[5]; CRITICAL_SECTION lock; };
NOINLINE static void dispose(Record *record)
{
    DeleteCriticalSection(&record->lock);
    record->fields[0] = -1;
}
static int scenario()
{
    static Record record, saved;
    initialize(&record.lock);
    copies(&record.lock);
    memcpy(static_cast<void *>(&saved), &record, sizeof saved);
    record.fields[2] = 9;
    dispose(&record);
    memcpy(static_cast<void *>(&record), &saved, sizeof record);
    expect(&record.lock);
    dispose(&record);
    return record.fields[0];
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
