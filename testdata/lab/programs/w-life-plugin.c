/* Sixth batch: a library with a lock of its own, which its stop function deletes. */
#include "lab.h"

static struct { int users; char name[20]; CRITICAL_SECTION lock; LONG lines; } state = { 0, "tracing", { NULL, 0, 0, NULL, NULL, 0 }, 0 };

__declspec(dllexport) void plugin_start(void)
{
    InitializeCriticalSection(&state.lock);
    state.users++;
}
__declspec(dllexport) void plugin_log(const char *text)
{
    EnterCriticalSection(&state.lock);
    state.lines += lstrlenA(text);
    LeaveCriticalSection(&state.lock);
}
__declspec(dllexport) void plugin_stop(void)
{
    reporter_act("deleted", &state.lock);
    reporter_expect(&state.lock, NULL);
    DeleteCriticalSection(&state.lock);
}
__declspec(dllexport) CRITICAL_SECTION *plugin_section(void) { return &state.lock; }

BOOL WINAPI DllMain(HINSTANCE module, DWORD reason, void *reserved)
{
    (void)module;
    (void)reserved;
    if (reason == DLL_THREAD_DETACH && state.users) /* a thread's lines go to the file */
        plugin_log("thread ends");
    return TRUE;
}
