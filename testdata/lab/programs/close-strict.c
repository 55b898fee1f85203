/* No lock failure: CloseHandle on a bad handle while the process asked for close exceptions
 * (FLG_ENABLE_CLOSE_EXCEPTIONS): 0xC0000008 raised by the kernel's dispatcher. A section was left just before. */
#include "lab.h"

static CRITICAL_SECTION lock;
static int handles_closed;

static void ask_for_close_exceptions(void)
{
#ifdef _WIN64
    *(ULONG *)(__readgsqword(0x60) + 0xBC) |= 0x00400000;
#else
    *(ULONG *)(__readfsdword(0x30) + 0x68) |= 0x00400000;
#endif
}

__attribute__((noinline)) static void close_it(HANDLE handle)
{
    EnterCriticalSection(&lock);
    handles_closed++;
    LeaveCriticalSection(&lock);
    CloseHandle(handle); /* the bug */
    handles_closed++;
}

int main(void)
{
    LAB_START();
    InitializeCriticalSection(&lock);
    ask_for_close_exceptions();
    close_it((HANDLE)(ULONG_PTR)0x1a4);
    return 0;
}
