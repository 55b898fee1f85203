/* A DLL with a section in static storage. */
#include <windows.h>

static CRITICAL_SECTION plugin_lock;

__declspec(dllexport) CRITICAL_SECTION *plugin_enter(void)
{
    InitializeCriticalSection(&plugin_lock);
    EnterCriticalSection(&plugin_lock);
    return &plugin_lock;
}

__declspec(dllexport) CRITICAL_SECTION *plugin_section(void)
{
    return &plugin_lock;
}
