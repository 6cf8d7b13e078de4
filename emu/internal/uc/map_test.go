//go:build cgo

package uc

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu/emu/internal/ucnum"
)

// accessCode loads from, then stores to the base, and ends in a trap.
var accessCode = map[string]struct {
	code   string
	ld, st int // offsets of the two
}{
	"x86_64":  {"\x8b\x03\x89\x03\xcc", 0, 2},
	"i386":    {"\x8b\x03\x89\x03\xcc", 0, 2},
	"arm":     {string(le(0xe5910000, 0xe5810000, 0xe1200070)), 0, 4},
	"thumb":   {"\x08\x68\x08\x60\x00\xbe", 0, 2},
	"aarch64": {string(le(0xb9400020, 0xb9000020, 0xd4200000)), 0, 4},
	"ppc":     {string(be(0x80640000, 0x90640000, 0x7fe00008)), 0, 4},
	"ppc64":   {string(be(0x80640000, 0x90640000, 0x7fe00008)), 0, 4},
}

// mem requires that a run ended at pc with a failed access of some kind to
// addr.
func (r *rig) mem(st Stop, access int, pc, addr uint64) {
	require.Equal(r.t, KindMem, st.Kind, "%+v", st)
	require.Equal(r.t, access, st.Access, "%+v", st)
	require.Equal(r.t, addr, st.Addr, "%+v", st)
	require.Equal(r.t, pc, st.PC, "%+v", st)
	require.False(r.t, st.Bus)
}

// Each kind of access is allowed or not as the protection says, on a page that
// was not used before and on one that was, with all that this leaves behind.
func TestProtect(t *testing.T) {
	prots := []int{ucnum.PROT_NONE, ucnum.PROT_READ, ucnum.PROT_READ | ucnum.PROT_WRITE, ucnum.PROT_EXEC,
		ucnum.PROT_READ | ucnum.PROT_EXEC, ucnum.PROT_WRITE, ucnum.PROT_ALL}
	each(t, func(t *testing.T, r *rig) {
		a := accessCode[r.name()]
		host := hostMemory(t, page)
		require.NoError(t, r.Map(holeAt, host, ucnum.PROT_ALL))
		ld, st := a.code[a.ld:a.st], a.code[a.st:]
		trap := st[len(a.code[a.ld:a.st]):]
		r.put(codeAt, ld+trap)
		r.put(codeAt+0x100, st)
		check := func(t *testing.T, prot int) {
			r.t = t
			end := r.run(r.start(codeAt, holeAt, 0), Limit{})
			if prot&ucnum.PROT_READ != 0 {
				r.trap(end)
			} else {
				r.mem(end, 1, codeAt, holeAt)
			}
			end = r.run(r.start(codeAt+0x100, holeAt, 0), Limit{})
			if prot&ucnum.PROT_WRITE != 0 {
				r.trap(end)
			} else {
				r.mem(end, 2, codeAt+0x100, holeAt)
			}
			end = r.run(r.start(holeAt+0x100, dataAt, 0), Limit{})
			if prot&ucnum.PROT_EXEC != 0 {
				r.trap(end)
			} else {
				r.mem(end, 4, holeAt+0x100, holeAt+0x100)
			}
		}
		for _, from := range prots {
			for _, to := range prots {
				t.Run(fmt.Sprintf("%d to %d", from, to), func(t *testing.T) {
					clear(host)
					copy(host[0x100:], st)
					r.DropCode(holeAt, page)
					require.NoError(t, r.Protect(holeAt, page, from))
					check(t, from)
					require.NoError(t, r.Protect(holeAt, page, to))
					check(t, to)
				})
			}
		}
	})
}

// Memory that is taken away is gone for all kinds of access, however much it
// was used, and what is mapped there next is other memory.
func TestUnmap(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		a := accessCode[r.name()]
		r.put(codeAt, a.code)
		st := string(a.code[a.st:])
		r.put(codeAt+0x100, st)
		for k := range byte(3) {
			host := hostMemory(t, page)
			copy(host, r.constant(k))
			require.NoError(t, r.Map(holeAt, host, ucnum.PROT_ALL))
			r.trap(r.run(r.start(holeAt, dataAt, 0), Limit{}))
			require.EqualValues(t, k, r.reg(r.g.result))
			for range 3 {
				pc := r.start(codeAt+0x100, holeAt+0x200, 0)
				r.set(r.g.value, 0x01010101*uint64(k+1))
				r.trap(r.run(pc, Limit{}))
			}
			require.Equal(t, []byte{k + 1, k + 1, k + 1, k + 1, 0}, host[0x200:0x205])

			r.DropCode(holeAt, page)
			require.NoError(t, r.Unmap(holeAt, page))
			r.mem(r.run(r.start(codeAt, holeAt+0x200, 0), Limit{}), 1, codeAt, holeAt+0x200)
			r.mem(r.run(r.start(codeAt+0x100, holeAt+0x200, 0), Limit{}), 2, codeAt+0x100, holeAt+0x200)
			r.mem(r.run(r.start(holeAt, dataAt, 0), Limit{}), 4, holeAt, holeAt)
			require.Equal(t, []byte{k + 1, k + 1, k + 1, k + 1, 0}, host[0x200:0x205])
		}
	})
}

