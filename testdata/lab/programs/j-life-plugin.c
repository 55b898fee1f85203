/* A decoder. What it needs for one kind of picture lies where it has what it needs for another. */
#include <windows.h>

struct shared { int frames; unsigned char tag[12]; CRITICAL_SECTION lock; short last_dc[8]; };
struct tables { unsigned short count[32], first[32], symbols[192]; };
static union { struct shared progressive; struct tables baseline; } work;
static int mode;

__declspec(dllexport) int decoder_open(int progressive, const unsigned char *lengths, int count)
{
    int i;
    mode = progressive;
    if (progressive) {
        work.progressive.frames = 0;
        lstrcpyA((char *)work.progressive.tag, "SOF2");
        InitializeCriticalSection(&work.progressive.lock);
        return 1;
    }
    for (i = 0; i < count; i++)
        work.baseline.count[lengths[i] % 32] += 2;
    for (i = 1; i < 32; i++)
        work.baseline.first[i] = (unsigned short)((work.baseline.first[i - 1] + work.baseline.count[i - 1]) << 1);
    for (i = 0; i < 192; i++)
        work.baseline.symbols[i] = (unsigned short)(lengths[i % count] * 8 + i % 8);
    return 2;
}

__declspec(dllexport) CRITICAL_SECTION *decoder_lock(void) { return mode ? &work.progressive.lock : NULL; }

__declspec(dllexport) int decoder_decode(const unsigned char *data, int size)
{
    int i, sum = 0;
    for (i = 0; i < size; i++)
        sum += mode ? data[i] * (1 + work.progressive.frames) : work.baseline.symbols[data[i] % 192];
    if (mode)
        work.progressive.last_dc[work.progressive.frames++ % 8] = (short)sum;
    return sum;
}

__declspec(dllexport) void decoder_close(void)
{
    if (mode)
        DeleteCriticalSection(&work.progressive.lock);
    mode = 0;
}
