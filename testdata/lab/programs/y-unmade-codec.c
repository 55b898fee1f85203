/* A library whose lock is made by codec_init(), and gone after codec_exit(). */
#include <windows.h>
#include "reporter.h"

static struct { int width, height; CRITICAL_SECTION lock; int frames; } codec;

__declspec(dllexport) void codec_init(void)
{
    codec.width = 640;
    InitializeCriticalSection(&codec.lock);
}
__declspec(dllexport) void codec_exit(void)
{
    DeleteCriticalSection(&codec.lock);
    codec.width = 0;
}
__declspec(dllexport) __attribute__((noinline)) int codec_decode(int frame)
{
    reporter_act("never-initialized", &codec.lock);
    reporter_expect(&codec.lock, NULL);
    EnterCriticalSection(&codec.lock);
    codec.frames += frame;
    LeaveCriticalSection(&codec.lock);
    return codec.frames;
}
