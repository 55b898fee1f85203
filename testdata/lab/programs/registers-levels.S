/* Three frames of different kinds (x64 only). */
    .text
    /* pushes; sets rbx, rsi, r12 */
    .globl level_a
    .seh_proc level_a
level_a:
    pushq %rbx
    .seh_pushreg %rbx
    pushq %rsi
    .seh_pushreg %rsi
    pushq %r12
    .seh_pushreg %r12
    subq $0x20, %rsp
    .seh_stackalloc 0x20
    .seh_endprologue
    movabsq $0xA1A1A1A1000000B1, %rbx
    movabsq $0xA1A1A1A100000051, %rsi
    movabsq $0xA1A1A1A100000012, %r12
    call level_b
    nop
    addq $0x20, %rsp
    popq %r12
    popq %rsi
    popq %rbx
    ret
    .seh_endproc

    /* a frame pointer in rbp, alloca below it; sets rdi, r13 */
    .globl level_b
    .seh_proc level_b
level_b:
    pushq %rbp
    .seh_pushreg %rbp
    pushq %rdi
    .seh_pushreg %rdi
    pushq %r13
    .seh_pushreg %r13
    subq $0x60, %rsp
    .seh_stackalloc 0x60
    leaq 0x40(%rsp), %rbp
    .seh_setframe %rbp, 0x40
    .seh_endprologue
    subq $0x150, %rsp
    movabsq $0xB2B2B2B2000000D1, %rdi
    movabsq $0xB2B2B2B200000013, %r13
    call level_c
    nop
    leaq 0x20(%rbp), %rsp
    popq %r13
    popq %rdi
    popq %rbp
    ret
    .seh_endproc

    /* a large frame, registers saved by mov; the section in r14 */
    .globl level_c
    .seh_proc level_c
level_c:
    subq $0x10a8, %rsp
    .seh_stackalloc 0x10a8
    movq %r14, 0x1090(%rsp)
    .seh_savereg %r14, 0x1090
    movq %r15, 0x1098(%rsp)
    .seh_savereg %r15, 0x1098
    movq %rbx, 0x40(%rsp)
    .seh_savereg %rbx, 0x40
    movaps %xmm6, 0x50(%rsp)
    .seh_savexmm %xmm6, 0x50
    .seh_endprologue
    movq %rcx, %r14
    movabsq $0xC3C3C3C300000015, %r15
    movabsq $0xC3C3C3C3000000B1, %rbx
    movq %r14, %rcx
    call *__imp_LeaveCriticalSection(%rip)
    nop
    movaps 0x50(%rsp), %xmm6
    movq 0x40(%rsp), %rbx
    movq 0x1098(%rsp), %r15
    movq 0x1090(%rsp), %r14
    addq $0x10a8, %rsp
    ret
    .seh_endproc
