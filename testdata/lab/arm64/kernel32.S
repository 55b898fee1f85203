    .text
    .macro service name, number
    .globl \name
    .p2align 4
\name:
    svc #\number
    ret
    .endm
    service NtDelayExecution, 6
    service NtAllocateVirtualMemory, 7
    service NtTerminateProcess, 10
    service NtCreateThreadEx, 11
    service NtFreeVirtualMemory, 12
    service NtCreateFile, 13
    service NtMapViewOfSection, 14
