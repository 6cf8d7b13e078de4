#include "engine.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

__thread struct ue_thread ue_now;

// ---- stopping

static uint64_t pc_of(struct ue *e)
{
	uint64_t v = 0;
	uc_reg_read(e->uc, e->pcreg, &v);
	return v;
}

// note records the first cause of a stop.
static bool note(struct ue *e, int kind, uint64_t pc)
{
	if (e->stopped)
		return false;
	e->stopped = true;
	e->fast = false;
	e->stop.kind = kind;
	e->stop.pc = pc;
	return true;
}

static void halt(struct ue *e, int kind, uint64_t pc)
{
	if (note(e, kind, pc))
		uc_emu_stop(e->uc);
}

void ue_interrupt(struct ue *e)
{
	__atomic_store_n(&e->interrupt, 1, __ATOMIC_SEQ_CST);
	// A hook on each instruction or block sees the flag. Leaving at a block
	// border would repeat an instruction, or leave open whether the block
	// that was entered last has run.
	pthread_mutex_lock(&e->lock);
	void *cpu = __atomic_load_n(&e->cpu, __ATOMIC_SEQ_CST);
	if (cpu != NULL && e->shim && !e->hooked)
		ue_shim_exit(cpu);
	pthread_mutex_unlock(&e->lock);
}

static bool interrupted(struct ue *e)
{
	return __atomic_load_n(&e->interrupt, __ATOMIC_RELAXED) && __atomic_exchange_n(&e->interrupt, 0, __ATOMIC_SEQ_CST);
}

// ---- exceptions

// except stops the run for an exception, after which it mostly goes on: at a
// system call.
static void except(struct ue *e, int kind, uint32_t no)
{
	if (e->stopped)
		return;
	uint64_t pc = pc_of(e);
	e->stop.intno = no;
	if (!e->code_on && ue_park_at_exception(e, kind, pc))
		return;
	halt(e, kind, pc);
}

static void on_intr(uc_engine *uc, uint32_t no, void *p) { except(p, UE_INTR, no); }

static void on_syscall(uc_engine *uc, void *p) { except(p, UE_SYSCALL, 0); }

static void on_sysenter(uc_engine *uc, void *p)
{
	struct ue *e = p;
	halt(e, UE_SYSENTER, pc_of(e));
}

static uint32_t on_in(uc_engine *uc, uint32_t port, int size, void *p)
{
	struct ue *e = p;
	halt(e, UE_INOUT, e->code_on ? e->at : pc_of(e));
	return 0;
}

static void on_out(uc_engine *uc, uint32_t port, int size, uint32_t v, void *p)
{
	on_in(uc, port, size, p);
}

static bool on_invalid(uc_engine *uc, void *p)
{
	struct ue *e = p;
	note(e, UE_INVALID, pc_of(e));
	return false;
}

static int access_of(uc_mem_type t)
{
	switch (t) {
	case UC_MEM_READ_UNMAPPED:
	case UC_MEM_READ_PROT:
		return 1;
	case UC_MEM_WRITE_UNMAPPED:
	case UC_MEM_WRITE_PROT:
		return 2;
	default:
		return 4;
	}
}

// on_fault keeps the first fault of a run: what runs on after it, in libraries
// that let it, faults again with other addresses.
static bool on_fault(uc_engine *uc, uc_mem_type type, uint64_t addr, int size, int64_t v, void *p)
{
	struct ue *e = p;
	if (e->stopped)
		return false;
	int access = access_of(type);
	uint64_t pc = addr;
	if (access != 4) {
		if (e->shim)
			ue_shim_restore();
		pc = e->shim ? pc_of(e) : e->at;
	}
	if (access == 4 && ue_now.translating)
		pc = ue_now.tb; // nothing of the block has run
	e->stop.between = access == 4;
	note(e, UE_MEM, pc);
	e->stop.addr = addr;
	e->stop.size = size;
	e->stop.access = access;
	if (!e->shim && access != 4 && e->fault != NULL)
		e->restore = uc_context_save(uc, e->fault) == UC_ERR_OK;
	return false;
}

static int on_cpuid(uc_engine *uc, void *p)
{
	struct ue *e = p;
	uint32_t leaf = 0, sub = 0;
	uc_reg_read(uc, UC_X86_REG_EAX, &leaf);
	uc_reg_read(uc, UC_X86_REG_ECX, &sub);
	for (int i = 0; i < e->ncpuid; i++) {
		const struct ue_cpuid *c = &e->cpuid[i];
		if (c->leaf != leaf || (c->sub != sub && c->sub != ~0u))
			continue;
		// In long mode a write of 32 bits leaves the upper half alone.
		static const int r64[] = {UC_X86_REG_RAX, UC_X86_REG_RBX, UC_X86_REG_RCX, UC_X86_REG_RDX};
		static const int r32[] = {UC_X86_REG_EAX, UC_X86_REG_EBX, UC_X86_REG_ECX, UC_X86_REG_EDX};
		for (int j = 0; j < 4; j++) {
			uint64_t v = c->r[j];
			uc_reg_write(uc, e->mode == UC_MODE_64 ? r64[j] : r32[j], &v);
		}
		return 1;
	}
	return 0;
}

