/* The section lies in static storage of a DLL that was unloaded while it was entered. */
#include "lab.h"

typedef CRITICAL_SECTION *(*plugin_enter_function)(void);

__attribute__((noinline)) static int finish(CRITICAL_SECTION *lock)
{
    LeaveCriticalSection(lock);
    return lock != NULL;
}

int main(void)
{
    HMODULE plugin;
    CRITICAL_SECTION *lock;
    LAB_START();
    plugin = LoadLibraryA("plugin.dll");
    lock = ((plugin_enter_function)(void *)GetProcAddress(plugin, "plugin_enter"))();
    reporter_expect(lock, NULL);
    FreeLibrary(plugin); /* the bug */
    return finish(lock);
}
