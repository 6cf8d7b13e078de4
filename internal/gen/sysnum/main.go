// Command sysnum writes the system call tables of the guest architectures,
// emu/arch/<family>/zsysnum.go, from the <asm/unistd.h> of their kernel header
// packages.
//
// A call is named as its __NR_ macro is. Where a number has two macros the
// table has the name that other architectures use for the same call (prefer).
// ARM's private calls (__ARM_NR_) are in the table by the number that user
// space puts into r7, base 0xf0000 included.
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/internal/gen/cross"
)

//go:generate go run .

func main() { cross.Main("sysnum", "zsysnum.go", table) }

// prefer maps the macro name of a call to the name it goes by, where a header
// has both.
var prefer = map[string]string{
	"arm_sync_file_range": "sync_file_range2", // the ARM name came first, the call is that of PowerPC
}

// skip are macros of lower case that are not calls: the length of the generic
// table and the start of its range for architectures.
var skip = map[string]bool{
	"syscalls":              true,
	"arch_specific_syscall": true,
}

// private is the base of ARM's private calls, __ARM_NR_BASE.
const private = 0xf0000

// macro matches the definition of a call's number. Names with capitals are
// bases and masks.
var macro = regexp.MustCompile(`^#define __(ARM_)?NR_([a-z_][a-z0-9_]*) `)

func table(b *bytes.Buffer, t cross.Target) error {
	calls, err := sysnums(t)
	if err != nil {
		return err
	}
	fmt.Fprintf(b, "\nvar sysnum%s = []arch.Sysno{\n", t.Var)
	for _, c := range calls {
		format := "%d"
		if c.Nr >= private {
			format = "%#x"
		}
		fmt.Fprintf(b, "\t{Nr: "+format+", Name: %q},\n", c.Nr, c.Name)
	}
	b.WriteString("}\n")
	return nil
}

// sysnums returns the system calls of t by rising number.
func sysnums(t cross.Target) ([]arch.Sysno, error) {
	const include = "#include <asm/unistd.h>\n"
	defs, err := t.Preprocess(include, "-dM")
	if err != nil {
		return nil, err
	}
	// Numbers are expressions of further macros; as enumerators the compiler
	// works them out.
	src := include
	names := make(map[string]string) // by enumerator
	for s := bufio.NewScanner(bytes.NewReader(defs)); s.Scan(); {
		m := macro.FindStringSubmatch(s.Text())
		if m == nil || skip[m[2]] {
			continue
		}
		id := "nr_" + m[1] + m[2]
		names[id] = m[2]
		src += fmt.Sprintf("enum { %s = __%sNR_%s };\n", id, m[1], m[2])
	}
	d, err := t.Compile(src)
	if err != nil {
		return nil, err
	}
	consts, err := cross.Consts(d)
	if err != nil {
		return nil, err
	}
	return join(names, consts)
}

// join makes a table of the enumerators' call names and numbers.
func join(names map[string]string, consts map[string]int64) ([]arch.Sysno, error) {
	have := make(map[string]bool)
	for _, n := range names {
		have[n] = true
	}
	var calls []arch.Sysno
	for id, n := range names {
		nr, ok := consts[id]
		if !ok || nr < 0 || nr > 1<<20 {
			return nil, fmt.Errorf("%s: bad number %d", n, nr)
		}
		if !have[prefer[n]] {
			calls = append(calls, arch.Sysno{Nr: uint32(nr), Name: n})
		}
	}
	slices.SortFunc(calls, func(a, b arch.Sysno) int {
		return cmp.Or(cmp.Compare(a.Nr, b.Nr), strings.Compare(a.Name, b.Name))
	})
	for i := 1; i < len(calls); i++ {
		if calls[i].Nr == calls[i-1].Nr {
			return nil, fmt.Errorf("call %d is both %s and %s", calls[i].Nr, calls[i-1].Name, calls[i].Name)
		}
	}
	return calls, nil
}