int ue_add_cpuid(struct ue *e, const struct ue_cpuid *c)
{
	for (int i = 0; i < e->ncpuid; i++)
		if (e->cpuid[i].leaf == c->leaf && e->cpuid[i].sub == c->sub) {
			e->cpuid[i] = *c;
			return 0;
		}
	struct ue_cpuid *n = realloc(e->cpuid, (e->ncpuid + 1) * sizeof *n);
	if (n == NULL)
		return -1;
	e->cpuid = n;
	n[e->ncpuid++] = *c;
	return 0;
}

// ---- trace

void ue_note_blocks(struct ue *e)
{
	if (e->nids > e->ids_from)
		e->ring[e->nrec++] = (struct ue_rec){(uintptr_t)&e->ids[e->ids_from], e->nids - e->ids_from, UE_REC_BLOCKS, 0, 0};
	e->ids_from = e->nids;
}

static void put(struct ue *e, int kind, uint64_t a, uint64_t v, int size, uint32_t id)
{
	ue_note_blocks(e);
	if (e->nrec < UE_RING)
		e->ring[e->nrec++] = (struct ue_rec){a, v, kind, size, id};
}

static struct ue_block *block_at(struct ue *e, uint64_t pc)
{
	uint32_t i = (uint32_t)((pc * 0x9e3779b97f4a7c15ull) >> 32) & (e->capblocks - 1);
	while (e->blocks[i].used && e->blocks[i].pc != pc)
		i = (i + 1) & (e->capblocks - 1);
	return &e->blocks[i];
}

static void grow_blocks(struct ue *e)
{
	struct ue_block *old = e->blocks;
	uint32_t n = e->capblocks;
	e->capblocks = n ? 2 * n : 1024;
	e->blocks = calloc(e->capblocks, sizeof *e->blocks);
	if (e->blocks == NULL)
		abort();
	for (uint32_t i = 0; i < n; i++)
		if (old[i].used)
			*block_at(e, old[i].pc) = old[i];
	free(old);
}

static inline struct ue_quick *quick_at(struct ue *e, uint64_t pc)
{
	return &e->quick[(pc ^ pc >> 12) & (UE_QUICK - 1)];
}

void ue_shim_translated(struct ue *e, uint64_t pc)
{
	e->translations++;
	if (e->trace == 0 || e->capblocks == 0)
		return;
	struct ue_block *b = block_at(e, pc);
	if (b->used)
		b->stale = true;
	quick_at(e, pc)->size = 0;
}

static uint32_t cpsr(struct ue *e)
{
	uint32_t v = 0;
	uc_reg_read(e->uc, UC_ARM_REG_CPSR, &v);
	return v;
}

// thumb is the bit that an address is started with.
static uint32_t thumb(struct ue *e) { return e->arch == UC_ARCH_ARM ? cpsr(e) >> 5 & 1 : 0; }

// state_of is what the bytes at the PC are decoded with: for ARM bit 0 is the
// T bit and bits 8 to 15 are ITSTATE.
static uint32_t state_of(struct ue *e)
{
	if (e->arch != UC_ARCH_ARM)
		return 0;
	uint32_t v = cpsr(e);
	return (v >> 5 & 1) | (v >> 25 & 3) << 8 | (v >> 10 & 0x3f) << 10;
}

static void note_regs(struct ue *e)
{
	uint64_t now[UE_REGS] = {0};
	void *ptr[UE_REGS];
	for (int i = 0; i < e->nregs; i++)
		ptr[i] = &now[i];
	uc_reg_read_batch(e->uc, e->regs, ptr, e->nregs);
	for (int i = 0; i < e->nregs; i++)
		if (now[i] != e->regval[i]) {
			e->regval[i] = now[i];
			put(e, UE_REC_REG, 0, now[i], 0, i);
		}
}

static bool watched(struct ue *e, uint64_t pc, uint32_t size)
{
	for (uint32_t i = 0; i < e->nwatch; i++)
		if (e->watch[i] - pc < size)
			return true;
	return false;
}

// define gives a block an id and puts its code into the ring.
static void define(struct ue *e, struct ue_block *b, uint64_t pc, uint32_t size, const uint8_t *code)
{
	uint32_t state = state_of(e);
	if (!b->used) {
		b->used = true;
		b->pc = pc;
		b->state = state;
		e->nblocks++;
	}
	uint8_t *copy = realloc(b->code, size + 16);
	if (copy == NULL)
		abort();
	memcpy(copy, code, size);
	memset(copy + size, 0, 16);
	b->code = copy;
	b->size = size;
	b->stale = false;
	b->watched = watched(e, pc, size);
	// Two translations of one address are told apart by their size, but not by
	// their state: such a block is looked at each time.
	b->mixed |= b->state != state;
	b->state = state;
	b->id = e->defined++;
	put(e, UE_REC_DEF, pc, b->state, size, b->id);
	for (uint32_t i = 0; i < size; i += 16) {
		uint64_t w[2];
		memcpy(w, copy + i, 16);
		put(e, UE_REC_BYTES, w[0], w[1], 0, b->id);
	}
}

