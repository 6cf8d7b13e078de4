package elf

import (
	"bytes"
	"debug/elf"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A source with one thing of each kind.
const symbolSource = `
int data = 5, bss[100];
static int local(int a) { return a * 3; }
int global(int a) { return local(a) + data; }
int puts(const char *);
int printf(const char *, ...);
int main(int c, char **v) { return printf("%d", global(c)) + puts(v[0]) + bss[c]; }
`

// compile builds symbolSource; each compiler comes with the cross packages
// that make test installs.
func compile(t *testing.T, cc string, flags ...string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "s.c"), []byte(symbolSource), 0o644))
	cmd := exec.Command(cc, append(flags, "-O0", "-o", "s", "s.c")...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return filepath.Join(dir, "s")
}

func readFile(t *testing.T, path string) *Table {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	tab, err := ReadSymbols(bytes.NewReader(b))
	require.NoError(t, err)
	return tab
}

func TestSymbolsCompiled(t *testing.T) {
	tests := map[string]struct {
		cc    string
		flags []string
		plt   bool
	}{
		"ppc":      {"powerpc-linux-gnu-gcc", nil, true},
		"ppc64":    {"powerpc64-linux-gnu-gcc", nil, true},
		"arm":      {"arm-linux-gnueabihf-gcc", []string{"-marm"}, true},
		"thumb":    {"arm-linux-gnueabihf-gcc", []string{"-mthumb"}, true},
		"aarch64":  {"aarch64-linux-gnu-gcc", nil, true},
		"i386":     {"i686-linux-gnu-gcc", nil, true},
		"x86_64":   {"gcc", nil, true},
		"ibt":      {"gcc", []string{"-fcf-protection=full", "-Wl,-z,ibtplt"}, true},
		"static":   {"powerpc-linux-gnu-gcc", []string{"-static"}, false},
		"fixed":    {"powerpc64-linux-gnu-gcc", []string{"-no-pie"}, true},
		"lazy plt": {"aarch64-linux-gnu-gcc", []string{"-Wl,-z,lazy"}, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := compile(t, tt.cc, tt.flags...)
			tab := readFile(t, path)
			f, err := elf.Open(path)
			require.NoError(t, err)
			defer f.Close()
			text := f.Section(".text")
			for _, fn := range []string{"main", "global", "local"} {
				addr, size, ok := tab.ByName(fn)
				require.True(t, ok, fn)
				require.NotZero(t, size)
				require.Less(t, addr-text.Addr, text.Size, "%s is at %#x", fn, addr)
				for _, off := range []uint64{0, 2, size - 1} {
					got, at, ok := tab.Lookup(addr + off)
					require.True(t, ok)
					require.Equal(t, fn, got)
					require.Equal(t, off, at)
				}
			}
			addr, size, ok := tab.ByName("bss")
			require.True(t, ok)
			require.Equal(t, uint64(400), size)
			got, off, ok := tab.Lookup(addr + 44)
			require.True(t, ok)
			require.Equal(t, "bss", got)
			require.Equal(t, uint64(44), off)
			for _, s := range tab.All() {
				require.False(t, strings.HasPrefix(s.Name, "$"), s.Name)
			}
			if tt.plt {
				addr, _, ok := tab.ByName("puts@plt")
				require.True(t, ok)
				got, _, ok := tab.Lookup(addr + 4)
				require.True(t, ok)
				require.Equal(t, "puts@plt", got)
			}
		})
	}
}

// Without .symtab, what a file exports is left.
func TestSymbolsStripped(t *testing.T) {
	for _, cc := range []string{"powerpc-linux-gnu-gcc", "powerpc64-linux-gnu-gcc", "arm-linux-gnueabihf-gcc"} {
		t.Run(cc, func(t *testing.T) {
			tab := readFile(t, compile(t, cc, "-s", "-rdynamic"))
			addr, _, ok := tab.ByName("global")
			require.True(t, ok)
			got, _, _ := tab.Lookup(addr)
			require.Equal(t, "global", got)
			_, _, ok = tab.ByName("local")
			require.False(t, ok)
		})
	}
}

