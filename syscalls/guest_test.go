package syscalls

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/arch/archs"
)

// guest is a process without a CPU, whose system calls are made by calling
// their handlers.
type guest struct {
	t *testing.T
	*Ctx
	brk uint64 // free memory of the guest
}

// Where a test's memory lies: the page after it is not mapped.
const (
	guestMem  = 0x100000
	guestSize = 0x40000
)

// newGuest makes a process of architecture a with some memory.
func newGuest(t *testing.T, a *arch.Arch) *guest {
	t.Helper()
	space := emu.NewSpace(a)
	t.Cleanup(func() { require.NoError(t, space.Release()) })
	require.NoError(t, space.Map(emu.VMA{Addr: guestMem, End: guestMem + guestSize, Prot: arch.Read | arch.Write}))
	k := New(Config{Archs: archs.All})
	p := &emu.Process{PID: os.Getpid(), Arch: a, Space: space}
	os, err := k.NewProcess(p)
	require.NoError(t, err)
	os.Files = &Files{} // those of the test process are not to be closed
	os.Limits[unix.RLIMIT_CORE].Cur = 0
	t.Cleanup(func() { require.NoError(t, os.Release()) })
	task := p.NewTask(p.PID, k)
	os.Begin(task)
	return &guest{t, &Ctx{K: k, T: task, P: os, A: a}, guestMem}
}

// each runs f for a guest of every architecture, PowerPC first.
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

// call makes a system call with raw argument words.
func (g *guest) call(name string, args ...uint64) (uint64, error) {
	g.t.Helper()
	g.w = [6]uint64{}
	copy(g.w[:], args)
	g.next = 0
	for _, r := range rows() {
		if r.Name == name {
			v, err := g.run(&r)
			if g.task().restart.code != 0 {
				g.task().restart.code, err = 0, unix.EINTR
			}
			return v, err
		}
	}
	g.t.Fatalf("no row %s", name)
	return 0, nil
}

// ok makes a call that must not fail.
func (g *guest) ok(name string, args ...uint64) uint64 {
	g.t.Helper()
	v, err := g.call(name, args...)
	require.NoError(g.t, err, name)
	return v
}

// fails makes a call that must fail with an error.
func (g *guest) fails(want unix.Errno, name string, args ...uint64) {
	g.t.Helper()
	_, err := g.call(name, args...)
	require.Equal(g.t, want, err, name)
}

// room is n bytes of fresh zeroed memory.
func (g *guest) room(n int) uint64 {
	g.t.Helper()
	at := g.brk
	g.brk = (g.brk + uint64(n) + 15) &^ 15
	require.Less(g.t, g.brk, uint64(guestMem+guestSize), "test needs more memory")
	return at
}

// bytes puts b into fresh memory.
func (g *guest) bytes(b []byte) uint64 {
	g.t.Helper()
	at := g.room(len(b))
	require.NoError(g.t, g.Space().CopyOut(b, at))
	return at
}

// str puts a string into fresh memory.
func (g *guest) str(s string) uint64 { return g.bytes(append([]byte(s), 0)) }

// words puts longs into fresh memory.
func (g *guest) words(vs ...uint64) uint64 {
	g.t.Helper()
	at := g.room(len(vs) * g.A.Word)
	for i, v := range vs {
		require.NoError(g.t, g.WriteWord(at+uint64(i*g.A.Word), v))
	}
	return at
}

// ints puts 32-bit numbers into fresh memory.
func (g *guest) ints(vs ...uint32) uint64 {
	g.t.Helper()
	at := g.room(len(vs) * 4)
	for i, v := range vs {
		require.NoError(g.t, g.Write32(at+uint64(i*4), v))
	}
	return at
}

// get reads n bytes of memory.
func (g *guest) get(at uint64, n int) []byte {
	g.t.Helper()
	b := make([]byte, n)
	require.NoError(g.t, g.Space().CopyIn(b, at))
	return b
}

func (g *guest) get32(at uint64) uint32 { return g.A.Order.Uint32(g.get(at, 4)) }

// text reads a string that ends with a NUL.
func (g *guest) text(at uint64) string {
	b := g.get(at, 256)
	return string(b[:bytes.IndexByte(b, 0)])
}

// load reads a structure.
func (g *guest) load(name string, at uint64) *Struct {
	g.t.Helper()
	s, err := g.LoadStruct(name, at)
	require.NoError(g.t, err)
	return s
}

// wide is how a 64-bit argument is passed after n argument words: the padding
// and the halves.
func (g *guest) wide(n int, v int64) []uint64 {
	if g.A.Word == 8 {
		return []uint64{uint64(v)}
	}
	lo, hi := uint64(uint32(v)), uint64(v)>>32
	out := []uint64{lo, hi}
	if g.bigEndian() {
		out = []uint64{hi, lo}
	}
	if g.A.ABI.EvenPair && n&1 == 1 {
		out = append([]uint64{0xdead}, out...)
	}
	return out
}

func (g *guest) flag(name string) uint64 {
	g.t.Helper()
	v, ok := g.A.Const[name]
	require.True(g.t, ok, name)
	return v
}

const cwd = 1<<64 - 100 // AT_FDCWD

// open opens a file with flags by name.
func (g *guest) open(path string, flags ...string) uint64 {
	g.t.Helper()
	var v uint64
	for _, f := range flags {
		v |= g.flag(f)
	}
	return g.ok("openat", cwd, g.str(path), v, 0o666)
}

// spawn makes a child of the guest that does not run, with a page of memory.
func (g *guest) spawn(flags uint64) *Process {
	g.t.Helper()
	space := emu.NewSpace(g.A)
	g.t.Cleanup(func() { require.NoError(g.t, space.Release()) })
	require.NoError(g.t, space.Map(emu.VMA{Addr: guestMem, End: guestMem + emu.PageSize, Prot: arch.Read | arch.Write}))
	p := &emu.Process{PID: g.K.newID(), Arch: g.A, Space: space}
	q := g.P.copy(p, g.task(), flags)
	q.parent, q.exitSignal = g.P, unix.SIGCHLD
	q.leader = g.childTask(q, cloneArgs{})
	q.leader.task = p.NewTask(p.PID, g.K)
	q.leader.task.OS = q.leader
	g.K.register(q.leader)
	g.t.Cleanup(func() { require.NoError(g.t, q.Release()) })
	return q
}
