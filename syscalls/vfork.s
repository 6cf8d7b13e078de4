//go:build amd64

#include "go_asm.h"
#include "textflag.h"

// func vforkCalls(list *vforkCall, failed *int) (pid int)
//
// The child has the stack of the parent, which stands still meanwhile: it
// writes nothing there and never returns.
TEXT ·vforkCalls(SB), NOSPLIT, $0-24
	MOVQ list+0(FP), R12
	MOVQ failed+8(FP), R13
	MOVL $56, AX // clone
	MOVL $0x4111, DI // CLONE_VM, CLONE_VFORK, SIGCHLD
	XORL SI, SI
	XORL DX, DX
	XORL R10, R10
	XORL R8, R8
	SYSCALL
	TESTQ AX, AX
	JZ child
	MOVQ AX, pid+16(FP)
	RET
child:
	MOVQ vforkCall_nr(R12), AX
	MOVQ (vforkCall_args+0)(R12), DI
	MOVQ (vforkCall_args+8)(R12), SI
	MOVQ (vforkCall_args+16)(R12), DX
	MOVQ (vforkCall_args+24)(R12), R10
	MOVQ (vforkCall_args+32)(R12), R8
	SYSCALL
	CMPQ AX, $-4095
	JCS next
	CMPQ vforkCall_lax(R12), $0
	JNE next
	MOVQ AX, 0(R13)
	MOVL $231, AX // exit_group
	MOVL $127, DI
	SYSCALL
	INT $3
next:
	ADDQ $vforkCall__size, R12
	JMP child
