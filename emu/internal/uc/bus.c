// Memory of the host that ceases to be: a file that is mapped and cut short
// under the guest makes an access to its lost pages raise SIGBUS in translated
// code, which Go's handler cannot lay at a goroutine's door. The handler here
// comes first and makes a stop of it; every other SIGBUS is passed on.
//
// Go never installs its own handler for SIGBUS again after the start of the
// process (os/signal does not touch signals that are faults), so one that is
// put before it stays there.
#define _GNU_SOURCE
#include "engine.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define HOST_PAGE 4096ul

// FLUSH_PAGES is from how many pages on it is cheaper to flush all of a TLB.
#define FLUSH_PAGES 64

// ---- which memory of the host is the guest's

// forget takes [addr,addr+size) out of the list; there must be a free place.
static void forget(struct ue *e, uint64_t addr, uint64_t size)
{
	uint64_t last = addr + size - 1;
	for (uint32_t i = 0; i < e->nmaps; i++) {
		struct ue_map *m = &e->maps[i];
		uint64_t end = m->addr + m->size - 1;
		if (end < addr || m->addr > last)
			continue;
		struct ue_map head = *m, tail = *m;
		head.size = addr > m->addr ? addr - m->addr : 0;
		tail.size = last < end ? end - last : 0;
		tail.addr += m->size - tail.size;
		tail.host += m->size - tail.size;
		*m = head;
		if (head.size == 0)
			*m = tail;
		else if (tail.size != 0)
			e->maps[e->nmaps++] = tail;
		if (m->size == 0)
			*m-- = e->maps[--e->nmaps], i--;
	}
}

// room makes sure that the list has a free place.
static bool room(struct ue *e)
{
	if (e->nmaps < e->capmaps)
		return true;
	uint32_t n = e->capmaps ? 2 * e->capmaps : 64;
	struct ue_map *m = realloc(e->maps, n * sizeof *m);
	if (m == NULL)
		return false;
	e->maps = m;
	e->capmaps = n;
	return true;
}

uc_err ue_map(struct ue *e, uint64_t addr, uint64_t size, uint32_t prot, void *host)
{
	if (!room(e))
		return UC_ERR_NOMEM;
	uc_err r = uc_mem_map_ptr(e->uc, addr, size, prot, host);
	if (r == UC_ERR_OK)
		e->maps[e->nmaps++] = (struct ue_map){addr, size, (uintptr_t)host, prot};
	return r;
}

uc_err ue_unmap(struct ue *e, uint64_t addr, uint64_t size)
{
	if (!room(e))
		return UC_ERR_NOMEM;
	// A CPU that has not run has no TLB, and one without the shim none of ours.
	ue_now.unmapping = e->cpu != NULL && size >> e->shift > FLUSH_PAGES;
	uc_err r = uc_mem_unmap(e->uc, addr, size);
	if (ue_now.unmapping)
		ue_shim_flush(e);
	ue_now.unmapping = false;
	if (r == UC_ERR_OK && size != 0)
		forget(e, addr, size);
	return r;
}

uc_err ue_note_protect(struct ue *e, uint64_t addr, uint64_t size, uint32_t prot)
{
	for (uint64_t end = addr + size; addr < end;) {
		struct ue_map *m = e->maps;
		while (m < e->maps + e->nmaps && addr - m->addr >= m->size)
			m++;
		if (m == e->maps + e->nmaps)
			return UC_ERR_NOMEM;
		uint64_t off = addr - m->addr, n = end - addr < m->size - off ? end - addr : m->size - off;
		struct ue_map part = {addr, n, m->host + off, prot};
		if (!room(e))
			return UC_ERR_NOMEM;
		forget(e, addr, n);
		if (!room(e))
			return UC_ERR_NOMEM;
		e->maps[e->nmaps++] = part;
		addr += n;
	}
	return UC_ERR_OK;
}

// The library checks protections on the slow path of an access only, and takes
// the fast one for all kinds of access to a page that it has had one kind of.
uint32_t ue_prot(struct ue *e, uint64_t addr)
{
	if (e->hit < e->nmaps && addr - e->maps[e->hit].addr < e->maps[e->hit].size)
		return e->maps[e->hit].prot;
	for (uint32_t i = 0; i < e->nmaps; i++)
		if (addr - e->maps[i].addr < e->maps[i].size)
			return e->maps[e->hit = i].prot;
	return UC_PROT_NONE;
}

const uint8_t *ue_host(struct ue *e, uint64_t addr)
{
	if (ue_prot(e, addr) == UC_PROT_NONE)
		return NULL;
	const struct ue_map *m = &e->maps[e->hit];
	return (const uint8_t *)m->host + (addr - m->addr);
}