// The entries of the table that the compiler's disassembler names.
func TestPLTAgainstObjdump(t *testing.T) {
	for _, cross := range []string{"arm-linux-gnueabihf-", "aarch64-linux-gnu-", "i686-linux-gnu-", ""} {
		path := compile(t, cross+"gcc")
		out, err := exec.Command(cross+"objdump", "-d", "-j", ".plt", path).Output()
		require.NoError(t, err)
		tab := readFile(t, path)
		n := 0
		for _, s := range tab.All() {
			if !strings.HasSuffix(s.Name, "@plt") {
				continue
			}
			n++
			require.Regexp(t, "(?m)^0*"+hex(s.Addr)+" <"+s.Name+">:$", string(out))
		}
		require.GreaterOrEqual(t, n, 2, cross)
	}
}

func hex(v uint64) string {
	const digits = "0123456789abcdef"
	if v < 16 {
		return digits[v : v+1]
	}
	return hex(v>>4) + digits[v&15:v&15+1]
}

func TestCover(t *testing.T) {
	sym := func(name string, addr, size uint64, rank uint8) Symbol {
		return Symbol{Name: name, Addr: addr, Size: size, rank: rank, end: 100}
	}
	tests := map[string]struct {
		syms []Symbol
		want string // one letter an address from 0, a dot for none
	}{
		"none":                        {nil, "...."},
		"side by side, with a gap":    {[]Symbol{sym("a", 0, 3, 0), sym("b", 4, 2, 0)}, "aaa.bb."},
		"inside":                      {[]Symbol{sym("a", 0, 6, 0), sym("b", 2, 2, 0)}, "aabbaa."},
		"inside, ends together":       {[]Symbol{sym("a", 0, 4, 0), sym("b", 2, 2, 0), sym("c", 4, 1, 0)}, "aabbc."},
		"overlapping":                 {[]Symbol{sym("a", 0, 4, 0), sym("b", 2, 4, 0)}, "aabbbb."},
		"two inside, one far":         {[]Symbol{sym("a", 0, 9, 0), sym("b", 1, 6, 0), sym("c", 2, 2, 0), sym("d", 8, 3, 0)}, "abccbbbaddd."},
		"best name of a place":        {[]Symbol{sym("b", 0, 2, 2), sym("a", 0, 2, 0), sym("c", 0, 2, 1)}, "aa."},
		"smaller at the same place":   {[]Symbol{sym("a", 0, 4, 0), sym("b", 0, 2, 0)}, "bbaa."},
		"smaller, worse name":         {[]Symbol{sym("a", 0, 4, 0), sym("b", 0, 2, 1)}, "aaaa."},
		"label":                       {[]Symbol{sym("a", 0, 0, 8), sym("b", 3, 0, 8), sym("c", 5, 1, 0)}, "aaabbc."},
		"label in a function":         {[]Symbol{sym("a", 0, 4, 0), sym("b", 2, 0, 8)}, "aaaa."},
		"label where one begins":      {[]Symbol{sym("a", 0, 0, 0), sym("b", 0, 2, 4)}, "bb."},
		"two labels":                  {[]Symbol{sym("b", 0, 0, 9), sym("a", 0, 0, 8)}, "aa"},
		"label up to the section":     {[]Symbol{{Name: "a", Addr: 1, end: 3}}, ".aa."},
		"size past the section":       {[]Symbol{{Name: "a", Addr: 1, Size: ^uint64(0), end: 3}}, ".aa."},
		"outside of its section":      {[]Symbol{{Name: "a", Addr: 1, Size: 2}}, "...."},
		"at the end of addresses":     {[]Symbol{{Name: "a", Addr: 0, Size: 1, end: 1}, {Name: "z", Addr: ^uint64(0) - 1, Size: 5, end: ^uint64(0)}}, "a."},
		"after one that ended inside": {[]Symbol{sym("a", 0, 8, 0), sym("b", 1, 2, 0), sym("c", 4, 2, 0)}, "abbaccaa."},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tab := newTable(tt.syms)
			var got strings.Builder
			for i := range tt.want {
				name, _, ok := tab.Lookup(uint64(i))
				if !ok {
					name = "."
				}
				got.WriteString(name)
			}
			require.Equal(t, tt.want, got.String())
		})
	}
}

