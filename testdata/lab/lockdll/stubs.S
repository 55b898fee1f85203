/* System service stubs. DllMain copies the machine code of the running system's own stubs into them (see
 * install_stubs), so that a waiting thread's frame lies in this DLL as it lies in ntdll on Windows. */
#define STUB(name) .p2align 4; .globl name; name: .fill 32, 1, 0xcc

    .text
#ifdef __x86_64__
    STUB(NtSetEvent)
    STUB(NtWaitForSingleObject)
    STUB(NtCloseService)
    STUB(NtCreateEvent)
    STUB(NtSetEventService)
#else
    STUB(_NtSetEvent@8)
    STUB(_NtWaitForSingleObject@12)
    STUB(_NtCloseService@4)
    STUB(_NtCreateEvent@20)
    STUB(_NtSetEventService@8)
#endif

#ifdef __i386__
/* void RtlRaiseStatus(NTSTATUS): the exception belongs to the caller. Its registers are captured at once, before any
 * compiler-made prologue; raise_for_caller sees { edi, esi, ebx, ebp, return address, status }. */
    .p2align 4
    .globl _RtlRaiseStatus@4
_RtlRaiseStatus@4:
    pushl %ebp
    pushl %ebx
    pushl %esi
    pushl %edi
    movl %esp, %eax
    pushl %eax
    call _raise_for_caller
    int3

/* NTSTATUS KiRaiseUserExceptionDispatcher(NTSTATUS): raises from this frame and returns the status if continued. */
    .p2align 4
    .globl _KiRaiseUserExceptionDispatcher@4
_KiRaiseUserExceptionDispatcher@4:
    pushl %ebp
    movl %esp, %ebp
    subl $0x50, %esp
    pushl %ebx
    pushl %esi
    pushl %edi
    movl %esp, %eax
    pushl 8(%ebp)
    pushl %ebp
    pushl %eax
    call _raise_in_dispatcher
    leal -0x5c(%ebp), %esp
    popl %edi
    popl %esi
    popl %ebx
    movl 8(%ebp), %eax
    leave
    ret $4
#endif
