/* Stands for Application Verifier's vrfcore.dll: notes the stop and breaks. The real one formats a message from the
 * same values; its arguments and their order are those of public stacks (critical-sections.md 7.3). */
#include <windows.h>

struct Stop { ULONG_PTR code, parameters[4]; };

/* What !avrf prints as the current stop. */
static struct Stop current_stop;
static volatile LONG stops_so_far;

/* Without calls into the system: they would open handles in the slots that the crash is about. */
__attribute__((noipa)) void note_stop(const struct Stop *stop, char *text, SIZE_T size)
{
    static const char prefix[] = "VERIFIER STOP ";
    current_stop = *stop;
    memcpy(text, prefix, sizeof prefix);
    for (int i = 0; i < 8; i++)
        text[sizeof prefix - 1 + i] = "0123456789ABCDEF"[(stop->code >> (28 - 4 * i)) & 15];
    text[sizeof prefix + 7] = 0;
    stops_so_far += size != 0;
}

__declspec(dllexport) __attribute__((noipa)) void VerifierStopMessageEx(void *layer, ULONG_PTR code, ULONG_PTR p1, ULONG_PTR p2, ULONG_PTR p3, ULONG_PTR p4, void *more)
{
    char text[512];
    struct Stop stop = { code, { p1, p2, p3, p4 } };
    note_stop(&stop, text, layer || more ? sizeof text : 0);
    __asm__ volatile("int3");
    stops_so_far++;
}
