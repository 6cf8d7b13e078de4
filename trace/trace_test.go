package trace

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu/internal/disasm"
)

func TestParseEvents(t *testing.T) {
	e, err := ParseEvents("mem,insn")
	require.NoError(t, err)
	require.Equal(t, Insn|Mem, e)
	require.Equal(t, "insn,mem", e.String())
	for _, s := range []string{"", "insn,", "insns"} {
		_, err := ParseEvents(s)
		require.Error(t, err, "%q", s)
	}
}

func TestPlaces(t *testing.T) {
	for s, want := range map[string]place{
		"0x10-0x20":   {lo: 0x10, hi: 0x20, known: true, ever: true},
		"16+0x10":     {lo: 0x10, hi: 0x20, known: true, ever: true},
		"main":        {name: "main"},
		"main+8":      {name: "main", length: 8},
		"libstdc++.6": {name: "libstdc++.6"},
	} {
		p, err := parseRange(s)
		require.NoError(t, err, s)
		want.text = s
		require.Equal(t, want, *p)
	}
	for _, s := range []string{"", "0x20-0x10", "0x10", "0x10+0", "0xffffffffffffffff+2", "1x-3"} {
		_, err := parseRange(s)
		require.Error(t, err, "%q", s)
	}
	for _, s := range []string{"", "0xzz", "1-2"} {
		_, err := parsePoint(s)
		require.Error(t, err, "%q", s)
	}
	p, err := parsePoint("main+0x10")
	require.NoError(t, err)
	require.Equal(t, place{text: "main+0x10", name: "main", off: 16, length: 1}, *p)
}

// TestIT follows ITSTATE through a block: itte eq and its three instructions.
func TestIT(t *testing.T) {
	b := &block{pc: 0x1000, isa: disasm.Thumb, code: []byte{0x06, 0xbf, 0x01, 0x20, 0x02, 0x20, 0x03, 0x20, 0x04, 0x20}}
	var texts []string
	b.text(nil, func(_ int, in disasm.Inst) { texts = append(texts, in.Text) })
	require.Len(t, texts, 5)
	for i, mnemonic := range []string{"itte eq", "moveq", "moveq", "movne", "movs"} {
		require.Regexp(t, "^"+mnemonic+"( |$)", texts[i])
	}
}

// sample is a trace of two spans: the first runs twice, then one of its tail.
func sample() []byte {
	f := &binaryFormat{t: &Tracer{}}
	f.t.out.buf = append(f.t.out.buf, Magic...)
	f.next = tokSpan
	b := &block{pc: 0x100, isa: disasm.A32, code: make([]byte, 12)}
	f.run(b, 0, 3)
	f.run(b, 0, 3)
	f.access(0x100, access{addr: 5, v: 6, size: 4})
	f.run(b, 1, 2)
	f.line(Signal, "+++ exited with 0 +++")
	f.end()
	return f.t.out.buf
}

func readAll(p []byte) (l []uint64, err error) {
	err = ReadPCs(bytes.NewReader(p), func(_ Task, pcs []uint64) error {
		l = append(l, pcs...)
		return nil
	})
	return l, err
}

func TestReadPCs(t *testing.T) {
	want := []uint64{0x100, 0x104, 0x108, 0x100, 0x104, 0x108, 0x104}
	p := sample()
	got, err := readAll(p)
	require.NoError(t, err)
	require.Equal(t, want, got)
	for n := len(Magic); n < len(p); n++ {
		got, err := readAll(p[:n])
		require.ErrorIs(t, err, ErrCut, "%d bytes", n)
		require.Equal(t, append([]uint64(nil), want[:len(got)]...), got)
	}
	_, err = readAll([]byte("\x7fELF...."))
	require.ErrorIs(t, err, ErrFormat)
}

func FuzzReadPCs(f *testing.F) {
	f.Add(sample())
	f.Fuzz(func(t *testing.T, p []byte) {
		n := 0
		stop := errors.New("enough")
		_ = ReadPCs(bytes.NewReader(p), func(_ Task, pcs []uint64) error {
			if n += len(pcs); n > 1<<20 {
				return stop
			}
			return nil
		})
	})
}
