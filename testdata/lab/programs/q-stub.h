// A thread is stopped just before one system call of its Leave or Enter, once, until another has done its work.
#ifndef Q_STUB_H
#define Q_STUB_H
#include "k-common.h"

static BYTE *stub, stub_byte;
static DWORD stopped_thread;
static volatile LONG stub_hit, other_done;
static HANDLE other_thread;

static void write_stub(BYTE value)
{
    DWORD before;
    VirtualProtect(stub, 1, PAGE_EXECUTE_READWRITE, &before);
    *stub = value;
    VirtualProtect(stub, 1, before, &before);
    FlushInstructionCache(GetCurrentProcess(), stub, 1);
}
static LONG CALLBACK at_stub(EXCEPTION_POINTERS *pointers)
{
    if (pointers->ExceptionRecord->ExceptionCode != EXCEPTION_BREAKPOINT || GetCurrentThreadId() != stopped_thread || InterlockedExchange(&stub_hit, 1))
        return EXCEPTION_CONTINUE_SEARCH;
    write_stub(stub_byte);
#ifdef _WIN64
    pointers->ContextRecord->Rip = reinterpret_cast<DWORD64>(stub);
#else
    pointers->ContextRecord->Eip = reinterpret_cast<DWORD>(stub);
#endif
    ResumeThread(other_thread);
    for (int i = 0; i < 3000 && !other_done; i++)
        Sleep(1);
    return EXCEPTION_CONTINUE_EXECUTION;
}
static void stop_at(const char *service)
{
    stub = reinterpret_cast<BYTE *>(GetProcAddress(GetModuleHandleA("cslab.dll"), service));
    stub_byte = *stub;
    stopped_thread = GetCurrentThreadId();
    AddVectoredExceptionHandler(1, at_stub);
    write_stub(0xCC);
}
#endif
