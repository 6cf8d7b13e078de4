// The bare loop that utemu run is measured against: the same library, shim and
// hooks (emu/internal/uc, whose C files are compiled in), but no Go. It runs
// the static freestanding programs of testdata/bins and knows the few system
// calls that those for measurements make.
//
//	bare ARCH MODEL PROGRAM ARGS...
//
// MODEL is libunicorn's number of the CPU model, -1 for its default.
#define _GNU_SOURCE
#include "engine.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define STACK (1ul << 20)
#define PAGE 4095ul

struct kind {
	const char *name;
	int arch, mode;
	int sp, nr, ret, args[3];
	int write, exit, exit_group, getppid;
	int intno; // of the exception, if it is one
	int skip; // from the PC of a stop to the instruction after the call
};

static const struct kind kinds[] = {
	{"i386", UC_ARCH_X86, UC_MODE_32, UC_X86_REG_ESP, UC_X86_REG_EAX, UC_X86_REG_EAX,
		{UC_X86_REG_EBX, UC_X86_REG_ECX, UC_X86_REG_EDX}, 4, 1, 252, 64, 0x80, 0},
	{"x86_64", UC_ARCH_X86, UC_MODE_64, UC_X86_REG_RSP, UC_X86_REG_RAX, UC_X86_REG_RAX,
		{UC_X86_REG_RDI, UC_X86_REG_RSI, UC_X86_REG_RDX}, 1, 60, 231, 110, 0, 2},
	{"arm", UC_ARCH_ARM, UC_MODE_ARM, UC_ARM_REG_SP, UC_ARM_REG_R7, UC_ARM_REG_R0,
		{UC_ARM_REG_R0, UC_ARM_REG_R1, UC_ARM_REG_R2}, 4, 1, 248, 64, 2, 0},
	{"aarch64", UC_ARCH_ARM64, UC_MODE_ARM, UC_ARM64_REG_SP, UC_ARM64_REG_X8, UC_ARM64_REG_X0,
		{UC_ARM64_REG_X0, UC_ARM64_REG_X1, UC_ARM64_REG_X2}, 64, 93, 94, 173, 2, 0},
	{"ppc", UC_ARCH_PPC, UC_MODE_PPC32 | UC_MODE_BIG_ENDIAN, UC_PPC_REG_1, UC_PPC_REG_0, UC_PPC_REG_3,
		{UC_PPC_REG_3, UC_PPC_REG_4, UC_PPC_REG_5}, 4, 1, 234, 64, 8, 0},
	{"ppc64", UC_ARCH_PPC, UC_MODE_PPC64 | UC_MODE_BIG_ENDIAN, UC_PPC_REG_1, UC_PPC_REG_0, UC_PPC_REG_3,
		{UC_PPC_REG_3, UC_PPC_REG_4, UC_PPC_REG_5}, 4, 1, 234, 64, 8, 0},
};

static const struct kind *k;
static struct ue *e;
static bool big, wide;

static void die(const char *what)
{
	fprintf(stderr, "bare: %s\n", what);
	exit(125);
}

static void check(uc_err r, const char *what)
{
	if (r != UC_ERR_OK) {
		fprintf(stderr, "bare: %s: %s\n", what, uc_strerror(r));
		exit(125);
	}
}

static uint64_t get(int reg)
{
	uint64_t v = 0;
	check(uc_reg_read(e->uc, reg, &v), "register");
	return v;
}

static void set(int reg, uint64_t v) { check(uc_reg_write(e->uc, reg, &v), "register"); }

// number is n bytes at p in the guest's order.
static uint64_t number(const uint8_t *p, int n)
{
	uint64_t v = 0;
	for (int i = 0; i < n; i++)
		v |= (uint64_t)p[i] << 8 * (big ? n - 1 - i : i);
	return v;
}

static void put(uint64_t addr, uint64_t v)
{
	uint8_t b[8];
	int n = wide ? 8 : 4;
	for (int i = 0; i < n; i++)
		b[i] = v >> 8 * (big ? n - 1 - i : i);
	check(uc_mem_write(e->uc, addr, b, n), "stack");
}

static uint8_t *map(uint64_t addr, uint64_t size, uint32_t prot)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		die("no memory");
	check(ue_map(e, addr, size, prot, p), "map");
	return p;
}

static uint32_t prot_of(uint64_t flags)
{
	return (flags & PF_R ? UC_PROT_READ : 0) | (flags & PF_W ? UC_PROT_WRITE : 0) | (flags & PF_X ? UC_PROT_EXEC : 0);
}

// load maps the program and returns its entry point.
static uint64_t load(const uint8_t *f, size_t size)
{
	wide = f[EI_CLASS] == ELFCLASS64;
	big = f[EI_DATA] == ELFDATA2MSB;
	uint64_t entry = number(f + 24, wide ? 8 : 4);
	const uint8_t *ph = f + number(f + (wide ? 32 : 28), wide ? 8 : 4);
	int phsize = number(f + (wide ? 54 : 42), 2), n = number(f + (wide ? 56 : 44), 2);
	for (int i = 0; i < n; i++, ph += phsize) {
		if (number(ph, 4) != PT_LOAD)
			continue;
		int w = wide ? 8 : 4;
		uint64_t off = number(ph + w, w), addr = number(ph + 2 * w, w);
		uint64_t filesz = number(ph + 4 * w, w), memsz = number(ph + 5 * w, w);
		uint64_t flags = number(ph + (wide ? 4 : 24), 4);
		if (filesz > 0 && off + filesz > size)
			die("the program is cut short");
		uint64_t from = addr & ~PAGE, to = (addr + memsz + PAGE) & ~PAGE;
		uint8_t *p = map(from, to - from, prot_of(flags));
		memcpy(p + (addr - from), f + off, filesz);
	}
	if (k->arch != UC_ARCH_PPC || !wide)
		return entry;
	uint8_t desc[16]; // of a function: code, TOC
	check(uc_mem_read(e->uc, entry, desc, sizeof desc), "entry");
	set(UC_PPC_REG_2, number(desc + 8, 8));
	return number(desc, 8);
}

