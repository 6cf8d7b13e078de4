package strace

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/arch/archs"
)

// bins are the freestanding guest programs.
const bins = "../../testdata/bins"

// guest is a program that has not run, whose registers and memory a test fills
// in as if it stood at a system call.
type guest struct {
	t   testing.TB
	k   *emu.Task
	a   *arch.Arch
	p   *Printer
	brk uint64
}

// Where a test's memory lies: nothing else is there in the programs, and the
// page after it is not mapped.
const (
	guestMem  = 0x50000000
	guestSize = 0x20000
)

func newGuest(t testing.TB, a *arch.Arch) *guest {
	t.Helper()
	m, err := utemu.Load(utemu.Config{Path: filepath.Join(bins, a.Name, "hello"), Args: []string{"hello"}, Env: []string{"K=V"}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	k := m.Task()
	require.NoError(t, k.Proc.Space.Map(emu.VMA{Addr: guestMem, End: guestMem + guestSize, Prot: arch.Read | arch.Write}))
	return &guest{t: t, k: k, a: a, p: NewPrinter(DefaultStyle()), brk: guestMem}
}

// each runs f for a guest of every architecture, 32-bit PowerPC first.
func each(t *testing.T, f func(t *testing.T, g *guest)) {
	list := append([]*arch.Arch(nil), archs.All...)
	for i, a := range list {
		if a.Name == "ppc" {
			list[0], list[i] = list[i], list[0]
		}
	}
	for _, a := range list {
		t.Run(a.Name, func(t *testing.T) { f(t, newGuest(t, a)) })
	}
}

// bytes puts b into fresh memory.
func (g *guest) bytes(b []byte) uint64 {
	at := g.brk
	g.brk = (g.brk + uint64(len(b)) + 15) &^ 15
	require.Less(g.t, g.brk, uint64(guestMem+guestSize), "the test needs more memory")
	require.NoError(g.t, g.k.Proc.Space.CopyOut(b, at))
	return at
}

func (g *guest) str(s string) uint64 { return g.bytes(append([]byte(s), 0)) }

// number is v in n bytes.
func (g *guest) number(v uint64, n int) []byte {
	b := make([]byte, 8)
	switch n {
	case 1:
		b[0] = byte(v)
	case 2:
		g.a.Order.PutUint16(b, uint16(v))
	case 4:
		g.a.Order.PutUint32(b, uint32(v))
	default:
		g.a.Order.PutUint64(b, v)
	}
	return b[:n]
}

// words puts longs into fresh memory, ints numbers of 32 bits.
func (g *guest) words(vs ...uint64) uint64 { return g.numbers(g.a.Word, vs) }
func (g *guest) ints(vs ...uint64) uint64  { return g.numbers(4, vs) }

func (g *guest) numbers(n int, vs []uint64) uint64 {
	var b []byte
	for _, v := range vs {
		b = append(b, g.number(v, n)...)
	}
	return g.bytes(b)
}

// fields are values of the fields of a structure.
type fields map[string]uint64

// layout puts a structure into fresh memory.
func (g *guest) layout(name string, f fields) uint64 {
	l, ok := g.a.Layout[name]
	require.True(g.t, ok, "no structure %s", name)
	b := make([]byte, l.Size)
	for n, v := range f {
		p, ok := l.Fields[n]
		require.True(g.t, ok, "no field %s.%s", name, n)
		copy(b[p.Off:p.Off+p.Size], g.number(v, p.Size))
	}
	return g.bytes(b)
}

// wide is a 64-bit argument.
type wide uint64

// has tells whether the architecture has a call.
func (g *guest) has(name string) bool { return hasCall(g.a, name) }

// registers makes the task stand at a call. It returns the argument registers.
func (g *guest) registers(name string, args []any) (w [6]uint64) {
	nr, ok := uint64(0), false
	for _, s := range g.a.Sysnum {
		if s.Name == name {
			nr, ok = uint64(s.Nr), true
		}
	}
	require.True(g.t, ok, "%s has no %s", g.a.Name, name)
	cpu := g.k.CPU()
	cpu.SetReg(g.a.ABI.Nr, nr)
	n := 0
	for _, a := range args {
		v, pair := a.(wide)
		switch {
		case pair && g.a.Word == 4:
			if g.a.ABI.EvenPair {
				n += n & 1
			}
			lo, hi := uint64(v)&0xffffffff, uint64(v)>>32
			if g.number(1, 2)[0] == 0 {
				lo, hi = hi, lo
			}
			w[n], w[n+1] = lo, hi
			n += 2
			continue
		case pair:
			w[n] = uint64(v)
		default:
			switch v := a.(type) {
			case int:
				w[n] = g.a.Addr(uint64(v))
			case uint64:
				w[n] = v
			default:
				g.t.Fatalf("argument of type %T", a)
			}
		}
		n++
	}
	for i, id := range g.a.ABI.Args {
		cpu.SetReg(id, w[i])
	}
	return w
}

// outcome is how a call ends.
type outcome struct {
	value uint64
	errno uint16       // in the guest's numbering
	does  func(*guest) // what the call does to memory
}

// call writes a whole call. In what it returns, addresses in the test's memory
// have become @ and the number of the argument that they are.
func (g *guest) call(name string, args []any, end outcome) string {
	w := g.registers(name, args)
	s := g.p.Entry(g.k)
	if end.does != nil {
		end.does(g)
	}
	g.a.ABI.Result(g.k.CPU(), g.a.Addr(end.value), end.errno)
	s += g.p.Exit(g.k)
	for i, v := range w {
		if v >= guestMem && v < guestMem+guestSize {
			s = strings.ReplaceAll(s, fmt.Sprintf("%#x", v), fmt.Sprintf("@%d", i))
		}
	}
	return s
}

// constant is the value of a name on the architecture, else the common one.
func (g *guest) constant(table, name string) uint64 { return lookup(table).value(g.a, name) }
