package hooktest_test

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/hooks"
	"github.com/utemu/utemu/hooks/hooktest"
)

// stock runs the tests on the library without the shim.
var stock = os.Getenv("UTEMU_STOCK_ENGINE") == "1"

// The cases run on each architecture, as programs of one page.
func TestGuests(t *testing.T) {
	for _, i := range isas {
		t.Run(i.name, func(t *testing.T) {
			hooktest.Run(t, hooktest.Maker{Name: i.name, Has: hooktest.Real | hooktest.Handlers | hooktest.Exec | hooktest.Forks | hooktest.Threads, New: func(t testing.TB, ctx context.Context, p hooktest.Program) *hooktest.Guest {
				return newGuest(t, ctx, i, p)
			}})
		})
	}
}

// The cases of job control run as the child of another guest: when the first is
// stopped, this process is.
func TestStoppedGuests(t *testing.T) {
	for _, i := range isas {
		t.Run(i.name, func(t *testing.T) {
			hooktest.Run(t, hooktest.Maker{Name: i.name, Has: hooktest.Real | hooktest.Threads | hooktest.JobControl, Only: hooktest.JobControl,
				New: func(t testing.TB, ctx context.Context, p hooktest.Program) *hooktest.Guest {
					return newChild(t, ctx, i, p)
				}})
		})
	}
}

// childID is the number that the first child of a guest gets.
const childID = 4 << 20

// newChild makes a task that runs a program of its parent, which waits for it, in
// a process group of its own: one without a parent is not stopped by SIGTSTP.
func newChild(t testing.TB, ctx context.Context, i *isa, p hooktest.Program) *hooktest.Guest {
	parent := hooktest.Program{
		{Kind: hooktest.Call, Name: "clone", Args: []any{0, "child"}}, {Kind: hooktest.Call, Name: "wait4"}, {Kind: hooktest.Call, Name: "exit_group", Args: []any{0}},
		{Kind: hooktest.Mark, Label: "child"}, {Kind: hooktest.Call, Name: "setpgid", Args: []any{0, 0}}, {Kind: hooktest.Mark, Label: "case"},
	}
	m, g := newMachine(t, ctx, i, slices.Concat(parent, p), childID)
	// The child is there, and does not run before this is told to go on.
	made, on := make(chan *hooks.Task, 1), make(chan struct{})
	e, err := g.Task.Attach(hooks.AttachCreate, &hooks.Ops{Clone: func(_ *hooks.Call, _ uint64, child *hooks.Task) hooks.Resume {
		made <- child
		select {
		case <-on:
		case <-ctx.Done():
		}
		return hooks.Detach
	}}, nil)
	require.NoError(t, err)
	require.NoError(t, e.SetEvents(hooks.EventClone))
	run, ended := g.Run, make(chan error, 1)
	go func() {
		_, err := run()
		ended <- err
	}()
	select {
	case g.Task = <-made:
	case err := <-ended:
		t.Fatal("there is no child: ", err)
	}
	require.Equal(t, childID, g.Task.ID())
	born, child := g.Born, g.Task.Guest()
	g.Ops, g.Waited = g.Ops[len(parent):], true
	g.Insns = slices.DeleteFunc(g.Insns, func(pc uint64) bool { return pc < g.Labels["case"] })
	g.Born = func(op int, label string) uint64 { return born(op+len(parent), label) }
	g.Send = func(no unix.Signal) { m.Kernel().Send(child, no) }
	g.Run = func() (int, error) {
		close(on)
		err := <-ended
		return status(child), err
	}
	return g
}

// status is the wait status of a task's process, which has ended.
func status(k *emu.Task) int {
	if s := k.Proc.Group(); s != nil {
		return s.Wait()
	}
	if s := k.Status(); s != nil {
		return s.Wait()
	}
	return 0
}

// newGuest loads a program into a machine of its own.
func newGuest(t testing.TB, ctx context.Context, i *isa, p hooktest.Program) *hooktest.Guest {
	_, g := newMachine(t, ctx, i, p, os.Getpid())
	return g
}

