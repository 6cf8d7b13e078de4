package disasm

import (
	"bufio"
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
		strings.Contains(text, "(bad)") || strings.Contains(text, "undefined") || strings.Contains(text, "UNDEFINED") ||
		strings.Contains(text, "<illegal") || strings.Contains(text, "??") || strings.Contains(text, "%?")
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
