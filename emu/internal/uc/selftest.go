//go:build cgo

package uc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/internal/ucnum"
)

// probe is a little program for one kind of guest that shows whether the shim
// works: a marker is set, a value is stored in a loop, a second marker is set;
// the other half loads once. Code falls off the end of its page.
type probe struct {
	big            bool
	marker         []byte // one := 5
	store          []byte // [base] = value, count--, repeat unless 0
	after          []byte // two := 1
	load           []byte // value = [base], count--
	patchAt        int    // where in after the number lies
	patch          uint64 // what to store there for two := 2
	markLen        int
	value, base    int // registers
	count, one, ra int
}

func x86Probe(value, base, count, one, two int) probe {
	return probe{
		marker:  []byte{0xbe, 5, 0, 0, 0},                   // mov $5,%esi
		store:   []byte{0x89, 0x03, 0xff, 0xc9, 0x75, 0xfa}, // mov %eax,(%rbx); dec %ecx; jne
		after:   []byte{0xba, 1, 0, 0, 0},                   // mov $1,%edx
		load:    []byte{0x8b, 0x03, 0xff, 0xc9},             // mov (%rbx),%eax; dec %ecx
		patchAt: 1, patch: 2, markLen: 5,
		value: value, base: base, count: count, one: one, ra: two,
	}
}

func le(w ...uint32) (b []byte) {
	for _, v := range w {
		b = append(b, byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
	}
	return b
}

func be(w ...uint32) (b []byte) {
	for _, v := range w {
		b = append(b, byte(v>>24), byte(v>>16), byte(v>>8), byte(v))
	}
	return b
}

// probeFor is the probe for a guest.
func probeFor(c Config) (probe, error) {
	switch {
	case c.Arch == ucnum.ARCH_X86 && c.Mode == ucnum.MODE_64:
		return x86Probe(ucnum.X86_REG_RAX, ucnum.X86_REG_RBX, ucnum.X86_REG_RCX, ucnum.X86_REG_RSI, ucnum.X86_REG_RDX), nil
	case c.Arch == ucnum.ARCH_X86:
		return x86Probe(ucnum.X86_REG_EAX, ucnum.X86_REG_EBX, ucnum.X86_REG_ECX, ucnum.X86_REG_ESI, ucnum.X86_REG_EDX), nil
	case c.Arch == ucnum.ARCH_ARM:
		return probe{
			marker: le(0xe3a04005),                         // mov r4, #5
			store:  le(0xe5810000, 0xe2522001, 0x1afffffc), // str r0, [r1]; subs r2, r2, #1; bne
			after:  le(0xe3a03001),                         // mov r3, #1
			load:   le(0xe5910000, 0xe2522001),             // ldr r0, [r1]; subs r2, r2, #1
			patch:  0xe3a03002, markLen: 4,
			value: ucnum.ARM_REG_R0, base: ucnum.ARM_REG_R1, count: ucnum.ARM_REG_R2, one: ucnum.ARM_REG_R4, ra: ucnum.ARM_REG_R3,
		}, nil
	case c.Arch == ucnum.ARCH_ARM64:
		return probe{
			marker: le(0x528000a4),                         // mov w4, #5
			store:  le(0xb9000020, 0xf1000442, 0x54ffffc1), // str w0, [x1]; subs x2, x2, #1; b.ne
			after:  le(0x52800023),                         // mov w3, #1
			load:   le(0xb9400020, 0xf1000442),             // ldr w0, [x1]; subs x2, x2, #1
			patch:  0x52800043, markLen: 4,
			value: ucnum.ARM64_REG_X0, base: ucnum.ARM64_REG_X1, count: ucnum.ARM64_REG_X2, one: ucnum.ARM64_REG_X4, ra: ucnum.ARM64_REG_X3,
		}, nil
	case c.Arch == ucnum.ARCH_PPC:
		return probe{
			big:    true,
			marker: be(0x38e00005),                         // li r7,5
			store:  be(0x90640000, 0x34a5ffff, 0x4082fff8), // stw r3,0(r4); addic. r5,r5,-1; bne
			after:  be(0x38c00001),                         // li r6,1
			load:   be(0x80640000, 0x34a5ffff),             // lwz r3,0(r4); addic. r5,r5,-1
			patch:  0x38c00002, markLen: 4,
			value: ucnum.PPC_REG_3, base: ucnum.PPC_REG_4, count: ucnum.PPC_REG_5, one: ucnum.PPC_REG_7, ra: ucnum.PPC_REG_6,
		}, nil
	}
	return probe{}, fmt.Errorf("no test for guest %d/%d", c.Arch, c.Mode)
}

// Where the self-test's pages lie.
const (
	testCode  = 0x10000
	testData  = 0x20000
	testHole  = 0x40000
	testPage  = 0x1000
	testLoops = 1000
	// testSlow is how many of the stores may take the slow path: those that
	// fill the TLB.
	testSlow = 20
)

// selfTest proves on a small engine that the shim has its effect: stores are
// fast, code that is overwritten runs as it is now, and faults are exact.
func selfTest(c Config) (err error) {
	p, err := probeFor(c)
	if err != nil {
		return err
	}
	// The counters and the engine belong to the thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	e, err := open(c, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	mem, err := unix.Mmap(-1, 0, 2*testPage, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return err
	}
	defer unix.Munmap(mem)
	if err := e.prepare(c); err != nil {
		return err
	}
	if err := e.Map(testCode, mem[:testPage], ucnum.PROT_ALL); err != nil {
		return err
	}
	if err := e.Map(testData, mem[testPage:], ucnum.PROT_READ|ucnum.PROT_WRITE); err != nil {
		return err
	}
	t := tester{e: e, p: p, code: mem[:testPage]}
	return t.run()
}