#define MAX_BLOCK 32768

// soft tells whether a stop was made by a hook: the instructions that run
// until it takes effect, in a Thumb IT block, are traced as others are.
static bool soft(struct ue *e)
{
	switch (e->stop.kind) {
	case UE_LIMIT: case UE_BREAK: case UE_TAKEN: case UE_INTERRUPT: case UE_FULL: case UE_WATCH: case UE_PLANTED: case UE_UNHOOK:
		return true;
	}
	return false;
}

static struct ue_block *current(struct ue *e, uint64_t pc, uint32_t size)
{
	uint8_t *code = e->block_code;
	if (size == 0 || size > MAX_BLOCK)
		size = 16;
	if (e->nblocks * 2 >= e->capblocks)
		grow_blocks(e);
	struct ue_block *b = block_at(e, pc);
	bool old = b->used && !b->stale && b->size == size;
	// The stock library does not tell when it translates, so the code is
	// compared each time.
	if (!old || !e->shim || b->mixed) {
		if (uc_mem_read(e->uc, pc, code, size) != UC_ERR_OK)
			memset(code, 0, size);
		if (!old || memcmp(code, b->code, size) != 0 || b->state != state_of(e))
			define(e, b, pc, size, code);
	}
	return b;
}

// left_early notes, for the stock library, that the block before was left in
// the middle: one that writes to its own code is left and goes on as another.
static void left_early(struct ue *e, uint64_t pc)
{
	if (e->entered && !e->at_new && e->at == pc && e->at + e->at_size != e->last_end)
		put(e, UE_REC_CUT, pc, 0, 0, e->cur);
}

// set_fast tells whether the next block may be one of which nothing but its
// id is wanted.
static void set_fast(struct ue *e)
{
	e->fast = e->trace == UE_TRACE_BLOCK && e->shim && !e->code_on && !e->muted && !e->passing && !e->stopped;
}

// enter notes that a block has been entered.
static void enter(struct ue *e, const struct ue_block *b)
{
	e->cur = b->id;
	if (e->trace != UE_TRACE_BLOCK) {
		put(e, UE_REC_BLOCK, b->pc, 0, b->size, b->id);
		return;
	}
	e->ids[e->nids++] = b->id;
	if (!b->mixed && !b->watched)
		*quick_at(e, b->pc) = (struct ue_quick){b->pc, b->size, b->id};
}

static __attribute__((noinline)) void on_block_slow(struct ue *e, uint64_t pc, uint32_t size);

bool ue_now_ns(uint64_t *ns)
{
	struct ue *e = ue_now.e;
	if (e == NULL || !e->sliced)
		return false;
	*ns = (e->slice_end - e->slice) * UE_TICK;
	return true;
}

// ends_slice goes on with a slice whose branches are used up. With a hook on
// each instruction on_code does.
static bool ends_slice(struct ue *e, uint64_t pc)
{
	if (e->code_on)
		return false;
	if (e->tail == 0) {
		e->stop.between = true;
		halt(e, UE_INTERRUPT, pc);
	} else if (pc - e->part >= e->part_end - e->part) {
		halt(e, UE_SINGLE, pc);
	} else {
		e->tail--;
		return false;
	}
	return true;
}

// tally counts a branch that leads to a block. It is true if the run ends
// before it.
static bool tally(struct ue *e, uint64_t pc, uint32_t size)
{
	if (e->stopped || e->muted)
		return false;
	if (pc != e->line_end && !e->ending && --e->slice == 0)
		e->ending = true;
	e->line_end = pc + size;
	return e->ending && ends_slice(e, pc);
}

static void on_block(uc_engine *uc, uint64_t pc, uint32_t size, void *p)
{
	struct ue *e = p;
	if (e->sliced && tally(e, pc, size))
		return;
	const struct ue_quick *q = quick_at(e, pc);
	uint32_t n = e->nids;
	if (__builtin_expect(e->fast && n < UE_IDS && !__atomic_load_n(&e->interrupt, __ATOMIC_RELAXED) && q->pc == pc && q->size == size, 1)) {
		e->ids[n] = q->id;
		e->nids = n + 1;
		return;
	}
	on_block_slow(e, pc, size);
}

static __attribute__((noinline)) void on_block_slow(struct ue *e, uint64_t pc, uint32_t size)
{
	if (e->muted)
		return;
	if (e->stopped) {
		// A stop that was late has let the block before run to its end.
		e->stop.between = true;
		return;
	}
	// With a hook on each instruction the library does not bring the PC up to
	// date for a stop here: the one on the block's first instruction stops.
	if (!e->code_on && (e->nrec > UE_RING - UE_RESERVE || e->nids >= UE_IDS)) {
		e->stop.between = true;
		halt(e, UE_FULL, pc);
		return;
	}
	if (!e->code_on && interrupted(e)) {
		e->stop.between = true;
		halt(e, UE_INTERRUPT, pc);
		return;
	}
	if (e->trace == 0)
		return; // the hook is there for interrupts only
	struct ue_block *b = current(e, pc, size);
	e->reached = b->watched && !(e->passing && e->passed == pc);
	if (e->reached && !e->code_on) {
		e->stop.between = true;
		halt(e, UE_WATCH, pc);
		return;
	}
	e->passing = false;
	set_fast(e);
	if (!e->shim)
		left_early(e, pc);
	if (e->trace & UE_TRACE_REG) {
		note_regs(e); // of the last instruction of the block before
		e->noted = true;
	}
	e->entered = true;
	e->last_end = pc + b->size;
	e->at_new = true;
	enter(e, b);
}

