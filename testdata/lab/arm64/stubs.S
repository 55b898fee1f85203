// Services: a supervisor call and a return, leaves without unwind data, as on Windows. The numbers are the host's.
    .text
    .macro service name, number
    .globl \name
    .p2align 4
\name:
    svc #\number
    ret
    .endm
    service NtSetEvent, 1
    service NtWaitForSingleObject, 2
    service NtCloseService, 3
    service NtCreateEvent, 4
    service NtRaiseException, 5
    service NtDelayExecution, 6
    service NtAllocateVirtualMemory, 7
    service NtWaitForAlertByThreadId, 8
    service NtAlertThreadByThreadId, 9
    service NtTerminateThread, 10

// A leaf, as on Windows: x0 to x28, fp, lr, sp, and lr as pc.
    .globl RtlCaptureContext
    .p2align 4
RtlCaptureContext:
    stp x0, x1, [x0, #8]
    stp x2, x3, [x0, #24]
    stp x4, x5, [x0, #40]
    stp x6, x7, [x0, #56]
    stp x8, x9, [x0, #72]
    stp x10, x11, [x0, #88]
    stp x12, x13, [x0, #104]
    stp x14, x15, [x0, #120]
    stp x16, x17, [x0, #136]
    stp x18, x19, [x0, #152]
    stp x20, x21, [x0, #168]
    stp x22, x23, [x0, #184]
    stp x24, x25, [x0, #200]
    stp x26, x27, [x0, #216]
    stp x28, x29, [x0, #232]
    str x30, [x0, #248]
    mov x8, sp
    stp x8, x30, [x0, #256]
    movz w8, #7
    movk w8, #0x40, lsl #16
    str w8, [x0]
    ret
