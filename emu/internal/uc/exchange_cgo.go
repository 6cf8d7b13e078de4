//go:build cgo

package uc

/*
#cgo noescape ue_exchange
#cgo nocallback ue_exchange
#include "engine.h"

// ue_exchange gives the engine the changed registers, runs, and reads all of
// them back: one call where there would be three.
static uc_err ue_exchange(struct ue *e, uint64_t pc, uint64_t limit, const uint64_t *stops, uint32_t nstops, bool taken,
	int *ids, uint64_t *vals, int n, uint64_t dirty)
{
	for (; dirty != 0; dirty &= dirty - 1) {
		int i = __builtin_ctzll(dirty);
		uc_reg_write(e->uc, ids[i], &vals[i]);
	}
	uc_err r = ue_run(e, pc, limit, stops, nstops, taken);
	if (r == UC_ERR_OK)
		r = ue_get(e, ids, vals, n);
	return r;
}
*/
import "C"

import "unsafe"

// RunFile is Run with the registers of f given before it and read after it.
// After an error the values are not defined.
func (e *Engine) RunFile(pc uint64, l Limit, f *File) (Stop, error) {
	r := C.ue_exchange(e.c, C.uint64_t(pc), C.uint64_t(l.Insns), (*C.uint64_t)(unsafe.SliceData(l.Stops)), C.uint32_t(len(l.Stops)), C.bool(l.Taken),
		(*C.int)(unsafe.SliceData(f.IDs)), (*C.uint64_t)(unsafe.SliceData(f.Vals)), C.int(len(f.IDs)), C.uint64_t(f.Dirty))
	f.Dirty = 0
	if r != C.UC_ERR_OK {
		return Stop{}, check("run", r)
	}
	return e.stop(), nil
}
