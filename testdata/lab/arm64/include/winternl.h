/* The rest of what lock_common.c names. */
#ifndef LAB_WINTERNL_H
#define LAB_WINTERNL_H
#include <windows.h>
typedef struct { USHORT Length, MaximumLength; WCHAR *Buffer; } UNICODE_STRING;
typedef struct { USHORT Length, MaximumLength; char *Buffer; } ANSI_STRING;
typedef struct { ULONG Length; } OBJECT_ATTRIBUTES;
void Sleep(DWORD milliseconds);
void RtlCaptureContext(CONTEXT *context);
void *RtlAllocateHeap(HANDLE heap, ULONG flags, SIZE_T size);
void RtlInitUnicodeString(UNICODE_STRING *to, const WCHAR *from);
void RtlInitAnsiString(ANSI_STRING *to, const char *from);
#endif
