/* A codec: its user has to call codec_startup before all else. */
#include <windows.h>

static struct { int streams; char name[12]; CRITICAL_SECTION lock; } codec = { 0, "adpcm", { NULL, 0, 0, NULL, NULL, 0 } };

__declspec(dllexport) int codec_startup(void)
{
    InitializeCriticalSection(&codec.lock);
    return 1;
}
__declspec(dllexport) void codec_shutdown(void) { DeleteCriticalSection(&codec.lock); }
__declspec(dllexport) CRITICAL_SECTION *codec_lock(void) { return &codec.lock; }
__declspec(dllexport) int codec_open(int rate)
{
    EnterCriticalSection(&codec.lock);
    codec.streams += rate > 0;
    LeaveCriticalSection(&codec.lock);
    return codec.streams;
}
