//go:build cgo

// Package uc binds libunicorn.
package uc

/*
#cgo pkg-config: unicorn
#include "lead_engine.h"
#include <stdlib.h>
static uc_err cp_read(uc_engine *uc, int arch, uint32_t *f, uint64_t *v) {
	if (arch == UC_ARCH_ARM64) { uc_arm64_cp_reg r = {f[3],f[4],f[5],f[6],f[7]}; (void)r; uc_arm64_cp_reg q = {.crn=f[3],.crm=f[4],.op0=f[5],.op1=f[6],.op2=f[7]}; uc_err e = uc_reg_read(uc, UC_ARM64_REG_CP_REG, &q); *v = q.val; return e; }
	uc_arm_cp_reg q = {.cp=f[0],.is64=f[1],.sec=f[2],.crn=f[3],.crm=f[4],.opc1=f[6],.opc2=f[7]}; uc_err e = uc_reg_read(uc, UC_ARM_REG_CP_REG, &q); *v = q.val; return e;
}
static uc_err cp_write(uc_engine *uc, int arch, uint32_t *f, uint64_t v) {
	if (arch == UC_ARCH_ARM64) { uc_arm64_cp_reg q = {.crn=f[3],.crm=f[4],.op0=f[5],.op1=f[6],.op2=f[7],.val=v}; return uc_reg_write(uc, UC_ARM64_REG_CP_REG, &q); }
	uc_arm_cp_reg q = {.cp=f[0],.is64=f[1],.sec=f[2],.crn=f[3],.crm=f[4],.opc1=f[6],.opc2=f[7],.val=v}; return uc_reg_write(uc, UC_ARM_REG_CP_REG, &q);
}
static uc_err mmr_write(uc_engine *uc, int id, uint64_t base, uint32_t limit) { uc_x86_mmr m = {.base=base,.limit=limit}; return uc_reg_write(uc, id, &m); }
static uc_err ctx_alloc(uc_engine *uc, void **c) { uc_context *x; uc_err e = uc_context_alloc(uc, &x); *c = x; return e; }
*/
import "C"

import (
	"fmt"
	"unsafe"
)

type Config struct {
	Arch, Mode, Model int
	Stock             bool
}
type Engine struct{ c *C.ue }
type Kind int

const (
	KindEnd Kind = iota
	KindIntr
	KindSyscallInsn
	KindSysenter
	KindInOut
	KindInvalid
	KindMem
	KindLimit
	KindBreak
	KindTaken
	KindInterrupt
	KindRingFull
)

type Stop struct {
	Kind         Kind
	Intno        int
	PC, Addr     uint64
	Size, Access int
	Mapped       bool
	Insns        uint64
}
type Limit struct {
	Insns uint64
	Stops []uint64
	Taken bool
}
type CP struct{ CP, Is64, Sec, CRn, CRm, Op0, Op1, Op2 uint32 }

func check(r C.uc_err) error {
	if r == 0 {
		return nil
	}
	return fmt.Errorf("unicorn: %s", C.GoString(C.uc_strerror(r)))
}

