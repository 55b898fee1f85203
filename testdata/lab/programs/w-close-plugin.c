/* A sound library: it is told the event to signal, closes it when it is stopped, and once more when it is unloaded. */
#include <windows.h>

static HANDLE buffer_event;
static int volume = 80;

__declspec(dllexport) void sound_start(HANDLE event) { buffer_event = event; }
__declspec(dllexport) int sound_stop(void) { SetEvent(buffer_event); CloseHandle(buffer_event); return volume; }
__declspec(dllexport) int sound_level(const short *samples, int count)
{
    int highest = 0;
    for (int i = 0; i < count; i++)
        if (samples[i] > highest)
            highest = samples[i];
    return highest * volume / 100;
}
BOOL WINAPI DllMain(HINSTANCE module, DWORD reason, void *reserved)
{
    if (reason == DLL_PROCESS_DETACH && buffer_event)
        CloseHandle(buffer_event);
    return TRUE;
}
