/* Stands for kernel32: the lock functions are export forwarders (see build.py), these three are real functions. */
#include <windows.h>
#include "../lockdll/trace.h"

NTSTATUS NTAPI RtlInitializeCriticalSectionEx(void *section, ULONG spin_count, ULONG flags);
NTSTATUS NTAPI NtClose(HANDLE handle);

BOOL WINAPI LabInitializeEx(void *section, DWORD spin_count, DWORD flags)
{
    return RtlInitializeCriticalSectionEx(section, spin_count, flags) >= 0;
}

BOOL WINAPI LabInitializeAndSpinCount(void *section, DWORD spin_count)
{
    return RtlInitializeCriticalSectionEx(section, spin_count, 0) >= 0;
}

BOOL WINAPI LabCloseHandle(HANDLE handle)
{
    if (NtClose(handle) >= 0)
        return TRUE;
    SetLastError(ERROR_INVALID_HANDLE);
    return FALSE;
}

#ifdef TRACE
__declspec(dllimport) NTSTATUS NTAPI NtCreateEvent(HANDLE *event, ACCESS_MASK access, void *attributes, ULONG type, BOOLEAN state);

HANDLE WINAPI LabCreateEventA(SECURITY_ATTRIBUTES *attributes, BOOL manual_reset, BOOL state, const char *name)
{
    HANDLE event = CreateEventA(attributes, manual_reset, state, name);
    if (event)
        TRACED(TRACE_OPEN, event, NtCreateEvent);
    return event;
}

HANDLE WINAPI LabCreateFileA(const char *name, DWORD access, DWORD share, SECURITY_ATTRIBUTES *attributes, DWORD how, DWORD flags, HANDLE template)
{
    HANDLE file = CreateFileA(name, access, share, attributes, how, flags, template);
    if (file != INVALID_HANDLE_VALUE)
        TRACED(TRACE_OPEN, file, NULL);
    return file;
}
#endif

BOOL WINAPI DllMain(HINSTANCE module, DWORD reason, void *reserved)
{
    (void)module;
    (void)reason;
    (void)reserved;
    return TRUE;
}
