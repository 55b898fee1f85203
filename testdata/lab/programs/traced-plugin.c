/* A DLL that closes a handle it was lent. */
#include <windows.h>

static volatile int closed;

__declspec(dllexport) void plugin_close(HANDLE handle)
{
    CloseHandle(handle);
    closed++;
}
