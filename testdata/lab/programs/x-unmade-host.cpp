// Seventh batch: the host of a codec looks for its start function under the name that the other compiler gives it.
#include "k-common.h"

template <class Function> static Function find(HMODULE dll, const char *name)
{
    return reinterpret_cast<Function>(reinterpret_cast<void *>(GetProcAddress(dll, name)));
}
NOINLINE static int play(const char *file)
{
    HMODULE dll = LoadLibraryA(file);
    int (*startup)() = find<int (*)()>(dll, "_codec_startup@0");
    int (*open)(int) = find<int (*)(int)>(dll, "codec_open");
    if (startup)
        sink += startup();
    will("never-initialized", find<CRITICAL_SECTION *(*)()>(dll, "codec_lock")());
    return open(44100);
}

int main()
{
    LAB_START();
    crowd();
    return play("plugin.dll");
}