func TestByNamePrefersGlobal(t *testing.T) {
	tab := newTable([]Symbol{{Name: "f", Addr: 1, rank: 2, end: 9}, {Name: "f", Addr: 5, rank: 0, end: 9}})
	addr, _, ok := tab.ByName("f")
	require.True(t, ok)
	require.Equal(t, uint64(5), addr)
}

func TestPlainName(t *testing.T) {
	for in, want := range map[string]string{
		"main":               "main",
		"memcpy@@GLIBC_2.14": "memcpy",
		"00008000.got2.plt_pic32.puts@@GLIBC_2.0": "puts@plt",
		"00000000.plt_pic32.__gmon_start__":       "__gmon_start__@plt",
		"0000001b.plt_call.printf@@GLIBC_2.4":     "printf@plt",
		"00000000.plt_call32.puts":                "puts@plt",
		"@x":                                      "@x",
		"a.plt_call.b":                            "a.plt_call.b",
	} {
		require.Equal(t, want, plainName(in))
	}
}

func TestReadSymbolsErrors(t *testing.T) {
	for _, b := range [][]byte{nil, []byte("x"), []byte(elf.ELFMAG)} {
		tab, err := ReadSymbols(bytes.NewReader(b))
		require.Error(t, err)
		require.NotNil(t, tab)
		_, _, ok := tab.Lookup(0)
		require.False(t, ok)
		_, _, ok = tab.ByName("x")
		require.False(t, ok)
	}
	// No sections at all is no error.
	tab, err := ReadSymbols(bytes.NewReader(plain(ppc, elf.ET_EXEC, 0x100000).build()))
	require.NoError(t, err)
	require.Empty(t, tab.All())
}

type closer struct{ n int }

func (c *closer) Close() error { c.n++; return nil }

func TestLazySymbols(t *testing.T) {
	var c closer
	opened := 0
	l := LazySymbols(func() (io.ReaderAt, io.Closer, error) {
		opened++
		return bytes.NewReader(plain(ppc, elf.ET_EXEC, 0x100000).build()), &c, nil
	})
	require.Zero(t, opened)
	for range 2 {
		tab, err := l.Table()
		require.NoError(t, err)
		require.NotNil(t, tab)
	}
	require.Equal(t, 1, opened)
	require.Equal(t, 1, c.n)

	fail := errors.New("gone")
	tab, err := LazySymbols(func() (io.ReaderAt, io.Closer, error) { return nil, nil, fail }).Table()
	require.ErrorIs(t, err, fail)
	require.NotNil(t, tab)
}

// TestSymbolsSectioned reads a small table of each kind of file: Thumb's bit,
// a mapping symbol, a function descriptor, a version.
func TestSymbolsSectioned(t *testing.T) {
	names := func(tab *Table) map[string]uint64 {
		m := map[string]uint64{}
		for _, s := range tab.All() {
			m[s.Name] = s.Addr
		}
		return m
	}
	for a, want := range map[string]map[string]uint64{
		"ppc":    {"main": 0x100201, "$a": 0x100200, "f": 0x102300},
		"ppc64":  {"main": 0x100201, "$a": 0x100200, "f": 0x100210},
		"arm":    {"main": 0x100200, "f": 0x102300},
		"x86_64": {"main": 0x100201, "$a": 0x100200, "f": 0x102300},
	} {
		for _, k := range known {
			if k.Name != a {
				continue
			}
			tab, err := ReadSymbols(bytes.NewReader(sectioned(k)))
			require.NoError(t, err)
			got := names(tab)
			delete(got, "")
			for n := range got {
				if strings.HasSuffix(n, "@plt") {
					delete(got, n)
				}
			}
			require.Equal(t, want, got, a)
		}
	}
}

// Sections that decompress to more than the file are not read.
func TestSymbolsCompressed(t *testing.T) {
	b := sectioned(x86_64)
	shoff := x86_64.Order.Uint64(b[40:])
	for i := range uint64(8) {
		c := bytes.Clone(b)
		c[shoff+64*i+9] |= byte(elf.SHF_COMPRESSED >> 8)
		tab, err := ReadSymbols(bytes.NewReader(c))
		require.Error(t, err, "section %d", i)
		require.Empty(t, tab.All())
	}
}
