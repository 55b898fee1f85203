/* The stand-in for kernel32: lock functions are forwarded, the rest is a thin layer over the services. */
#include <windows.h>
typedef ULONG (*Start)(void *);
__declspec(dllimport) NTSTATUS NtClose(HANDLE handle);
NTSTATUS NtCreateThreadEx(Start start, void *argument, HANDLE *handle);
NTSTATUS NtFreeVirtualMemory(void *address);
NTSTATUS NtCreateFile(HANDLE *handle);
NTSTATUS NtMapViewOfSection(void **address);
NTSTATUS NtAllocateVirtualMemory(SIZE_T size, void **address);
NTSTATUS NtDelayExecution(void);
NTSTATUS NtTerminateProcess(void);
#define OWN __attribute__((noinline))

OWN BOOL CloseHandle(HANDLE handle) { return NtClose(handle) >= 0; }
OWN HANDLE CreateThread(Start start, void *argument)
{
    HANDLE handle;
    return NtCreateThreadEx(start, argument, &handle) < 0 ? NULL : handle;
}
OWN HANDLE CreateFileW(void) { HANDLE handle; return NtCreateFile(&handle) < 0 ? NULL : handle; }
OWN void *VirtualAlloc(SIZE_T size) { void *at; return NtAllocateVirtualMemory(size, &at) < 0 ? NULL : at; }
OWN BOOL VirtualFree(void *address) { return NtFreeVirtualMemory(address) >= 0; }
OWN void *MapViewOfFile(void) { void *at; return NtMapViewOfSection(&at) < 0 ? NULL : at; }
OWN void Sleep(DWORD milliseconds) { NtDelayExecution(); }
OWN void BaseThreadInitThunk(DWORD reason, Start start, void *argument)
{
    start(argument);
    NtTerminateProcess();
}