void ue_note_cut(struct ue *e)
{
	e->redo = true;
	// On the stock library on_block notes it.
	if (e->shim && e->trace != 0 && !e->stopped && !e->muted)
		put(e, UE_REC_CUT, pc_of(e), 0, 0, e->cur);
}

// on_access notes memory accesses in program order.
static void on_access(uc_engine *uc, uc_mem_type type, uint64_t addr, int size, int64_t v, void *p)
{
	struct ue *e = p;
	if ((!e->stopped || soft(e)) && !e->muted)
		ue_note_access(e, type == UC_MEM_WRITE ? UE_REC_WRITE : UE_REC_READ, addr, size, v);
}

void ue_note_access(struct ue *e, int kind, uint64_t addr, int size, uint64_t v)
{
	e->accessed = true;
	if (e->quiet)
		return;
	if (size < 8)
		v &= (1ull << (8 * size)) - 1;
	put(e, kind, addr, v, size, 0);
}

void ue_quiet(struct ue *e, uint32_t from)
{
	e->quiet = true;
	e->quiet_at = from;
}

// ---- the hook on each instruction

static bool among(const uint64_t *l, uint32_t n, uint64_t v)
{
	while (n > 0) {
		uint32_t m = n / 2;
		if (l[m] == v)
			return true;
		if (l[m] < v) {
			l += m + 1;
			n -= m + 1;
		} else {
			n = m;
		}
	}
	return false;
}

static void note_insn(struct ue *e, uint64_t pc, uint32_t size)
{
	if ((e->trace & UE_TRACE_REG) && !e->noted)
		note_regs(e);
	e->noted = false;
	put(e, UE_REC_INSN, pc, 0, size, e->cur);
}

static bool is_it(uint16_t h) { return (h & 0xff00) == 0xbf00 && (h & 15) != 0; }

// note_it notes an instruction of two bytes that runs, if it is IT.
static void note_it(struct ue *e, uint64_t pc)
{
	const uint8_t *p = ue_host(e, pc);
	if (p != NULL && is_it(p[0] | p[1] << 8))
		e->it = pc;
}

// it_state is ITSTATE of the Thumb instruction at pc, found by decoding from
// the IT instruction, which has run a little before.
static uint32_t it_state(struct ue *e, uint64_t pc)
{
	uint64_t at = e->it;
	uint16_t h;
	if (pc - at - 1 >= 16 || uc_mem_read(e->uc, at, &h, 2) != UC_ERR_OK || !is_it(h))
		return 0;
	uint32_t it = h & 0xff;
	for (at += 2; at < pc && uc_mem_read(e->uc, at, &h, 2) == UC_ERR_OK; at += h >= 0xe800 ? 4 : 2)
		it = (it & 0xe0) | (it << 1 & 0x1f);
	return at == pc && (it & 15) != 0 ? it : 0;
}

// in_it tells whether the instruction at pc is in an IT block of Thumb, where
// the library cannot stop. It notes the status register.
static bool in_it(struct ue *e, uint64_t pc)
{
	if (e->arch != UC_ARCH_ARM)
		return false;
	e->stop.status = cpsr(e);
	return (e->stop.status >> 5 & 1) && it_state(e, pc) != 0;
}

// hold stops the run before the instruction at pc. It is true if the run goes on
// with that after all: it was parked.
static bool hold(struct ue *e, int kind, uint64_t pc)
{
	e->stop.kind = kind;
	e->stop.pc = pc;
	e->stop.insns = e->count;
	if (!in_it(e, pc) && ue_park(e))
		return true;
	halt(e, kind, pc);
	return false;
}

// limit_at tells which limit the run has come to before the instruction at pc, 0
// if to none.
static int limit_at(struct ue *e, uint64_t pc)
{
	if (e->taken && pc != e->next)
		return UE_TAKEN;
	if (e->past ? e->passing_by : e->nstops != 0 && among(e->stops, e->nstops, pc))
		return UE_BREAK;
	if (e->limit != 0 && e->count == e->limit)
		return UE_LIMIT;
	return 0;
}

// LINGER is for how many instructions the hook stays when a run does not need
// it: another that does may follow soon, and to bind it anew costs a translation
// of everything.
#define LINGER 1000

// needs_hook tells whether somebody looks at each instruction.
static bool needs_hook(const struct ue *e)
{
	return !e->shim || e->counting || e->nsites != 0 || (e->trace & UE_TRACE_INSN) || e->unmasked;
}

void ue_hook_again(struct ue *e)
{
	halt(e, UE_UNHOOK, pc_of(e));
	ue_shim_leave();
}

// trap ends a run for an exception of the instruction at pc.
static void trap(struct ue *e, int no, uint64_t pc)
{
	e->stop.intno = no;
	halt(e, UE_INTR, pc);
}

