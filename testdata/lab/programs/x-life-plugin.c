/* A keyboard library: its lock is made when it is loaded. */
#include <windows.h>
#include "reporter.h"

static CRITICAL_SECTION globals;
static int keyboards = 2, events;

BOOL WINAPI DllMain(HINSTANCE module, DWORD reason, void *reserved)
{
    if (reason == DLL_PROCESS_ATTACH)
        InitializeCriticalSection(&globals);
    return TRUE;
}
__declspec(dllexport) int plugin_translate(int key)
{
    int out;
    EnterCriticalSection(&globals);
    out = key ^ (++events * keyboards);
    LeaveCriticalSection(&globals);
    return out;
}
__declspec(dllexport) void plugin_uninit(void)
{
    keyboards = 0;
    reporter_act("deleted", &globals);
    reporter_expect(&globals, NULL);
    DeleteCriticalSection(&globals);
}
__declspec(dllexport) CRITICAL_SECTION *plugin_section(void) { return &globals; }
