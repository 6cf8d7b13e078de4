/*
 * What the programs of this folder share. A program prints one line for each
 * thing it checks and the same text on every architecture, so that the native
 * run is the reference for all. It ends with status 1 if a check failed.
 */
#ifndef T_H
#define T_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static int failures __attribute__((unused));

/* ename is the name of an errno. */
static inline const char *ename(int e)
{
	const char *n = e ? strerrorname_np(e) : "0";
	return n ? n : "?";
}

#define T_FAIL(...) \
	(failures++, printf("FAIL %s:%d: ", __FILE__, __LINE__), printf(__VA_ARGS__), printf(" (errno %s)\n", ename(errno)))

/* CHECK wants cond to hold. */
#define CHECK(cond) \
	do { \
		errno = 0; \
		if (cond) \
			printf("ok %s\n", #cond); \
		else \
			T_FAIL("%s", #cond); \
	} while (0)

/* ERR wants call to return -1 (or a null pointer cast to long) with errno e. */
#define ERR(e, call) \
	do { \
		errno = 0; \
		long r_ = (long)(call); \
		if ((r_ == -1 || r_ == 0) && errno == (e)) \
			printf("ok %s %s\n", #e, #call); \
		else \
			T_FAIL("%s = %ld, want %s", #call, r_, #e); \
	} while (0)

/* MUST is for what the rest needs: the program ends if it fails. */
#define MUST(cond) \
	do { \
		errno = 0; \
		if (!(cond)) { \
			T_FAIL("%s", #cond); \
			exit(1); \
		} \
	} while (0)

/* enter goes to the folder that the first argument names, where the program
 * may write. */
static inline void enter(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	MUST(argc > 1);
	MUST(chdir(argv[1]) == 0);
	umask(022);
}

/* put makes a file of the given text. */
static inline void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	MUST(fd >= 0);
	MUST(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	MUST(close(fd) == 0);
}

static inline int done(void) { return failures != 0; }

#endif