// newMachine makes a machine for a program whose task has the number self.
func newMachine(t testing.TB, ctx context.Context, i *isa, p hooktest.Program, self int) (*utemu.Machine, *hooktest.Guest) {
	a := archOf(t, i)
	dir := t.TempDir()
	code, g := i.assemble(a, p, self, dir)
	path := filepath.Join(dir, "program")
	require.NoError(t, os.WriteFile(path, i.image(a, code, base), 0o755))
	for l, at := range g.Labels {
		require.NoError(t, os.WriteFile(filepath.Join(dir, l), i.image(a, code, at), 0o755))
	}
	r, w, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { r.Close(); w.Close() })
	m, err := utemu.Load(utemu.Config{Path: path, Stock: stock, Stdin: r})
	require.NoError(t, err)
	k := m.Task()
	g.Task, g.BreakPC = hooks.Of(k), i.breakPC
	g.Send = func(no unix.Signal) { m.Kernel().Send(k, no) }
	g.Reap = k.Reap
	g.Write = func(s string) {
		_, err := w.WriteString(s)
		require.NoError(t, err)
	}
	g.Without = func(single, block bool) {
		c := arch.HasSingleStep | arch.HasBlockStep
		if single {
			c &^= arch.HasSingleStep
		}
		if block {
			c &^= arch.HasBlockStep
		}
		k.Proc.SetCaps(c)
	}
	g.Without(false, false) // in software where the hardware has none
	running, ran := make(chan struct{}), false
	g.Run = func() (int, error) {
		ran = true
		defer close(running)
		if err := errors.Join(k.Run(ctx), m.Kernel().Wait()); err != nil {
			return 0, err
		}
		return status(k), nil
	}
	t.Cleanup(func() {
		if ran {
			<-running
		}
		require.NoError(t, m.Close())
	})
	return m, g
}

func archOf(t testing.TB, i *isa) *arch.Arch {
	for _, a := range utemu.Arches() {
		if a.Machine == i.machine && a.Word == i.word {
			return a
		}
	}
	t.Fatalf("no architecture for %s", i.name)
	return nil
}

// isa knows how to write the operations of a program in machine code.
type isa struct {
	name    string
	machine elf.Machine
	word    int
	flags   uint32 // e_flags
	entry   uint64 // added to the entry
	breakPC uint64
	unstack []byte // what a handler does to the stack before rt_sigreturn
	desc    bool   // the entry is a function descriptor

	put  func(w *code, op hooktest.Kind, to int64) // one instruction; to is a jump's distance
	load func(w *code, reg int, v uint64)          // reg: 0 to 5 argument, 6 number
	call func(w *code)
}

// ifZero is a jump that is taken if the result of a call is 0.
const ifZero = hooktest.Kind(0x80)

// near is a jump's distance in a field of so many bits with a sign.
func near(to int64, bits uint) uint32 {
	if to>>(bits-1) != to>>63 {
		panic("too far")
	}
	return uint32(to) & (1<<bits - 1)
}

// code is machine code in the making.
type code struct {
	a    *arch.Arch
	b    []byte
	at   []uint64 // where instructions start
	data []byte   // at dataAt
	self int      // the task's number
}

const (
	vaddr   = 0x10000
	headers = 0x100
	base    = vaddr + headers // where the code lies
	dataAt  = vaddr + 0x800
	size    = 0x1000
	bufAt   = vaddr + size - 0x100
)

// datum adds data and gives its address.
func (w *code) datum(b []byte) uint64 {
	at := dataAt + uint64(len(w.data))
	w.data = append(append(w.data, b...), make([]byte, 15-(len(b)+15)%16)...)
	return at
}

// long is a word of memory.
func (w *code) long(v uint64) []byte {
	b := make([]byte, 8)
	if w.a.Word == 8 {
		w.a.Order.PutUint64(b, v)
		return b
	}
	w.a.Order.PutUint32(b, uint32(v))
	return b[:4]
}

// function is an address as that of a function.
func (i *isa) function(w *code, at uint64) uint64 {
	if i.desc {
		return w.datum(append(w.long(at), make([]byte, 16)...))
	}
	return at | i.entry
}

