//go:build cgo

package uc

/*
#include <sys/resource.h>

static struct rlimit nofile;
static int known;

// Before Go's start raises the limit.
__attribute__((constructor)) static void note_nofile(void) { known = getrlimit(RLIMIT_NOFILE, &nofile) == 0; }

static int start_nofile(unsigned long long *cur)
{
	*cur = nofile.rlim_cur;
	return known;
}
*/
import "C"

// StartNoFile is the soft limit of open files that the process was started
// with; Go raises it at its start.
func StartNoFile() (uint64, bool) {
	var cur C.ulonglong
	ok := C.start_nofile(&cur) != 0
	return uint64(cur), ok
}
