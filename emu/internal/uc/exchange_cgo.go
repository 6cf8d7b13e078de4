//go:build cgo

package uc

/*
#cgo noescape ue_exchange
#cgo nocallback ue_exchange
#cgo noescape ue_continue
#cgo nocallback ue_continue
#include "engine.h"

// get_some reads the registers of a set.
static uc_err get_some(struct ue *e, int *ids, uint64_t *vals, uint64_t set)
{
	int id[UE_REGS], n = 0;
	void *p[UE_REGS];
	for (; set != 0; set &= set - 1) {
		int i = __builtin_ctzll(set);
		vals[i] = 0;
		id[n] = ids[i];
		p[n++] = &vals[i];
	}
	return uc_reg_read_batch(e->uc, id, p, n);
}

// ue_exchange gives the engine the changed registers, runs, and reads all of
// them back, those of asked at an exception that the run is parked at, none if it
// is parked elsewhere: one call where there would be three. on is for a run that
// is parked at an exception and may go on.
static uc_err ue_exchange(uintptr_t engine, uint64_t pc, uint64_t limit, const uint64_t *stops, uint32_t nstops, int how,
	int *ids, uint64_t *vals, int n, uint64_t dirty, uint64_t asked, bool on)
{
	struct ue *e = (struct ue *)engine;
	on = on && limit == 0 && nstops == 0 && how == 0 && ue_goes_on(e);
	if (!on)
		ue_unpark(e);
	for (; dirty != 0; dirty &= dirty - 1) {
		int i = __builtin_ctzll(dirty);
		uc_reg_write(e->uc, ids[i], &vals[i]);
	}
	uc_err r = on ? ue_run_on(e, 0, NULL, 0, 0) : ue_run(e, pc, limit, stops, nstops, how);
	if (r != UC_ERR_OK)
		return r;
	if (e->at_exception)
		return get_some(e, ids, vals, asked);
	return e->parked ? r : ue_get(e, ids, vals, n);
}

// ue_continue is the same for a run that is parked.
static uc_err ue_continue(uintptr_t engine, uint64_t limit, const uint64_t *stops, uint32_t nstops, int how, int *ids, uint64_t *vals, int n)
{
	struct ue *e = (struct ue *)engine;
	uc_err r = ue_run_on(e, limit, stops, nstops, how);
	if (r == UC_ERR_OK && !e->parked)
		r = ue_get(e, ids, vals, n);
	return r;
}
*/
import "C"

import "unsafe"

func (l *Limit) how() (h C.int) {
	if l.Taken {
		h |= C.UE_HOW_TAKEN
	}
	if l.Past {
		h |= C.UE_HOW_PAST
	}
	return h
}

// RunFile is Run with the registers of f given before it and read after it,
// unless the run is parked then; where AtException is true those of Asked are.
// After an error the values are not defined. on tells that a run that is parked
// at an exception is to go on at pc by itself, as it is behind a system call.
func (e *Engine) RunFile(pc uint64, l Limit, f *File, on bool) (Stop, error) {
	r := C.ue_exchange(e.handle, C.uint64_t(pc), C.uint64_t(l.Insns), (*C.uint64_t)(unsafe.SliceData(l.Stops)), C.uint32_t(len(l.Stops)), l.how(),
		(*C.int)(unsafe.SliceData(f.IDs)), (*C.uint64_t)(unsafe.SliceData(f.Vals)), C.int(len(f.IDs)), C.uint64_t(f.Dirty), C.uint64_t(f.Asked), C.bool(on))
	f.Dirty = 0
	if r != C.UC_ERR_OK {
		return Stop{}, check("run", r)
	}
	return e.stop(), nil
}

// Parked tells whether the last run waits at its stop, in the hook on each
// instruction: ContinueFile goes on from there at a small part of what a run
// costs. Registers and memory can be read meanwhile, but for the PC, which is
// that of the stop. What changes the engine ends such a run.
func (e *Engine) Parked() bool { return bool(e.c.parked && !e.c.at_exception) }

// AtException tells whether the last run waits in the hook for exceptions:
// RunFile goes on from there.
func (e *Engine) AtException() bool { return bool(e.c.at_exception) }

// ContinueFile is RunFile where a run is parked and its PC, the registers and
// the code behind it have not been changed. The limit must not be the zero one.
func (e *Engine) ContinueFile(l Limit, f *File) (Stop, error) {
	r := C.ue_continue(e.handle, C.uint64_t(l.Insns), (*C.uint64_t)(unsafe.SliceData(l.Stops)), C.uint32_t(len(l.Stops)), l.how(),
		(*C.int)(unsafe.SliceData(f.IDs)), (*C.uint64_t)(unsafe.SliceData(f.Vals)), C.int(len(f.IDs)))
	if r != C.UC_ERR_OK {
		return Stop{}, check("run", r)
	}
	return e.stop(), nil
}

// Plant writes a breakpoint instruction into host, the memory of the guest's
// address at, for a short time. A run stops before it with KindPlanted, without
// running it: so what is translated stays as it is, unlike after a write that
// DropCode is told of. It is false if that cannot be done.
func (e *Engine) Plant(at uint64, host, code []byte) bool {
	return bool(C.ue_plant(e.c, C.uint64_t(at), (*C.uint8_t)(unsafe.SliceData(host)), (*C.uint8_t)(unsafe.SliceData(code)), C.uint32_t(len(code))))
}

// Lift takes a breakpoint of Plant out, unless the guest has written over it.
func (e *Engine) Lift(at uint64) { C.ue_lift(e.c, C.uint64_t(at)) }

// Planted tells whether there is a breakpoint of Plant.
func (e *Engine) Planted() bool { return e.c.nsites != 0 }

// Real leaves the breakpoints of Plant in memory as instructions that run.
func (e *Engine) Real() { C.ue_sites_real(e.c) }

// GoOn is ContinueFile with nothing but the kind and the PC of the stop; Last
// tells all.
func (e *Engine) GoOn(l Limit, f *File) (Kind, uint64, error) {
	r := C.ue_continue(e.handle, C.uint64_t(l.Insns), (*C.uint64_t)(unsafe.SliceData(l.Stops)), C.uint32_t(len(l.Stops)), l.how(),
		(*C.int)(unsafe.SliceData(f.IDs)), (*C.uint64_t)(unsafe.SliceData(f.Vals)), C.int(len(f.IDs)))
	if r != C.UC_ERR_OK {
		return 0, 0, check("run", r)
	}
	return Kind(e.c.stop.kind), uint64(e.c.stop.pc), nil
}

// Translations is a number that changes whenever the engine translates code,
// which it does before it runs code that was changed. It is 0 without the shim.
func (e *Engine) Translations() uint64 { return uint64(e.c.translations) }

// Last is how the last run ended.
func (e *Engine) Last() Stop { return e.stop() }

// Status is CPSR where a run of ARM is parked.
func (e *Engine) Status() uint64 { return uint64(e.c.stop.status) }

// still ends a run that is parked.
func (e *Engine) still() {
	if e.c.parked {
		C.ue_unpark(e.c)
	}
}
