/* A library that takes the handles it is lent for its own. */
#include <windows.h>

static HANDLE lent;
static CRITICAL_SECTION library_lock;

__declspec(dllexport) int plugin_decode(HANDLE file)
{
    int width = SetFilePointer(file, 0, NULL, FILE_BEGIN) == 0 ? 640 : 0;
    CloseHandle(file);
    return width;
}
__declspec(dllexport) void plugin_lend(HANDLE handle) { lent = handle; }
__declspec(dllexport) void plugin_done(void) { CloseHandle(lent); }
__declspec(dllexport) CRITICAL_SECTION *plugin_section(void) { return &library_lock; }
