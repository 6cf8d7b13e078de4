//go:build cgo

package uc

// #include "engine.h"
import "C"

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/internal/ucnum"
)

// floatX86 mends the floating point of x86 once.
var floatX86 sync.Once

// x86Prober finds out where in the state of an x86 CPU the parts of its
// floating point lie, by changing them and looking at what else changes.
type x86Prober struct {
	e          *Engine
	code, data []byte
	err        error
}

// mendX86 finds the places that floatx86.c needs and proves that it works.
func mendX86(c Config) (err error) {
	if !bool(C.ue_x86_bound()) {
		return errors.New("libunicorn lacks functions for it")
	}
	// C keeps what it has seen by thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	e, err := open(c, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	mem, err := unix.Mmap(-1, 0, 2*testPage, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return err
	}
	defer unix.Munmap(mem)
	if err := errors.Join(e.Map(testCode, mem[:testPage], ucnum.PROT_ALL),
		e.Map(testData, mem[testPage:], ucnum.PROT_READ|ucnum.PROT_WRITE)); err != nil {
		return err
	}
	C.ue_x86_found(&C.struct_ue_x86_places{})
	p := &x86Prober{e: e, code: mem[:testPage], data: mem[testPage:]}
	// mov %cr4,%eax; or $OSFXSR|OSXMMEXCPT,%eax; mov %eax,%cr4
	p.run([]byte{0x0f, 0x20, 0xe0, 0x0d, 0x00, 0x06, 0, 0, 0x0f, 0x22, 0xe0})
	places := p.places()
	if p.err != nil {
		return p.err
	}
	C.ue_x86_found(&places)
	if err := p.prove(); err != nil {
		C.ue_x86_found(&C.struct_ue_x86_places{})
		return err
	}
	return nil
}

// places finds all of them.
func (p *x86Prober) places() (at C.struct_ue_x86_places) {
	env := p.find("env", le(0x12345678), func() { p.set(ucnum.X86_REG_EAX, 0x12345678) })
	off := func(i int) C.uint32_t { return C.uint32_t(i - env) }
	at.mxcsr = off(p.register(ucnum.X86_REG_MXCSR, 4, 0x5f80, 0x3f80))
	at.fpsw = off(p.register(ucnum.X86_REG_FPSW, 2, 0x4700, 0x0100))
	at.top = off(p.register(ucnum.X86_REG_FPSW, 4, 5<<11, 3<<11, 5, 3))
	at.fpcw = off(p.register(ucnum.X86_REG_FPCW, 2, 0x0b7f, 0x037f))
	at.tags = off(p.register(ucnum.X86_REG_FPTAG, 8, 0xcccc, 0x3333, 0x0100010001000100, 0x0001000100010001))
	at.st = off(p.stack(0))
	at.st_size = off(p.stack(1)) - at.st
	at.xmm = off(p.vector())
	one := math.Float32bits(1)
	at.sse = off(p.raised(ucnum.X86_REG_MXCSR,
		[]byte{0xf3, 0x0f, 0x10, 0x03, 0xf3, 0x0f, 0x5e, 0x43, 0x04}, // movss (%rbx),%xmm0; divss 4(%rbx),%xmm0
		[2]uint32{0, 0}, [2]uint32{one, 0}, [2]uint32{one, math.Float32bits(3)}))
	at.x87 = off(p.raised(ucnum.X86_REG_FPSW,
		[]byte{0xdb, 0xe3, 0xd9, 0x03, 0xd8, 0x73, 0x04}, // fninit; flds (%rbx); fdivs 4(%rbx)
		[2]uint32{0, 0}, [2]uint32{one, 0}, [2]uint32{one, math.Float32bits(3)}))
	if at.env = C.ue_x86_env(p.e.c); at.env == 0 && p.err == nil {
		p.err = errors.New("FNINIT was not seen")
	}
	at.found = true
	return at
}

func (p *x86Prober) set(id int, v uint64) { p.err = errors.Join(p.err, p.e.SetReg(id, v)) }

func (p *x86Prober) image() []byte {
	b, err := p.e.State()
	p.err = errors.Join(p.err, err)
	return b
}

// find is where in the state b is after do, and was not before.
func (p *x86Prober) find(what string, b []byte, do func()) int {
	before := p.image()
	do()
	return p.where(what, [][]byte{before, p.image()}, func(i int, img [][]byte) bool {
		return bytes.HasPrefix(img[1][i:], b) && !bytes.HasPrefix(img[0][i:], b)
	})
}

// where is the only place in images of the state that is right.
func (p *x86Prober) where(what string, img [][]byte, right func(i int, img [][]byte) bool) int {
	var at []int
	for i := 0; p.err == nil && i < len(img[0]); i++ {
		if right(i, img) {
			at = append(at, i)
		}
	}
	if p.err == nil && len(at) != 1 {
		p.err = fmt.Errorf("%d places for %s", len(at), what)
	}
	if p.err != nil {
		return 0
	}
	return at[0]
}

// register finds size bytes that a register is kept in, which are what it was
// set to, or held if that is given.
func (p *x86Prober) register(id, size int, a, b uint64, held ...uint64) int {
	if held == nil {
		held = []uint64{a, b}
	}
	p.set(id, a)
	img := [][]byte{p.image(), nil}
	p.set(id, b)
	img[1] = p.image()
	var want [2][8]byte
	for i := range want {
		binary.LittleEndian.PutUint64(want[i][:], held[i])
	}
	return p.where(fmt.Sprintf("register %d", id), img, func(i int, img [][]byte) bool {
		return bytes.HasPrefix(img[0][i:], want[0][:size]) && bytes.HasPrefix(img[1][i:], want[1][:size])
	})
}

