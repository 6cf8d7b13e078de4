// The C side of package uc: an engine of libunicorn with hooks that note why
// the guest stopped and stop it. No function here calls Go.
#ifndef UTEMU_ENGINE_H
#define UTEMU_ENGINE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <unicorn/unicorn.h>

// Why a run ended; uc.go has the same list.
enum {
	UE_END, UE_INTR, UE_SYSCALL, UE_SYSENTER, UE_INOUT, UE_INVALID, UE_MEM,
	UE_LIMIT, UE_BREAK, UE_TAKEN, UE_INTERRUPT, UE_FULL, UE_WATCH, UE_PLANTED,
	UE_UNHOOK, // the run goes on without the hook on each instruction
	UE_SINGLE  // the block is to go on by single instructions
};

// How a run is bounded, beside its number of instructions and its stops: it ends
// after a taken branch; after the instruction at a stop.
enum { UE_HOW_TAKEN = 1, UE_HOW_PAST = 2 };

struct ue_stop {
	int32_t kind;
	int32_t intno;
	int32_t size;   // of a memory access
	int32_t access; // 1 read, 2 write, 4 fetch
	int32_t between; // the block entered last has run to its end
	int32_t bus;     // the host has no page behind the memory accessed
	int32_t late;    // noted before the run could be stopped: pc is to be read at its end
	uint64_t pc;
	uint64_t addr;
	uint64_t insns;  // executed, when they were counted
	uint64_t status; // ARM, of a run that is parked: CPSR
};

// A set of pages, as bitmaps of 64 pages in an open hash table.
struct ue_pages {
	uint64_t *key, *bits; // key+1, 0 for a free place
	uint32_t cap, used;
};

bool ue_pages_has(const struct ue_pages *s, uint64_t page);
void ue_pages_add(struct ue_pages *s, uint64_t page);
void ue_pages_free(struct ue_pages *s);

// One entry of the trace ring.
struct ue_rec {
	uint64_t a;    // address
	uint64_t v;    // value
	uint16_t kind; // UE_REC_*
	uint16_t size;
	uint32_t id;   // block or register
};

enum {
	UE_REC_DEF = 1, // block id: size bytes of code at a; v is state_of at its start; the bytes follow
	UE_REC_BYTES,   // up to 16 bytes of code in a and v
	UE_REC_BLOCK,   // block id was entered
	UE_REC_INSN,    // the instruction at a is about to run, in block id
	UE_REC_REG,     // register id (index in the list) is v now
	UE_REC_READ,    // size bytes at a were read: v
	UE_REC_WRITE,   // size bytes at a are written: v
	UE_REC_CUT,     // the block entered last ran up to a only and left by itself
	UE_REC_BLOCKS   // v blocks were entered, whose ids are at a in the host
};

enum { UE_TRACE_BLOCK = 1, UE_TRACE_INSN = 2, UE_TRACE_REG = 4, UE_TRACE_MEM = 8 };

#define UE_RING (1 << 16)
#define UE_RESERVE 4096 // places kept free for what one instruction or block can add
#define UE_IDS (1 << 16)
#define UE_SPARE 64 // places for the ids of blocks that a late stop lets run
#define UE_QUICK (1 << 12)
#define UE_REGS 64
#define UE_WATCHES 16

struct ue_block {
	uint64_t pc;
	uint8_t *code;
	uint32_t id, size, state;
	bool used, stale;
	bool mixed;   // entered in several states
	bool watched; // an address that is watched lies in it
};

// A block as on_block mostly meets it: nothing has changed.
struct ue_quick {
	uint64_t pc;
	uint32_t size, id;
};

struct ue_cpuid { uint32_t leaf, sub, r[4]; };

// Memory of the guest.
struct ue_map { uint64_t addr, size; uintptr_t host; uint32_t prot; };

// A breakpoint instruction in memory that the host has planted for a short time.
// The hook on each instruction stops before it, and what is translated has the
// instruction that it stands on: so nothing needs to be translated anew.
struct ue_site {
	uint64_t at;
	uint8_t *host;
	uint8_t code[8], old[8];
	uint32_t n;
	bool out; // not in memory while a block is translated
};
#define UE_SITES 8

