//go:build cgo

package capstone

/*
#cgo pkg-config: capstone
#include <capstone.h>
#include <stdlib.h>
#include <string.h>

// utemu_open opens a handle for one of the modes of this package. It returns
// libcapstone's error code.
static int utemu_open(int mode, csh *h, cs_insn **insn)
{
	static const struct { cs_arch arch; unsigned mode; } modes[] = {
		[1] = { CS_ARCH_X86, CS_MODE_32 },
		[2] = { CS_ARCH_X86, CS_MODE_64 },
		[3] = { CS_ARCH_ARM, CS_MODE_ARM },
		[4] = { CS_ARCH_ARM, CS_MODE_THUMB },
		[5] = { CS_ARCH_ARM64, CS_MODE_ARM },
		[6] = { CS_ARCH_PPC, CS_MODE_32 | CS_MODE_BIG_ENDIAN },
		[7] = { CS_ARCH_PPC, CS_MODE_64 | CS_MODE_BIG_ENDIAN },
	};
	unsigned m = modes[mode].mode;
	int err;

	if (modes[mode].arch == CS_ARCH_ARM)
		m |= CS_MODE_V8;
	err = cs_open(modes[mode].arch, (cs_mode)m, h);
	if (err != CS_ERR_OK)
		return err;
	if (modes[mode].arch == CS_ARCH_X86)
		cs_option(*h, CS_OPT_SYNTAX, CS_OPT_SYNTAX_ATT);
	*insn = cs_malloc(*h);
	if (!*insn) {
		cs_close(h);
		return CS_ERR_MEM;
	}
	return CS_ERR_OK;
}

// utemu_decode decodes the instruction at code and returns its length in
// bytes, 0 if there is none. Its mnemonic and its operands are put into out,
// their lengths into n. With forget the handle remembers nothing of it
// afterwards: cs_disasm, unlike cs_disasm_iter, starts without an IT block.
static int utemu_decode(csh h, cs_insn *insn, uint64_t pc,
	const uint8_t *code, size_t len, int forget, char *out, uint16_t *n)
{
	static const uint8_t nop[2] = { 0x00, 0xbf };
	uint64_t addr = pc;
	int size = 0;

	if (cs_disasm_iter(h, &code, &len, &addr, insn)) {
		size_t m = strnlen(insn->mnemonic, sizeof insn->mnemonic);
		size_t o = strnlen(insn->op_str, sizeof insn->op_str);

		memcpy(out, insn->mnemonic, m);
		memcpy(out + m, insn->op_str, o);
		n[0] = m;
		n[1] = o;
		size = insn->size;
	}
	if (forget) {
		cs_insn *v = NULL;
		size_t k = cs_disasm(h, nop, sizeof nop, 0, 1, &v);

		if (k)
			cs_free(v, k);
	}
	return size;
}
*/
import "C"

import (
	"fmt"
	"sync"
	"unsafe"
)

// Handle decodes one instruction set. It may be used by many goroutines at
// once; they take turns.
type Handle struct {
	mu   sync.Mutex
	h    C.csh
	insn *C.cs_insn
	mode Mode
	n    [2]C.uint16_t
	out  [512]byte // more than the mnemonic and operands of any cs_insn
}

// The text of an instruction must fit Handle.out whatever the library's version:
// this does not compile if it cannot.
var _ [512 - unsafe.Sizeof(C.cs_insn{}.mnemonic) - unsafe.Sizeof(C.cs_insn{}.op_str)]struct{}

// Open makes a decoder of mode. There is no Close: a program needs at most one
// handle of each mode and keeps it.
func Open(mode Mode) (*Handle, error) {
	if mode < X86 || mode > PPC64 {
		return nil, fmt.Errorf("capstone: no mode %d", mode)
	}
	h := &Handle{mode: mode}
	if e := C.utemu_open(C.int(mode), &h.h, &h.insn); e != C.CS_ERR_OK {
		return nil, fmt.Errorf("capstone: %s", C.GoString(C.cs_strerror(C.cs_err(e))))
	}
	return h, nil
}

// Decode gives the text of the first instruction of code, which lies at pc; at
// most 16 bytes are looked at. ok is false if the library does not know it.
// The answer depends on nothing else: a Thumb instruction is taken as outside
// of an IT block whatever was decoded before.
func (h *Handle) Decode(pc uint64, code []byte) (t Text, ok bool) {
	if len(code) == 0 {
		return Text{}, false
	}
	code = code[:min(len(code), 16)]
	forget := C.int(0)
	if h.mode == Thumb && len(code) >= 2 && startsBlock(code) {
		forget = 1
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	size := int(C.utemu_decode(h.h, h.insn, C.uint64_t(pc),
		(*C.uint8_t)(unsafe.Pointer(&code[0])), C.size_t(len(code)), forget,
		(*C.char)(unsafe.Pointer(&h.out[0])), &h.n[0]))
	if size <= 0 {
		return Text{}, false
	}
	m, o := int(h.n[0]), int(h.n[1])
	return Text{Len: size, Mnemonic: string(h.out[:m]), Operands: string(h.out[m : m+o])}, true
}

// startsBlock says whether a Thumb instruction may make the ones after it
// conditional in the library's eyes: IT, and VPT and VPST of MVE.
func startsBlock(code []byte) bool {
	return code[1] == 0xbf || code[1]&0xef == 0xee
}

// Version is the library's version, such as "4.0".
func Version() string {
	var major, minor C.int
	C.cs_version(&major, &minor)
	return fmt.Sprintf("%d.%d", int(major), int(minor))
}