// leaves_hook ends a run that has had a hook for long enough without need.
static bool leaves_hook(struct ue *e, uint64_t pc)
{
	if (needs_hook(e) || e->ending || --e->linger != 0)
		return false;
	halt(e, UE_UNHOOK, pc);
	return true;
}

static void on_code(uc_engine *uc, uint64_t pc, uint32_t size, void *p)
{
	struct ue *e = p;
	if (e->stopped) {
		// The signal could not, and in an IT block libunicorn 2.1 forgets it.
		if (e->stop.bus || soft(e))
			uc_emu_stop(uc);
		if (soft(e) && (e->trace & UE_TRACE_INSN))
			note_insn(e, pc, size);
		return;
	}
	if (e->unmasked && ue_x86_raised(e)) {
		trap(e, UE_X86_XM, e->at); // the instruction before this one
		return;
	}
	bool first = e->first;
	e->first = false;
	// A store to its own block is begun, and run again in a block of its own:
	// the limits have seen it.
	bool seen = e->redo && e->at == pc && !first;
	e->redo = false;
	e->at = pc;
	e->at_size = size;
	e->at_new = false;
	e->quiet = false;
	if ((e->trace & UE_TRACE_INSN) && !e->muted)
		note_insn(e, pc, size); // ue_run takes it back if a stop comes before it
	// A limit comes first: after another stop here the run would go on over it.
	int kind = e->counting && !seen && !first ? limit_at(e, pc) : 0;
	if (e->nsites != 0 && ue_planted(e, pc))
		kind = UE_PLANTED;
	if (kind != 0 && !hold(e, kind, pc))
		return;
	if (interrupted(e)) {
		halt(e, UE_INTERRUPT, pc);
		return;
	}
	if (e->ending && !seen) {
		if (e->tail == 0) {
			halt(e, UE_INTERRUPT, pc);
			return;
		}
		e->tail--;
	}
	if (leaves_hook(e, pc))
		return;
	if (e->unmasked && ue_x86_due(e, pc)) {
		trap(e, UE_X86_MF, pc);
		return;
	}
	e->first = false;
	if (size == 2 && e->arch == UC_ARCH_ARM)
		note_it(e, pc);
	if (e->counting && !seen) {
		e->passing_by = e->past && among(e->stops, e->nstops, pc);
		e->count++;
		e->next = pc + size;
	}
	if (e->trace == 0 || e->muted)
		return;
	if (e->reached)
		halt(e, UE_WATCH, pc);
	else if (e->nrec > UE_RING - UE_RESERVE || e->nids >= UE_IDS)
		halt(e, UE_FULL, pc);
	e->reached = false;
}

// purge makes the library forget hooks that were deleted, which it does at the
// end of a run: until then it goes on translating for them. This run ends
// before its first instruction.
static uc_err purge(struct ue *e)
{
	if (!e->shim)
		return UC_ERR_OK;
	struct ue_thread outer = ue_now;
	ue_now = (struct ue_thread){.e = e};
	e->idle = true;
	uc_err r = uc_emu_start(e->uc, pc_of(e) | thumb(e), ~(uint64_t)0, 0, 0);
	e->idle = false;
	ue_now = outer;
	return r;
}

// The library binds hooks at translation, so what is translated is dropped
// whenever a hook comes or goes.
static uc_err set_hook(struct ue *e, bool on, bool *is, uc_hook *h, int type, void *fn)
{
	if (on == *is)
		return UC_ERR_OK;
	uc_err r = on ? uc_hook_add(e->uc, h, type, fn, e, (uint64_t)1, (uint64_t)0) : uc_hook_del(e->uc, *h);
	if (r != UC_ERR_OK)
		return r;
	*is = on;
	ue_drop_all(e);
	return on ? r : purge(e);
}

// want installs the hooks that limits, trace and library ask for.
static uc_err want(struct ue *e)
{
	pthread_mutex_lock(&e->lock);
	bool code = needs_hook(e) || (e->code_on && e->linger != 0);
	uc_err r = set_hook(e, code, &e->code_on, &e->code, UC_HOOK_CODE, on_code);
	// Where the library leaves blocks in their middle only, requests to stop
	// are looked for at the start of each.
	bool block = e->trace != 0 || e->sliced || (e->shim && !ue_shim_exits(e));
	if (r == UC_ERR_OK)
		r = set_hook(e, block, &e->block_on, &e->block, UC_HOOK_BLOCK, on_block);
	if (r == UC_ERR_OK)
		r = set_hook(e, e->trace & UE_TRACE_MEM, &e->mem_on, &e->mem, UC_HOOK_MEM_READ_AFTER | UC_HOOK_MEM_WRITE, on_access);
	e->hooked = e->code_on || e->block_on;
	pthread_mutex_unlock(&e->lock);
	return r;
}

