package oracle

import "github.com/utemu/utemu/emu/arch"

// call is what the two sides cannot agree on about a system call. Calls
// without a row have to give the same result, and to write the same.
type call struct {
	why string
	// out is what the call writes that may differ: the emulator's counts.
	out []output
	// result: what it returns may differ; the emulator's counts.
	result bool
	// place: it chooses an address, and the other side's counts.
	place placing
	// absent: the emulator has no such call; the other side is not to have it.
	absent bool
	// lacking: qemu-user does not have it, and says ENOSYS.
	lacking bool
	// pids are arguments that name processes or threads: each side has its own.
	pids []int
	// paths are arguments that name a file which is looked up.
	paths []int
	// last: nothing of the program comes after it.
	last bool
}

// placing is how a call chooses an address.
type placing uint8

const (
	placeNone placing = iota
	placeMmap         // the first argument, unless the flags say MAP_FIXED
	placeBrk
	placeMremap
)

// output is something that a call writes: where argument arg points to, so many
// bytes; 0 are as many as the result says.
type output struct {
	arg  int
	size int
	name string // of a structure of the kernel, instead of size
	// random: only if argument 0 is a device for random numbers
	random bool
}

const (
	whyPID    = "process numbers"
	whyTime   = "clocks"
	whyPlace  = "addresses"
	whyHost   = "names and limits of the machine"
	whyStat   = "descriptors are of different pipes"
	whyDirs   = "positions in directories"
	whyRandom = "random bytes"
	whyQemu   = "qemu-user does not have it"
)

// Where calls have the path of a file.
var first, second = []int{0}, []int{1}

// calls are the rows, by the names of system calls.
var calls = map[string]call{
	"getpid": {why: whyPID, result: true}, "gettid": {why: whyPID, result: true}, "getppid": {why: whyPID, result: true},
	"getpgrp": {why: whyPID, result: true}, "getpgid": {why: whyPID, result: true, pids: []int{0}}, "getsid": {why: whyPID, result: true, pids: []int{0}},
	"set_tid_address": {why: whyPID, result: true},
	"fork":            {why: whyPID, result: true}, "vfork": {why: whyPID, result: true}, "clone": {why: whyPID, result: true}, "clone3": {why: whyPID, result: true},
	"kill": {why: whyPID, pids: []int{0}}, "tkill": {why: whyPID, pids: []int{0}}, "tgkill": {why: whyPID, pids: []int{0, 1}},
	"rt_sigqueueinfo": {why: whyPID, pids: []int{0}}, "wait4": {why: whyPID, result: true, pids: []int{0}}, "waitpid": {why: whyPID, result: true, pids: []int{0}},
	"sched_getaffinity": {why: whyHost, result: true, out: []output{{arg: 2}}, pids: []int{0}},

	"mmap": {why: whyPlace, place: placeMmap}, "mmap2": {why: whyPlace, place: placeMmap},
	"brk": {why: whyPlace, place: placeBrk}, "mremap": {why: whyPlace, place: placeMremap},
	// Its number in the thread's table of segments is the kernel's choice.
	"set_thread_area": {why: whyPlace, out: []output{{arg: 0, size: 4}}},

	"time":            {why: whyTime, result: true, out: []output{{arg: 0, size: 4}}},
	"gettimeofday":    {why: whyTime, out: []output{{arg: 0, name: "timeval"}}},
	"clock_gettime":   {why: whyTime, out: []output{{arg: 1, name: "timespec"}}},
	"clock_gettime64": {why: whyTime, out: []output{{arg: 1, size: 16}}},
	"clock_getres":    {why: whyTime, out: []output{{arg: 1, name: "timespec"}}},
	"times":           {why: whyTime, result: true, out: []output{{arg: 0, name: "tms"}}},
	"getrusage":       {why: whyTime, out: []output{{arg: 1, name: "rusage"}}},
	// What is left of their timeouts.
	"select": {why: whyTime, out: []output{{arg: 4, name: "timeval"}}}, "_newselect": {why: whyTime, out: []output{{arg: 4, name: "timeval"}}},
	"pselect6": {why: whyTime, out: []output{{arg: 4, name: "timespec"}}}, "pselect6_time64": {why: whyTime, out: []output{{arg: 4, size: 16}}},
	"ppoll": {why: whyTime, out: []output{{arg: 2, name: "timespec"}}}, "ppoll_time64": {why: whyTime, out: []output{{arg: 2, size: 16}}},

	"sysinfo": {why: whyHost, out: []output{{arg: 0, name: "sysinfo"}}},

	"read":       {why: whyRandom, out: []output{{arg: 1, random: true}}},
	"getrandom":  {why: whyRandom, out: []output{{arg: 0}}},
	"uname":      {why: whyHost, out: []output{{arg: 0, size: 6 * 65}}},
	"prlimit64":  {why: whyHost, out: []output{{arg: 3, size: 16}}},
	"ugetrlimit": {why: whyHost, out: []output{{arg: 1, size: 8}}},
	"getrlimit":  {why: whyHost, out: []output{{arg: 1, name: "rlimit"}}},
	"rseq":       {why: "the emulator has no rseq", absent: true},

	"set_robust_list": {why: whyQemu, lacking: true}, "get_robust_list": {why: whyQemu, lacking: true},

	"fstat": {why: whyStat, out: []output{{arg: 1, name: "stat"}}}, "fstat64": {why: whyStat, out: []output{{arg: 1, name: "stat64"}}},
	"newfstatat": {why: whyStat, out: []output{{arg: 2, name: "stat"}}, paths: second}, "fstatat64": {why: whyStat, out: []output{{arg: 2, name: "stat64"}}, paths: second},
	"statx":    {why: whyStat, out: []output{{arg: 4, size: 256}}, paths: second},
	"readlink": {why: whyHost, result: true, out: []output{{arg: 1}}, paths: first}, "readlinkat": {why: whyHost, result: true, out: []output{{arg: 2}}, paths: second},

	"open": {paths: first}, "openat": {paths: second}, "openat2": {paths: second},
	"access": {paths: first}, "faccessat": {paths: second}, "faccessat2": {paths: second},
	"stat": {paths: first}, "stat64": {paths: first}, "lstat": {paths: first}, "lstat64": {paths: first},
	"statfs": {paths: first}, "statfs64": {paths: first}, "chdir": {paths: first},

	"getdents": {why: whyDirs, out: []output{{arg: 1}}}, "getdents64": {why: whyDirs, out: []output{{arg: 1}}},

	"exit": {last: true}, "exit_group": {last: true},
}

