// The shim: functions of ours that take the place of functions libunicorn
// exports and calls through the dynamic symbol table. Each does what the
// library's own does, by calling it, and a little more. README.md says why
// and what it relies on; Open tests at start-up that it works.

#define _GNU_SOURCE
#include "shim.h"

#include <stddef.h>
#include <time.h>

// QEMU's bits of a page's protection.
#define PAGE_READ 1
#define PAGE_WRITE 2

// The most entries the engine's TLB grows to, and what it starts with.
#define TLB_FIRST 256
#define TLB_MOST 65536

// Two pages that have one place in the TLB take it from each other, and what
// does not fit is looked up in a few entries beside the table: slow, but no fill.
// After so many such loads the TLB becomes TLB_WIDE entries, in this many
// doublings from the least that the library has.
#define CONFLICTS 65536
#define TLB_WIDE 2048
#define TLB_DOUBLINGS 5

// What the wrappers have seen in this thread, for the self-test.
static __thread uint64_t count_loads, count_stores, count_fills, count_translations;

// ---- what all guests share

// faulted tells a wrapper of a store that the access under way has failed.
static inline bool faulted(void)
{
	return ue_now.cpu != NULL && ue_now.e != NULL && ue_now.e->stopped && ue_now.e->stop.kind == UE_MEM;
}

// The kinds of guests whose blocks are left at their start only when a request
// comes: a bit each.
static uint32_t checks;

static int ue_shim_kind(const struct ue *e) { return e->arch + (e->mode & UC_MODE_PPC64 && e->arch == UC_ARCH_PPC ? 16 : 0); }

bool ue_shim_exits(const struct ue *e) { return checks >> ue_shim_kind(e) & 1; }

static void mark(struct ue *e, uint64_t page, void (*flush)(void *, uint64_t), void *cpu)
{
	if (ue_pages_has(&e->marked, page))
		return;
	ue_pages_add(&e->marked, page);
	flush(cpu, page << e->shift);
}

