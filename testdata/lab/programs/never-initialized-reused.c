/* A heap block is used again whose last owner kept a text in it; the new owner forgets to initialise the section. The
 * letters that are LockCount pass both gates. Only the history tells this from corrupted (overwritten-before-enter). */
#include "lab.h"

struct Entry {
    char header[32];
    CRITICAL_SECTION lock;
    int hits;
    int pad[5];
};

static void use_as_text(void)
{
    static const char text[] = "C:/ProgramData/Contoso/cache/set7-a/kept/items-of-monday-and-tuesday.bin";
    char *path = HeapAlloc(GetProcessHeap(), 0, sizeof(struct Entry));
    memcpy(path, text, sizeof text);
    HeapFree(GetProcessHeap(), 0, path);
}

__attribute__((noinline)) static void touch(struct Entry *entry)
{
    EnterCriticalSection(&entry->lock);
    entry->hits++;
    LeaveCriticalSection(&entry->lock);
    entry->hits++;
}

int main(void)
{
    struct Entry *entry;
    LAB_START();
    use_as_text();
    entry = HeapAlloc(GetProcessHeap(), 0, sizeof *entry);
    reporter_expect(&entry->lock, entry->lock.LockSemaphore);
    touch(entry);
    return 0;
}
