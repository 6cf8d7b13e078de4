//go:build cgo

package uc

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/internal/ucnum"
)

// guest is a kind of CPU to test and the registers that its test code uses.
type guest struct {
	Config
	value, base, count, result int // of workCode, jitCode and faultCodes
	mark, sum, sp              int // the marker of faultCodes, the sum of jitCode
	state                      int // flags or the like, to be seen exact at a fault; -1 for none
	thumb                      bool
	setup                      func(t testing.TB, e *Engine)
}

// guests are the kinds of CPU there are, by name of their code in code_test.go.
var guests = map[string]guest{
	"x86_64": {Config: Config{Arch: ucnum.ARCH_X86, Mode: ucnum.MODE_64, Model: -1}, setup: setupX86,
		value: ucnum.X86_REG_RAX, base: ucnum.X86_REG_RBX, count: ucnum.X86_REG_RCX, result: ucnum.X86_REG_RDX,
		mark: ucnum.X86_REG_RSI, sum: ucnum.X86_REG_RSI, sp: ucnum.X86_REG_RSP, state: ucnum.X86_REG_EFLAGS},
	"i386": {Config: Config{Arch: ucnum.ARCH_X86, Mode: ucnum.MODE_32, Model: -1}, setup: setupX86,
		value: ucnum.X86_REG_EAX, base: ucnum.X86_REG_EBX, count: ucnum.X86_REG_ECX, result: ucnum.X86_REG_EDX,
		mark: ucnum.X86_REG_ESI, sum: ucnum.X86_REG_ESI, sp: ucnum.X86_REG_ESP, state: ucnum.X86_REG_EFLAGS},
	"arm":   armGuest(false),
	"thumb": armGuest(true),
	"aarch64": {Config: Config{Arch: ucnum.ARCH_ARM64, Mode: ucnum.MODE_ARM, Model: -1}, setup: setupARM64,
		value: ucnum.ARM64_REG_X0, base: ucnum.ARM64_REG_X1, count: ucnum.ARM64_REG_X2, result: ucnum.ARM64_REG_X3,
		mark: ucnum.ARM64_REG_X4, sum: ucnum.ARM64_REG_X7, sp: ucnum.ARM64_REG_SP, state: ucnum.ARM64_REG_NZCV},
	"ppc":   ppcGuest(ucnum.MODE_PPC32),
	"ppc64": ppcGuest(ucnum.MODE_PPC64),
}

func armGuest(thumb bool) guest {
	return guest{Config: Config{Arch: ucnum.ARCH_ARM, Mode: ucnum.MODE_ARM, Model: -1}, thumb: thumb,
		setup: func(t testing.TB, e *Engine) { setupARM(t, e, thumb) },
		value: ucnum.ARM_REG_R0, base: ucnum.ARM_REG_R1, count: ucnum.ARM_REG_R2, result: ucnum.ARM_REG_R3,
		mark: ucnum.ARM_REG_R4, sum: ucnum.ARM_REG_R7, sp: ucnum.ARM_REG_SP, state: ucnum.ARM_REG_CPSR}
}

func ppcGuest(mode int) guest {
	return guest{Config: Config{Arch: ucnum.ARCH_PPC, Mode: mode | ucnum.MODE_BIG_ENDIAN, Model: -1}, setup: setupPPC,
		value: ucnum.PPC_REG_3, base: ucnum.PPC_REG_4, count: ucnum.PPC_REG_5, result: ucnum.PPC_REG_6,
		mark: ucnum.PPC_REG_7, sum: ucnum.PPC_REG_10, sp: ucnum.PPC_REG_1, state: ucnum.PPC_REG_CR}
}

// setupX86 masks floating point exceptions, as FNINIT and a reset do.
func setupX86(t testing.TB, e *Engine) {
	require.NoError(t, e.SetReg(ucnum.X86_REG_FPCW, 0x37f))
	require.NoError(t, e.SetReg(ucnum.X86_REG_MXCSR, 0x1f80))
}

// setupARM turns on VFP and goes to user mode, with the Z flag set so that
// what is conditional on EQ runs.
func setupARM(t testing.TB, e *Engine, thumb bool) {
	require.NoError(t, e.SetCPReg(CP{CP: 15, CRn: 1, Op2: 2}, 0xf<<20))
	require.NoError(t, e.SetReg(ucnum.ARM_REG_FPEXC, 1<<30))
	cpsr := uint64(1<<30 | 0x10)
	if thumb {
		cpsr |= 0x20
	}
	require.NoError(t, e.SetReg(ucnum.ARM_REG_CPSR, cpsr))
}

