// Command consts writes the constants of the kernel ABI whose values differ
// between guest architectures, emu/arch/<family>/zconst.go, from their kernel
// header packages. Which constants there are is in names.txt.
package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/utemu/utemu/internal/gen/cross"
)

//go:generate go run .

func main() { cross.Main("consts", "zconst.go", table) }

//go:embed names.txt
var names string

// headers are where the constants are. They are included after <linux/types.h>,
// which some of them need.
var headers = []string{
	"linux/types.h", "linux/time_types.h", "asm/fcntl.h", "linux/fcntl.h", "asm/mman.h", "linux/mman.h", "asm/signal.h",
	"asm/resource.h", "asm/socket.h", "asm/poll.h", "asm/ioctls.h", "asm/termbits.h", "asm/termios.h",
	"asm/sockios.h", "linux/sockios.h", "linux/fs.h", "linux/fiemap.h", "linux/rtc.h", "linux/random.h", "linux/loop.h",
}

func table(b *bytes.Buffer, t cross.Target) error {
	consts, err := consts(t)
	if err != nil {
		return err
	}
	fmt.Fprintf(b, "\nvar const%s = map[string]uint64{\n", t.Var)
	for _, n := range slices.Sorted(maps.Keys(consts)) {
		fmt.Fprintf(b, "\t%q: %#x,\n", n, consts[n])
	}
	b.WriteString("}\n")
	return nil
}

// list reads names.txt: the names in their order.
func list(text string) (order []string) {
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			order = append(order, strings.Fields(line)...)
		}
	}
	return order
}

var define = regexp.MustCompile(`(?m)^#define (\w+)\b`)

// consts returns the values of the listed constants that t has.
func consts(t cross.Target) (map[string]uint64, error) {
	var src strings.Builder
	// Some ioctl numbers hold the sizes of types that only C libraries define.
	src.WriteString("typedef __SIZE_TYPE__ size_t; typedef long long loff_t;\n")
	for _, h := range headers {
		fmt.Fprintf(&src, "#include <%s>\n", h)
	}
	defs, err := t.Preprocess(src.String(), "-dM")
	if err != nil {
		return nil, err
	}
	have := make(map[string]bool)
	for _, m := range define.FindAllSubmatch(defs, -1) {
		have[string(m[1])] = true
	}
	for _, n := range list(names) {
		if have[n] {
			// A cast keeps the bits of a value that does not fit an int.
			fmt.Fprintf(&src, "enum { c__%s = (long long)(unsigned int)(%s) };\n", n, n)
		}
	}
	d, err := t.Compile(src.String())
	if err != nil {
		return nil, err
	}
	all, err := cross.Consts(d)
	if err != nil {
		return nil, err
	}
	out := make(map[string]uint64)
	for n, v := range all {
		if n, ok := strings.CutPrefix(n, "c__"); ok {
			out[n] = uint64(v) & 0xffffffff
		}
	}
	return out, nil
}