// arguments builds the stack: argc, argv, no environment, no auxv.
static void arguments(int argc, char **argv)
{
	uint64_t top = wide ? 0x4000800000 : 0x40800000;
	map(top - STACK, STACK, UC_PROT_READ | UC_PROT_WRITE);
	uint64_t at = top, w = wide ? 8 : 4, where[16] = {0};
	if (argc > 15)
		die("too many arguments");
	for (int i = 0; i < argc; i++) {
		at -= strlen(argv[i]) + 1;
		check(uc_mem_write(e->uc, at, argv[i], strlen(argv[i]) + 1), "stack");
		where[i] = at;
	}
	at = (at - (argc + 8) * w) & ~63ul;
	set(k->sp, at);
	put(at, argc);
	for (int i = 0; i <= argc; i++)
		put(at + (i + 1) * w, where[i]);
}

static uint64_t call(void)
{
	uint64_t nr = get(k->nr) & 0xffffffff, a = get(k->args[0]), b = get(k->args[1]), c = get(k->args[2]);
	static char buf[4096];
	if (nr == (uint64_t)k->exit || nr == (uint64_t)k->exit_group)
		exit((int)a & 0xff);
	if (nr == (uint64_t)k->getppid)
		return getppid();
	if (nr != (uint64_t)k->write || c > sizeof buf)
		die("a system call that it does not know");
	check(uc_mem_read(e->uc, wide ? b : b & 0xffffffff, buf, c), "write");
	return write((int)a, buf, c);
}

// hypervisor sets HV in the MSR of a 64-bit PowerPC, without which addresses are
// translated by tables that nobody has made. A write of the register drops the
// bit; the saved context holds it where two values of MSR are found in turn.
static void hypervisor(void)
{
	const uint64_t vals[2] = {1ull << 63 | 1 << 13, 1ull << 63 | 1 << 13 | 1 << 25}, hv = 1ull << 60;
	size_t n = uc_context_size(e->uc);
	uc_context *c[2];
	for (int i = 0; i < 2; i++) {
		set(UC_PPC_REG_MSR, vals[i]);
		check(uc_context_alloc(e->uc, &c[i]), "context");
		check(uc_context_save(e->uc, c[i]), "context");
	}
	for (size_t i = 0; i + 8 <= n; i += 8) {
		uint64_t v[2];
		for (int j = 0; j < 2; j++)
			memcpy(&v[j], (char *)c[j] + i, 8);
		if (v[0] != vals[0] || v[1] != vals[1])
			continue;
		v[1] |= hv;
		memcpy((char *)c[1] + i, &v[1], 8);
		break; // what follows it may have the same value, but is no register
	}
	check(uc_context_restore(e->uc, c[1]), "context");
	set(UC_PPC_REG_MSR, vals[1]);
	if (get(UC_PPC_REG_MSR) != (vals[1] | hv))
		die("no 64-bit mode");
	for (int i = 0; i < 2; i++)
		uc_context_free(c[i]);
}

// start makes an engine with the program in it and returns where it begins.
static uint64_t start(int model, const uint8_t *f, size_t size, int argc, char **argv)
{
	check(ue_open(&e, k->arch, k->mode, model, true), "open");
	if (k->mode & UC_MODE_PPC64 && k->arch == UC_ARCH_PPC)
		hypervisor();
	uint64_t pc = load(f, size);
	arguments(argc, argv);
	return pc;
}

// probe runs the program without arguments to its first stop: the shim has
// seen then how blocks of these guests look, and leaves a hook on each of them
// away from now on, as after utemu's self-test.
static void probe(int model, const uint8_t *f, size_t size, char **argv)
{
	check(ue_run(e, start(model, f, size, 1, argv), 0, NULL, 0, false), "probe");
	check(ue_close(e), "close");
}

int main(int argc, char **argv)
{
	if (argc < 4)
		die("usage: bare ARCH MODEL PROGRAM ARGS...");
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(kinds[i].name, argv[1]) == 0)
			k = &kinds[i];
	int fd = open(argv[3], O_RDONLY);
	struct stat st;
	if (k == NULL || fd < 0 || fstat(fd, &st) != 0)
		die("no such program or architecture");
	const uint8_t *f = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (f == MAP_FAILED || !ue_shim_bound())
		die("no shim, or no such file");
	probe(atoi(argv[2]), f, st.st_size, argv + 3);
	uint64_t pc = start(atoi(argv[2]), f, st.st_size, argc - 3, argv + 3);
	for (;;) {
		check(ue_run(e, pc, 0, NULL, 0, false), "run");
		if (e->stop.kind != UE_SYSCALL && (e->stop.kind != UE_INTR || e->stop.intno != k->intno)) {
			fprintf(stderr, "bare: stop %d, %d, at %#lx, address %#lx\n", e->stop.kind, e->stop.intno, e->stop.pc, e->stop.addr);
			return 125;
		}
		pc = e->stop.pc + k->skip;
		set(k->ret, call());
	}
}