// args are the arguments of a call, with its structures in the data.
func (i *isa) args(w *code, o hooktest.Op, g *hooktest.Guest, dir string) (v []uint64) {
	for _, x := range o.Args {
		v = append(v, value(x, w.self, bufAt, g.Labels))
	}
	mask := func(m uint64) []byte {
		if w.a.Word == 8 {
			return w.long(m)
		}
		return append(w.long(m), w.long(m>>32)...)
	}
	switch o.Name {
	case "rt_sigaction":
		l := w.a.Layout["sigaction"]
		b := make([]byte, l.Size)
		put := func(field string, v uint64) {
			if f, ok := l.Fields[field]; ok {
				copy(b[f.Off:], w.long(v))
			}
		}
		handler := v[1]
		if _, ok := o.Args[1].(string); ok {
			handler = i.function(w, handler)
		}
		put("sa_handler", handler)
		const saSiginfo = 4
		put("sa_flags", v[2]|saSiginfo|w.a.Const["SA_RESTORER"])
		put("sa_restorer", handler)
		return []uint64{v[0], w.datum(b), 0, 8}
	case "rt_sigprocmask":
		const sigSetmask = 2
		return []uint64{sigSetmask, w.datum(mask(v[0])), 0, 8}
	case "clone":
		flags := v[0]
		if flags&unix.CLONE_THREAD == 0 {
			flags |= uint64(unix.SIGCHLD)
		}
		return []uint64{flags, 0, 0, 0, 0}
	case "wait4":
		const any = 0xffffffff // -1
		return []uint64{any, 0, 0, 0}
	case "execve":
		return []uint64{w.datum(append([]byte(filepath.Join(dir, o.Args[0].(string))), 0)), 0, 0}
	}
	return v
}

func (w *code) pc() uint64 { return base + uint64(len(w.b)) }

// distance is how far a label is, 0 while that is not known.
func (w *code) distance(g *hooktest.Guest, label string) int64 {
	if at, ok := g.Labels[label]; ok {
		return int64(at - w.pc())
	}
	return 0
}

func (w *code) insn(b ...byte) {
	w.at = append(w.at, w.pc())
	w.b = append(w.b, b...)
}

func (w *code) word(v uint32) {
	b := make([]byte, 4)
	w.a.Order.PutUint32(b, v)
	w.insn(b...)
}

func (i *isa) assemble(a *arch.Arch, p hooktest.Program, self int, dir string) ([]byte, *hooktest.Guest) {
	g := &hooktest.Guest{Labels: map[string]uint64{}}
	born := map[int]uint64{}
	var w *code
	for range 2 { // the second time with all labels
		w = &code{a: a, self: self}
		g.Ops = nil
		for n, o := range p {
			g.Ops = append(g.Ops, w.pc())
			switch o.Kind {
			case hooktest.Mark:
				g.Labels[o.Label] = w.pc()
			case hooktest.Call:
				if o.Name == "rt_sigreturn" && i.unstack != nil {
					w.insn(i.unstack...)
				}
				for reg, v := range i.args(w, o, g, dir) {
					i.load(w, reg, v)
				}
				i.load(w, 6, nr(a, o.Name))
				i.call(w)
				if o.Name == "clone" {
					born[n] = w.pc()
					i.put(w, ifZero, w.distance(g, o.Args[1].(string)))
				}
			default:
				i.put(w, o.Kind, w.distance(g, o.Label))
			}
		}
	}
	g.Insns = w.at
	g.Born = func(op int, _ string) uint64 { return born[op] }
	funcs := map[string]uint64{}
	for l, at := range g.Labels {
		funcs[l] = i.function(w, at)
	}
	g.Func = func(l string) uint64 { return funcs[l] }
	all := make([]byte, size-headers)
	copy(all, w.b)
	if len(w.b) > dataAt-base {
		panic("too much code")
	}
	copy(all[dataAt-base:], w.data)
	return all, g
}

// image is an ELF program of one writable segment.
func (i *isa) image(a *arch.Arch, text []byte, start uint64) []byte {
	entry := start | i.entry
	n := headers + len(text)
	if i.desc {
		text = append(append(append([]byte{}, text...), make([]byte, 7-(n+7)%8)...), make([]byte, 8)...)
		a.Order.PutUint64(text[len(text)-8:], entry)
		entry = vaddr + uint64(headers+len(text)-8)
		text = append(text, make([]byte, 16)...)
		n = headers + len(text)
	}
	var b bytes.Buffer
	ident := [16]byte{0x7f, 'E', 'L', 'F', byte(a.Class), byte(elf.ELFDATA2LSB), 1}
	if a.Order.Uint16([]byte{0, 1}) == 1 {
		ident[5] = byte(elf.ELFDATA2MSB)
	}
	var hdrs []any
	const rwx = uint32(elf.PF_R | elf.PF_W | elf.PF_X)
	if a.Word == 8 {
		hdrs = []any{
			elf.Header64{Ident: ident, Type: uint16(elf.ET_EXEC), Machine: uint16(i.machine), Version: 1, Entry: entry, Phoff: 64, Flags: i.flags, Ehsize: 64, Phentsize: 56, Phnum: 1},
			elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: rwx, Vaddr: vaddr, Paddr: vaddr, Filesz: uint64(n), Memsz: uint64(n), Align: 0x1000},
		}
	} else {
		hdrs = []any{
			elf.Header32{Ident: ident, Type: uint16(elf.ET_EXEC), Machine: uint16(i.machine), Version: 1, Entry: uint32(entry), Phoff: 52, Flags: i.flags, Ehsize: 52, Phentsize: 32, Phnum: 1},
			elf.Prog32{Type: uint32(elf.PT_LOAD), Flags: rwx, Vaddr: vaddr, Paddr: vaddr, Filesz: uint32(n), Memsz: uint32(n), Align: 0x1000},
		}
	}
	for _, h := range hdrs {
		_ = binary.Write(&b, a.Order, h) // a Buffer takes all
	}
	return append(append(b.Bytes(), make([]byte, headers-b.Len())...), text...)
}

