//go:build cgo

package uc

/*
#cgo CFLAGS: -O2 -Wall
#include <stdlib.h>
#include "engine.h"

// The library's calls with structures, flattened.

static uc_err cp_arm(uc_engine *uc, const uint32_t *f, uint64_t *v, int write)
{
	uc_arm_cp_reg r = {.cp = f[0], .is64 = f[1], .sec = f[2], .crn = f[3], .crm = f[4], .opc1 = f[6], .opc2 = f[7], .val = *v};
	uc_err e = write ? uc_reg_write(uc, UC_ARM_REG_CP_REG, &r) : uc_reg_read(uc, UC_ARM_REG_CP_REG, &r);
	*v = r.val;
	return e;
}

static uc_err cp_arm64(uc_engine *uc, const uint32_t *f, uint64_t *v, int write)
{
	uc_arm64_cp_reg r = {.crn = f[3], .crm = f[4], .op0 = f[5], .op1 = f[6], .op2 = f[7], .val = *v};
	uc_err e = write ? uc_reg_write(uc, UC_ARM64_REG_CP_REG, &r) : uc_reg_read(uc, UC_ARM64_REG_CP_REG, &r);
	*v = r.val;
	return e;
}

static uc_err cp(struct ue *e, const uint32_t *f, uint64_t *v, int write)
{
	if (e->arch == UC_ARCH_ARM64)
		return cp_arm64(e->uc, f, v, write);
	return cp_arm(e->uc, f, v, write);
}

static uc_err mmr(uc_engine *uc, int id, uint64_t base, uint32_t limit)
{
	uc_x86_mmr m = {.base = base, .limit = limit};
	return uc_reg_write(uc, id, &m);
}
*/
import "C"

import (
	"fmt"
	"runtime"
	"sync"
	"unsafe"

	"github.com/utemu/utemu/emu/internal/ucnum"
)

// Engine is one CPU with its memory.
type Engine struct {
	c      *C.struct_ue
	handle C.uintptr_t // c, which cgo need not look into
	why    string      // why there is no shim, "" if there is
	// image is the last of State. The library leaves parts of its head as they
	// were, so that two images that lie elsewhere differ.
	image *C.uc_context
}

// check makes an error of a result of the library.
func check(what string, r C.uc_err) error {
	if r == C.UC_ERR_OK {
		return nil
	}
	return fmt.Errorf("uc: %s: %s", what, C.GoString(C.uc_strerror(r)))
}

// Open makes an engine. The first one of each kind of guest tests the shim.
func Open(c Config) (*Engine, error) {
	why := "asked for"
	if !c.Stock {
		why = shimTrouble(c)
	}
	if c.Arch == ucnum.ARCH_X86 {
		// Where that fails no exceptions are seen, as in the library.
		floatX86.Do(func() { _ = mendX86(c) })
	}
	e, err := open(c, why == "")
	if err != nil {
		return nil, err
	}
	e.why = why
	if c.Arch == ucnum.ARCH_PPC && c.Mode&ucnum.MODE_PPC64 != 0 && bool(C.ue_float_shared()) {
		float.Do(func() { float.err = testFloat(c); C.ue_float_wrong(C.bool(float.err != nil)) })
	}
	return e, nil
}

// float is whether the floating point of 64-bit PowerPC could be mended.
var float struct {
	sync.Once
	err error
}

func open(c Config, shim bool) (*Engine, error) {
	e := &Engine{}
	if r := C.ue_open(&e.c, C.int(c.Arch), C.int(c.Mode), C.int(c.Model), C.bool(shim)); r != C.UC_ERR_OK {
		return nil, check("open", r)
	}
	e.handle = C.uintptr_t(uintptr(unsafe.Pointer(e.c)))
	return e, nil
}

// Close frees the engine.
func (e *Engine) Close() error {
	if e.image != nil {
		C.uc_context_free(e.image)
	}
	err := check("close", C.ue_close(e.c))
	e.c = nil
	return err
}

// Stock tells whether the engine runs without the shim, and why.
func (e *Engine) Stock() (bool, string) { return e.why != "", e.why }

// WrongFloat tells whether the guest has computed with floating point numbers
// that the library gets wrong: those of 64-bit PowerPC, in a build that has the
// fault of 2.0.1 and that float.c does not know. It costs nothing.
func (e *Engine) WrongFloat() bool { return bool(e.c.computed && e.c.mode&C.UC_MODE_PPC64 != 0) }

