//go:build cgo

package uc

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu/emu/internal/ucnum"
)

const readOnly = ucnum.PROT_READ

// An access that fails stops before its instruction with all registers as they
// were, whatever the instruction, and can be repeated.
func TestFaults(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		for _, f := range faultCodes[r.name()] {
			t.Run(f.insn, func(t *testing.T) {
				r.t = t
				r.put(codeAt, f.code)
				st := r.fault(f)
				if f.access == 2 {
					r.faultReadOnly(f)
				}

				require.NoError(t, r.Map(holeAt, hostMemory(t, page), ucnum.PROT_ALL))
				if f.insn[0] == 'c' && f.insn[1] == 'a' { // call, to an address that is there
					r.put(codeAt+0x100, "\xc3")
					r.put(codeAt, f.code)
				}
				st = r.run(r.at(st.PC), Limit{})
				require.NotEqual(t, KindLimit, st.Kind)
				if st.Kind == KindMem { // call of address 0
					require.Equal(t, 4, st.Access)
				} else {
					r.trap(st)
					require.NotEqual(t, uint64(5), r.Reg(r.g.mark))
				}
				require.NoError(t, r.Unmap(holeAt, page))
			})
		}
	})
}

// fault runs into a fault and checks the state at it.
func (r *rig) fault(f faultCode) Stop {
	const base = holeAt + 0x80
	pc := r.start(codeAt, base, 3)
	r.set(r.g.sp, dataAt+dataLen/2)
	r.set(r.g.result, 0)
	state := r.Reg(r.g.state)
	st := r.run(pc, Limit{})
	require.Equal(r.t, KindMem, st.Kind, "%+v", st)
	require.Equal(r.t, uint64(codeAt+f.at), st.PC)
	require.EqualValues(r.t, 5, r.Reg(r.g.mark), "marker")
	require.Equal(r.t, uint64(base), r.Reg(r.g.base))
	require.Equal(r.t, uint64(dataAt+dataLen/2), r.Reg(r.g.sp))
	require.GreaterOrEqual(r.t, st.Addr, uint64(holeAt))
	require.Less(r.t, st.Addr, uint64(holeAt+page))
	if f.access == 2 {
		require.Equal(r.t, 2, st.Access)
	}
	if r.g.thumb {
		// The state of an IT block is part of the CPSR.
		require.Equal(r.t, r.itState(f), itOf(r.Reg(ucnum.ARM_REG_CPSR)), "ITSTATE")
	} else {
		require.Equal(r.t, state, r.Reg(r.g.state))
	}
	return st
}

// faultReadOnly runs into a fault on a page that may be read, and of which the
// engine knows that it was written to before.
func (r *rig) faultReadOnly(f faultCode) {
	mem := hostMemory(r.t, page)
	require.NoError(r.t, r.Map(holeAt, mem, ucnum.PROT_ALL))
	defer func() { require.NoError(r.t, r.Unmap(holeAt, page)) }()
	r.trap(r.run(r.start(codeAt, holeAt+0x80, 3), Limit{}))
	require.NoError(r.t, r.Protect(holeAt, page, readOnly))
	for i := range mem {
		mem[i] = 0x55
	}
	r.fault(f)
	for i, b := range mem {
		require.EqualValues(r.t, 0x55, b, "byte %#x of a page that is read-only", i)
	}
}

// itState is ITSTATE at the access of a Thumb program.
func (r *rig) itState(f faultCode) uint64 {
	code := f.code
	for i := 0; i+1 < f.at; i += 2 {
		if code[i+1] != 0xbf || code[i]&15 == 0 {
			continue
		}
		it := uint64(code[i])
		for n := (f.at - i - 2) / 2; n > 0; n-- {
			it = it&0xe0 | it<<1&0x1f
		}
		return it
	}
	return 0
}

func itOf(cpsr uint64) uint64 { return cpsr>>25&3 | cpsr>>8&0xfc }
