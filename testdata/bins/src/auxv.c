/* The auxiliary vector. Without an argument, what must hold of it; with one,
   the entries as they lie, in hexadecimal. */
#include "utemu.h"
#include <linux/elf.h>
#include <linux/auxvec.h>

#ifndef AT_DCACHEBSIZE /* PowerPC has it */
#define AT_DCACHEBSIZE 19
#endif

#if __SIZEOF_POINTER__ == 8
typedef Elf64_Phdr Phdr;
#else
typedef Elf32_Phdr Phdr;
#endif
extern char _start[];

#ifdef __thumb__
#define NAME "auxv-thumb"
#else
#define NAME "auxv"
#endif

static word *aux;

static word *entry(unsigned type)
{
	for (word *a = aux; a[0]; a += 2)
		if (a[0] == type)
			return a + 1;
	return 0;
}

static int is(unsigned type, word v)
{
	word *p = entry(type);
	return p && *p == v;
}

static int raw(void)
{
	for (word *a = aux; a[0]; a += 2) {
		print_dec(a[0]);
		put(' ');
		print_hex(a[1]);
		put('\n');
	}
	flush();
	return 0;
}

static int same_tail(const char *path, const char *name)
{
	const char *tail = path;
	for (; *path; path++)
		if (*path == '/')
			tail = path + 1;
	return equal(tail, name);
}

int program(word *sp)
{
	int failed = 0, loads = 0, once = 1, inside = 0;
	char **envp = (char **)sp + sp[0] + 2;
	while (*envp)
		envp++;
	aux = (word *)(envp + 1);
	if (sp[0] > 1)
		return raw();
	for (word *a = aux; a[0]; a += 2)
		for (word *b = a + 2; b[0]; b += 2)
			if (a[0] == b[0] && a[0] != 22 /* AT_IGNOREPPC */)
				once = 0;
	CHECK("each entry once", once);
	CHECK("stack aligned", ((uintptr_t)sp & 15) == 0);
	CHECK("page size", is(AT_PAGESZ, 4096));
	CHECK("clock ticks", is(AT_CLKTCK, 100));
	CHECK("no interpreter", is(AT_BASE, 0));
	CHECK("entry point", is(AT_ENTRY, (word)_start));
	CHECK("flags", is(AT_FLAGS, 0));
	CHECK("not set-id", is(AT_SECURE, 0));
	CHECK("ids", is(AT_UID, sc(__NR_getuid)) && is(AT_EUID, sc(__NR_geteuid)) && is(AT_GID, sc(__NR_getgid)) && is(AT_EGID, sc(__NR_getegid)));
	CHECK("header size", is(AT_PHENT, sizeof(Phdr)));
	Phdr *ph = entry(AT_PHDR) ? (Phdr *)*entry(AT_PHDR) : 0;
	int n = entry(AT_PHNUM) ? *entry(AT_PHNUM) : 0;
	for (int i = 0; ph && i < n; i++)
		if (ph[i].p_type == PT_LOAD) {
			loads++;
			inside |= (uintptr_t)program - ph[i].p_vaddr < ph[i].p_memsz && (ph[i].p_flags & PF_X);
		}
	CHECK("headers", loads > 0 && (inside || sizeof(word) == 8));
	word *r = entry(AT_RANDOM);
	int any = 0;
	for (int i = 0; r && i < 16; i++)
		any |= ((uint8_t *)*r)[i];
	CHECK("random bytes", any);
	CHECK("file name", entry(AT_EXECFN) && same_tail((char *)*entry(AT_EXECFN), NAME));
#if defined(__powerpc__)
	CHECK("cache blocks", entry(AT_DCACHEBSIZE) && *entry(AT_DCACHEBSIZE) >= 16 && entry(AT_ICACHEBSIZE) && entry(AT_UCACHEBSIZE));
	CHECK("hardware", entry(AT_HWCAP) && (*entry(AT_HWCAP) & (sizeof(word) == 8 ? 0xc0000000 : 0x80000000)));
	CHECK("platform", 1);
#elif defined(__i386__)
	CHECK("cache blocks", !entry(AT_DCACHEBSIZE));
	CHECK("hardware", entry(AT_HWCAP) && (*entry(AT_HWCAP) & 0x8011) == 0x8011);
	CHECK("platform", entry(AT_PLATFORM) && equal((char *)*entry(AT_PLATFORM), "i686"));
#elif defined(__x86_64__)
	CHECK("cache blocks", !entry(AT_DCACHEBSIZE));
	CHECK("hardware", entry(AT_HWCAP) && (*entry(AT_HWCAP) & 0x7008011) == 0x7008011);
	CHECK("platform", entry(AT_PLATFORM) && equal((char *)*entry(AT_PLATFORM), "x86_64"));
#elif defined(__arm__)
	/* swp is optional: half, thumb, fast multiplication, vfp are not. */
	CHECK("cache blocks", !entry(AT_DCACHEBSIZE));
	CHECK("hardware", entry(AT_HWCAP) && (*entry(AT_HWCAP) & 0x56) == 0x56);
	CHECK("platform", entry(AT_PLATFORM) && ((char *)*entry(AT_PLATFORM))[0] == 'v');
#else
	CHECK("cache blocks", !entry(AT_DCACHEBSIZE));
	CHECK("hardware", entry(AT_HWCAP) && (*entry(AT_HWCAP) & 3) == 3);
	CHECK("platform", entry(AT_PLATFORM) && equal((char *)*entry(AT_PLATFORM), "aarch64"));
#endif
	return failed;
}