uc_err ue_set_trace(struct ue *e, int flags, const int *regs, int nregs, const uint64_t *watch, int nwatch)
{
	if (nregs > UE_REGS || nwatch > UE_WATCHES)
		return UC_ERR_ARG;
	if (flags != 0 && e->ring == NULL) {
		e->ring = malloc(UE_RING * sizeof *e->ring);
		e->ids = malloc((UE_IDS + UE_SPARE) * sizeof *e->ids);
		e->quick = malloc(UE_QUICK * sizeof *e->quick);
		e->block_code = malloc(MAX_BLOCK);
		if (e->ring == NULL || e->ids == NULL || e->quick == NULL || e->block_code == NULL)
			return UC_ERR_NOMEM;
	}
	if (e->quick != NULL)
		memset(e->quick, 0, UE_QUICK * sizeof *e->quick);
	e->trace = flags;
	e->nregs = nregs;
	for (int i = 0; i < nregs; i++) {
		e->regs[i] = regs[i];
		e->regval[i] = 0;
	}
	e->nwatch = nwatch;
	for (int i = 0; i < nwatch; i++)
		e->watch[i] = watch[i];
	for (uint32_t i = 0; i < e->capblocks; i++)
		e->blocks[i].watched = e->blocks[i].used && watched(e, e->blocks[i].pc, e->blocks[i].size);
	e->linger = e->counting = 0;
	return want(e);
}

// ---- life

static int pcreg(int arch, int mode)
{
	switch (arch) {
	case UC_ARCH_X86:
		return mode == UC_MODE_64 ? UC_X86_REG_RIP : UC_X86_REG_EIP;
	case UC_ARCH_ARM:
		return UC_ARM_REG_PC;
	case UC_ARCH_ARM64:
		return UC_ARM64_REG_PC;
	case UC_ARCH_PPC:
		return UC_PPC_REG_PC;
	}
	return -1;
}

// page_size gives 32-bit ARM pages of 4 KiB where the library lets us. In
// 2.0.1 the setter is off by one bit, so what is asked for is read back.
static uc_err page_size(struct ue *e)
{
	uint32_t size = 0;
	if (e->arch == UC_ARCH_ARM) {
		for (uint32_t ask = 2048; ask <= 4096 && size != 4096; ask *= 2)
			if (uc_ctl_set_page_size(e->uc, ask) != UC_ERR_OK || uc_ctl_get_page_size(e->uc, &size) != UC_ERR_OK)
				break;
	}
	uc_err r = uc_ctl_get_page_size(e->uc, &size);
	if (r != UC_ERR_OK)
		return r;
	for (e->shift = 0; 1u << e->shift < size; e->shift++)
		;
	return UC_ERR_OK;
}

static uc_err hooks(struct ue *e)
{
	uc_hook h;
	// A range that ends before it begins is everything.
	const uint64_t all = 1, none = 0;
	uc_err r = uc_hook_add(e->uc, &h, UC_HOOK_INTR, on_intr, e, all, none);
	if (r == UC_ERR_OK)
		r = uc_hook_add(e->uc, &h, UC_HOOK_INSN_INVALID, on_invalid, e, all, none);
	if (r == UC_ERR_OK)
		r = uc_hook_add(e->uc, &h, UC_HOOK_MEM_INVALID, on_fault, e, all, none);
	if (e->arch != UC_ARCH_X86)
		return r;
	static const struct { int insn; void *fn; } insns[] = {
		{UC_X86_INS_SYSCALL, on_syscall}, {UC_X86_INS_SYSENTER, on_sysenter},
		{UC_X86_INS_IN, on_in}, {UC_X86_INS_OUT, on_out}, {UC_X86_INS_CPUID, on_cpuid},
	};
	for (unsigned i = 0; i < sizeof insns / sizeof *insns && r == UC_ERR_OK; i++)
		r = uc_hook_add(e->uc, &h, UC_HOOK_INSN, insns[i].fn, e, all, none, insns[i].insn);
	return r;
}

// arenas bounds the heaps that the C library keeps: by default each thread that
// translates leaves one behind with room for all that a translation takes, which
// is more than an idle task takes otherwise.
static void arenas(void)
{
	if (getenv("MALLOC_ARENA_MAX") == NULL)
		mallopt(M_ARENA_MAX, 4);
}

uc_err ue_open(struct ue **out, int arch, int mode, int model, bool shim)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, arenas);
	struct ue *e = calloc(1, sizeof *e);
	if (e == NULL)
		return UC_ERR_NOMEM;
	e->arch = arch;
	e->mode = mode;
	e->pcreg = pcreg(arch, mode);
	e->shim = shim;
	pthread_mutex_init(&e->lock, NULL);
	ue_guard();
	uc_err r = uc_open(arch, mode, &e->uc);
	if (r != UC_ERR_OK) {
		free(e);
		return r;
	}
	if (model >= 0)
		r = uc_ctl_set_cpu_model(e->uc, model);
	if (r == UC_ERR_OK)
		r = page_size(e);
	if (r == UC_ERR_OK)
		r = hooks(e);
	if (r == UC_ERR_OK)
		r = want(e);
	if (r == UC_ERR_OK && !shim)
		r = uc_context_alloc(e->uc, &e->fault);
	if (r != UC_ERR_OK) {
		ue_close(e);
		return r;
	}
	*out = e;
	return UC_ERR_OK;
}

