// Breakpoint instructions that stand in memory for a step.
#include "engine.h"

#include <string.h>

static bool there(const struct ue_site *s) { return memcmp(s->host, s->code, s->n) == 0; }

bool ue_plant(struct ue *e, uint64_t at, uint8_t *host, const uint8_t *code, uint32_t n)
{
	if (e->nsites == UE_SITES || n > sizeof e->sites[0].code || !e->shim)
		return false;
	struct ue_site *s = &e->sites[e->nsites++];
	*s = (struct ue_site){.at = at, .host = host, .n = n};
	memcpy(s->code, code, n);
	memcpy(s->old, host, n);
	memcpy(host, code, n);
	return true;
}

void ue_lift(struct ue *e, uint64_t at)
{
	for (uint32_t i = 0; i < e->nsites; i++) {
		struct ue_site *s = &e->sites[i];
		if (s->at != at)
			continue;
		if (there(s))
			memcpy(s->host, s->old, s->n);
		*s = e->sites[--e->nsites];
		return;
	}
}

void ue_sites_real(struct ue *e)
{
	while (e->nsites > 0) {
		struct ue_site *s = &e->sites[--e->nsites];
		ue_drop(e, s->at, s->n);
	}
}

bool ue_planted(const struct ue *e, uint64_t pc)
{
	for (uint32_t i = 0; i < e->nsites; i++)
		if (e->sites[i].at == pc && there(&e->sites[i]))
			return true;
	return false;
}

void ue_sites_out(struct ue *e)
{
	for (uint32_t i = 0; i < e->nsites; i++) {
		struct ue_site *s = &e->sites[i];
		s->out = there(s);
		if (s->out)
			memcpy(s->host, s->old, s->n);
	}
}

void ue_sites_in(struct ue *e)
{
	for (uint32_t i = 0; i < e->nsites; i++) {
		struct ue_site *s = &e->sites[i];
		if (s->out)
			memcpy(s->host, s->code, s->n);
		s->out = false;
	}
}
