package archs

import (
	"bufio"
	"debug/elf"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/arch/arm"
	"github.com/utemu/utemu/emu/arch/arm64"
	"github.com/utemu/utemu/emu/arch/ppc"
	"github.com/utemu/utemu/emu/arch/x86"
)

// full says that the tests look at all the code there is. The default is a
// sample that takes a few seconds.
func full() bool { return os.Getenv("UTEMU_FULL") != "" }

// oracle is an instruction set and how objdump disassembles it.
type oracle struct {
	name  string
	arch  *arch.Arch
	thumb bool
	lib   string // triple of the C library
	cmd   []string
}

var oracles = []oracle{
	{"i386", x86.I386, false, "i686-linux-gnu", []string{"objdump", "-m", "i386"}},
	{"x86_64", x86.X86_64, false, "x86_64-linux-gnu", []string{"objdump", "-m", "i386:x86-64"}},
	{"a32", arm.ARM, false, "arm-linux-gnueabi", []string{"arm-linux-gnueabihf-objdump", "-m", "armv8-a"}},
	{"thumb", arm.ARM, true, "arm-linux-gnueabihf", []string{"arm-linux-gnueabihf-objdump", "-m", "armv8-a", "-M", "force-thumb"}},
	{"a64", arm64.ARM64, false, "aarch64-linux-gnu", []string{"aarch64-linux-gnu-objdump", "-m", "aarch64"}},
	{"ppc", ppc.PPC, false, "powerpc-linux-gnu", []string{"powerpc-linux-gnu-objdump", "-m", "powerpc", "-EB"}},
	{"ppc64", ppc.PPC64, false, "powerpc64-linux-gnu", []string{"powerpc64-linux-gnu-objdump", "-m", "powerpc:common64", "-EB"}},
}

// line is one instruction of objdump's output.
type line struct {
	addr uint64
	n    int
	mnem string
	rest string
}

// dump has objdump disassemble raw as if loaded at 0 and calls f for each
// instruction it knows.
func (o *oracle) dump(t testing.TB, raw []byte, f func(l line)) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "raw")
	require.NoError(t, os.WriteFile(file, raw, 0o600))
	cmd := exec.Command(o.cmd[0], append(append([]string{}, o.cmd[1:]...), "-D", "-z", "-w", "-b", "binary", file)...)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	sc := bufio.NewScanner(out)
	for sc.Scan() {
		addr, rest, ok := strings.Cut(sc.Text(), ":\t")
		bytes, text, ok2 := strings.Cut(rest, "\t")
		a, err := strconv.ParseUint(strings.TrimSpace(addr), 16, 64)
		if !ok || !ok2 || err != nil || unnamed(text) {
			continue
		}
		h, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(bytes), " ", ""))
		require.NoError(t, err, sc.Text())
		for _, mark := range []string{"@", ";", "#", "//"} {
			if mark != "#" || o.lib == "i686-linux-gnu" || o.lib == "x86_64-linux-gnu" {
				text, _, _ = strings.Cut(text, mark+" ")
			}
		}
		f(o.split(a, len(h), strings.Fields(text)))
	}
	require.NoError(t, sc.Err())
	require.NoError(t, cmd.Wait())
}

// split takes prefixes of x86 off the mnemonic.
func (o *oracle) split(a uint64, n int, words []string) line {
	for len(words) > 1 && isPrefix(words[0]) {
		words = words[1:]
	}
	return line{a, n, words[0], strings.Join(words[1:], " ")}
}

func isPrefix(w string) bool {
	switch w {
	case "rep", "repz", "repnz", "lock", "bnd", "notrack", "data16", "addr32", "addr16", "cs", "ds", "es", "ss", "fs", "gs", "xacquire", "xrelease":
		return true
	}
	return strings.HasPrefix(w, "rex")
}

// unnamed says that objdump has no name for an instruction.
func unnamed(text string) bool {
	text = strings.TrimSpace(text)
	return text == "" || text[0] == '.' || strings.ContainsAny(text[:1], "@;<") || strings.Contains(text, "(bad)") ||
		strings.Contains(text, "UNDEFINED") || strings.Contains(text, "undefined") || strings.Contains(text, "<illegal") || strings.Contains(text, "UNPREDICTABLE")
}

// text are the .text sections that a test goes through, or samples of them.
func (o *oracle) text(t testing.TB) map[string][]byte {
	t.Helper()
	dir := "/usr/" + o.lib + "/lib"
	if o.lib == "x86_64-linux-gnu" {
		dir = "/usr/lib/x86_64-linux-gnu"
	}
	names := []string{"libc.so.6"}
	if full() {
		names = append(names, "libm.so.6", "libgcc_s.so.1", "libstdc++.so.6")
	}
	out := map[string][]byte{}
	for _, n := range names {
		f, err := elf.Open(filepath.Join(dir, n))
		require.NoError(t, err, "the C libraries of the cross compilers are needed")
		data, err := f.Section(".text").Data()
		require.NoError(t, err)
		require.NoError(t, f.Close())
		if !full() {
			// From an even place on; the instructions at the start may be cut.
			at := len(data) / 3 &^ 15
			data = data[at : at+120_000]
		}
		out[n] = data
	}
	return out
}