// Of the thread that runs an engine: used by the shim, whose functions get
// no pointer of ours.
struct ue_thread {
	struct ue *e;
	void *cpu;
	uintptr_t ra; // return address in translated code of the access under way
	bool translating;
	bool unmapping; // the TLB is flushed as a whole afterwards
	uint64_t tb;  // what is being translated
};
extern __thread struct ue_thread ue_now;

// A page that its file does not have any more, and where it is kept while a
// page of zeros is in its place for the rest of a run.
struct ue_lost { void *at, *kept; };
#define UE_LOST 16

struct ue {
	uc_engine *uc;
	int arch, mode, pcreg;
	int shift;        // log2 of the size of the engine's pages
	bool shim;        // the shim is in effect
	bool hooked;      // there is a hook on each instruction
	bool idle;        // this run is to end before its first instruction
	struct ue_stop stop;
	bool stopped;
	uint64_t at;      // with a hook on each instruction: the one that runs
	int interrupt;    // somebody asked for a stop
	pthread_mutex_t lock; // between ue_interrupt and changes of hooked
	void *cpu;        // CPUState, once known, with the shim
	void *state;      // the same, without it too
	uc_context *fault; // stock engine: registers at the first fault of a run
	bool restore;
	uint64_t it; // the last IT instruction of Thumb that a hook has seen
	uint64_t translations; // of blocks, with the shim

	uc_hook code, block, mem;
	bool code_on, block_on, mem_on;

	// A block that could not be translated because a page it falls into is
	// missing: its instructions from lone to missing are translated one by one.
	uint64_t lone, missing;
	bool redo;   // the instruction that runs was cut short and is run again
	bool thumbs; // ARM: the block translated last was Thumb code

	// limits of this run
	uint64_t limit, count;
	const uint64_t *stops;
	uint32_t nstops;
	bool taken, first, counting;
	bool past, passing_by; // stops are for after instructions; the one that runs is such
	uint64_t next; // address after the instruction that runs

	// A run on a stack of its own, park.c. It is parked inside of the hook on
	// each instruction, before the one at stop.pc, or of that for exceptions;
	// unpark has it end there.
	bool parked, unpark;
	bool at_exception; // parked in the hook for exceptions, where registers but the PC can be set
	bool wrote; // to a page with code: the run is not to go on with the block it is in
	void *stack, *inner, *outer; // where the run's stack and its caller's were left
	size_t stack_size;
	uint64_t start; // where the run begins
	uc_err result;
	struct ue_thread now; // ue_now of the run while it is parked

	struct ue_site sites[UE_SITES];
	uint32_t nsites;
	uint32_t linger; // so many instructions more the hook stays where nobody needs it

	// A slice of a schedule: it ends when so many branches have been taken and so
	// many instructions have run behind the last of them. Both are properties of
	// the program, unlike blocks.
	bool sliced;
	uint64_t slice, tail;
	uint64_t slice_end;       // on the clock that the branches advance
	uint64_t line_end;        // where the block entered last ends
	uint64_t random;          // state of the generator behind instructions like RDRAND
	bool ending;              // the branches are used up
	uint64_t part, part_end;  // code that is translated in single instructions to that end

	// shim
	struct ue_pages marked; // pages code was translated from
	uint32_t fills, tlb;    // fills since the last growth, assumed entries
	uint64_t conflicts;     // slow loads without a fill since it was last made wider
	uint8_t widened;        // how often that was
	bool widen;             // with the next fill

	// trace
	// Floating point exceptions of x86 that are not masked, floatx86.c.
	bool unmasked;
	uint8_t xmm[16 * 64]; // before the instruction that runs

	// Floating point of 64-bit PowerPC, float.c.
	bool computed;  // there has been some where it is wrong
	uint64_t fpscr; // as float.c left it

