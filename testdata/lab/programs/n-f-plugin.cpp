// A plugin with a global object whose constructor writes to the host's log, and a function that other scenarios call.
#include <windows.h>

typedef int (*write_function)(const char *);
static struct Banner {
    int written;
    Banner()
    {
        FARPROC write = GetProcAddress(GetModuleHandleA(NULL), "host_write");
        written = write ? reinterpret_cast<write_function>(reinterpret_cast<void *>(write))("plugin 1.4 loaded") : 0;
    }
} banner;

extern "C" __declspec(dllexport) int plugin_draw(int lines) { return lines + banner.written; }