// The architectures, PowerPC first.
var isas = []*isa{
	ppcISA("ppc", elf.EM_PPC, 4), ppcISA("ppc64", elf.EM_PPC64, 8),
	{name: "x86_64", machine: elf.EM_X86_64, word: 8, breakPC: 1, unstack: []byte{0x58}, put: putX86(8), load: loadX86_64, call: func(w *code) { w.insn(0x0f, 0x05) }},
	{name: "i386", machine: elf.EM_386, word: 4, breakPC: 1, unstack: []byte{0x58}, put: putX86(4), load: loadI386, call: func(w *code) { w.insn(0xcd, 0x80) }},
	{name: "aarch64", machine: elf.EM_AARCH64, word: 8, put: putA64, load: loadA64, call: func(w *code) { w.word(0xd4000001) }},
	{name: "arm", machine: elf.EM_ARM, word: 4, flags: 0x05000000, put: putA32, load: loadA32, call: func(w *code) { w.word(0xef000000) }},
	{name: "thumb", machine: elf.EM_ARM, word: 4, flags: 0x05000000, entry: 1, put: putThumb, load: loadThumb, call: func(w *code) { w.half(0xdf00) }},
}

func putX86(word int) func(w *code, op hooktest.Kind, to int64) {
	return func(w *code, op hooktest.Kind, to int64) {
		switch op {
		case hooktest.Nop:
			w.insn(0x90)
		case hooktest.Jump:
			w.insn(0xeb, byte(to-2))
		case hooktest.Skip:
			w.insn(0x39, 0xc0) // cmp eax, eax
			w.insn(0x75, byte(to-4))
		case ifZero:
			w.insn(0x85, 0xc0) // test eax, eax
			w.insn(binary.LittleEndian.AppendUint32([]byte{0x0f, 0x84}, uint32(to-8))...)
		case hooktest.Break:
			w.insn(0xcc)
		case hooktest.Fault:
			if word == 8 {
				w.insn(0x8b, 0x04, 0x25, 16, 0, 0, 0)
			} else {
				w.insn(0xa1, 16, 0, 0, 0)
			}
		}
	}
}

func loadX86_64(w *code, reg int, v uint64) {
	r := [][]byte{{0x48, 0xc7, 0xc7}, {0x48, 0xc7, 0xc6}, {0x48, 0xc7, 0xc2}, {0x49, 0xc7, 0xc2}, {0x49, 0xc7, 0xc0}, {0x49, 0xc7, 0xc1}, {0x48, 0xc7, 0xc0}}[reg]
	w.insn(binary.LittleEndian.AppendUint32(bytes.Clone(r), uint32(v))...)
}

func loadI386(w *code, reg int, v uint64) {
	r := []byte{3, 1, 2, 6, 7, 5, 0}[reg]
	w.insn(binary.LittleEndian.AppendUint32([]byte{0xb8 + r}, uint32(v))...)
}

func putA64(w *code, op hooktest.Kind, to int64) {
	switch op {
	case hooktest.Nop:
		w.word(0xd503201f)
	case hooktest.Jump:
		w.word(0x14000000 | uint32(to>>2)&0x3ffffff)
	case hooktest.Skip:
		w.word(0xeb00001f) // cmp x0, x0
		w.word(0x54000001 | uint32((to-4)>>2)&0x7ffff<<5)
	case ifZero:
		w.word(0xb4000000 | near(to>>2, 19)<<5)
	case hooktest.Break:
		w.word(0xd4200000)
	case hooktest.Fault:
		w.word(0xd2800209) // mov x9, 16
		w.word(0xf9400129)
	}
}

