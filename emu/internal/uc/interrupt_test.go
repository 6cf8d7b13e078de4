//go:build cgo

package uc

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu/emu/internal/ucnum"
)

// endless are loops without an end, by guest: one instruction; two additions,
// to the value and the count; and one that reads a word at the base, adds 1,
// writes it and adds 1 to the value. They are longs, at is the offset of the
// instruction between the two additions of the second, and of the one that
// adds to the value in the third.
type endless struct {
	self, count, memory string
	between, after      uint64
}

var endlessCode = map[string]endless{
	"x86_64": x86Endless,
	"i386":   x86Endless,
	"arm": {
		self:    string(le(0xeafffffe)),                         // b .
		count:   string(le(0xe2800001, 0xe2822001, 0xeafffffc)), // add r0,r0,#1; add r2,r2,#1; b
		memory:  string(le(0xe5914000, 0xe2844001, 0xe5814000, 0xe2800001, 0xeafffffa)),
		between: 4, after: 12,
	},
	"thumb": {
		self:    "\xfe\xe7",
		count:   "\x01\x30\x01\x32\xfc\xe7",
		memory:  "\x0c\x68\x01\x34\x0c\x60\x01\x30\xfa\xe7",
		between: 2, after: 6,
	},
	"aarch64": {
		self:    string(le(0x14000000)),
		count:   string(le(0x11000400, 0x11000442, 0x17fffffe)),
		memory:  string(le(0xb9400024, 0x11000484, 0xb9000024, 0x11000400, 0x17fffffc)),
		between: 4, after: 12,
	},
	"ppc":   ppcEndless,
	"ppc64": ppcEndless,
}

var x86Endless = endless{
	self:    "\xeb\xfe",                 // jmp .
	count:   "\xff\xc0\xff\xc1\xeb\xfa", // inc %eax; inc %ecx; jmp
	memory:  "\x8b\x33\xff\xc6\x89\x33\xff\xc0\xeb\xf6",
	between: 2, after: 6,
}

var ppcEndless = endless{
	self:    string(be(0x48000000)),
	count:   string(be(0x38630001, 0x38a50001, 0x4bfffff8)),
	memory:  string(be(0x80e40000, 0x38e70001, 0x90e40000, 0x38630001, 0x4bfffff0)),
	between: 4, after: 12,
}

// word is the guest's word at the start of the data.
func (r *rig) word() uint32 {
	if r.name() == "ppc" || r.name() == "ppc64" {
		return binary.BigEndian.Uint32(r.data)
	}
	return binary.LittleEndian.Uint32(r.data)
}

// endless ends a run that has not ended after a long time.
func (r *rig) endless(ended <-chan bool) bool {
	select {
	case <-ended:
		return false
	case <-time.After(time.Minute):
		r.Interrupt()
		return true
	}
}

// stopped runs from pc, has somebody else interrupt it after a while, and
// requires that this ends it. A run that misses the request is interrupted
// again much later, for the test to end.
func (r *rig) stopped(pc uint64, after time.Duration) Stop {
	ended, late := make(chan bool), make(chan bool)
	go func() {
		for begin := time.Now(); time.Since(begin) < after; {
		}
		r.Interrupt()
		late <- r.endless(ended)
	}()
	st := r.run(pc, Limit{})
	close(ended)
	require.False(r.t, <-late, "the request was lost")
	require.Equal(r.t, KindInterrupt, st.Kind)
	require.Equal(r.t, st.PC, r.Reg(pcreg(r.g)))
	return st
}

// A request stops a loop that has no end, whether or not it uses memory, and
// as often as it is made; the registers are those of the PC.
func TestInterruptEndless(t *testing.T) {
	const rounds = 40
	each(t, func(t *testing.T, r *rig) {
		l := endlessCode[r.name()]
		r.put(codeAt, l.self)
		r.put(codeAt+0x100, l.count)
		r.put(codeAt+0x200, l.memory)
		for i := range rounds {
			st := r.stopped(r.start(codeAt, dataAt, 0), time.Duration(i%10)*time.Microsecond)
			require.EqualValues(t, codeAt, st.PC)
		}
		var progress uint32
		for _, at := range []uint64{codeAt + 0x100, codeAt + 0x200} {
			clear(r.data)
			pc := r.start(at, dataAt, 0)
			for i := range rounds {
				st := r.stopped(pc, time.Duration(i%10)*5*time.Microsecond)
				other, odd := r.reg(r.g.count), l.between
				if at == codeAt+0x200 {
					other, odd = r.word(), l.after
				}
				diff := r.reg(r.g.value) - other
				if at == codeAt+0x200 {
					diff = -diff
				}
				want := uint32(0)
				if st.PC == at+odd {
					want = 1
				}
				require.Equal(t, want, diff, "at %#x", st.PC)
				pc = r.next(st)
			}
			require.NotZero(t, r.reg(r.g.value))
			progress += r.reg(r.g.value)
		}
		require.Greater(t, progress, uint32(rounds))
	})
}

// A string instruction of x86 is a loop in itself. It is stopped as a
// processor does it: with its registers at what is still to be done.
func TestInterruptString(t *testing.T) {
	// mov %rbx,%rdi; mov $0x4000,%ecx; rep stosb; inc %edx; jmp
	code := map[string]string{
		"x86_64": "\x48\x89\xdf\xb9\x00\x40\x00\x00\xf3\xaa\xff\xc2\xeb\xf2",
		"i386":   "\x90\x89\xdf\xb9\x00\x40\x00\x00\xf3\xaa\xff\xc2\xeb\xf2",
	}
	di := map[string]int{"x86_64": ucnum.X86_REG_RDI, "i386": ucnum.X86_REG_EDI}
	each(t, func(t *testing.T, r *rig) {
		if code[r.name()] == "" {
			return
		}
		r.put(codeAt, code[r.name()])
		pc := r.start(codeAt, dataAt, 0)
		for i := range 40 {
			st := r.stopped(pc, time.Duration(i%10)*5*time.Microsecond)
			if st.PC == codeAt+8 {
				require.Equal(t, uint64(dataAt+dataLen), r.Reg(di[r.name()])+r.Reg(r.g.count))
			}
			pc = r.next(st)
		}
	})
}
