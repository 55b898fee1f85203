/* lock_common.c for ARM64: the program counter is Pc, and the parts that copy Wine's service stubs have nothing to copy. */
#include <windows.h>
#define Rip Pc
#include "../lockdll/lock_common.c"
#undef Rip

NTSTATUS NTAPI LdrGetDllHandle(const WCHAR *path, ULONG *flags, UNICODE_STRING *name, HMODULE *module) { return 0; }
NTSTATUS NTAPI LdrGetProcedureAddress(HMODULE module, ANSI_STRING *name, ULONG ordinal, void **address) { return 0; }
NTSTATUS NTAPI NtProtectVirtualMemory(HANDLE process, void **address, SIZE_T *size, ULONG protection, ULONG *previous) { return 0; }
void RtlInitUnicodeString(UNICODE_STRING *to, const WCHAR *from) { }
void RtlInitAnsiString(ANSI_STRING *to, const char *from) { }
