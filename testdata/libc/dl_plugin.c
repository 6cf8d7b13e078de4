/* What dl.c loads. */
#include <stdio.h>

__thread int counter = 100;
static int loaded;
int shared = 7;
extern int host_value(int);

__attribute__((constructor)) static void up(void) { loaded = 1; }
__attribute__((destructor)) static void down(void) { puts("plugin unloaded"); }

int plugin(int n) { return host_value(n) + loaded * 1000 + ++counter; }
__attribute__((visibility("hidden"))) int hidden(void) { return 1; }
static int one(void) { return 11; }
static int (*resolve(void))(void) { return one; }
int indirect(void) __attribute__((ifunc("resolve")));