// bytes is how much of memory an output is.
func (o output) bytes(a *arch.Arch, result uint64) int {
	switch {
	case o.name != "":
		return a.Layout[o.name].Size
	case o.size != 0:
		return o.size
	}
	if result > 1<<20 { // an error
		return 0
	}
	return int(result)
}

// reads are instructions whose results are the machine's: the emulator's
// count. Those that read clocks have arch.IsTime.
var reads = map[string]string{
	"cpuid": "identification of the CPU", "xgetbv": "identification of the CPU", "mrs": "identification of the CPU",
	"rdrand": whyRandom, "rdseed": whyRandom, "rdpid": "number of the CPU", "rdtscp": whyTime, "sgdt": whyHost, "sidt": whyHost, "smsw": whyHost, "str": whyHost, "sldt": whyHost,
}

// deviation is a known mistake of qemu-user 7.2 in an instruction.
type deviation struct {
	why  string
	regs []string // that are wrong
}

// deviations are by the names of instructions. That the stub stops one
// instruction late after a system call, Step of its process knows.
var deviations = map[string]deviation{
	"syscall": {"qemu-x86_64 leaves rcx and r11 as they are", []string{"rcx", "r11"}},
}

// The flags of x86 that instructions leave undefined.
const (
	fCF = 1 << 0
	fPF = 1 << 2
	fAF = 1 << 4
	fZF = 1 << 6
	fSF = 1 << 7
	fOF = 1 << 11

	arithmetic = fCF | fPF | fAF | fZF | fSF | fOF
)

// undefined are the flags that an instruction leaves undefined (Intel SDM
// volume 1, appendix A), by its name without a suffix for the size. CPUs differ.
var undefined = map[string]uint64{
	"and": fAF, "or": fAF, "xor": fAF, "test": fAF, "andn": fAF | fPF, "blsi": fAF | fPF, "blsr": fAF | fPF, "blsmsk": fAF | fPF, "bextr": fAF | fPF | fSF, "bzhi": fAF | fPF,
	"mul": fSF | fZF | fAF | fPF, "imul": fSF | fZF | fAF | fPF,
	"div": fCF | fOF | fSF | fZF | fAF | fPF, "idiv": fCF | fOF | fSF | fZF | fAF | fPF,
	"shl": fAF | fOF, "sal": fAF | fOF, "shr": fAF | fOF, "sar": fAF | fOF, "shld": fAF | fOF, "shrd": fAF | fOF,
	"rol": fOF, "ror": fOF, "rcl": fOF, "rcr": fOF,
	"bsf": fCF | fOF | fSF | fAF | fPF, "bsr": fCF | fOF | fSF | fAF | fPF, "tzcnt": fOF | fSF | fAF | fPF, "lzcnt": fOF | fSF | fAF | fPF,
	"bt": fOF | fSF | fAF | fPF, "bts": fOF | fSF | fAF | fPF, "btr": fOF | fSF | fAF | fPF, "btc": fOF | fSF | fAF | fPF,
	// Cleared by CPUs, left alone by the library.
	"fcomi": fOF | fSF | fAF, "fcomip": fOF | fSF | fAF, "fucomi": fOF | fSF | fAF, "fucomip": fOF | fSF | fAF,
	"aaa": fOF | fSF | fZF | fPF, "aas": fOF | fSF | fZF | fPF, "aad": fOF | fAF | fCF, "aam": fOF | fAF | fCF, "daa": fOF, "das": fOF,
}