func loadA64(w *code, reg int, v uint64) {
	r := uint32([]int{0, 1, 2, 3, 4, 5, 8}[reg])
	w.word(0xd2800000 | uint32(v&0xffff)<<5 | r)
	w.word(0xf2a00000 | uint32(v>>16&0xffff)<<5 | r)
}

func putA32(w *code, op hooktest.Kind, to int64) {
	switch op {
	case hooktest.Nop:
		w.word(0xe320f000)
	case hooktest.Jump:
		w.word(0xea000000 | uint32((to-8)>>2)&0xffffff)
	case hooktest.Skip:
		w.word(0xe1500000) // cmp r0, r0
		w.word(0x1a000000 | uint32((to-12)>>2)&0xffffff)
	case ifZero:
		w.word(0xe3500000) // cmp r0, 0
		w.word(0x0a000000 | near((to-12)>>2, 24))
	case hooktest.Break:
		w.word(0xe7f001f0)
	case hooktest.Fault:
		w.word(0xe300c010) // movw ip, 16
		w.word(0xe59cc000)
	}
}

func loadA32(w *code, reg int, v uint64) {
	r := uint32([]int{0, 1, 2, 3, 4, 5, 7}[reg]) << 12
	half := func(v uint64) uint32 { return uint32(v>>12&15)<<16 | uint32(v&0xfff) }
	w.word(0xe3000000 | r | half(v&0xffff))
	w.word(0xe3400000 | r | half(v>>16&0xffff))
}

func (w *code) half(h ...uint16) {
	b := make([]byte, 2*len(h))
	for i, v := range h {
		w.a.Order.PutUint16(b[2*i:], v)
	}
	w.insn(b...)
}

func putThumb(w *code, op hooktest.Kind, to int64) {
	switch op {
	case hooktest.Nop:
		w.half(0xbf00)
	case hooktest.Jump:
		w.half(0xe000 | uint16((to-4)>>1)&0x7ff)
	case hooktest.Skip:
		w.half(0x4280) // cmp r0, r0
		w.half(0xd100 | uint16((to-6)>>1)&0xff)
	case ifZero:
		w.half(0x2800) // cmp r0, 0
		w.half(0xd000 | uint16(near((to-6)>>1, 8)))
	case hooktest.Break:
		w.half(0xde01)
	case hooktest.Fault:
		movThumb(w, 0xf240, 12, 16)
		w.half(0xf8dc, 0xc000)
	}
}

func movThumb(w *code, op uint16, r uint16, v uint64) {
	i := uint16(v)
	w.half(op|i>>11&1<<10|i>>12, i>>8&7<<12|r<<8|i&0xff)
}

func loadThumb(w *code, reg int, v uint64) {
	r := uint16([]int{0, 1, 2, 3, 4, 5, 7}[reg])
	movThumb(w, 0xf240, r, v&0xffff)
	movThumb(w, 0xf2c0, r, v>>16&0xffff)
}

func ppcISA(name string, m elf.Machine, word int) *isa {
	load := func(w *code, r uint32, v uint64) {
		w.word(0x3c000000 | r<<21 | uint32(v>>16&0xffff))     // lis
		w.word(0x60000000 | r<<21 | r<<16 | uint32(v&0xffff)) // ori
	}
	put := func(w *code, op hooktest.Kind, to int64) {
		switch op {
		case hooktest.Nop:
			w.word(0x60000000)
		case hooktest.Jump:
			w.word(0x48000000 | uint32(to)&0x3fffffc)
		case hooktest.Skip:
			w.word(0x7c000000) // cmpw r0, r0
			w.word(0x40820000 | uint32(to-4)&0xfffc)
		case ifZero:
			w.word(0x2c030000) // cmpwi r3, 0
			w.word(0x41820000 | near(to-4, 16))
		case hooktest.Break:
			w.word(0x7fe00008)
		case hooktest.Fault:
			w.word(0x39200010) // li r9, 16
			w.word(0x81290000)
		}
	}
	var unstack []byte
	if word == 8 {
		unstack = []byte{0x38, 0x21, 0, 128} // addi r1, r1, 128
	}
	return &isa{name: name, machine: m, word: word, desc: word == 8, put: put, unstack: unstack,
		load: func(w *code, reg int, v uint64) { load(w, []uint32{3, 4, 5, 6, 7, 8, 0}[reg], v) },
		call: func(w *code) { w.word(0x44000002) }}
}