// stack finds register i of the x87 stack.
func (p *x86Prober) stack(i int) int {
	v := []byte{0x21, 0x32, 0x43, 0x54, 0x65, 0x76, 0x87, 0x98 + byte(i), 0x34, 0x12}
	return p.find("the x87 stack", v, func() {
		p.set(ucnum.X86_REG_FPSW, 0)
		p.err = errors.Join(p.err, p.e.SetRegBytes(ucnum.X86_REG_ST0+i, v))
	})
}

// vector finds the first register of SSE.
func (p *x86Prober) vector() int {
	v := []byte{0x13, 0x24, 0x35, 0x46, 0x57, 0x68, 0x79, 0x8a, 0x9b, 0xac, 0xbd, 0xce, 0xdf, 0xe0, 0xf1, 0x02}
	return p.find("the SSE registers", v, func() {
		p.err = errors.Join(p.err, p.e.SetRegBytes(ucnum.X86_REG_XMM0, v))
	})
}

// raised finds where the exceptions are collected that code raises for pairs
// of numbers: invalid, and by zero, and inexact.
func (p *x86Prober) raised(id int, code []byte, pairs ...[2]uint32) int {
	want := []byte{0, 1, 1 | 4, 1 | 4 | 32}
	img := [][]byte{p.image()}
	for _, n := range pairs {
		binary.LittleEndian.PutUint32(p.data, n[0])
		binary.LittleEndian.PutUint32(p.data[4:], n[1])
		p.run(code)
		img = append(img, p.image())
	}
	return p.where(fmt.Sprintf("exceptions of register %d", id), img, func(i int, img [][]byte) bool {
		for j, w := range want {
			if img[j][i] != w {
				return false
			}
		}
		return true
	})
}

// run runs code with the base register set to the data.
func (p *x86Prober) run(code []byte) {
	if p.err != nil {
		return
	}
	copy(p.code[testPage-len(code):], code)
	p.e.DropCode(testCode, testPage)
	p.set(ucnum.X86_REG_EBX, testData)
	st, err := p.e.Run(testCode+testPage-uint64(len(code)), Limit{})
	if err == nil && (st.Kind != KindMem || st.Addr != testCode+testPage) {
		err = fmt.Errorf("stopped by %d/%d at %#x", st.Kind, st.Intno, st.PC)
	}
	p.err = errors.Join(p.err, err)
}

// prove shows that exceptions are seen and cleared, and that x87 computes as
// the host does.
func (p *x86Prober) prove() error {
	const clear = 0x1f80
	const flush, tiny = 0x9f80, 0x00800000
	copy(p.data, le(math.Float32bits(1), 0, clear, 0, 0, 0, 0, 0, 0, 0, 0, flush, tiny, math.Float32bits(0.5), 1, 0))
	p.run([]byte{
		0x0f, 0xae, 0x53, 0x2c, // ldmxcsr 44(%rbx)
		0xf3, 0x0f, 0x10, 0x43, 0x30, // movss 48(%rbx),%xmm0
		0xf3, 0x0f, 0x59, 0x43, 0x34, // mulss 52(%rbx),%xmm0
		0xf3, 0x0f, 0x11, 0x43, 0x38, // movss %xmm0,56(%rbx)
		0x0f, 0xae, 0x5b, 0x3c, // stmxcsr 60(%rbx)
		0x0f, 0xae, 0x53, 0x08, // ldmxcsr 8(%rbx)
		0xf3, 0x0f, 0x10, 0x03, // movss (%rbx),%xmm0
		0xf3, 0x0f, 0x5e, 0x43, 0x04, // divss 4(%rbx),%xmm0
		0x0f, 0xae, 0x5b, 0x10, // stmxcsr 16(%rbx)
		0x0f, 0xae, 0x53, 0x08, // ldmxcsr 8(%rbx)
		0x0f, 0xae, 0x5b, 0x14, // stmxcsr 20(%rbx)
		0xdb, 0xe3, 0xd9, 0xee, 0xd9, 0xee, 0xde, 0xf9, // fninit; fldz; fldz; fdivp
		0xdd, 0x7b, 0x18, 0xdb, 0xe2, 0xdd, 0x7b, 0x1a, // fnstsw 24(%rbx); fnclex; fnstsw 26(%rbx)
		0xd9, 0xe8, 0xd9, 0xeb, 0xd9, 0xf8, 0xdb, 0x7b, 0x1c, // fld1; fldpi; fprem; fstpt 28(%rbx)
		0xf3, 0x0f, 0x10, 0x03, // movss (%rbx),%xmm0
		0xf3, 0x0f, 0x5e, 0x43, 0x04, // divss 4(%rbx),%xmm0
	})
	if p.err != nil {
		return p.err
	}
	word := binary.LittleEndian.Uint32
	got := []uint32{word(p.data[16:]), word(p.data[20:]), word(p.data[24:]) & 0x3f003f, uint32(p.e.Reg(ucnum.X86_REG_MXCSR)),
		word(p.data[28:]), word(p.data[32:]), word(p.data[36:]) & 0xffff, word(p.data[56:]), word(p.data[60:])}
	// Pi less 3, with all the bits of an x87 register.
	for i, want := range []uint32{clear | 4, clear, 1, clear | 4, 0x168c2350, 0x90fdaa22, 0x3ffc, 0, flush | 0x30} {
		if got[i] != want {
			return fmt.Errorf("exceptions and numbers are %#x", got)
		}
	}
	return nil
}