static uint64_t now(void)
{
	uint64_t ns;
	if (ue_now_ns(&ns))
		return ns;
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static uint64_t timebase(void)
{
	uint64_t ns = now();
	// 512 MHz, as POWER machines have and /proc/cpuinfo tells.
	return ns / 1000000000 * 512000000 + ns % 1000000000 * 64 / 125;
}

void ue_shim_counts(uint64_t *loads, uint64_t *stores, uint64_t *fills, uint64_t *translations)
{
	*loads = count_loads;
	*stores = count_stores;
	*fills = count_fills;
	*translations = count_translations;
	count_loads = count_stores = count_fills = count_translations = 0;
}

// wrote notes a store to a page that holds code: the block that runs may be
// another now.
static inline void wrote(uint64_t addr)
{
	struct ue *e = ue_now.e;
	if (e != NULL && (e->counting || e->nsites != 0) && ue_pages_has(&e->marked, addr >> e->shift))
		e->wrote = true;
}

// A store helper that JIT code calls: it notes the return address, so that a
// fault can be traced to its instruction. The library goes on in the block
// after a failed store; it must be left.
#define STORE(S, T, V, name) \
	REAL(void, name##_##S, (void *, T, V, uint32_t, uintptr_t)); \
	void NAME(name##_##S)(void *env, T addr, V val, uint32_t oi, uintptr_t ra) \
	{ \
		count_stores++; \
		wrote(addr); \
		ue_now.ra = ra; \
		real_##name##_##S(env, addr, val, oi, ra); \
		ue_now.ra = 0; \
		if (__builtin_expect(faulted(), 0)) \
			real_cpu_loop_exit_##S(ue_now.cpu); \
	}

// conflicted counts loads that were slow for no fill. Some are for other reasons,
// which a wider TLB does not mend: so the next time takes twice as many.
static inline bool conflicted(struct ue *e)
{
	if (e == NULL || !e->shim || ++e->conflicts >> e->widened < CONFLICTS)
		return false;
	e->conflicts = 0;
	e->widened++;
	return e->widen = true;
}

#define LOAD(S, T, name) \
	REAL(uint64_t, name##_##S, (void *, T, uint32_t, uintptr_t)); \
	uint64_t NAME(name##_##S)(void *env, T addr, uint32_t oi, uintptr_t ra) \
	{ \
		count_loads++; \
		uint64_t fills = count_fills; \
		ue_now.ra = ra; \
		uint64_t v = real_##name##_##S(env, addr, oi, ra); \
		ue_now.ra = 0; \
		if (fills == count_fills && __builtin_expect(conflicted(ue_now.e), 0)) \
			real_tlb_flush_##S(ue_now.cpu); \
		return v; \
	}

// Accesses of instructions that are C functions of the library. Not all of
// them call the hooks for memory, so those that a trace wants and that no hook
// has seen are noted here.
static inline bool tracing(void)
{
	struct ue *e = ue_now.e;
	if (e == NULL || !(e->trace & UE_TRACE_MEM) || e->stopped || e->muted)
		return false;
	e->accessed = false;
	return true;
}

// The parameters of the library's accessors: for a kind of address space, and
// for that of data.
#define MMU_PARAMS(T) (void *env, T addr, int mmu, uintptr_t ra)
#define MMU_ARGS (env, addr, mmu, ra)
#define DATA_PARAMS(T) (void *env, T addr, uintptr_t ra)
#define DATA_ARGS (env, addr, ra)

#define CPU_LOAD(S, R, size, name, params, args) \
	REAL(R, name##_##S, params); \
	R NAME(name##_##S) params \
	{ \
		bool t = tracing(); \
		ue_now.ra = ra; \
		R v = real_##name##_##S args; \
		ue_now.ra = 0; \
		if (t && !ue_now.e->accessed && !ue_now.e->stopped) \
			ue_note_access(ue_now.e, UE_REC_READ, addr, size, (uint64_t)v); \
		return v; \
	}

#define MMU_STORE_PARAMS(T, V) (void *env, T addr, V val, int mmu, uintptr_t ra)
#define MMU_STORE_ARGS (env, addr, val, mmu, ra)
#define DATA_STORE_PARAMS(T, V) (void *env, T addr, V val, uintptr_t ra)
#define DATA_STORE_ARGS (env, addr, val, ra)

#define CPU_STORE(S, size, name, params, args) \
	REAL(void, name##_##S, params); \
	void NAME(name##_##S) params \
	{ \
		bool t = tracing(); \
		wrote(addr); \
		ue_now.ra = ra; \
		real_##name##_##S args; \
		ue_now.ra = 0; \
		if (__builtin_expect(faulted(), 0)) \
			real_cpu_loop_exit_##S(ue_now.cpu); \
		if (t && !ue_now.e->accessed && !ue_now.e->stopped) \
			ue_note_access(ue_now.e, UE_REC_WRITE, addr, size, (uint64_t)val); \
	}

// In a static library a call from one function of a file to another cannot be
// wrapped: those that call ours are wrapped instead. PowerPC fills its TLB by
// one, and most of the library's C functions access data by others.
#ifdef UTEMU_STATIC
#define ATTRS_UNSPECIFIED 1 // MEMTXATTRS_UNSPECIFIED
#define STATIC_FAMILY(S, T) \
	void __wrap_tlb_set_page_##S(void *cpu, T vaddr, uint64_t paddr, int prot, int mmu, T size) \
	{ \
		NAME(tlb_set_page_with_attrs_##S)(cpu, vaddr, paddr, ATTRS_UNSPECIFIED, prot, mmu, size); \
	} \
	CPU_LOAD(S, uint32_t, 1, cpu_ldub_data_ra, DATA_PARAMS(T), DATA_ARGS) \
	CPU_LOAD(S, int, 1, cpu_ldsb_data_ra, DATA_PARAMS(T), DATA_ARGS) \
	CPU_LOAD(S, uint32_t, 2, cpu_lduw_data_ra, DATA_PARAMS(T), DATA_ARGS) \
	CPU_LOAD(S, int, 2, cpu_ldsw_data_ra, DATA_PARAMS(T), DATA_ARGS) \
	CPU_LOAD(S, uint32_t, 4, cpu_ldl_data_ra, DATA_PARAMS(T), DATA_ARGS) \
	CPU_LOAD(S, uint64_t, 8, cpu_ldq_data_ra, DATA_PARAMS(T), DATA_ARGS) \
	CPU_STORE(S, 1, cpu_stb_data_ra, DATA_STORE_PARAMS(T, uint32_t), DATA_STORE_ARGS) \
	CPU_STORE(S, 2, cpu_stw_data_ra, DATA_STORE_PARAMS(T, uint32_t), DATA_STORE_ARGS) \
	CPU_STORE(S, 4, cpu_stl_data_ra, DATA_STORE_PARAMS(T, uint32_t), DATA_STORE_ARGS) \
	CPU_STORE(S, 8, cpu_stq_data_ra, DATA_STORE_PARAMS(T, uint64_t), DATA_STORE_ARGS)
#else
#define STATIC_FAMILY(S, T)
#endif

// Everything for one suffix S of the library's symbols with guest words T.
// QEMU's bits of ARM's translation flags: the T bit, above ITSTATE.
#define TB_THUMB (1u << 8)

// QEMU's bits of cflags that bound the instructions of a block.
#define CF_COUNT_MASK 0x7fff

// forgets tells whether the library would forget to look for requests to stop
// in the block to be translated: it does so in A32 code if the last instruction
// it translated was one of Thumb in an IT block. Any other of Thumb mends that.
static bool forgets(struct ue *e, uint32_t flags)
{
	if (e->arch != UC_ARCH_ARM)
		return false;
	bool was = e->thumbs;
	e->thumbs = flags & TB_THUMB;
	return was && !e->thumbs;
}

#define FAMILY(S, T) \
	/* What a translated block begins with (struct TranslationBlock). */ \
	struct head_##S { \
		T pc, cs_base; \
		uint32_t flags; \
		uint16_t size; \
	}; \
	REAL(int, cpu_exec_##S, (void *, void *)); \
	REAL(void, tlb_set_page_with_attrs_##S, (void *, T, uint64_t, uint32_t, int, int, T)); \
	REAL(void *, tb_gen_code_##S, (void *, T, T, uint32_t, int)); \
	CALLED(void, tlb_set_dirty_##S, (void *, T)); \
	REAL(void, tlb_flush_page_##S, (void *, T)); \
	CALLED(void, tlb_flush_##S, (void *)); \
	CALLED(void, cpu_loop_exit_##S, (void *)); \
	REAL(void, cpu_loop_exit_noexc_##S, (void *)); \
	CALLED(bool, cpu_restore_state_##S, (void *, uintptr_t, bool)); \
	static void flush_##S(void *cpu, uint64_t addr) { real_tlb_flush_page_##S(cpu, (T)addr); } \
	\
	/* The library forgets memory page by page, which is slow for many. */ \
	void NAME(tlb_flush_page_##S)(void *cpu, T addr) \
	{ \
		if (!ue_now.unmapping) \
			real_tlb_flush_page_##S(cpu, addr); \
	} \
	\
	/* A block that writes to its own code is left before the store, which runs \
	   again in a block of its own. */ \
	void NAME(cpu_loop_exit_noexc_##S)(void *cpu) \
	{ \
		if (ue_now.e != NULL) \
			ue_note_cut(ue_now.e); \
		real_cpu_loop_exit_noexc_##S(cpu); \
	} \
	\
	int NAME(cpu_exec_##S)(void *uc, void *cpu) \
	{ \
		struct ue *e = ue_now.e; \
		if (e == NULL || e->uc != uc) \
			return real_cpu_exec_##S(uc, cpu); \
		e->state = cpu; \
		if (!e->shim) \
			return real_cpu_exec_##S(uc, cpu); \
		ue_now.cpu = cpu; \
		__atomic_store_n(&e->cpu, cpu, __ATOMIC_SEQ_CST); \
		int r = EXCP_INTERRUPT; \
		if (e->idle) \
			uc_emu_stop(e->uc); \
		else if (e->hooked || !__atomic_load_n(&e->interrupt, __ATOMIC_SEQ_CST)) \
			r = real_cpu_exec_##S(uc, cpu); \
		ue_shim_left(e); \
		return r; \
	} \
	\
	void NAME(tlb_set_page_with_attrs_##S)(void *cpu, T vaddr, uint64_t paddr, uint32_t attrs, int prot, int mmu, T size) \
	{ \
		struct ue *e = ue_now.e; \
		bool on = e != NULL && e->shim; \
		count_fills++; \
		if (on && ++e->fills >= 4 * e->tlb && e->tlb < TLB_MOST) { \
			/* The library resizes its TLB only in a flush, and never flushes. */ \
			e->fills = 0; \
			if (e->tlb != 0) \
				real_tlb_flush_##S(cpu); \
			e->tlb = e->tlb ? 2 * e->tlb : TLB_FIRST; \
		} \
		if (on && e->widen) { \
			e->widen = false; \
			for (int i = 0; i < TLB_DOUBLINGS; i++) { \
				for (T page = 0; page < TLB_WIDE / 2; page++) \
					real_tlb_set_page_with_attrs_##S(cpu, vaddr ^ page << e->shift, paddr, attrs, PAGE_READ, mmu, size); \
				real_tlb_flush_##S(cpu); \
			} \
		} \
		uint32_t may = on ? ue_prot(e, vaddr) : 0; \
		if (on && !(may & UC_PROT_READ)) \
			prot &= ~PAGE_READ; /* each load finds out by itself */ \
		real_tlb_set_page_with_attrs_##S(cpu, vaddr, paddr, attrs, prot, mmu, size); \
		if ((may & UC_PROT_WRITE) && (prot & PAGE_WRITE) && !ue_pages_has(&e->marked, (uint64_t)vaddr >> e->shift)) \
			real_tlb_set_dirty_##S(cpu, vaddr); \
	} \
	\
	STATIC_FAMILY(S, T) \
	\
	void *NAME(tb_gen_code_##S)(void *cpu, T pc, T cs_base, uint32_t flags, int cflags) \
	{ \
		struct ue *e = ue_now.e; \
		uintptr_t ra = ue_now.ra; \
		count_translations++; \
		ue_now.ra = 0; /* fetches are not accesses of the instruction */ \
		ue_now.translating = true; \
		ue_now.tb = pc; \
		if (e != NULL && (uint64_t)pc - e->lone < e->missing - e->lone) \
			cflags = (cflags & ~CF_COUNT_MASK) | 1; \
		if (e != NULL && e->shim) { \
			/* The page is watched from now on: stores to it take the slow path. */ \
			mark(e, (uint64_t)pc >> e->shift, flush_##S, cpu); \
			ue_shim_translated(e, pc); \
			ue_sites_out(e); \
		} \
		if (e != NULL && forgets(e, flags)) \
			real_tb_gen_code_##S(cpu, pc, cs_base, (flags & ~0xffu) | TB_THUMB, (cflags & ~CF_COUNT_MASK) | 1); \
		struct head_##S *tb = real_tb_gen_code_##S(cpu, pc, cs_base, flags, cflags); \
		if (e != NULL && e->shim) { \
			ue_sites_in(e); \
			/* So is the next one, if the block reaches into it. */ \
			T last = pc + ((T)1 << e->shift); \
			if (tb->pc == pc && tb->cs_base == cs_base && tb->flags == flags && tb->size != 0) \
				last = pc + tb->size - 1; \
			if ((last ^ pc) >> e->shift) \
				mark(e, (uint64_t)last >> e->shift, flush_##S, cpu); \
		} \
		ue_now.ra = ra; \
		ue_now.translating = false; \
		return tb; \
	} \
	\
	/* The library looks for a request to leave the block after each access to \
	   memory, and loses the PC if there is one. Faults need no such request \
	   here, and a hook on each instruction stops at these. */ \
	REAL(void, check_exit_request_##S, (void *)); \
	void NAME(check_exit_request_##S)(void *tcg) \
	{ \
		struct ue *e = ue_now.e; \
		if (e != NULL && e->shim && !e->code_on) \
			checks |= 1u << ue_shim_kind(e); \
		else \
			real_check_exit_request_##S(tcg); \
	} \
	\
	STORE(S, T, uint8_t, helper_ret_stb_mmu) \
	STORE(S, T, uint16_t, helper_le_stw_mmu) \
	STORE(S, T, uint16_t, helper_be_stw_mmu) \
	STORE(S, T, uint32_t, helper_le_stl_mmu) \
	STORE(S, T, uint32_t, helper_be_stl_mmu) \
	STORE(S, T, uint64_t, helper_le_stq_mmu) \
	STORE(S, T, uint64_t, helper_be_stq_mmu) \
	LOAD(S, T, helper_ret_ldub_mmu) \
	LOAD(S, T, helper_le_lduw_mmu) \
	LOAD(S, T, helper_be_lduw_mmu) \
	LOAD(S, T, helper_le_ldul_mmu) \
	LOAD(S, T, helper_be_ldul_mmu) \
	LOAD(S, T, helper_le_ldq_mmu) \
	LOAD(S, T, helper_be_ldq_mmu) \
	CPU_LOAD(S, uint32_t, 1, cpu_ldub_mmuidx_ra, MMU_PARAMS(T), MMU_ARGS) \
	CPU_LOAD(S, int, 1, cpu_ldsb_mmuidx_ra, MMU_PARAMS(T), MMU_ARGS) \
	CPU_LOAD(S, uint32_t, 2, cpu_lduw_mmuidx_ra, MMU_PARAMS(T), MMU_ARGS) \
	CPU_LOAD(S, int, 2, cpu_ldsw_mmuidx_ra, MMU_PARAMS(T), MMU_ARGS) \
	CPU_LOAD(S, uint32_t, 4, cpu_ldl_mmuidx_ra, MMU_PARAMS(T), MMU_ARGS) \
	CPU_LOAD(S, uint64_t, 8, cpu_ldq_mmuidx_ra, MMU_PARAMS(T), MMU_ARGS) \
	CPU_STORE(S, 1, cpu_stb_mmuidx_ra, MMU_STORE_PARAMS(T, uint32_t), MMU_STORE_ARGS) \
	CPU_STORE(S, 2, cpu_stw_mmuidx_ra, MMU_STORE_PARAMS(T, uint32_t), MMU_STORE_ARGS) \
	CPU_STORE(S, 4, cpu_stl_mmuidx_ra, MMU_STORE_PARAMS(T, uint32_t), MMU_STORE_ARGS) \
	CPU_STORE(S, 8, cpu_stq_mmuidx_ra, MMU_STORE_PARAMS(T, uint64_t), MMU_STORE_ARGS) \
	\
	static bool bind_##S(void) \
	{ \
		return FIND(cpu_exec_##S) & FIND(tlb_set_page_with_attrs_##S) & FIND(tb_gen_code_##S) & \
		       FIND(tlb_set_dirty_##S) & FIND(tlb_flush_page_##S) & FIND(tlb_flush_##S) & \
		       FIND(cpu_loop_exit_##S) & FIND(cpu_loop_exit_noexc_##S) & FIND(cpu_restore_state_##S) & \
		       FIND(check_exit_request_##S) & \
		       FIND(helper_ret_stb_mmu_##S) & FIND(helper_le_stw_mmu_##S) & FIND(helper_be_stw_mmu_##S) & \
		       FIND(helper_le_stl_mmu_##S) & FIND(helper_be_stl_mmu_##S) & FIND(helper_le_stq_mmu_##S) & \
		       FIND(helper_be_stq_mmu_##S) & FIND(helper_ret_ldub_mmu_##S) & FIND(helper_le_lduw_mmu_##S) & \
		       FIND(helper_be_lduw_mmu_##S) & FIND(helper_le_ldul_mmu_##S) & FIND(helper_be_ldul_mmu_##S) & \
		       FIND(helper_le_ldq_mmu_##S) & FIND(helper_be_ldq_mmu_##S) & \
		       FIND(cpu_ldub_mmuidx_ra_##S) & FIND(cpu_ldsb_mmuidx_ra_##S) & FIND(cpu_lduw_mmuidx_ra_##S) & \
		       FIND(cpu_ldsw_mmuidx_ra_##S) & FIND(cpu_ldl_mmuidx_ra_##S) & FIND(cpu_ldq_mmuidx_ra_##S) & \
		       FIND(cpu_stb_mmuidx_ra_##S) & FIND(cpu_stw_mmuidx_ra_##S) & FIND(cpu_stl_mmuidx_ra_##S) & \
		       FIND(cpu_stq_mmuidx_ra_##S); \
	}

// QEMU's EXCP_INTERRUPT, which a run ends with when it was asked to.
#define EXCP_INTERRUPT 0x10000

// ue_shim_left is called when cpu_exec returns: at a block border, outside of
// translated code, a run that was asked to end can be stopped exactly.
static void ue_shim_left(struct ue *e)
{
	ue_now.ra = 0;
	ue_now.translating = false;
	ue_sites_in(e); // a fetch may have failed
	if (!e->stopped && !e->hooked && !e->idle && __atomic_exchange_n(&e->interrupt, 0, __ATOMIC_SEQ_CST)) {
		e->stopped = true;
		e->stop.kind = UE_INTERRUPT;
		e->stop.pc = 0; // ue_run reads the register
		uc_emu_stop(e->uc);
	}
}

FAMILY(x86_64, uint64_t)
FAMILY(arm, uint32_t)
FAMILY(aarch64, uint64_t)
FAMILY(ppc, uint32_t)
FAMILY(ppc64, uint64_t)

// ---- single repairs

// Port instructions do not fault in user mode as they should, and the hook
// for them does not know its instruction.
static void port_done(void)
{
	if (ue_now.e != NULL && ue_now.e->shim && ue_now.e->stopped)
		real_cpu_loop_exit_x86_64(ue_now.cpu);
}

#define PORT_IN(name) \
	REAL(uint64_t, name##_x86_64, (void *, uint32_t)); \
	uint64_t NAME(name##_x86_64)(void *env, uint32_t port) \
	{ \
		ue_now.ra = (uintptr_t)__builtin_return_address(0); \
		ue_shim_restore(); \
		uint64_t v = real_##name##_x86_64(env, port); \
		port_done(); \
		return v; \
	}
#define PORT_OUT(name) \
	REAL(void, name##_x86_64, (void *, uint32_t, uint32_t)); \
	void NAME(name##_x86_64)(void *env, uint32_t port, uint32_t data) \
	{ \
		ue_now.ra = (uintptr_t)__builtin_return_address(0); \
		ue_shim_restore(); \
		real_##name##_x86_64(env, port, data); \
		port_done(); \
	}
PORT_IN(helper_inb)
PORT_IN(helper_inw)
PORT_IN(helper_inl)
PORT_OUT(helper_outb)
PORT_OUT(helper_outw)
PORT_OUT(helper_outl)

// The time base of 2.0.1 crashes the process: it has no timer behind it.
uint32_t NAME(helper_load_tbl_ppc)(void *env) { return (uint32_t)timebase(); }
uint32_t NAME(helper_load_tbu_ppc)(void *env) { return (uint32_t)(timebase() >> 32); }
uint64_t NAME(helper_load_tbl_ppc64)(void *env) { return timebase(); }
uint64_t NAME(helper_load_tbu_ppc64)(void *env) { return timebase() >> 32; }

// The clocks and random numbers of a guest whose runs are to be alike. Shared
// libraries of 2.1 hide two of these functions and so call their own.

REAL(uint64_t, cpu_get_tsc_x86_64, (void *));
uint64_t NAME(cpu_get_tsc_x86_64)(void *env) { return now(); } // 1 GHz, as /proc/cpuinfo tells

REAL(int64_t, qemu_clock_get_ns, (int));
int64_t NAME(qemu_clock_get_ns)(int type)
{
	uint64_t ns;
	return ue_now_ns(&ns) ? (int64_t)ns : real_qemu_clock_get_ns(type);
}

REAL(int, qemu_guest_getrandom, (void *, size_t, void *));
int NAME(qemu_guest_getrandom)(void *buf, size_t len, void *err)
{
	struct ue *e = ue_now.e;
	if (e == NULL || !e->sliced)
		return real_qemu_guest_getrandom(buf, len, err);
	for (size_t i = 0; i < len; i++) {
		e->random = e->random * 6364136223846793005u + 1442695040888963407u;
		((uint8_t *)buf)[i] = e->random >> 56;
	}
	return 0;
}

// Instructions that Power ISA 3.0 made of mffs with something in its reserved
// fields are mffs on older processors. The library makes nothing of them there,
// and glibc reads the rounding mode by one.
REAL(uint32_t, cpu_ldl_code_ppc, (void *, uint32_t));
uint32_t NAME(cpu_ldl_code_ppc)(void *env, uint32_t addr)
{
	uint32_t insn = real_cpu_ldl_code_ppc(env, addr);
	if ((insn & 0xfc0007fe) == 0xfc00048e)
		insn &= ~0x001ff800u;
	return insn;
}

// YIELD and WFE are reported as undefined instructions of ARM. Their helpers
// stand at the end of a block with the PC already after them, so leaving the
// block is all there is to do.
#define WAIT(S, name) \
	REAL(void, name##_##S, (void *)); \
	void NAME(name##_##S)(void *env) \
	{ \
		if (ue_now.e == NULL || !ue_now.e->shim || ue_now.cpu == NULL) { \
			real_##name##_##S(env); \
			return; \
		} \
		real_cpu_loop_exit_##S(ue_now.cpu); \
	}
WAIT(arm, helper_yield)
WAIT(arm, helper_wfe)

// Instructions that reach memory with no hook called, or with some of their
// bytes only. They are noted before they run: the library's functions take
// their return address for the place in translated code, so ours end in a
// jump to them, which a call followed by anything is not.

// clears notes that a cache line is set to zero.
static void clears(uint64_t addr, int size)
{
	if (!tracing())
		return;
	uint32_t from = ue_now.e->nrec;
	for (int i = 0; i < size; i += 8)
		ue_note_access(ue_now.e, UE_REC_WRITE, addr + i, 8, 0);
	ue_quiet(ue_now.e, from);
}

static uint64_t masked(struct ue *e, uint64_t addr) { return e->mode & UC_MODE_PPC64 ? addr : (uint32_t)addr; }

// string_piece notes n bytes, up to 4, of a load or store of several words; a
// store has them in the high bytes of val.
static void string_piece(struct ue *e, int kind, uint64_t addr, int n, uint32_t val)
{
	uint8_t b[4];
	if (kind == UE_REC_READ) {
		if (uc_mem_read(e->uc, addr, b, n) != UC_ERR_OK)
			return; // it will fault
		val = 0;
		for (int i = 0; i < n; i++)
			val |= (uint32_t)b[i] << (24 - 8 * i);
	}
	if (n == 3) {
		ue_note_access(e, kind, addr, 2, val >> 16);
		ue_note_access(e, kind, masked(e, addr + 2), 1, val >> 8);
		return;
	}
	ue_note_access(e, kind, addr, n, val >> (32 - 8 * n));
}

// string notes nb bytes at addr, loaded to or stored from registers from reg on.
static void string(int kind, uint64_t addr, uint32_t nb, uint32_t reg)
{
	if (!tracing() || nb > 128)
		return;
	struct ue *e = ue_now.e;
	uint32_t from = e->nrec;
	for (uint32_t i = 0; i < nb; i += 4, reg = (reg + 1) & 31) {
		uint64_t v = 0;
		if (kind == UE_REC_WRITE)
			uc_reg_read(e->uc, UC_PPC_REG_0 + reg, &v);
		string_piece(e, kind, masked(e, addr + i), nb - i < 4 ? nb - i : 4, v);
	}
	ue_quiet(e, from);
}

// begins notes where in translated code a function of the library was called.
#define BEGINS() (ue_now.ra = (uintptr_t)__builtin_return_address(0))

#define CLEAR(S, T, name, line, args, call) \
	REAL(void, name##_##S, args); \
	void NAME(name##_##S) args \
	{ \
		clears((T)addr & ~(T)(line - 1), line); \
		BEGINS(); \
		real_##name##_##S call; \
	}

CLEAR(ppc, uint32_t, helper_dcbz, 32, (void *env, uint32_t addr, uint32_t op), (env, addr, op))
CLEAR(ppc64, uint64_t, helper_dcbz, 128, (void *env, uint64_t addr, uint32_t op), (env, addr, op))
CLEAR(aarch64, uint64_t, helper_dc_zva, 64, (void *env, uint64_t addr), (env, addr))

#define SEVERAL(S, T, name, kind, nb, first, args, call) \
	REAL(void, name##_##S, args); \
	void NAME(name##_##S) args \
	{ \
		string(kind, addr, nb, first); \
		BEGINS(); \
		real_##name##_##S call; \
	}
#define SEVERALS(S, T) \
	SEVERAL(S, T, helper_lmw, UE_REC_READ, 4 * (32 - reg), reg, (void *env, T addr, uint32_t reg), (env, addr, reg)) \
	SEVERAL(S, T, helper_stmw, UE_REC_WRITE, 4 * (32 - reg), reg, (void *env, T addr, uint32_t reg), (env, addr, reg)) \
	SEVERAL(S, T, helper_lsw, UE_REC_READ, nb, reg, (void *env, T addr, uint32_t nb, uint32_t reg), (env, addr, nb, reg)) \
	SEVERAL(S, T, helper_stsw, UE_REC_WRITE, nb, reg, (void *env, T addr, uint32_t nb, uint32_t reg), (env, addr, nb, reg)) \
	SEVERAL(S, T, helper_lswx, UE_REC_READ, lswx_bytes(), reg, \
		(void *env, T addr, uint32_t reg, uint32_t ra, uint32_t rb), (env, addr, reg, ra, rb))

// lswx_bytes is the count of LSWX, in the low bits of XER.
static uint32_t lswx_bytes(void)
{
	uint64_t v = 0;
	if (tracing())
		uc_reg_read(ue_now.e->uc, UC_PPC_REG_XER, &v);
	return v & 127;
}

SEVERALS(ppc, uint32_t)
SEVERALS(ppc64, uint64_t)

// cpu_exit is the same for all guests.
CALLED(void, cpu_exit, (void *));

static bool bind_several(void)
{
	return FIND(helper_lmw_ppc) & FIND(helper_stmw_ppc) & FIND(helper_lsw_ppc) & FIND(helper_stsw_ppc) & FIND(helper_lswx_ppc) &
	       FIND(helper_lmw_ppc64) & FIND(helper_stmw_ppc64) & FIND(helper_lsw_ppc64) & FIND(helper_stsw_ppc64) &
	       FIND(helper_lswx_ppc64);
}

static bool bind_more(void)
{
	return FIND(cpu_exit) & FIND(cpu_ldl_code_ppc) & FIND(helper_inb_x86_64) & FIND(helper_inw_x86_64) & FIND(helper_inl_x86_64) &
	       FIND(helper_outb_x86_64) & FIND(helper_outw_x86_64) & FIND(helper_outl_x86_64) &
	       FIND(helper_yield_arm) & FIND(helper_wfe_arm) &
	       FIND(helper_dcbz_ppc) & FIND(helper_dcbz_ppc64) & FIND(helper_dc_zva_aarch64) & bind_several();
}

// ---- by architecture

static bool restore_of(struct ue *e, uintptr_t ra)
{
	switch (e->arch) {
	case UC_ARCH_X86:
		return real_cpu_restore_state_x86_64(ue_now.cpu, ra, true);
	case UC_ARCH_ARM:
		return real_cpu_restore_state_arm(ue_now.cpu, ra, true);
	case UC_ARCH_ARM64:
		return real_cpu_restore_state_aarch64(ue_now.cpu, ra, true);
	case UC_ARCH_PPC:
		if (e->mode & UC_MODE_PPC64)
			return real_cpu_restore_state_ppc64(ue_now.cpu, ra, true);
		return real_cpu_restore_state_ppc(ue_now.cpu, ra, true);
	}
	return false;
}

void ue_shim_refill(struct ue *e, uint64_t addr)
{
	if (e->cpu == NULL)
		return;
	switch (e->arch) {
	case UC_ARCH_X86:
		return flush_x86_64(e->cpu, addr);
	case UC_ARCH_ARM:
		return flush_arm(e->cpu, addr);
	case UC_ARCH_ARM64:
		return flush_aarch64(e->cpu, addr);
	case UC_ARCH_PPC:
		if (e->mode & UC_MODE_PPC64)
			return flush_ppc64(e->cpu, addr);
		return flush_ppc(e->cpu, addr);
	}
}

void ue_shim_flush(struct ue *e)
{
	switch (e->arch) {
	case UC_ARCH_X86:
		return real_tlb_flush_x86_64(e->cpu);
	case UC_ARCH_ARM:
		return real_tlb_flush_arm(e->cpu);
	case UC_ARCH_ARM64:
		return real_tlb_flush_aarch64(e->cpu);
	case UC_ARCH_PPC:
		if (e->mode & UC_MODE_PPC64)
			return real_tlb_flush_ppc64(e->cpu);
		return real_tlb_flush_ppc(e->cpu);
	}
}

bool ue_shim_restore_at(uintptr_t ra) { return ra != 0 && restore_of(ue_now.e, ra); }

void ue_shim_leave(void)
{
	switch (ue_now.e->arch) {
	case UC_ARCH_X86:
		return real_cpu_loop_exit_x86_64(ue_now.cpu);
	case UC_ARCH_ARM:
		return real_cpu_loop_exit_arm(ue_now.cpu);
	case UC_ARCH_ARM64:
		return real_cpu_loop_exit_aarch64(ue_now.cpu);
	case UC_ARCH_PPC:
		if (ue_now.e->mode & UC_MODE_PPC64)
			return real_cpu_loop_exit_ppc64(ue_now.cpu);
		return real_cpu_loop_exit_ppc(ue_now.cpu);
	}
}

void ue_shim_restore(void)
{
	if (ue_now.ra != 0 && ue_now.cpu != NULL && ue_now.e != NULL && ue_now.e->shim)
		restore_of(ue_now.e, ue_now.ra);
	ue_now.ra = 0;
}

// ue_shim_exit makes the CPU leave translated code at the next block. Unlike
// uc_emu_stop it leaves the request to stop alone, which the library's memory
// functions look at in the middle of a block.
void ue_shim_exit(void *cpu) { real_cpu_exit(cpu); }

// The functions must be bound before any engine runs, since the library calls
// ours whether or not an engine wants the shim, and some may not be there.
static bool bound, determines, x86;

__attribute__((constructor)) static void bind_all(void)
{
	ue_float_bind();
	x86 = ue_x86_bind();
	ue_text_bind();
	ue_vex_bind();
	determines = FIND(cpu_get_tsc_x86_64) & FIND(qemu_clock_get_ns) & FIND(qemu_guest_getrandom);
	bound = bind_x86_64() & bind_arm() & bind_aarch64() & bind_ppc() & bind_ppc64() & bind_more();
}

bool ue_shim_bound(void) { return bound; }
bool ue_shim_determines(void) { return determines; }
bool ue_x86_bound(void) { return x86; }
