/* Eighth batch: a library of the next version, whose structure of options has grown. */
#include <windows.h>

struct options { int version, threads; wchar_t path[16]; double quality; int level, flags; };

__declspec(dllexport) void plugin_defaults(volatile struct options *o)
{
    o->version = 3;
    o->threads = 2;
    o->path[0] = 0;
    o->quality = 0.75;
    o->level = 6;
    o->flags = 0;
}
