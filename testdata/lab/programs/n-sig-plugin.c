/* A plugin that keeps a handle it was lent, and closes it at the end. */
#include <windows.h>

static HANDLE lent;

__declspec(dllexport) void plugin_use(HANDLE handle) { lent = handle; }
__declspec(dllexport) void plugin_done(void) { CloseHandle(lent); }
