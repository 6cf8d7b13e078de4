// Parked runs. A run that the hook on each instruction stops need not end: it
// has a stack of its own and waits on it, inside the hook, before the next
// instruction. A run that goes on from there costs a change of stacks, a tenth
// of what it takes the library to end a run and to begin another. Whatever
// else is to be done with the engine ends the parked run first.
//
// A run that comes to an exception waits in the hook for that: most are system
// calls, behind which it goes on. There the block has been left, so registers
// can be set.
#include "engine.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define STACK (1 << 20)

// ue_swap keeps what a function has to keep on the stack, changes to another
// and goes on there.
__asm__(
	".text\n"
	".type ue_swap,@function\n"
	"ue_swap:\n"
	"	pushq %rbp\n"
	"	pushq %rbx\n"
	"	pushq %r12\n"
	"	pushq %r13\n"
	"	pushq %r14\n"
	"	pushq %r15\n"
	"	movq %rsp, (%rdi)\n"
	"	movq %rsi, %rsp\n"
	"	popq %r15\n"
	"	popq %r14\n"
	"	popq %r13\n"
	"	popq %r12\n"
	"	popq %rbx\n"
	"	popq %rbp\n"
	"	ret\n"
	".size ue_swap,.-ue_swap\n"
	// The first frame of a stack: its function's argument is in rbx.
	".type ue_begin,@function\n"
	"ue_begin:\n"
	"	movq %rbx, %rdi\n"
	"	call *%rbp\n"
	"	ud2\n"
	".size ue_begin,.-ue_begin\n");

void ue_swap(void **from, void *to);
void ue_begin(void);

// body makes the runs, one after the other.
static void body(struct ue *e)
{
	for (;;) {
		e->result = ue_drive(e);
		ue_swap(&e->inner, e->outer);
	}
}

// stack makes the stack, with a page below that nothing may touch.
static bool stack(struct ue *e)
{
	size_t page = sysconf(_SC_PAGESIZE);
	char *m = mmap(NULL, STACK + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (m == MAP_FAILED)
		return false;
	mprotect(m, page, PROT_NONE);
	e->stack = m;
	e->stack_size = STACK + page;
	void **top = (void **)(m + e->stack_size) - 2; // ue_begin calls from an aligned place
	*--top = (void *)ue_begin;
	*--top = (void *)body; // rbp
	*--top = e;            // rbx
	top -= 4;
	e->inner = top;
	return true;
}

void ue_stack_free(struct ue *e)
{
	if (e->stack != NULL)
		munmap(e->stack, e->stack_size);
}

// enter goes on with the run on its stack, until it is parked or has ended. It
// may do so in another thread than before.
static void enter(struct ue *e)
{
	struct ue_thread outer = ue_now;
	ue_now = e->now;
	ue_swap(&e->outer, e->inner);
	e->now = ue_now;
	ue_now = outer;
}

uc_err ue_run_apart(struct ue *e)
{
	e->now = (struct ue_thread){.e = e};
	if (e->stack == NULL && !stack(e)) {
		struct ue_thread outer = ue_now;
		ue_now = e->now;
		uc_err r = ue_drive(e);
		ue_now = outer;
		return r;
	}
	enter(e);
	return e->result;
}

bool ue_park(struct ue *e)
{
	if (e->stack == NULL || !e->shim || e->trace != 0 || e->wrote)
		return false;
	e->parked = true;
	ue_x86_take(e);
	ue_swap(&e->inner, e->outer);
	return !e->unpark;
}

bool ue_park_at_exception(struct ue *e, int kind, uint64_t pc)
{
	if (e->sliced || e->nlost != 0)
		return false;
	e->wrote = false; // what the block has written to is left
	e->stop.kind = kind;
	e->stop.pc = pc;
	e->at_exception = true;
	bool on = ue_park(e);
	e->at_exception = false;
	return on;
}

void ue_go_on(struct ue *e)
{
	e->parked = false;
	enter(e);
}

void ue_unpark(struct ue *e)
{
	if (!e->parked)
		return;
	e->unpark = true;
	ue_go_on(e);
	e->unpark = false;
	e->lone = e->missing = 0;
	ue_lost_again(e);
}
