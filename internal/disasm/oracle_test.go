package disasm

import (
	"bufio"
	"debug/elf"
	"encoding/binary"
	enchex "encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// oracle is how objdump disassembles an instruction set.
type oracle struct {
	isa  ISA
	lib  string // triple of the C library, "" for the host's
	args []string
}

var oracles = []oracle{
	{I386, "i686-linux-gnu", []string{"objdump", "-m", "i386"}},
	{X86_64, "x86_64-linux-gnu", []string{"objdump", "-m", "i386:x86-64"}},
	{A32, "arm-linux-gnueabi", []string{"arm-linux-gnueabihf-objdump", "-m", "armv8-a"}},
	{Thumb, "arm-linux-gnueabihf", []string{"arm-linux-gnueabihf-objdump", "-m", "armv8-a", "-M", "force-thumb"}},
	{A64, "aarch64-linux-gnu", []string{"aarch64-linux-gnu-objdump", "-m", "aarch64"}},
	{PPC32, "powerpc-linux-gnu", []string{"powerpc-linux-gnu-objdump", "-m", "powerpc", "-EB"}},
	{PPC64, "powerpc64-linux-gnu", []string{"powerpc64-linux-gnu-objdump", "-m", "powerpc:common64", "-EB"}},
}

// line is one instruction of objdump's output.
type line struct {
	addr uint64
	n    int
	text string
}

// dump has objdump disassemble raw as if loaded at 0 and calls f for each
// instruction.
func (o *oracle) dump(t testing.TB, raw []byte, extra []string, f func(l line)) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "raw")
	require.NoError(t, os.WriteFile(file, raw, 0o600))
	args := append(append([]string{}, o.args[1:]...), extra...)
	cmd := exec.Command(o.args[0], append(args, "-D", "-z", "-w", "-b", "binary", file)...)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	sc := bufio.NewScanner(out)
	for sc.Scan() {
		addr, rest, ok := strings.Cut(sc.Text(), ":\t")
		bytes, text, ok2 := strings.Cut(rest, "\t")
		a, err := strconv.ParseUint(strings.TrimSpace(addr), 16, 64)
		if !ok || !ok2 || err != nil {
			continue
		}
		h, err := enchex.DecodeString(strings.ReplaceAll(strings.TrimSpace(bytes), " ", ""))
		require.NoError(t, err, sc.Text())
		f(line{a, len(h), strings.ReplaceAll(text, "\t", " ")})
	}
	require.NoError(t, sc.Err())
	require.NoError(t, cmd.Wait())
}

// unnamed says that objdump has no name for an instruction, or one with
// operands that it calls illegal itself.
func unnamed(text string) bool {
	text = strings.TrimSpace(text)
	return text == "" || text[0] == '.' || strings.HasPrefix(text, "udf") || strings.HasPrefix(text, "@") ||
		strings.Contains(text, "(bad)") || strings.Contains(text, "{bad") || strings.Contains(text, "{balt") || strings.Contains(text, "undefined") || strings.Contains(text, "UNDEFINED") ||
		strings.Contains(text, "<illegal") || strings.Contains(text, "?")
}

// words packs words in the byte order of the instruction set.
func (o *oracle) words(ws []uint32) []byte {
	b := make([]byte, 4*len(ws))
	for i, w := range ws {
		o.put(b[4*i:], w)
	}
	return b
}

func (o *oracle) put(b []byte, w uint32) {
	if o.isa == Thumb {
		binary.LittleEndian.PutUint16(b, uint16(w>>16))
		binary.LittleEndian.PutUint16(b[2:], uint16(w))
		return
	}
	sets[o.isa].order.PutUint32(b, w)
}

// libraries are the .text sections of the C and C++ libraries, the dynamic
// linker and the compiler's runtime of the instruction set.
func (o *oracle) libraries(t testing.TB) map[string][]byte {
	t.Helper()
	dir, ld := "/usr/"+o.lib+"/lib", ""
	if o.isa == X86_64 {
		dir = "/usr/lib/x86_64-linux-gnu"
	}
	lds, err := filepath.Glob(dir + "/ld*.so.*")
	require.NoError(t, err)
	if len(lds) > 0 {
		ld = filepath.Base(lds[0])
	}
	out := map[string][]byte{}
	for _, name := range []string{"libc.so.6", ld, "libm.so.6", "libgcc_s.so.1", "libstdc++.so.6"} {
		out[name] = section(t, filepath.Join(dir, name))
	}
	if o.isa == X86_64 {
		if crypto, _ := filepath.Glob(dir + "/libcrypto.so.?"); len(crypto) > 0 {
			out["libcrypto"] = section(t, crypto[0])
		}
	}
	return out
}

// section is the .text of an ELF file.
func section(t testing.TB, file string) []byte {
	t.Helper()
	f, err := elf.Open(file)
	require.NoError(t, err, "the C libraries of the cross compilers are needed")
	defer f.Close()
	text := f.Section(".text")
	require.NotNil(t, text, file)
	data, err := text.Data()
	require.NoError(t, err)
	return data
}