// prepare lets a CPU run that does not by itself: a 64-bit PowerPC starts
// without hypervisor state, in which the library's own translation fails, and
// the bit for it can be set in the saved state only. MSR is the one word
// there that holds its value.
func (e *Engine) prepare(c Config) error {
	if c.Arch != ucnum.ARCH_PPC || c.Mode&ucnum.MODE_PPC64 == 0 {
		return nil
	}
	msr := e.Reg(ucnum.PPC_REG_MSR)
	b, err := e.State()
	if err != nil {
		return err
	}
	for i := 0; i+8 <= len(b); i += 8 {
		if hostWord(b[i:]) == msr && msr != 0 {
			putHostWord(b[i:], msr|1<<60)
		}
	}
	if err := e.SetState(b); err != nil {
		return err
	}
	return e.SetReg(ucnum.PPC_REG_MSR, msr|1<<60)
}

func hostWord(b []byte) (v uint64) {
	for i := 7; i >= 0; i-- {
		v = v<<8 | uint64(b[i])
	}
	return v
}

func putHostWord(b []byte, v uint64) {
	for i := range 8 {
		b[i] = byte(v >> (8 * i))
	}
}

type tester struct {
	e    *Engine
	p    probe
	code []byte
}

// place puts code at the end of its page and returns its address.
func (t *tester) place(parts ...[]byte) uint64 {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	off := testPage - len(b)
	copy(t.code[off:], b)
	t.e.DropCode(testCode, testPage)
	return testCode + uint64(off)
}

func (t *tester) set(id int, v uint64) {
	if err := t.e.SetReg(id, v); err != nil {
		panic(err) // a core register of the guest
	}
}

// go1 runs from pc with the registers set.
func (t *tester) go1(pc, base, value uint64) (Stop, error) {
	t.set(t.p.base, base)
	t.set(t.p.value, value)
	t.set(t.p.count, testLoops)
	t.set(t.p.one, 0)
	t.set(t.p.ra, 0)
	return t.e.Run(pc, Limit{})
}

func (t *tester) run() error {
	start := t.place(t.p.marker, t.p.store, t.p.after)
	target := testCode + testPage - uint64(len(t.p.after)) + uint64(t.p.patchAt)
	counts()
	if err := t.falls(start, testData, 7, 1); err != nil {
		return fmt.Errorf("stores: %w", err)
	}
	_, stores, fills, translations := counts()
	if stores > testSlow || fills == 0 || translations == 0 {
		return fmt.Errorf("%d of %d stores slow, %d TLB fills and %d translations seen", stores, testLoops, fills, translations)
	}
	if err := t.falls(start, target, t.p.patch, 2); err != nil {
		return fmt.Errorf("overwritten code: %w", err)
	}
	at := start + uint64(t.p.markLen)
	if err := t.faults(start, at, 2); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	start = t.place(t.p.marker, t.p.load)
	if err := t.faults(start, start+uint64(t.p.markLen), 1); err != nil {
		return fmt.Errorf("load: %w", err)
	}
	return nil
}