	int trace;
	bool muted; // what runs is not the guest's
	struct ue_rec *ring;
	uint32_t nrec;
	// Where only blocks are traced their ids are collected here.
	uint32_t *ids, nids, ids_from; // from ids_from on there is no record of them yet
	struct ue_quick *quick;
	uint8_t *block_code; // where code is read to
	bool fast; // blocks found in quick need no more looks
	bool accessed; // a hook has seen the access under way
	bool quiet;    // the accesses of this instruction have been noted from index quiet_at on
	uint32_t quiet_at;
	uint32_t at_size; // of the instruction that runs
	bool at_new;      // no instruction of the block entered last has run
	uint64_t watch[UE_WATCHES], passed; // passed is the watched block to let through
	uint32_t nwatch;
	bool passing, reached; // reached: the block entered holds a watched address
	struct ue_block *blocks;
	uint64_t last_end; // of the block entered last
	bool entered;      // a block has been, in this run
	bool noted;        // no instruction has run since the registers were looked at
	uint32_t nblocks, capblocks, defined, cur;
	int regs[UE_REGS], nregs;
	uint64_t regval[UE_REGS];

	struct ue_map *maps;
	uint32_t nmaps, capmaps;
	uint32_t hit; // the one that ue_prot found last
	struct ue_lost lost[UE_LOST];
	int nlost;

	struct ue_cpuid *cpuid;
	int ncpuid;

	// The state of the CPU, for states that are saved without what lies between
	// skip and skip_to, state.c. NULL if they are whole.
	uint8_t *env;
	uint32_t state_size, skip, skip_to;
	uint32_t head; // of its image, before it
	bool looked;
};

// A saved state: one of the two.
struct ue_saved {
	uc_context *whole;
	uint8_t *part;
};

uc_err ue_open(struct ue **out, int arch, int mode, int model, bool shim);
uc_err ue_close(struct ue *e);
uc_err ue_run(struct ue *e, uint64_t pc, uint64_t limit, const uint64_t *stops, uint32_t nstops, int how);
// ue_run_on goes on with a run that is parked; there must be a limit, unless it
// is parked at an exception.
uc_err ue_run_on(struct ue *e, uint64_t limit, const uint64_t *stops, uint32_t nstops, int how);
// ue_goes_on tells whether a run that is parked at an exception can go on, without
// limits.
bool ue_goes_on(struct ue *e);
uc_err ue_drive(struct ue *e); // from start on until the run ends
// ue_now_ns is the time on the clock of a guest in slices, else false.
bool ue_now_ns(uint64_t *ns);
#define UE_TICK 10 // nanoseconds that a branch takes on it
void ue_interrupt(struct ue *e);

// Parked runs, park.c.
uc_err ue_run_apart(struct ue *e); // ue_drive on a stack of its own: e->parked, or it has ended
void ue_go_on(struct ue *e);       // the same from where it is parked
bool ue_park(struct ue *e);        // called by the run: it is true where the run is to go on
bool ue_park_at_exception(struct ue *e, int kind, uint64_t pc); // the same at an exception
void ue_unpark(struct ue *e);      // ends a parked run
void ue_stack_free(struct ue *e);
uc_err ue_get(struct ue *e, int *ids, uint64_t *vals, int n);
uc_err ue_set(struct ue *e, int *ids, uint64_t *vals, int n);
uc_err ue_set_reg(struct ue *e, int id, uint64_t v);

// Saved states, state.c.
uc_err ue_save(struct ue *e, struct ue_saved *s);
uc_err ue_restore(struct ue *e, const struct ue_saved *s); // of the engine that saved it last
uint8_t *ue_saved_at(struct ue *e, struct ue_saved *s, uint32_t off); // place off of the image
void ue_saved_free(struct ue_saved *s); // s too