// Map makes len(host) bytes of the host's memory, which must stay where they
// are until Unmap or Close and must not be of Go's heap, the guest's at addr.
func (e *Engine) Map(addr uint64, host []byte, prot int) error {
	e.still()
	return check("map", C.ue_map(e.c, C.uint64_t(addr), C.uint64_t(len(host)), C.uint32_t(prot), unsafe.Pointer(unsafe.SliceData(host))))
}

// Unmap takes memory from the guest. DropCode must come before it where code
// may have run.
func (e *Engine) Unmap(addr, size uint64) error {
	e.still()
	return check("unmap", C.ue_unmap(e.c, C.uint64_t(addr), C.uint64_t(size)))
}

// Protect changes the protection of memory and drops what was translated from
// it.
func (e *Engine) Protect(addr, size uint64, prot int) error {
	e.still()
	return check("protect", C.ue_protect(e.c, C.uint64_t(addr), C.uint64_t(size), C.uint32_t(prot)))
}

// DropCode forgets what was translated from [addr,addr+size). It must be
// called after each write of the host to memory that may hold code, and when
// memory becomes executable. Where nothing was translated it is cheap.
func (e *Engine) DropCode(addr, size uint64) {
	if size != 0 {
		C.ue_drop(e.c, C.uint64_t(addr), C.uint64_t(size))
	}
}

// HasCode tells whether something may have been translated from
// [addr,addr+size), by pages; without the shim always.
func (e *Engine) HasCode(addr, size uint64) bool {
	return size != 0 && bool(C.ue_has_code(e.c, C.uint64_t(addr), C.uint64_t(size)))
}

// Reg reads a register of up to 64 bits, 0 if the library does not have it.
func (e *Engine) Reg(id int) uint64 {
	var v C.uint64_t
	C.uc_reg_read(e.c.uc, C.int(id), unsafe.Pointer(&v))
	return uint64(v)
}

// SetReg writes a register of up to 64 bits.
func (e *Engine) SetReg(id int, v uint64) error {
	e.still()
	return check("register write", C.ue_set_reg(e.c, C.int(id), C.uint64_t(v)))
}

// Regs reads up to 64 registers at once.
func (e *Engine) Regs(ids []int32, dst []uint64) {
	C.ue_get(e.c, (*C.int)(unsafe.SliceData(ids)), (*C.uint64_t)(unsafe.SliceData(dst)), C.int(len(ids)))
}

// SetRegs writes up to 64 registers at once.
func (e *Engine) SetRegs(ids []int32, src []uint64) {
	e.still()
	C.ue_set(e.c, (*C.int)(unsafe.SliceData(ids)), (*C.uint64_t)(unsafe.SliceData(src)), C.int(len(ids)))
}

// RegBytes reads a wide register, little-endian; p must have its size.
func (e *Engine) RegBytes(id int, p []byte) error {
	return check("register read", C.uc_reg_read(e.c.uc, C.int(id), unsafe.Pointer(unsafe.SliceData(p))))
}

// SetRegBytes writes a wide register, little-endian; p must have its size.
func (e *Engine) SetRegBytes(id int, p []byte) error {
	e.still()
	return check("register write", C.uc_reg_write(e.c.uc, C.int(id), unsafe.Pointer(unsafe.SliceData(p))))
}

func (r CP) fields() (f [8]C.uint32_t) {
	for i, v := range []uint32{r.CP, r.Is64, r.Sec, r.CRn, r.CRm, r.Op0, r.Op1, r.Op2} {
		f[i] = C.uint32_t(v)
	}
	return f
}

// CPReg reads a coprocessor or system register.
func (e *Engine) CPReg(r CP) (uint64, error) {
	e.still()
	var v C.uint64_t
	f := r.fields()
	err := check("system register read", C.cp(e.c, &f[0], &v, 0))
	return uint64(v), err
}

// SetCPReg writes a coprocessor or system register.
func (e *Engine) SetCPReg(r CP, v uint64) error {
	e.still()
	w := C.uint64_t(v)
	f := r.fields()
	return check("system register write", C.cp(e.c, &f[0], &w, 1))
}