uc_err ue_close(struct ue *e)
{
	ue_unpark(e);
	ue_stack_free(e);
	if (e->fault != NULL)
		uc_context_free(e->fault);
	uc_err r = uc_close(e->uc);
	for (uint32_t i = 0; i < e->capblocks; i++)
		free(e->blocks[i].code);
	free(e->blocks);
	free(e->ring);
	free(e->ids);
	free(e->quick);
	free(e->block_code);
	free(e->cpuid);
	free(e->maps);
	ue_pages_free(&e->marked);
	free(e);
	return r;
}

// ---- running

// resumes tells whether a run that ended by itself is to go on: an ARM wait
// instruction ends it, which a user program must not notice. 2.0.1 reports
// YIELD and WFE as invalid with the PC already behind them; with a hook on
// each instruction the last one seen tells that from an invalid one at the PC.
static bool resumes(struct ue *e)
{
	if (e->arch != UC_ARCH_ARM && e->arch != UC_ARCH_ARM64)
		return false;
	if (!e->stopped)
		return pc_of(e) != 0; // where ue_run has it end
	if (e->stop.kind != UE_INVALID || !e->code_on || e->at == e->stop.pc)
		return false;
	e->stopped = false;
	set_fast(e);
	return true;
}

// splits tells whether a run that ended is to go on with the block that it
// ended in translated in single instructions. x86 blocks reach over page
// ends, and the library translates a block as a whole: one whose second page
// is missing would fault before its first instructions have run.
static bool splits(struct ue *e)
{
	if (!e->stopped || e->stop.kind != UE_MEM || e->stop.access != 4 || e->stop.pc == e->stop.addr)
		return false;
	if (e->missing == e->stop.addr && e->stop.pc - e->lone < e->missing - e->lone)
		return false; // a single instruction that lies on both pages
	e->lone = e->stop.pc;
	e->missing = e->stop.addr;
	e->stop.bus = false;
	uc_ctl_remove_cache(e->uc, e->lone, e->missing + 1);
	e->stopped = false;
	e->stop.between = false;
	set_fast(e);
	return true;
}

// whole has code translated in blocks again that was in single instructions.
static void whole(struct ue *e)
{
	if (e->part_end != 0)
		uc_ctl_remove_cache(e->uc, e->part, e->part_end);
	e->part = e->part_end = 0;
}

// singles tells whether a run that ended is to go on with the block that it
// would enter translated in single instructions, so that the slice can end
// after any of them.
static bool singles(struct ue *e)
{
	if (!e->stopped || e->stop.kind != UE_SINGLE)
		return false;
	uint64_t pc = e->stop.pc, end = e->line_end;
	whole(e);
	e->lone = e->part = pc;
	e->missing = e->part_end = end;
	e->line_end = pc;
	uc_ctl_remove_cache(e->uc, pc, end);
	e->stopped = false;
	set_fast(e);
	return true;
}

// mend_it puts ITSTATE back, which a fault in the stock library leaves 0.
static void mend_it(struct ue *e)
{
	if (thumb(e) == 0)
		return;
	uint32_t v = cpsr(e), it = it_state(e, pc_of(e));
	v = (v & ~0x0600fc00u) | (it & 3) << 25 | (it >> 2) << 10;
	uc_reg_write(e->uc, UC_ARM_REG_CPSR, &v);
}

// settle ends the trace of a run.
static void settle(struct ue *e)
{
	// An instruction that notes its accesses beforehand does all or, when it
	// faults, none of them.
	if (e->quiet && e->stop.kind == UE_MEM && e->nrec > e->quiet_at)
		e->nrec = e->quiet_at;
	if ((e->trace & UE_TRACE_REG) && !e->muted)
		note_regs(e);
}

uc_err ue_drive(struct ue *e)
{
	uint64_t pc = e->start;
	for (;;) {
		// The run would end at address 0, where nothing is mapped. Any other
		// end costs time: the library forgets the translation at it each time.
		uc_err r = uc_emu_start(e->uc, pc, 0, 0, 0);
		if (r != UC_ERR_OK && !e->stopped)
			return r;
		if (resumes(e))
			pc = pc_of(e) | thumb(e);
		else if (splits(e))
			pc = e->lone | thumb(e);
		else if (singles(e))
			pc = e->part | thumb(e);
		else
			return r;
	}
}

// done acts on the end of a run.
static uc_err done(struct ue *e, uc_err r)
{
	whole(e);
	e->lone = e->missing = 0;
	ue_x86_take(e);
	ue_lost_again(e);
	e->stop.insns = e->count;
	if (!e->stopped && r == UC_ERR_OK && pc_of(e) == 0) {
		e->stopped = true;
		e->stop.kind = UE_MEM;
		e->stop.access = 4;
		e->stop.size = 1;
	}
	if (!e->stopped) {
		e->stop.kind = UE_END;
		e->stop.pc = pc_of(e);
		e->stop.between = true;
		return r;
	}
	if (e->stop.late)
		e->stop.pc = pc_of(e);
	if (e->restore) {
		uc_context_restore(e->uc, e->fault);
		mend_it(e);
	}
	if (soft(e)) {
		// A stop that the library could not make at once, in an IT block, is
		// where the PC is.
		e->stop.pc = pc_of(e);
		if (e->nrec > 0 && e->ring[e->nrec - 1].kind == UE_REC_INSN && e->ring[e->nrec - 1].a == e->stop.pc) {
			e->nrec--; // it will run, and be noted, when the run goes on
			e->stop.between = false;
		}
	}
	if (e->stop.kind == UE_WATCH) {
		e->passing = true;
		e->passed = e->stop.pc;
	}
	settle(e);
	return UC_ERR_OK;
}