// Part of a mapping is taken away or protected; the rest is as it was.
func TestPartOfMapping(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		a := accessCode[r.name()]
		r.put(codeAt, a.code)
		host := hostMemory(t, 4*page)
		require.NoError(t, r.Map(holeAt, host, ucnum.PROT_READ|ucnum.PROT_WRITE))
		use := func(i int) Stop { return r.run(r.start(codeAt, holeAt+uint64(i)*page+8, 0), Limit{}) }
		for i := range 4 {
			r.trap(use(i))
		}
		require.NoError(t, r.Protect(holeAt+page, page, ucnum.PROT_READ))
		require.NoError(t, r.Unmap(holeAt+2*page, page))
		r.trap(use(0))
		r.mem(use(1), 2, codeAt+uint64(a.st), holeAt+page+8)
		r.mem(use(2), 1, codeAt+uint64(a.ld), holeAt+2*page+8)
		r.trap(use(3))
	})
}

// A store over the end of a page whose neighbour is missing, or is read-only,
// stops before it. Part of it may have been done.
func TestFaultAcrossPages(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		a := accessCode[r.name()]
		r.put(codeAt, a.code)
		r.put(codeAt+0x100, a.code[a.st:])
		host := hostMemory(t, 2*page)
		require.NoError(t, r.Map(holeAt, host, ucnum.PROT_READ|ucnum.PROT_WRITE))
		const at = holeAt + page - 2
		r.trap(r.run(r.start(codeAt, at, 0), Limit{}))
		require.NoError(t, r.Protect(holeAt+page, page, ucnum.PROT_READ))
		st := r.run(r.start(codeAt, at, 0), Limit{})
		require.Equal(t, KindMem, st.Kind)
		require.Equal(t, codeAt+uint64(a.st), st.PC)
		require.Equal(t, 2, st.Access)
		require.NoError(t, r.Unmap(holeAt+page, page))
		for i, pc := range []uint64{codeAt, codeAt + 0x100} {
			st = r.run(r.start(pc, at, 0), Limit{})
			require.Equal(t, KindMem, st.Kind)
			require.Equal(t, pc, st.PC)
			require.Equal(t, i+1, st.Access)
		}
	})
}

// Memory of the host that the guest has in two places is the same memory.
// Code of one place that is written to in the other runs as it is now once the
// engine has been told.
func TestAlias(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		require.NoError(t, r.Map(holeAt, r.data[:page], ucnum.PROT_ALL))
		require.NoError(t, r.Map(holeAt+2*page, r.data[:page], ucnum.PROT_READ|ucnum.PROT_WRITE))
		r.put(codeAt, workCode[r.name()])
		for i, at := range []uint64{dataAt, holeAt, holeAt + 2*page, dataAt} {
			clear(r.data)
			r.trap(r.run(r.start(codeAt, at, 100+uint64(i)), Limit{}))
			require.Equal(t, work(100+uint32(i)), r.reg(r.g.result))
		}
		r.put(codeAt, jitCode[r.name()])
		for k := range uint64(5) {
			// The function is written in one place only: the call faults.
			st := r.run(r.start(codeAt, holeAt+2*page, k+1), Limit{})
			r.mem(st, 4, holeAt+2*page, holeAt+2*page)
			r.DropCode(holeAt, page)
			st = r.run(r.at(holeAt), Limit{Insns: 1})
			require.Equal(t, KindLimit, st.Kind)
			require.EqualValues(t, k+1, r.reg(r.g.result))
		}
	})
}

// There may be many mappings, with pages of any size the library has.
func TestManyMappings(t *testing.T) {
	const n = 150
	for _, name := range []string{"x86_64", "arm", "aarch64", "ppc"} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, guests[name], false)
			r.put(codeAt, accessCode[name].code)
			host := hostMemory(t, page)
			at := func(i int) uint64 { return 0x1000000 + uint64(i)*2*page }
			for i := range n {
				require.NoError(t, r.Map(at(i), host, ucnum.PROT_READ|ucnum.PROT_WRITE))
			}
			for i := 0; i < n; i += 50 {
				r.trap(r.run(r.start(codeAt, at(i), 0), Limit{}))
				r.mem(r.run(r.start(codeAt, at(i)+page, 0), Limit{}), 1, codeAt, at(i)+page)
			}
			require.Error(t, r.Map(at(1), host, ucnum.PROT_READ), "where there is something")
			require.Error(t, r.Unmap(at(1)+page, page), "where there is nothing")
			require.Error(t, r.Protect(at(1)+page, page, 0), "where there is nothing")
		})
	}
}
