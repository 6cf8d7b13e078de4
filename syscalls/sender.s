//go:build amd64

#include "go_asm.h"
#include "textflag.h"

// The handler of signals: C's calling convention, on the stack for signals.
// It notes what the host tells of the signal and goes on to Go's own.
TEXT sigEntry<>(SB), NOSPLIT|NOFRAME|TOPFRAME, $0
	MOVL DI, AX
	SHLQ $4, AX
	LEAQ ·senders(SB), CX
	ADDQ AX, CX
	MOVL 8(SI), AX // si_code
	MOVL AX, sender_code(CX)
	MOVL 16(SI), AX // si_pid
	MOVL AX, sender_pid(CX)
	MOVL 20(SI), AX // si_uid
	MOVL AX, sender_uid(CX)
	MOVQ ·goHandler(SB), AX
	JMP AX

// func sigEntryPC() uintptr
TEXT ·sigEntryPC(SB), NOSPLIT, $0-8
	LEAQ sigEntry<>(SB), AX
	MOVQ AX, ret+0(FP)
	RET
