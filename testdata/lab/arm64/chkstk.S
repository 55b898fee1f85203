// The stack is all there: nothing to probe.
    .text
    .globl __chkstk
    .p2align 4
__chkstk:
    ret