// SetMMR writes an x86 segment table register.
func (e *Engine) SetMMR(id int, base uint64, limit uint32) error {
	e.still()
	return check("segment register write", C.mmr(e.c.uc, C.int(id), C.uint64_t(base), C.uint32_t(limit)))
}

// SetCPUID sets what the x86 CPUID instruction answers to leaf and sub from
// now on: EAX, EBX, ECX, EDX. A sub of all ones stands for every one.
func (e *Engine) SetCPUID(leaf, sub uint32, a [4]uint32) error {
	c := C.struct_ue_cpuid{leaf: C.uint32_t(leaf), sub: C.uint32_t(sub)}
	for i, v := range a {
		c.r[i] = C.uint32_t(v)
	}
	if C.ue_add_cpuid(e.c, &c) != 0 {
		return fmt.Errorf("uc: no memory")
	}
	return nil
}

// Decode has an x86 CPU execute instructions of more features of CPUID leaf 1,
// in ECX, than the library answers with. has is that answer. It is false if the
// library does not let itself be told.
func (e *Engine) Decode(has [4]uint32, more uint32) bool {
	return bool(C.ue_x86_decode(e.c, C.uint32_t(has[3]), C.uint32_t(has[2]), C.uint32_t(more)))
}

// Context is the saved state of a CPU, in the library's own form.
type Context struct{ s *C.struct_ue_saved }

// Save copies the CPU's state.
func (e *Engine) Save() (*Context, error) {
	c := &Context{(*C.struct_ue_saved)(C.calloc(1, C.sizeof_struct_ue_saved))}
	runtime.AddCleanup(c, func(s *C.struct_ue_saved) { C.ue_saved_free(s) }, c.s)
	return c, e.SaveTo(c)
}

// SaveTo is Save into c.
func (e *Engine) SaveTo(c *Context) error {
	e.still()
	err := check("context save", C.ue_save(e.c, c.s))
	runtime.KeepAlive(c)
	return err
}

// Restore puts a state back that this engine has saved.
func (e *Engine) Restore(c *Context) error {
	e.still()
	err := check("context restore", C.ue_restore(e.c, c.s))
	runtime.KeepAlive(c)
	return err
}

// short tells whether the state was saved without what never changes.
func (c *Context) short() bool { return c.s.part != nil }

// Put changes bytes of a state that this engine has saved, at a place in its
// image.
func (e *Engine) Put(c *Context, off int, b []byte) {
	if len(b) != 0 {
		copy(unsafe.Slice((*byte)(C.ue_saved_at(e.c, c.s, C.uint32_t(off))), len(b)), b)
	}
	runtime.KeepAlive(c)
}

// State copies the saved state's image: a form of the library's own in which
// registers that it has no number for can be found by behaviour.
func (e *Engine) State() ([]byte, error) {
	e.still()
	if e.image == nil {
		if r := C.uc_context_alloc(e.c.uc, &e.image); r != C.UC_ERR_OK {
			return nil, check("context", r)
		}
	}
	if r := C.uc_context_save(e.c.uc, e.image); r != C.UC_ERR_OK {
		return nil, check("context save", r)
	}
	return C.GoBytes(unsafe.Pointer(e.image), C.int(C.uc_context_size(e.c.uc))), nil
}

// SetState puts an image back that State gave, perhaps changed.
func (e *Engine) SetState(b []byte) error {
	e.still()
	if len(b) != int(C.uc_context_size(e.c.uc)) {
		return fmt.Errorf("uc: state of %d bytes, want %d", len(b), C.uc_context_size(e.c.uc))
	}
	return check("context restore", C.uc_context_restore(e.c.uc, (*C.uc_context)(unsafe.Pointer(unsafe.SliceData(b)))))
}

// Run runs from pc, with bit 0 set for Thumb, until something happens.
func (e *Engine) Run(pc uint64, l Limit) (Stop, error) {
	r := C.ue_run(e.c, C.uint64_t(pc), C.uint64_t(l.Insns), (*C.uint64_t)(unsafe.SliceData(l.Stops)), C.uint32_t(len(l.Stops)), l.how())
	if r != C.UC_ERR_OK {
		return Stop{}, check("run", r)
	}
	return e.stop(), nil
}

