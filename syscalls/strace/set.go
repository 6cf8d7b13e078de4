package strace

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch/archs"
)

// Set is a set of system calls by name. The zero Set is empty.
type Set struct {
	has func(name string) bool
}

// All is the set of all calls.
func All() Set { return Set{func(string) bool { return true }} }

// Has tells whether a call is in the set.
func (s Set) Has(name string) bool { return s.has != nil && s.has(name) }

// classes are the letters of the classes of calls that signatures have.
var classes = map[string]string{
	"file": "f", "desc": "d", "process": "p", "network": "n", "net": "n", "signal": "s", "ipc": "i", "memory": "m", "creds": "c", "clock": "k",
}

// lists are the classes of calls that are told by name.
var lists = map[string][]string{
	"stat":    {"stat", "stat64", "oldstat"},
	"lstat":   {"lstat", "lstat64", "oldlstat"},
	"fstat":   {"fstat", "fstat64", "fstatat64", "newfstatat", "oldfstat", "statx"},
	"%stat":   {"stat", "stat64", "oldstat", "lstat", "lstat64", "oldlstat", "fstat", "fstat64", "fstatat64", "newfstatat", "oldfstat", "statx"},
	"statfs":  {"statfs", "statfs64"},
	"fstatfs": {"fstatfs", "fstatfs64"},
	"%statfs": {"statfs", "statfs64", "fstatfs", "fstatfs64", "ustat"},
	"pure": {"getegid", "getegid32", "geteuid", "geteuid32", "getgid", "getgid32", "getpgrp", "getpid", "getppid", "gettid",
		"getuid", "getuid32"},
}

// knownCalls are the names of the calls of all architectures.
var knownCalls = sync.OnceValue(func() map[string]bool {
	m := map[string]bool{}
	for _, a := range archs.All {
		for _, s := range a.Sysnum {
			m[s.Name] = true
		}
	}
	for n := range subcalls {
		m[n] = true
	}
	return m
})

// ParseSet reads a set of calls as strace's -e trace= has it: names, classes
// with "%" before them, regular expressions with "/" before them, "all",
// "none", in a list with commas; "!" before the list means all others.
func ParseSet(expr string) (Set, error) {
	expr, not := cutNot(expr)
	var parts []func(string) bool
	for _, tok := range strings.Split(expr, ",") {
		f, err := parseMember(tok)
		if err != nil {
			return Set{}, err
		}
		parts = append(parts, f)
	}
	in := func(name string) bool {
		return slices.ContainsFunc(parts, func(f func(string) bool) bool { return f(name) }) != not
	}
	// Sets are asked for every call: the answers are kept.
	var cache sync.Map
	return Set{func(name string) bool {
		if v, ok := cache.Load(name); ok {
			return v.(bool)
		}
		v := in(name)
		cache.Store(name, v)
		return v
	}}, nil
}

func cutNot(s string) (rest string, not bool) {
	for strings.HasPrefix(s, "!") {
		s, not = s[1:], !not
	}
	return s, not
}

func parseMember(tok string) (func(string) bool, error) {
	optional := strings.HasPrefix(tok, "?")
	tok = strings.TrimPrefix(tok, "?")
	class, isClass := strings.CutPrefix(tok, "%")
	switch {
	case tok == "all":
		return func(string) bool { return true }, nil
	case tok == "none":
		return func(string) bool { return false }, nil
	case strings.HasPrefix(tok, "/"):
		re, err := regexp.CompilePOSIX(tok[1:])
		if err != nil {
			return nil, fmt.Errorf("invalid regular expression %q: %w", tok[1:], err)
		}
		return re.MatchString, nil
	case isClass || classes[tok] != "":
		if l := lists[class]; l != nil && isClass {
			return func(n string) bool { return slices.Contains(l, n) }, nil
		}
		if letter := classes[class]; letter != "" {
			return func(n string) bool {
				s := signatures()[n]
				return s != nil && strings.Contains(s.classes, letter)
			}, nil
		}
		return nil, fmt.Errorf("unknown class of system calls %q", "%"+class)
	}
	name, _, _ := strings.Cut(tok, "@")
	if !knownCalls()[name] && !optional {
		return nil, fmt.Errorf("invalid system call %q", tok)
	}
	return func(n string) bool { return n == name }, nil
}

// Signals is a set of signals.
type Signals map[int]bool

// ParseSignals reads a set of signals as -e signal= has it.
func ParseSignals(expr string) (Signals, error) {
	expr, not := cutNot(expr)
	in := map[int]bool{}
	for _, tok := range strings.Split(expr, ",") {
		switch tok {
		case "all":
			for i := 1; i <= 64; i++ {
				in[i] = true
			}
			continue
		case "none":
			continue
		}
		n := signalNumber(tok)
		if n == 0 {
			return nil, fmt.Errorf("invalid signal %q", tok)
		}
		in[n] = true
	}
	out := Signals{}
	for i := 1; i <= 64; i++ {
		out[i] = in[i] != not
	}
	return out, nil
}

func signalNumber(s string) int {
	if n, err := strconv.Atoi(s); err == nil && n > 0 && n <= 64 {
		return n
	}
	s = strings.ToUpper(s)
	if !strings.HasPrefix(s, "SIG") {
		s = "SIG" + s
	}
	if n := unix.SignalNum(s); n != 0 {
		return int(n)
	}
	for i := sigRTMin; i <= 64; i++ {
		if SignalName(i) == s {
			return i
		}
	}
	return 0
}

// Numbers is a set of descriptors; nil is empty.
type Numbers struct {
	not bool
	in  map[int]bool
}

// Has tells whether a number is in the set.
func (n *Numbers) Has(v int) bool { return n != nil && n.in[v] != n.not }

// ParseNumbers reads a set of descriptors as -e read= has it.
func ParseNumbers(expr string) (*Numbers, error) {
	expr, not := cutNot(expr)
	n := &Numbers{not: not, in: map[int]bool{}}
	for _, tok := range strings.Split(expr, ",") {
		switch tok {
		case "all":
			n.not = !n.not
			continue
		case "none":
			continue
		}
		v, err := strconv.Atoi(tok)
		if err != nil || v < 0 {
			return nil, fmt.Errorf("invalid descriptor %q", tok)
		}
		n.in[v] = true
	}
	return n, nil
}

// Statuses are the ends of calls that are shown (-e status).
type Statuses uint8

// The statuses.
const (
	Successful Statuses = 1 << iota
	Failed
	Unfinished
	Unavailable
	Detached
	AllStatuses = Successful | Failed | Unfinished | Unavailable | Detached
)

// ParseStatuses reads a set of statuses as -e status= has it.
func ParseStatuses(expr string) (Statuses, error) {
	expr, not := cutNot(expr)
	byName := map[string]Statuses{"successful": Successful, "failed": Failed, "unfinished": Unfinished,
		"unavailable": Unavailable, "detached": Detached, "all": AllStatuses, "none": 0}
	var s Statuses
	for _, tok := range strings.Split(expr, ",") {
		v, ok := byName[tok]
		if !ok {
			return 0, fmt.Errorf("invalid status %q", tok)
		}
		s |= v
	}
	if not {
		s = AllStatuses &^ s
	}
	return s, nil
}
