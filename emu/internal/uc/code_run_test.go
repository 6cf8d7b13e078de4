//go:build cgo

package uc

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu/emu/internal/ucnum"
)

func TestWork(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.put(codeAt, workCode[r.name()])
		for _, n := range []uint32{1, 1000} {
			clear(r.data)
			r.trap(r.run(r.start(codeAt, dataAt, uint64(n)), Limit{}))
			require.Equal(t, work(n), r.reg(r.g.result))
		}
	})
}

// Code that the guest writes runs as it was written last, wherever it lies.
func TestSelfModifying(t *testing.T) {
	const n = 200
	for name, at := range map[string]uint64{
		"own page":   codeAt + 0x800,
		"other page": codeAt + 2*page + 0x20,
		"page end":   codeAt + 3*page - 4,
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, r *rig) {
				r.put(codeAt, jitCode[r.name()])
				for range 3 {
					r.trap(r.run(r.start(codeAt, at, n), Limit{}))
					require.EqualValues(t, n*(n+1)/2, r.reg(r.g.sum))
				}
			})
		})
	}
}

// A page that was data, written at full speed, becomes code.
func TestDataThenCode(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.put(codeAt, workCode[r.name()])
		r.put(codeAt+0x400, jitCode[r.name()])
		for range 3 {
			clear(r.code[page : 3*page])
			r.DropCode(codeAt+page, 2*page)
			r.trap(r.run(r.start(codeAt, codeAt+page, 300), Limit{}))
			require.Equal(t, work(300), r.reg(r.g.result))
			r.trap(r.run(r.start(codeAt+0x400, codeAt+page+0x40, 50), Limit{}))
			require.EqualValues(t, 50*51/2, r.reg(r.g.sum))
		}
	})
}

// constant is the code of a function for jitCode's registers that gives k,
// with a trap instead of the return.
func (r *rig) constant(k byte) string {
	switch r.name() {
	case "x86_64", "i386":
		return string([]byte{0xba, k, 0, 0, 0, 0xcc})
	case "arm":
		return string(le(0xe3a03000|uint32(k), 0xe1200070))
	case "thumb":
		return string([]byte{k, 0x23, 0x00, 0xbe})
	case "aarch64":
		return string(le(0x52800003|uint32(k)<<5, 0xd4200000))
	default:
		return string(be(0x38c00000|uint32(k), 0x7fe00008))
	}
}

// Code that the host writes runs once the engine has been told.
func TestHostWritesCode(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		const at = codeAt + page - 4 // over the end of a page
		for k := range byte(50) {
			r.put(at, r.constant(k))
			r.trap(r.run(r.start(at, dataAt, 0), Limit{}))
			require.EqualValues(t, k, r.reg(r.g.result))
		}
	})
}

// A page that changes between writable and executable runs what was written.
func TestWriteXorExecute(t *testing.T) {
	const rw, rx = ucnum.PROT_READ | ucnum.PROT_WRITE, ucnum.PROT_READ | ucnum.PROT_EXEC
	each(t, func(t *testing.T, r *rig) {
		name := r.name()
		// The writer writes a function by jitCode's loop, without calling it:
		// the call faults since the page is not executable.
		r.put(codeAt, jitCode[name])
		target := uint64(codeAt + 2*page)
		for k := range uint64(30) {
			require.NoError(t, r.Protect(target, page, rw))
			st := r.run(r.start(codeAt, target, k+1), Limit{})
			require.Equal(t, KindMem, st.Kind)
			require.Equal(t, 4, st.Access)
			require.Equal(t, target, st.Addr)
			require.Equal(t, target, st.PC)
			require.NoError(t, r.Protect(target, page, rx))
			r.DropCode(target, page)
			st = r.run(r.at(target), Limit{Insns: 1})
			require.Equal(t, KindLimit, st.Kind)
			require.EqualValues(t, k+1, r.reg(r.g.result))
		}
	})
}