// stop is the engine's record of how the last run ended.
func (e *Engine) stop() Stop {
	s := &e.c.stop
	return Stop{
		Kind: Kind(s.kind), Intno: int(s.intno), PC: uint64(s.pc), Addr: uint64(s.addr),
		Size: int(s.size), Access: int(s.access), Insns: uint64(s.insns), Between: s.between != 0,
		Bus: s.bus != 0,
	}
}

// Interrupt makes a run end soon, or the next one at once, with KindInterrupt
// and exact registers. It may be called by any goroutine, but not after Close.
func (e *Engine) Interrupt() { C.ue_interrupt(e.c) }

// Determine makes runs depend on the guest alone: instructions that read a
// clock or ask for random numbers get what comes from slices and the seed. It
// tells whether they do: builds of the library that hide the functions that they
// call give them the machine's.
func (e *Engine) Determine(seed uint64) bool {
	e.c.sliced = true
	e.c.random = C.uint64_t(seed)
	return bool(C.ue_shim_determines())
}

// SetSlice makes runs of an engine with Determine end, with KindInterrupt, when
// so many branches have been taken, at least 1, and tail instructions have run
// behind the last of them. The guest's clocks show now, in units of Tick, and a
// unit more for each of the branches.
func (e *Engine) SetSlice(branches, tail, now uint64) {
	e.c.slice, e.c.tail, e.c.slice_end = C.uint64_t(branches), C.uint64_t(tail), C.uint64_t(now+branches)
}

// Slice is what is left of the slice: no branches if it is over, or is at its
// last instructions.
func (e *Engine) Slice() (branches uint64) { return uint64(e.c.slice) }

// SetTrace says what runs put into the trace ring from now on; regs are the
// registers for TraceRegs, all of which count as 0 at first. A block that holds
// an address of watch, of which there may be 16, ends a run with KindWatch
// before it is entered; the next run enters it. Translations are dropped when
// the trace is turned on or off.
func (e *Engine) SetTrace(t Trace, regs []int32, watch []uint64) error {
	e.still()
	return check("trace", C.ue_set_trace(e.c, C.int(t), (*C.int)(unsafe.SliceData(regs)), C.int(len(regs)),
		(*C.uint64_t)(unsafe.SliceData(watch)), C.int(len(watch))))
}

// Mute keeps runs out of the trace while on is true: those that are not the
// guest's.
func (e *Engine) Mute(on bool) { e.c.muted = C.bool(on) }

// Drain empties the trace ring. The records are valid until the next run.
func (e *Engine) Drain() []Rec {
	if e.c.nids > e.c.ids_from {
		C.ue_note_blocks(e.c)
	}
	n := e.c.nrec
	e.c.nrec, e.c.nids, e.c.ids_from = 0, 0, 0
	return unsafe.Slice((*Rec)(unsafe.Pointer(e.c.ring)), n)
}

// Version is the version of the library in use.
func Version() (major, minor uint) {
	var a, b C.uint
	C.uc_version(&a, &b)
	return uint(a), uint(b)
}

// VersionString is the version of the library in use, with the patch level if
// the library tells it.
func VersionString() string {
	v := uint(C.uc_version(nil, nil))
	return fmt.Sprintf("%d.%d.%d", v>>24&0xff, v>>16&0xff, v>>8&0xff)
}

// shims caches the outcome of the self-test by kind of guest.
var shims struct {
	sync.Mutex
	m map[[2]int]string
}

// shimTrouble says why the shim cannot be used for a guest, "" if it can.
func shimTrouble(c Config) string {
	shims.Lock()
	defer shims.Unlock()
	k := [2]int{c.Arch, c.Mode}
	if why, ok := shims.m[k]; ok {
		return why
	}
	why := ""
	if major, minor := Version(); major != 2 || minor > 1 {
		why = "the shim does not know libunicorn " + VersionString()
	} else if !bool(C.ue_shim_bound()) {
		why = "libunicorn lacks functions that the shim replaces"
	} else if err := selfTest(c); err != nil {
		why = "self-test of the shim: " + err.Error()
	}
	if shims.m == nil {
		shims.m = map[[2]int]string{}
	}
	shims.m[k] = why
	return why
}

// counts are the calls that the shim's functions have had in this thread since
// the last time.
func counts() (loads, stores, fills, translations uint64) {
	var l, s, f, t C.uint64_t
	C.ue_shim_counts(&l, &s, &f, &t)
	return uint64(l), uint64(s), uint64(f), uint64(t)
}
