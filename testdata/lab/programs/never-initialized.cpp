// An object from an allocator that fills with AB, whose section nobody initialised. With the new algorithm the pattern
// passes both gates and Leave raises; with the old one Enter goes to wait and fails on the debug record.
#include "lab.h"

class Pool {
public:
    static void *take(SIZE_T size)
    {
        unsigned char *block = static_cast<unsigned char *>(VirtualAlloc(nullptr, 0x10000, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE));
        for (SIZE_T i = 0; i < 4096; i++)
            block[i] = 0xAB;
        return block + 0x340 - size % 8;
    }
};

struct Buffer {
    void *data[3];
    CRITICAL_SECTION lock;
    int length;

    __attribute__((noinline)) void reset()
    {
        EnterCriticalSection(&lock);
        length = 0;
        LeaveCriticalSection(&lock);
        length = 1;
    }
};

int main()
{
    LAB_START();
    Buffer *buffer = static_cast<Buffer *>(Pool::take(sizeof(Buffer)));
    reporter_expect(&buffer->lock, buffer->lock.LockSemaphore);
    buffer->reset();
    return 0;
}