func setupARM64(t testing.TB, e *Engine) {
	require.NoError(t, e.SetReg(ucnum.ARM64_REG_CPACR_EL1, 3<<20))
	require.NoError(t, e.SetReg(ucnum.ARM64_REG_NZCV, 1<<30))
}

func setupPPC(t testing.TB, e *Engine) {
	const fp, vr = 1 << 13, 1 << 25
	require.NoError(t, e.SetReg(ucnum.PPC_REG_MSR, e.Reg(ucnum.PPC_REG_MSR)|fp|vr))
}

// Where the tests' memory lies. The pages in between are not mapped.
const (
	page   = 0x1000
	codeAt = 0x10000 // codeLen bytes, everything allowed
	dataAt = 0x20000 // dataLen bytes, read and write; the stack at its end
	holeAt = 0x40000

	codeLen = 4 * page
	dataLen = 4 * page
)

// rig is an engine with memory.
type rig struct {
	*Engine
	t          testing.TB
	g          guest
	code, data []byte
}

// hostMemory is memory that may be given to a guest.
func hostMemory(t testing.TB, size int) []byte {
	m, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	require.NoError(t, err)
	t.Cleanup(func() { _ = unix.Munmap(m) })
	return m
}

func newRig(t testing.TB, g guest, stock bool) *rig {
	c := g.Config
	c.Stock = stock
	e, err := Open(c)
	require.NoError(t, err)
	r := &rig{Engine: e, t: t, g: g, code: hostMemory(t, codeLen), data: hostMemory(t, dataLen)}
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	is, why := e.Stock()
	require.Equal(t, stock, is, why)
	require.NoError(t, e.prepare(c))
	require.NoError(t, e.Map(codeAt, r.code, ucnum.PROT_ALL))
	require.NoError(t, e.Map(dataAt, r.data, ucnum.PROT_READ|ucnum.PROT_WRITE))
	g.setup(t, e)
	r.set(g.sp, dataAt+dataLen)
	return r
}

func (r *rig) set(id int, v uint64) { require.NoError(r.t, r.SetReg(id, v)) }

// put puts code at an address of the code's pages.
func (r *rig) put(addr uint64, code string) {
	copy(r.code[addr-codeAt:], code)
	r.DropCode(addr, uint64(len(code)))
}

// start sets registers for the programs and gives the address to run from.
func (r *rig) start(addr, base, count uint64) uint64 {
	r.set(r.g.base, base)
	r.set(r.g.count, count)
	r.set(r.g.value, 0)
	r.set(r.g.result, 0)
	r.set(r.g.mark, 0)
	r.set(r.g.sum, 0)
	return r.at(addr)
}

// at is how Run takes an address.
func (r *rig) at(addr uint64) uint64 {
	if r.g.thumb {
		return addr | 1
	}
	return addr
}

func (r *rig) run(pc uint64, l Limit) Stop {
	st, err := r.Run(pc, l)
	require.NoError(r.t, err)
	return st
}

// trap requires that a run has come to the trap at the end of a program.
func (r *rig) trap(st Stop) {
	require.Equal(r.t, KindIntr, st.Kind, "%+v", st)
}

// reg is a register as a number of 32 bits, which the programs compute with.
func (r *rig) reg(id int) uint32 { return uint32(r.Reg(id)) }

// work is what workCode computes.
func work(count uint32) uint32 {
	var m [256]uint32
	var v, sum uint32
	for ; count != 0; count-- {
		v = v*1103515245 + count
		m[count&255] = v
		sum += m[count*7&255]
		if sum&4 != 0 {
			sum += 3
		}
		sum ^= v
	}
	return sum
}

// each runs a test for each guest, with the shim and without.
func each(t *testing.T, f func(t *testing.T, r *rig)) {
	for _, name := range slices.Sorted(maps.Keys(guests)) {
		for _, mode := range []string{"shim", "stock"} {
			t.Run(name+"/"+mode, func(t *testing.T) { f(t, newRig(t, guests[name], mode == "stock")) })
		}
	}
}

// name is the key of a rig's code.
func (r *rig) name() string {
	for n, g := range guests {
		if g.Config == r.g.Config && g.thumb == r.g.thumb {
			return n
		}
	}
	r.t.Fatal("unknown guest")
	return ""
}
