/* Libraries that are loaded at run time. */
#include "t.h"

#include <dlfcn.h>
#include <link.h>

__attribute__((visibility("default"))) int host_value(int n) { return n * 2; }

static int count(struct dl_phdr_info *i, size_t size, void *p)
{
	(void)size;
	int *n = p;
	if (i->dlpi_phnum > 0)
		++*n;
	return 0;
}

static int (*local_plugin)(int);

int main(int argc, char **argv)
{
	enter(argc, argv);
	MUST(argc > 2);
	int before = 0, after = 0;
	dl_iterate_phdr(count, &before);
	CHECK(dlopen("/none.so", RTLD_NOW) == NULL);
	printf("%s\n", dlerror());
	void *h = dlopen(argv[2], RTLD_LAZY);
	if (h == NULL) {
		printf("%s\n", dlerror());
		return 1;
	}
	dl_iterate_phdr(count, &after);
	CHECK(after == before + 1);
	*(void **)&local_plugin = dlsym(h, "plugin");
	MUST(local_plugin != NULL);
	printf("%d\n", local_plugin(1));
	printf("%d\n", local_plugin(2));
	int *shared = dlsym(h, "shared");
	CHECK(shared && *shared == 7);
	CHECK(dlsym(h, "hidden") == NULL && dlerror() != NULL);
	Dl_info info;
	CHECK(dladdr((void *)local_plugin, &info) != 0 && strcmp(info.dli_sname, "plugin") == 0);
	CHECK(dlopen(argv[2], RTLD_LAZY | RTLD_NOLOAD) == h && dlclose(h) == 0);
	double (*root)(double);
	void *m = dlopen("libm.so.6", RTLD_NOW | RTLD_GLOBAL);
	MUST(m != NULL);
	*(void **)&root = dlsym(m, "floor");
	CHECK(root != NULL && dlsym(RTLD_DEFAULT, "printf") != NULL);
	CHECK(dlsym(RTLD_DEFAULT, "plugin") == NULL);
	CHECK(dlclose(h) == 0);
	after = 0;
	h = dlopen(argv[2], RTLD_NOW | RTLD_GLOBAL);
	MUST(h != NULL);
	*(void **)&local_plugin = dlsym(RTLD_DEFAULT, "plugin");
	printf("%d\n", local_plugin(3));
	return done();
}
