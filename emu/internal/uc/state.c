// Saved states of a CPU. The library copies a state as a whole, of which most is,
// on PowerPC, a table of what special registers do: 64 KiB that never change
// once the CPU has been made. Tasks that take turns on a CPU need the rest only.
//
// The table is known by the names in it, and all that it holds must look like
// it; the state of the CPU in memory is what is like its image. Where one of them
// is not found, states are whole.
#define _GNU_SOURCE
#include "engine.h"

#include <link.h>
#include <stdlib.h>
#include <string.h>

// An entry of the table (struct ppc_spr_t): six functions, a name and a value.
enum { ENTRY = 64, FUNCTIONS = 6, ENTRIES = 1024 };

// From this entry on the 64-bit CPU of 2.0.1 has the status of its floating
// point, in entries of registers that no processor has: see float.c.
enum { STATUS = 896 };

// Where the table lies in the image of a state, by kind of guest: 32 and 64 bits.
static struct table { uint32_t from, to; } tables[2];
static bool tried[2];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

// The object that the library is in.
struct object { uintptr_t within, from, to; };

static int find_object(struct dl_phdr_info *d, size_t size, void *p)
{
	struct object *o = p;
	uintptr_t from = UINTPTR_MAX, to = 0;
	for (int i = 0; i < d->dlpi_phnum; i++) {
		const ElfW(Phdr) *h = &d->dlpi_phdr[i];
		if (h->p_type != PT_LOAD)
			continue;
		uintptr_t a = d->dlpi_addr + h->p_vaddr;
		from = a < from ? a : from;
		to = a + h->p_filesz > to ? a + h->p_filesz : to;
	}
	if (o->within < from || o->within >= to)
		return 0;
	o->from = from;
	o->to = to;
	return 1;
}

static uint64_t word(const uint8_t *b)
{
	uint64_t v;
	memcpy(&v, b, sizeof v);
	return v;
}

static bool inside(const struct object *o, uint64_t p) { return p >= o->from && p < o->to - 8; }

static bool named(const struct object *o, const uint8_t *entry, const char *name)
{
	uint64_t p = word(entry + 8 * FUNCTIONS);
	return inside(o, p) && strcmp((const char *)(uintptr_t)p, name) == 0;
}

static bool is_table(const struct object *o, const uint8_t *b)
{
	if (!named(o, b + 8 * ENTRY, "LR") || !named(o, b + 1 * ENTRY, "XER") || !named(o, b + 9 * ENTRY, "CTR"))
		return false;
	for (int i = 0; i < STATUS; i++)
		for (int j = 0; j <= FUNCTIONS; j++) {
			uint64_t p = word(b + ENTRY * i + 8 * j);
			if (p != 0 && !inside(o, p))
				return false;
		}
	return true;
}

// find_table looks for the table in an image, once for each kind of guest.
static const struct table *find_table(struct ue *e, const uint8_t *image, uint32_t size)
{
	bool wide = e->mode & UC_MODE_PPC64;
	struct table *t = &tables[wide];
	struct object o = {.within = (uintptr_t)uc_strerror(UC_ERR_OK)};
	pthread_mutex_lock(&lock);
	if (!tried[wide] && dl_iterate_phdr(find_object, &o))
		for (uint32_t i = 0; i + ENTRY * ENTRIES <= size && t->to == 0; i += 8)
			if (is_table(&o, image + i))
				*t = (struct table){i, i + ENTRY * (wide && ue_float_shared() ? STATUS : ENTRIES)};
	tried[wide] = true;
	pthread_mutex_unlock(&lock);
	return t->to != 0 ? t : NULL;
}

// find_state finds the state in memory: the CPU has a pointer to what is like
// its image up to the table. The image begins with something else, of which the
// library knows only.
static void find_state(struct ue *e, const struct table *t, const uint8_t *image)
{
	enum { HEAD = 128, NEAR = 1 << 17 };
	const uint8_t *cpu = e->state;
	for (uint32_t i = 0; i < NEAR / 2; i += 8) {
		uint64_t p = word(cpu + i);
		if (p <= (uintptr_t)cpu + i || p >= (uintptr_t)cpu + NEAR)
			continue;
		for (uint32_t head = 8; head <= HEAD; head += 8)
			if (memcmp((void *)(uintptr_t)p, image + head, t->from - head) == 0) {
				e->env = (uint8_t *)(uintptr_t)p;
				e->head = head;
				return;
			}
	}
}

// look looks for what copies without the table need; whole is the state as it is.
static void look(struct ue *e, const uc_context *whole)
{
	e->looked = true;
	const struct table *t = find_table(e, (const uint8_t *)whole, uc_context_size(e->uc));
	if (t == NULL)
		return;
	find_state(e, t, (const uint8_t *)whole);
	if (e->env == NULL)
		return;
	e->state_size = uc_context_size(e->uc) - e->head;
	e->skip = t->from - e->head;
	e->skip_to = t->to - e->head;
}

static uc_err save_whole(struct ue *e, struct ue_saved *s)
{
	if (s->whole == NULL) {
		uc_err r = uc_context_alloc(e->uc, &s->whole);
		if (r != UC_ERR_OK)
			return r;
	}
	return uc_context_save(e->uc, s->whole);
}

uc_err ue_save(struct ue *e, struct ue_saved *s)
{
	if (e->env == NULL) {
		uc_err r = save_whole(e, s);
		if (r != UC_ERR_OK || e->arch != UC_ARCH_PPC || e->looked || e->state == NULL)
			return r;
		look(e, s->whole);
		if (e->env == NULL)
			return UC_ERR_OK;
	}
	if (s->part == NULL && (s->part = malloc(e->state_size - (e->skip_to - e->skip))) == NULL)
		return UC_ERR_NOMEM;
	memcpy(s->part, e->env, e->skip);
	memcpy(s->part + e->skip, e->env + e->skip_to, e->state_size - e->skip_to);
	if (s->whole != NULL)
		uc_context_free(s->whole);
	s->whole = NULL;
	return UC_ERR_OK;
}

uc_err ue_restore(struct ue *e, const struct ue_saved *s)
{
	if (s->whole != NULL)
		return uc_context_restore(e->uc, s->whole);
	if (s->part == NULL || e->env == NULL)
		return UC_ERR_ARG;
	memcpy(e->env, s->part, e->skip);
	memcpy(e->env + e->skip_to, s->part + e->skip, e->state_size - e->skip_to);
	return UC_ERR_OK;
}

uint8_t *ue_saved_at(struct ue *e, struct ue_saved *s, uint32_t off)
{
	if (s->whole != NULL)
		return (uint8_t *)s->whole + off;
	off -= e->head;
	return s->part + (off < e->skip ? off : off - (e->skip_to - e->skip));
}

void ue_saved_free(struct ue_saved *s)
{
	if (s->whole != NULL)
		uc_context_free(s->whole);
	free(s->part);
	free(s);
}