static bool guest_of(const struct ue *e, uintptr_t host, uint64_t *addr)
{
	for (uint32_t i = 0; i < e->nmaps; i++)
		if (host - e->maps[i].host < e->maps[i].size) {
			*addr = e->maps[i].addr + (host - e->maps[i].host);
			return true;
		}
	return false;
}

// ---- the signal

static struct sigaction outer;

static void stop_at(struct ue *e, uint64_t pc, uint64_t addr, int access)
{
	e->stopped = true;
	e->fast = false;
	e->stop.kind = UE_MEM;
	e->stop.bus = true;
	e->stop.pc = pc;
	e->stop.addr = addr;
	e->stop.size = 1;
	e->stop.access = access;
	e->stop.between = access == 4;
}

// leaves ends the run before the instruction, if it can be told which one it
// is: translated code is left as the library itself leaves it, by a long jump.
static bool leaves(struct ue *e, uint64_t addr, int access, const ucontext_t *u)
{
	if (ue_now.cpu == NULL || e->stopped)
		return false;
	if (ue_now.translating) {
		stop_at(e, ue_now.tb, addr, 4);
	} else {
		// The library takes addresses in translated code for those behind a
		// call, which it looks two bytes before.
		if (!ue_shim_restore_at(u->uc_mcontext.gregs[REG_RIP] + 2) && !ue_shim_restore_at(ue_now.ra))
			return false;
		uint64_t pc = 0;
		uc_reg_read(e->uc, e->pcreg, &pc);
		stop_at(e, pc, addr, access);
	}
	ue_now.ra = 0;
	ue_now.translating = false;
	uc_emu_stop(e->uc);
	pthread_sigmask(SIG_SETMASK, &u->uc_sigmask, NULL);
	ue_shim_leave();
	return true;
}

// replaces puts a page of zeros where there is none, so that what is under way
// comes to an end, and has the run stopped after it.
static bool replaces(struct ue *e, uintptr_t host, uint64_t addr, int access)
{
	void *at = (void *)(host & ~(HOST_PAGE - 1));
	if (e->nlost < UE_LOST) {
		// The lost page waits elsewhere for the end of the run.
		void *kept = mremap(at, HOST_PAGE, HOST_PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
				    mmap(NULL, HOST_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
		if (kept != MAP_FAILED)
			e->lost[e->nlost++] = (struct ue_lost){at, kept};
	}
	if (mmap(at, HOST_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		return false;
	if (e->stopped)
		return true;
	uint64_t pc = e->at;
	if (ue_now.translating) {
		pc = ue_now.tb;
		access = 4;
	}
	stop_at(e, pc, addr, access);
	if (e->fault != NULL) {
		e->restore = uc_context_save(e->uc, e->fault) == UC_ERR_OK;
	} else {
		e->stop.late = true;
		uc_emu_stop(e->uc);
	}
	return true;
}

void ue_lost_again(struct ue *e)
{
	while (e->nlost > 0) {
		struct ue_lost l = e->lost[--e->nlost];
		mremap(l.kept, HOST_PAGE, HOST_PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, l.at);
	}
}

static void on_sigbus(int sig, siginfo_t *info, void *ctx)
{
	const ucontext_t *u = ctx;
	struct ue *e = ue_now.e;
	uint64_t addr;
	if (e != NULL && info->si_code > 0 && guest_of(e, (uintptr_t)info->si_addr, &addr)) {
		// Bit 1 of a page fault's error code tells a write.
		int access = u->uc_mcontext.gregs[REG_ERR] & 2 ? 2 : 1;
		if (leaves(e, addr, access, u) || replaces(e, (uintptr_t)info->si_addr, addr, access))
			return;
	}
	if (outer.sa_flags & SA_SIGINFO) {
		outer.sa_sigaction(sig, info, ctx);
		return;
	}
	if (outer.sa_handler != SIG_DFL && outer.sa_handler != SIG_IGN) {
		outer.sa_handler(sig);
		return;
	}
	sigaction(SIGBUS, &outer, NULL); // the access is made again and ends the process
}

static void install(void)
{
	struct sigaction a = {0};
	if (sigaction(SIGBUS, NULL, &outer) != 0)
		return;
	// Go asks of handlers in its process that they run on its own stack for
	// signals.
	a.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
	a.sa_sigaction = on_sigbus;
	a.sa_mask = outer.sa_mask;
	sigaction(SIGBUS, &a, NULL);
}

void ue_guard(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, install);
}