// falls runs the store loop, which must come to its end with the second
// marker.
func (t *tester) falls(pc, base, value, two uint64) error {
	st, err := t.go1(pc, base, value)
	if err != nil {
		return err
	}
	if st.Kind != KindMem || st.Access != 4 || st.Addr != testCode+testPage {
		return fmt.Errorf("stopped by %d/%d at %#x, address %#x", st.Kind, st.Intno, st.PC, st.Addr)
	}
	if got := t.e.Reg(t.p.ra); got != two {
		return fmt.Errorf("marker is %d, not %d", got, two)
	}
	return nil
}

// faults runs into an access to memory that is not there, which must stop at
// exactly that instruction.
func (t *tester) faults(pc, at uint64, access int) error {
	st, err := t.go1(pc, testHole, 7)
	if err != nil {
		return err
	}
	if st.Kind != KindMem || st.Access != access || st.Addr != testHole || st.PC != at {
		return fmt.Errorf("fault %d/%d of access %d to %#x at %#x, not %#x", st.Kind, st.Intno, st.Access, st.Addr, st.PC, at)
	}
	if one, count := t.e.Reg(t.p.one), t.e.Reg(t.p.count); one != 5 || count != testLoops {
		return fmt.Errorf("registers at the fault: marker %d, count %d", one, count)
	}
	return nil
}

// testFloat runs a program on a 64-bit PowerPC that compares 1 with 3, divides
// them, reads FPSCR, and tells that a number is infinite.
func testFloat(c Config) (err error) {
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
	code := be(
		0xc8240000, // lfd f1,0(r4)
		0xc8440008, // lfd f2,8(r4)
		0xfc811000, // fcmpu cr1,f1,f2
		0xfc611024, // fdiv f3,f1,f2
		0xfc80048e, // mffs f4
		0xd8840010, // stfd f4,16(r4)
		0xc8a40018, // lfd f5,24(r4)
		0xf1102da8, // xststdcdp cr2,vs5,16
		0xf0d02fa8, // xvtstdcdp vs6,vs5,16
		0xd8c40020, // stfd f6,32(r4)
	)
	copy(mem[testPage-len(code):], code)
	data := mem[testPage:]
	binary.BigEndian.PutUint64(data, math.Float64bits(1))
	binary.BigEndian.PutUint64(data[8:], math.Float64bits(3))
	binary.BigEndian.PutUint64(data[24:], math.Float64bits(math.Inf(-1)))
	const msrFP, msrVSX, fpscrXX, fpscrZE, fpscrCC, less, equal = 1 << 13, 1 << 23, 1 << 25, 1 << 4, 0xf000, 8, 2
	if err := errors.Join(e.prepare(c), e.SetReg(ucnum.PPC_REG_MSR, e.Reg(ucnum.PPC_REG_MSR)|msrFP|msrVSX),
		e.Map(testCode, mem[:testPage], ucnum.PROT_ALL), e.Map(testData, data, ucnum.PROT_READ|ucnum.PROT_WRITE),
		e.SetReg(ucnum.PPC_REG_4, testData), e.SetReg(ucnum.PPC_REG_FPSCR, fpscrZE)); err != nil {
		return err
	}
	st, err := e.Run(testCode+testPage-uint64(len(code)), Limit{})
	if err != nil {
		return err
	}
	if st.Kind != KindMem || st.Addr != testCode+testPage {
		return fmt.Errorf("stopped by %d/%d at %#x", st.Kind, st.Intno, st.PC)
	}
	fpscr := binary.BigEndian.Uint64(data[16:])
	if cr := e.Reg(ucnum.PPC_REG_CR) >> 20 & 0xff; cr != less<<4|less|equal || binary.BigEndian.Uint64(data[32:]) != math.MaxUint64 || fpscr&(fpscrXX|fpscrZE) != fpscrXX|fpscrZE || e.Reg(ucnum.PPC_REG_FPSCR) != fpscr&^fpscrCC|(less|equal)<<12 {
		return fmt.Errorf("CR1 and CR2 %#x, FPSCR %#x and %#x", cr, fpscr, e.Reg(ucnum.PPC_REG_FPSCR))
	}
	return nil
}
