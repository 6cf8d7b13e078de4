// Which pages hold code that was translated, and how it is forgotten.
#include "engine.h"

#include <stdlib.h>

// ---- sets of pages

static uint32_t slot(const struct ue_pages *s, uint64_t k)
{
	uint32_t i = (uint32_t)((k * 0x9e3779b97f4a7c15ull) >> 32) & (s->cap - 1);
	while (s->key[i] != 0 && s->key[i] != k + 1)
		i = (i + 1) & (s->cap - 1);
	return i;
}

bool ue_pages_has(const struct ue_pages *s, uint64_t page)
{
	if (s->cap == 0)
		return false;
	uint32_t i = slot(s, page >> 6);
	return s->key[i] != 0 && (s->bits[i] >> (page & 63) & 1);
}

static void grow(struct ue_pages *s)
{
	struct ue_pages n = {.cap = s->cap ? 2 * s->cap : 64, .used = s->used};
	n.key = calloc(n.cap, sizeof *n.key);
	n.bits = calloc(n.cap, sizeof *n.bits);
	if (n.key == NULL || n.bits == NULL)
		abort();
	for (uint32_t i = 0; i < s->cap; i++)
		if (s->key[i] != 0) {
			uint32_t j = slot(&n, s->key[i] - 1);
			n.key[j] = s->key[i];
			n.bits[j] = s->bits[i];
		}
	free(s->key);
	free(s->bits);
	*s = n;
}

void ue_pages_add(struct ue_pages *s, uint64_t page)
{
	if (s->used * 2 >= s->cap)
		grow(s);
	uint32_t i = slot(s, page >> 6);
	if (s->key[i] == 0) {
		s->key[i] = (page >> 6) + 1;
		s->used++;
	}
	s->bits[i] |= 1ull << (page & 63);
}

void ue_pages_free(struct ue_pages *s)
{
	free(s->key);
	free(s->bits);
}

// within is the part of the bits of group k that lies in pages first to last.
static uint64_t within(uint64_t k, uint64_t first, uint64_t last)
{
	if (first >> 6 > k || last >> 6 < k)
		return 0;
	uint64_t m = ~0ull;
	if (first >> 6 == k)
		m &= ~0ull << (first & 63);
	if (last >> 6 == k)
		m &= ~0ull >> (63 - (last & 63));
	return m;
}

// each calls f for the groups of s that have pages from first to last, with
// the bits of these; f returns the bits to keep of them, and whether to go on.
// A guest may name ranges of any size, so the smaller of range and set is
// walked.
static void each(struct ue_pages *s, uint64_t first, uint64_t last,
	bool (*f)(void *p, uint64_t group, uint64_t *bits), void *p)
{
	if (s->cap == 0)
		return;
	bool walk = (last >> 6) - (first >> 6) >= s->cap;
	uint64_t n = walk ? s->cap : (last >> 6) - (first >> 6) + 1;
	for (uint64_t j = 0; j < n; j++) {
		uint32_t i = walk ? j : slot(s, (first >> 6) + j);
		if (s->key[i] == 0)
			continue;
		uint64_t mask = within(s->key[i] - 1, first, last);
		uint64_t bits = s->bits[i] & mask;
		if (bits == 0)
			continue;
		bool on = f(p, s->key[i] - 1, &bits);
		s->bits[i] = (s->bits[i] & ~mask) | bits;
		if (!on)
			return;
	}
}

// ---- translations

struct drop {
	struct ue *e;
	uint64_t addr, last;
};

// drop_group forgets what lies in the pages of a group. A page that lies in
// the range whole need not be watched for writes any more.
static bool drop_group(void *p, uint64_t group, uint64_t *bits)
{
	struct drop *d = p;
	int shift = d->e->shift;
	for (uint64_t b = *bits; b != 0; b &= b - 1) {
		uint64_t a = (group << 6 | (uint64_t)__builtin_ctzll(b)) << shift;
		uint64_t z = a + (1ull << shift) - 1;
		uint64_t from = a < d->addr ? d->addr : a, to = z > d->last ? d->last : z;
		uc_ctl_remove_cache(d->e->uc, from, to + 1);
		if (from == a && to == z) {
			*bits &= ~(b & -b);
			ue_shim_refill(d->e, a);
		}
	}
	return true;
}

// drop_stock forgets by mappings, since the library takes the start of a range
// for all of it. It reads the page for that, without looking at its protection,
// so only pages are touched that may have been executed.
static void drop_stock(struct ue *e, uint64_t addr, uint64_t last)
{
	for (uint32_t i = 0; i < e->nmaps; i++) {
		const struct ue_map *m = &e->maps[i];
		uint64_t end = m->addr + m->size - 1;
		if (!(m->prot & UC_PROT_EXEC) || end < addr || m->addr > last)
			continue;
		uint64_t from = m->addr < addr ? addr : m->addr, to = end > last ? last : end;
		uc_ctl_remove_cache(e->uc, from, to + 1);
	}
}

void ue_drop(struct ue *e, uint64_t addr, uint64_t size)
{
	struct drop d = {e, addr, addr + size - 1};
	if (e->parked && ue_has_code(e, addr, size))
		ue_unpark(e);
	if (!e->shim)
		drop_stock(e, addr, d.last);
	else
		each(&e->marked, addr >> e->shift, d.last >> e->shift, drop_group, &d);
}

static bool found(void *p, uint64_t group, uint64_t *bits)
{
	*(bool *)p = true;
	return false;
}

bool ue_has_code(struct ue *e, uint64_t addr, uint64_t size)
{
	bool has = !e->shim;
	if (e->shim)
		each(&e->marked, addr >> e->shift, (addr + size - 1) >> e->shift, found, &has);
	return has;
}

// The library's own flush takes seconds in 2.0.1.
void ue_drop_all(struct ue *e) { ue_drop(e, 0, ~(uint64_t)0); }
