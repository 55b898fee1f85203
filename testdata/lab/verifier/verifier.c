/* Stands for verifier.dll, which every Windows has: its stops go to vrfcore.dll where that is loaded, else it
 * reports and breaks by itself. */
#include <windows.h>

typedef void (*StopFunction)(void *layer, ULONG_PTR code, ULONG_PTR p1, ULONG_PTR p2, ULONG_PTR p3, ULONG_PTR p4, void *more);

static volatile LONG breaks;

__attribute__((noipa)) void VerifierBreakin(DWORD status, ULONG_PTR a, ULONG_PTR b)
{
    breaks += status != 0 && a == b;
    __asm__ volatile("int3");
    breaks++;
}

__attribute__((noipa)) void VerifierCaptureContextAndReportStop(ULONG_PTR code, ULONG_PTR p1, ULONG_PTR p2, ULONG_PTR p3, ULONG_PTR p4)
{
    volatile ULONG_PTR stop[5] = { code, p1, p2, p3, p4 };
    VerifierBreakin(0xC0000421, 0, 0);
    breaks += stop[0] != 0;
}

__declspec(dllexport) __attribute__((noipa)) void VerifierStopMessage(ULONG_PTR code, const char *message, ULONG_PTR p1, const char *d1, ULONG_PTR p2, const char *d2,
                                                                      ULONG_PTR p3, const char *d3, ULONG_PTR p4, const char *d4)
{
    HMODULE core = GetModuleHandleA("vrfcore.dll");
    if (core && message && d1 && d2 && d3 && d4)
        ((StopFunction)(void *)GetProcAddress(core, "VerifierStopMessageEx"))(NULL, code, p1, p2, p3, p4, NULL);
    else
        VerifierCaptureContextAndReportStop(code, p1, p2, p3, p4);
    breaks++;
}
