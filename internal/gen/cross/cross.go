// Package cross lets the generators ask the cross compilers of the guest
// architectures about the kernel's user-space headers. Nothing of the guest
// is run: sources are compiled to objects and the answers are read from the
// DWARF in them, so the compiler itself applies the rules of each ABI.
package cross

import (
	"debug/dwarf"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Target is one guest architecture as the generators see it.
type Target struct {
	Var      string // how generated variables name it
	Family   string // its package under emu/arch
	Compiler string
	Include  string // where its kernel headers are
	Package  string // the Debian package those headers are from
}

// Targets are the guest architectures in the order of their families. The
// x86-64 headers are those of the i386 cross package: the kernel installs one
// set for both, and taking them from there keeps all tables at one kernel
// version, where the host's own linux-libc-dev moves with security updates.
var Targets = []Target{
	{"I386", "x86", "i686-linux-gnu-gcc", "/usr/i686-linux-gnu/include", "linux-libc-dev-i386-cross"},
	{"X86_64", "x86", "x86_64-linux-gnu-gcc", "/usr/i686-linux-gnu/include", "linux-libc-dev-i386-cross"},
	{"ARM", "arm", "arm-linux-gnueabihf-gcc", "/usr/arm-linux-gnueabihf/include", "linux-libc-dev-armhf-cross"},
	{"ARM64", "arm64", "aarch64-linux-gnu-gcc", "/usr/aarch64-linux-gnu/include", "linux-libc-dev-arm64-cross"},
	{"PPC", "ppc", "powerpc-linux-gnu-gcc", "/usr/powerpc-linux-gnu/include", "linux-libc-dev-powerpc-cross"},
	{"PPC64", "ppc", "powerpc64-linux-gnu-gcc", "/usr/powerpc64-linux-gnu/include", "linux-libc-dev-ppc64-cross"},
}

// Families are the families of Targets, each once, in the same order.
func Families() []string {
	var fs []string
	for _, t := range Targets {
		if len(fs) == 0 || fs[len(fs)-1] != t.Family {
			fs = append(fs, t.Family)
		}
	}
	return fs
}

// Source names the header package of t with its installed version.
func (t Target) Source() (string, error) {
	out, err := run(nil, "dpkg-query", "-W", "-f", "${Version}", t.Package)
	if err != nil {
		return "", err
	}
	return t.Package + " " + string(out), nil
}

// Preprocess returns the output of the C preprocessor for src with the given
// further flags.
func (t Target) Preprocess(src string, flags ...string) ([]byte, error) {
	args := append([]string{"-nostdinc", "-isystem", t.Include, "-x", "c", "-E"}, flags...)
	return run([]byte(src), t.Compiler, append(args, "-")...)
}

// Compile compiles src and returns the object's DWARF. Types and enumerators
// that no code uses are in it as well.
func (t Target) Compile(src string) (*dwarf.Data, error) {
	tmp, err := os.MkdirTemp("", "utemu-gen-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	obj := filepath.Join(tmp, "a.o")
	args := []string{"-nostdinc", "-isystem", t.Include, "-std=gnu11", "-Wall", "-Werror",
		"-gdwarf-4", "-fno-eliminate-unused-debug-types", "-x", "c", "-c", "-o", obj}
	if _, err := run([]byte(src), t.Compiler, append(args, "-")...); err != nil {
		return nil, err
	}
	f, err := elf.Open(obj)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.DWARF()
}

// run runs a program on stdin and returns its output; what it wrote to its
// standard error becomes part of the error.
func run(stdin []byte, name string, args ...string) ([]byte, error) {
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(string(stdin))
	out, err := cmd.Output()
	if err == nil {
		return out, nil
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil, fmt.Errorf("%s: %w\n%s", name, err, exit.Stderr)
	}
	return nil, fmt.Errorf("%s: %w", name, err)
}

// Consts returns all enumerators of d by name.
func Consts(d *dwarf.Data) (map[string]int64, error) {
	consts := make(map[string]int64)
	for r := d.Reader(); ; {
		e, err := r.Next()
		if err != nil {
			return nil, err
		}
		if e == nil {
			return consts, nil
		}
		if e.Tag != dwarf.TagEnumerator {
			continue
		}
		name, _ := e.Val(dwarf.AttrName).(string)
		v, ok := e.Val(dwarf.AttrConstValue).(int64)
		if !ok {
			return nil, fmt.Errorf("enumerator %s has no value", name)
		}
		consts[name] = v
	}
}

// Typedefs returns the types that typedefs with the given prefix stand for, by
// the rest of their names.
func Typedefs(d *dwarf.Data, prefix string) (map[string]dwarf.Type, error) {
	types := make(map[string]dwarf.Type)
	for r := d.Reader(); ; {
		e, err := r.Next()
		if err != nil {
			return nil, err
		}
		if e == nil {
			return types, nil
		}
		name, _ := e.Val(dwarf.AttrName).(string)
		rest, ok := strings.CutPrefix(name, prefix)
		if e.Tag != dwarf.TagTypedef || !ok {
			continue
		}
		t, err := d.Type(e.Offset)
		if err != nil {
			return nil, fmt.Errorf("type %s: %w", name, err)
		}
		types[rest] = Strip(t)
	}
}

// Strip removes typedefs and qualifiers from a type.
func Strip(t dwarf.Type) dwarf.Type {
	for {
		switch u := t.(type) {
		case *dwarf.TypedefType:
			t = u.Type
		case *dwarf.QualType:
			t = u.Type
		default:
			return t
		}
	}
}
