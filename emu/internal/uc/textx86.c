// The text instructions of SSE4.2 that look for a string in another (PCMPESTRI
// and its kin, aggregation "equal ordered"). The library does not see a string
// that the end of the other cuts off, and takes an empty one for none. Which
// places match is found out here; the library gets operands and an aggregation
// that give these places, so that the rest of the instruction is its own.
#include "shim.h"

#include <string.h>

// The immediate operand.
enum { WORDS = 1, AGGREGATION = 3 << 2, ORDERED = 3 << 2, EACH = 2 << 2, ANY = 0, POLARITY = 3 << 4, NEGATIVE = 1 << 4, MASKED = 3 << 4, WIDE = 0x100 };

// A register, as large as the library's is at most.
union text {
	uint8_t b[64];
	uint16_t w[32];
};

static uint32_t at(const union text *t, uint32_t imm, int i) { return imm & WORDS ? t->w[i] : t->b[i]; }

static void put(union text *t, uint32_t imm, int i, uint16_t v)
{
	if (imm & WORDS)
		t->w[i] = v;
	else
		t->b[i] = v;
}

// implicit is the length of a text that ends with 0, explicit one that a
// register holds.
static int implicit(const union text *t, uint32_t imm, int most)
{
	int n = 0;
	while (n < most && at(t, imm, n) != 0)
		n++;
	return n;
}

static int explicit(const uint64_t *reg, uint32_t imm, int most)
{
	int64_t n = imm & WIDE ? (int64_t)*reg : (int32_t)*reg;
	return n > most || n < -most ? most : n < 0 ? -n : n;
}

// matches tells whether what, of n, is at a place in a text of m, or begins there
// where the register ends.
static bool matches(const union text *what, int n, const union text *in, int m, uint32_t imm, int place, int most)
{
	for (int i = 0; i < n && place + i < most; i++)
		if (place + i >= m || at(what, imm, i) != at(in, imm, place + i))
			return false;
	return true;
}

// ordered makes the operands, and returns the immediate, that give the places.
static uint32_t ordered(union text *what, int n, union text *in, int m, uint32_t imm, int most)
{
	union text out = {{0}};
	if (n == 0) { // it is everywhere
		uint32_t rest = imm & ~(AGGREGATION | POLARITY);
		switch (imm & POLARITY) {
		case MASKED:
			return rest | EACH;
		case NEGATIVE:
			return rest;
		}
		return rest | NEGATIVE;
	}
	for (int i = 0; i < m; i++)
		put(&out, imm, i, matches(what, n, in, m, imm, i, most) ? 1 : 2);
	for (int i = 0; i < n; i++)
		put(what, imm, i, 1);
	*in = out;
	return (imm & ~AGGREGATION) | ANY;
}

#define TEXT(name, n, m) \
	MAYBE(void, name##_x86_64, (void *, void *, void *, uint32_t)); \
	void NAME(name##_x86_64)(void *env, void *d, void *s, uint32_t imm) \
	{ \
		union text what, in; \
		if ((imm & AGGREGATION) != ORDERED) { \
			real_##name##_x86_64(env, d, s, imm); \
			return; \
		} \
		int most = imm & WORDS ? 8 : 16; \
		memcpy(&what, d, 16); \
		memcpy(&in, s, 16); \
		imm = ordered(&what, n, &in, m, imm, most); \
		real_##name##_x86_64(env, &what, &in, imm); \
	}
enum { RAX = 0, RDX = 2 }; // the first of the CPU's state are its registers
#define REG(n) ((const uint64_t *)env + n)
#define EXPLICIT(name) TEXT(name, explicit(REG(RAX), imm, most), explicit(REG(RDX), imm, most))
#define IMPLICIT(name) TEXT(name, implicit(&what, imm, most), implicit(&in, imm, most))
EXPLICIT(helper_pcmpestri_xmm)
EXPLICIT(helper_pcmpestrm_xmm)
IMPLICIT(helper_pcmpistri_xmm)
IMPLICIT(helper_pcmpistrm_xmm)

void ue_text_bind(void)
{
	(void)(FIND(helper_pcmpestri_xmm_x86_64) && FIND(helper_pcmpestrm_xmm_x86_64) && FIND(helper_pcmpistri_xmm_x86_64) && FIND(helper_pcmpistrm_xmm_x86_64));
}
