/* Stands for kernel32: the lock functions are export forwarders (see build.py), these three are real functions. */
#include <windows.h>

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

BOOL WINAPI DllMain(HINSTANCE module, DWORD reason, void *reserved)
{
    (void)module;
    (void)reason;
    (void)reserved;
    return TRUE;
}