func Open(c Config) (*Engine, error) {
	e := &Engine{c: (*C.ue)(C.calloc(1, C.sizeof_ue))}
	if r := C.ue_open(e.c, C.int(c.Arch), C.int(c.Mode), C.int(c.Model)); r != 0 {
		return nil, check(C.uc_err(r))
	}
	return e, nil
}
func (e *Engine) Close() error          { return check(C.uc_close(e.c.uc)) }
func (e *Engine) Stock() (bool, string) { return false, "" }
func (e *Engine) Map(addr uint64, host []byte, prot int) error {
	return check(C.uc_mem_map_ptr(e.c.uc, C.uint64_t(addr), C.size_t(len(host)), C.uint32_t(prot), unsafe.Pointer(&host[0])))
}
func (e *Engine) Unmap(addr, size uint64) error {
	return check(C.uc_mem_unmap(e.c.uc, C.uint64_t(addr), C.size_t(size)))
}
func (e *Engine) Protect(addr, size uint64, prot int) error {
	return check(C.uc_mem_protect(e.c.uc, C.uint64_t(addr), C.size_t(size), C.uint32_t(prot)))
}
func (e *Engine) DropCode(addr, size uint64)     { C.ue_drop(e.c, C.uint64_t(addr), C.uint64_t(addr+size)) }
func (e *Engine) HasCode(addr, size uint64) bool { return true }
func (e *Engine) Reg(id int) uint64 {
	var v C.uint64_t
	C.uc_reg_read(e.c.uc, C.int(id), unsafe.Pointer(&v))
	return uint64(v)
}
func (e *Engine) SetReg(id int, v uint64) error {
	x := C.uint64_t(v)
	return check(C.uc_reg_write(e.c.uc, C.int(id), unsafe.Pointer(&x)))
}
func (e *Engine) Regs(ids []int32, dst []uint64) {
	C.ue_regs(e.c, (*C.int)(&ids[0]), (*C.uint64_t)(&dst[0]), C.int(len(ids)))
}
func (e *Engine) SetRegs(ids []int32, src []uint64) {
	C.ue_set_regs(e.c, (*C.int)(&ids[0]), (*C.uint64_t)(&src[0]), C.int(len(ids)))
}
func (e *Engine) RegBytes(id int, p []byte) error {
	return check(C.uc_reg_read(e.c.uc, C.int(id), unsafe.Pointer(&p[0])))
}
func (e *Engine) SetRegBytes(id int, p []byte) error {
	return check(C.uc_reg_write(e.c.uc, C.int(id), unsafe.Pointer(&p[0])))
}
func (e *Engine) CPReg(r CP) (uint64, error) {
	f := [8]C.uint32_t{C.uint32_t(r.CP), C.uint32_t(r.Is64), C.uint32_t(r.Sec), C.uint32_t(r.CRn), C.uint32_t(r.CRm), C.uint32_t(r.Op0), C.uint32_t(r.Op1), C.uint32_t(r.Op2)}
	var v C.uint64_t
	err := check(C.cp_read(e.c.uc, e.c.arch, &f[0], &v))
	return uint64(v), err
}
func (e *Engine) SetCPReg(r CP, v uint64) error {
	f := [8]C.uint32_t{C.uint32_t(r.CP), C.uint32_t(r.Is64), C.uint32_t(r.Sec), C.uint32_t(r.CRn), C.uint32_t(r.CRm), C.uint32_t(r.Op0), C.uint32_t(r.Op1), C.uint32_t(r.Op2)}
	return check(C.cp_write(e.c.uc, e.c.arch, &f[0], C.uint64_t(v)))
}
func (e *Engine) SetMMR(id int, base uint64, limit uint32) error {
	return check(C.mmr_write(e.c.uc, C.int(id), C.uint64_t(base), C.uint32_t(limit)))
}

type Context struct {
	p unsafe.Pointer
	b []byte
}

func (e *Engine) Save() *Context {
	c := &Context{}
	C.ctx_alloc(e.c.uc, &c.p)
	C.uc_context_save(e.c.uc, (*C.uc_context)(c.p))
	n := C.uc_context_size(e.c.uc)
	c.b = unsafe.Slice((*byte)(c.p), int(n))
	return c
}
func (e *Engine) Restore(c *Context) error {
	return check(C.uc_context_restore(e.c.uc, (*C.uc_context)(c.p)))
}
func (c *Context) Bytes() []byte { return c.b }
func (e *Engine) Run(pc uint64, l Limit) (Stop, error) {
	if r := C.ue_run(e.c, C.uint64_t(pc)); r != 0 {
		return Stop{}, check(C.uc_err(r))
	}
	s := &e.c.stop
	return Stop{Kind: Kind(s.kind), Intno: int(s.intno), PC: uint64(s.pc), Addr: uint64(s.addr), Size: int(s.size), Access: int(s.access), Mapped: s.mapped != 0}, nil
}
func (e *Engine) Interrupt() { C.ue_interrupt(e.c) }
func VersionString() string  { var a, b C.uint; C.uc_version(&a, &b); return fmt.Sprintf("%d.%d", a, b) }

func (e *Engine) SetCPUID(leaf, sub uint32, a [4]uint32) error {
	C.ue_cpuid(e.c, C.uint32_t(leaf), C.uint32_t(sub), C.uint32_t(a[0]), C.uint32_t(a[1]), C.uint32_t(a[2]), C.uint32_t(a[3]))
	return nil
}
