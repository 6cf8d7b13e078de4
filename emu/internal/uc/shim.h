// What the files of the shim share.
#ifndef UTEMU_SHIM_H
#define UTEMU_SHIM_H

#define _GNU_SOURCE
#include "engine.h"

#ifndef UTEMU_STATIC
#include <dlfcn.h>
#endif

// REAL declares the library's function of a name that one of ours takes the
// place of, CALLED one that is only called; FIND binds them. NAME is what ours
// is called: in a dynamic library its functions are found by the name that they
// have there, in a static one by ld's --wrap, see static_cgo.go. MAYBE is REAL of what only
// some versions have.
#ifdef UTEMU_STATIC
#define NAME(name) __wrap_##name
#define REAL(ret, name, args) extern ret __real_##name args; static ret (*real_##name) args = __real_##name
#define MAYBE(ret, name, args) extern ret __real_##name args __attribute__((weak)); static ret (*real_##name) args = __real_##name
#define CALLED(ret, name, args) extern ret name args; static ret (*real_##name) args = name
#define FIND(name) (real_##name != NULL)
#else
#define NAME(name) name
#define REAL(ret, name, args) static ret (*real_##name) args
#define MAYBE REAL
#define CALLED REAL
#define FIND(name) ((real_##name = dlsym(RTLD_NEXT, #name)) != NULL)
#endif

void ue_float_bind(void); // float.c
bool ue_x86_bind(void);   // floatx86.c
void ue_text_bind(void);  // textx86.c
void ue_vex_bind(void);   // vexx86.c

#endif