// bound sets the limits of a run.
static void bound(struct ue *e, uint64_t limit, const uint64_t *stops, uint32_t nstops, int how)
{
	memset(&e->stop, 0, sizeof e->stop);
	e->counting = limit != 0 || nstops != 0 || how != 0;
	e->limit = limit;
	e->stops = stops;
	e->nstops = nstops;
	e->taken = how & UE_HOW_TAKEN;
	e->past = how & UE_HOW_PAST;
	e->passing_by = e->wrote = false;
	e->count = 0;
	if (needs_hook(e))
		e->linger = LINGER;
	e->first = true;
	e->restore = false;
	e->stopped = false;
	e->quiet = false;
	e->entered = e->noted = e->reached = e->redo = false;
	e->ending = false;
}

// at_once ends a run before it begins.
static uc_err at_once(struct ue *e, uint64_t pc)
{
	e->stop.kind = UE_INTERRUPT;
	e->stop.pc = e->arch == UC_ARCH_ARM ? pc & ~1ull : pc;
	e->stop.between = true;
	e->stop.status = e->arch == UC_ARCH_ARM ? cpsr(e) : 0;
	return UC_ERR_OK;
}

uc_err ue_run(struct ue *e, uint64_t pc, uint64_t limit, const uint64_t *stops, uint32_t nstops, int how)
{
	ue_unpark(e);
	for (;;) {
		e->unmasked = ue_x86_unmasked(e);
		bound(e, limit, stops, nstops, how);
		uc_err r = want(e);
		if (r != UC_ERR_OK)
			return r;
		set_fast(e);
		if (interrupted(e)) {
			uc_reg_write(e->uc, e->pcreg, &pc);
			return at_once(e, pc);
		}
		e->start = pc;
		e->line_end = e->arch == UC_ARCH_ARM ? pc & ~1ull : pc;
		r = ue_run_apart(e);
		if (e->parked)
			return UC_ERR_OK;
		r = done(e, r);
		if (r != UC_ERR_OK || e->stop.kind != UE_UNHOOK)
			return r;
		pc = pc_of(e) | thumb(e);
	}
}

bool ue_goes_on(struct ue *e)
{
	e->unmasked = ue_x86_unmasked(e);
	return e->at_exception && !needs_hook(e) && !__atomic_load_n(&e->interrupt, __ATOMIC_RELAXED);
}

uc_err ue_run_on(struct ue *e, uint64_t limit, const uint64_t *stops, uint32_t nstops, int how)
{
	uint64_t pc = e->stop.pc;
	bound(e, limit, stops, nstops, how);
	// Behind an exception, where pc may not be, the run sees a request by itself.
	if (!e->at_exception && interrupted(e))
		return at_once(e, pc);
	ue_go_on(e);
	return e->parked ? UC_ERR_OK : done(e, e->result);
}

uc_err ue_get(struct ue *e, int *ids, uint64_t *vals, int n)
{
	void *p[UE_REGS];
	if (n > UE_REGS)
		return UC_ERR_ARG;
	for (int i = 0; i < n; i++) {
		vals[i] = 0;
		p[i] = &vals[i];
	}
	return uc_reg_read_batch(e->uc, ids, p, n);
}

uc_err ue_set(struct ue *e, int *ids, uint64_t *vals, int n)
{
	void *p[UE_REGS];
	if (n > UE_REGS)
		return UC_ERR_ARG;
	for (int i = 0; i < n; i++)
		p[i] = &vals[i];
	return uc_reg_write_batch(e->uc, ids, p, n);
}

uc_err ue_set_reg(struct ue *e, int id, uint64_t v)
{
	// The library sets FPSCR by a function that the shim replaces.
	struct ue *was = ue_now.e;
	ue_now.e = e;
	uc_err r = uc_reg_write(e->uc, id, &v);
	ue_now.e = was;
	return r;
}

uc_err ue_protect(struct ue *e, uint64_t addr, uint64_t size, uint32_t prot)
{
	// The library forgets what it has translated neither when memory ceases to
	// be executable nor, in 2.1, when it is written to in between.
	if (size != 0)
		ue_drop(e, addr, size);
	uc_err r = UC_ERR_OK;
	// What it knows of pages it forgets only when they become writable or cease
	// to be, and a load would still go by that.
	if (!(prot & UC_PROT_READ) && size != 0)
		r = uc_mem_protect(e->uc, addr, size, prot ^ UC_PROT_WRITE);
	if (r == UC_ERR_OK)
		r = uc_mem_protect(e->uc, addr, size, prot);
	if (r == UC_ERR_OK)
		r = ue_note_protect(e, addr, size, prot);
	return r;
}