uc_err ue_map(struct ue *e, uint64_t addr, uint64_t size, uint32_t prot, void *host);
// ue_prot is the protection of the page at addr.
uint32_t ue_prot(struct ue *e, uint64_t addr);
// ue_host is where the byte at addr is, NULL if it is not mapped.
const uint8_t *ue_host(struct ue *e, uint64_t addr);
// ue_note_protect tells ue_prot of a change.
uc_err ue_note_protect(struct ue *e, uint64_t addr, uint64_t size, uint32_t prot);
uc_err ue_unmap(struct ue *e, uint64_t addr, uint64_t size);
void ue_lost_again(struct ue *e); // puts the lost pages of a run back into their places
void ue_guard(void); // makes stops of the host's SIGBUS in memory of a guest
uc_err ue_protect(struct ue *e, uint64_t addr, uint64_t size, uint32_t prot);
void ue_drop(struct ue *e, uint64_t addr, uint64_t size); // forgets the translations of [addr,addr+size)
bool ue_has_code(struct ue *e, uint64_t addr, uint64_t size);
void ue_drop_all(struct ue *e); // all of them
int ue_add_cpuid(struct ue *e, const struct ue_cpuid *c);
uc_err ue_set_trace(struct ue *e, int flags, const int *regs, int nregs, const uint64_t *watch, int nwatch);

// Planted breakpoints, site.c.
bool ue_plant(struct ue *e, uint64_t at, uint8_t *host, const uint8_t *code, uint32_t n); // false if there are too many
void ue_lift(struct ue *e, uint64_t at);     // takes one out, unless the guest has written over it
void ue_sites_real(struct ue *e);            // makes them breakpoint instructions like any other
bool ue_planted(const struct ue *e, uint64_t pc);
void ue_sites_out(struct ue *e);             // for as long as a block is translated
void ue_sites_in(struct ue *e);

// The shim, shim.c.
bool ue_shim_bound(void);                        // all of the library's functions were found
bool ue_shim_determines(void);                   // and those that ask the machine for time and random numbers
bool ue_x86_bound(void);                         // those of floatx86.c
void ue_shim_exit(void *cpu);                    // asks a run to end at the next block, which is exact if
bool ue_float_shared(void); // the two PowerPCs have one floating point
void ue_float_wrong(bool);  // which cannot be mended
bool ue_shim_exits(const struct ue *e);
bool ue_shim_restore_at(uintptr_t ra);           // registers as at an address of translated code, if it is one
void ue_shim_leave(void);                        // leaves translated code, does not return
void ue_shim_restore(void);                      // registers as before the access under way
void ue_shim_translated(struct ue *e, uint64_t pc);
void ue_shim_refill(struct ue *e, uint64_t addr); // the page is not watched for writes any more
void ue_shim_flush(struct ue *e); // the TLB
void ue_shim_counts(uint64_t *loads, uint64_t *stores, uint64_t *fills, uint64_t *translations);

// Floating point of x86, floatx86.c: where in the state of a CPU its parts lie.
struct ue_x86_places {
	bool found;
	uint32_t env;              // from the CPU on, the others from env on
	uint32_t mxcsr, fpsw, fpcw; // registers
	uint32_t sse, x87;         // exceptions collected
	uint32_t top, tags;        // of the stack
	uint32_t st, st_size;      // its registers, and how far one is from the next
	uint32_t xmm;              // registers of SSE
};
void ue_x86_found(const struct ue_x86_places *p);
uint32_t ue_x86_env(struct ue *e);
bool ue_x86_unmasked(struct ue *e); // tells whether there are exceptions that trap
enum { UE_X86_MF = 16, UE_X86_XM = 19 };
bool ue_x86_raised(struct ue *e); // tells whether the instruction before was to be #XM, which it takes back
bool ue_x86_due(struct ue *e, uint64_t pc); // tells whether the one at pc is #MF; else it is about to run
void ue_hook_again(struct ue *e); // leaves translated code at the PC, to go on with a hook on each instruction
void ue_x86_take(struct ue *e); // brings what has been raised to MXCSR and the status word
bool ue_x86_decode(struct ue *e, uint32_t edx, uint32_t ecx, uint32_t more);

// Trace records from the shim.
void ue_note_access(struct ue *e, int kind, uint64_t addr, int size, uint64_t v);
void ue_note_blocks(struct ue *e); // makes a record of the ids that have none
void ue_note_cut(struct ue *e);   // translated code is left in mid-block, at the PC
void ue_quiet(struct ue *e, uint32_t from); // the accesses of this instruction have been noted, from ring index from on

#endif
