/* Sixth batch: a library whose lock is made by one of its functions, and one that knows an older layout of the host's object. */
#include <windows.h>

static int volume = 5;
static CRITICAL_SECTION reader;
static int reads;

__declspec(dllexport) CRITICAL_SECTION *plugin_section(void) { return &reader; }
__declspec(dllexport) void plugin_open(void) { InitializeCriticalSection(&reader); }
__declspec(dllexport) void plugin_close(void) { DeleteCriticalSection(&reader); }
__declspec(dllexport) int plugin_read(int count)
{
    EnterCriticalSection(&reader);
    reads += count;
    LeaveCriticalSection(&reader);
    return reads * volume;
}

/* Two fields were put before the lock since. */
struct OldStream { int rate, channels; CRITICAL_SECTION lock; };
__declspec(dllexport) int plugin_mix(struct OldStream *stream)
{
    EnterCriticalSection(&stream->lock);
    reads += stream->channels;
    LeaveCriticalSection(&stream->lock);
    return stream->rate;
}
