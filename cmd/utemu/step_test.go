package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/stepper"
)

// command is utemu with some arguments.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := tracer(t)
	cmd.Args = append(cmd.Args[:len(cmd.Args)-1], args...)
	return cmd
}

// bin is the path of a guest.
func bin(t *testing.T, arch, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("../../testdata/bins", arch, name))
	require.NoError(t, err)
	return path
}

// TestStepStops: a line a stop, apart from what the program writes, the same by
// every strategy, and the program's own status.
func TestStepStops(t *testing.T) {
	for _, a := range utemu.Arches() {
		var want string
		for _, s := range []string{"native", "membp", "xol", "perthread"} {
			file := filepath.Join(t.TempDir(), "pcs")
			o := finished(t, command(t, "step", "--strategy", s, "--print", "pc", "-o", file, bin(t, a.Name, "hello")))
			require.Zero(t, o.status, o.stderr)
			require.Equal(t, "hello, world\n", o.stdout)
			b, err := os.ReadFile(file)
			require.NoError(t, err)
			lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
			for _, l := range lines {
				require.Regexp(t, `^0x[0-9a-f]+( ; .*)?$`, l)
			}
			pcs := ""
			for _, l := range lines {
				pc, note, _ := strings.Cut(l, " ; ")
				require.NotContains(t, note, "signal")
				pcs += pc + "\n"
			}
			if s == "native" {
				want = pcs
				require.Greater(t, len(lines), 100)
			}
			require.Equal(t, want, pcs, "%s %s", a.Name, s)
		}
	}
}

// TestStepPrints has the other forms of a line, and an end by --max.
func TestStepPrints(t *testing.T) {
	o := finished(t, command(t, "step", "--print", "insn", "--max", "3", bin(t, "ppc", "hello")))
	require.Zero(t, o.status, o.stderr)
	require.Len(t, strings.Split(o.stdout, "\n"), 4)
	require.Regexp(t, `^0x[0-9a-f]+ <_start\+0x4> `, o.stdout)
	o = finished(t, command(t, "step", "--print", "regs", "--max", "1", bin(t, "arm", "hello")))
	require.Contains(t, o.stdout, "cpsr=")
	o = finished(t, command(t, "step", "--print", "none", "--mode", "block", bin(t, "arm", "hello")))
	require.Equal(t, "hello, world\n", o.stdout)
}

// TestStepErrors: what makes no sense is said in a line, status 2.
func TestStepErrors(t *testing.T) {
	for line, want := range map[string]string{
		"--strategy magic x":           `"magic" is no strategy`,
		"--mode half x":                "the modes are insn and block",
		"--profile none x":             "the profiles taken and any",
		"--print all x":                "--print",
		"--oracle gdb x":               "neither native nor qemu",
		"--oracle qemu --compare x":    "do not go together",
		"--compare=native x":           "two strategies at least",
		"--compare=native,none x":      "is no strategy",
		"--compare= x":                 "is no strategy",
		"--compare native x":           "two strategies at least",
		"--max -1 x":                   "--max",
		"":                             "no program given",
		"--oracle native --mode one x": "the modes are",
	} {
		o := finished(t, command(t, append([]string{"step"}, strings.Fields(line)...)...))
		require.Equal(t, 2, o.status, line)
		require.Contains(t, o.stderr, want)
		require.Empty(t, o.stdout)
	}
	o := finished(t, command(t, "step", "-o", filepath.Join(t.TempDir(), "none", "x"), bin(t, "arm", "hello")))
	require.Equal(t, exitFailed, o.status)
	o = finished(t, command(t, "step", filepath.Join(t.TempDir(), "none")))
	require.Equal(t, exitMissing, o.status)
	o = finished(t, command(t, "step", "--oracle", "native", bin(t, "arm", "hello")))
	require.Equal(t, exitFailed, o.status)
	require.Contains(t, o.stderr, "not on this machine")
}

// TestStepContestants: strategies come behind --compare in any way that shows
// that they are no program.
func TestStepContestants(t *testing.T) {
	for line, want := range map[string]string{
		"--compare": allStrategies, "--compare=xol,membp": "xol,membp", "--compare xol,membp": "xol,membp", "--compare native xol,membp --": "native,xol,membp",
	} {
		o := finished(t, command(t, append(append([]string{"step"}, strings.Fields(line)...), bin(t, "arm", "hello"))...))
		require.Zero(t, o.status, "%s: %s", line, o.stderr)
		require.Contains(t, o.stderr, "no difference between "+want+"\n")
	}
}

// TestStepOracles: no difference from either oracle to the end of a program,
// and one from a program that is another.
func TestStepOracles(t *testing.T) {
	for _, a := range utemu.Arches() {
		o := finished(t, command(t, "step", "--oracle", "qemu", bin(t, a.Name, "hello")))
		require.Zero(t, o.status, o.stderr)
		require.Equal(t, "hello, world\n", o.stdout)
		require.Regexp(t, `utemu: \d+ steps, no difference from qemu-`+a.Name+`: stops and registers, \d+ KiB of memory, output and exit status`, o.stderr)
	}
	for _, mode := range []string{"insn", "block"} {
		o := finished(t, command(t, "step", "--oracle", "native", "--mode", mode, bin(t, "x86_64", "hello")))
		require.Zero(t, o.status, o.stderr)
		require.Contains(t, o.stderr, "no difference from ptrace")
	}
	dir := t.TempDir()
	fake := "#!/bin/sh\nexec /usr/bin/qemu-ppc \"$1\" \"$2\" \"$3\" \"$4\" \"$5\" \"$6\" " + bin(t, "ppc", "work") + "\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "qemu-ppc"), []byte(fake), 0o700))
	cmd := command(t, "step", "--oracle", "qemu", bin(t, "ppc", "hello"))
	cmd.Env = append(cmd.Env, "PATH="+dir+":"+os.Getenv("PATH"))
	o := finished(t, cmd)
	require.Equal(t, 1, o.status, o.stderr)
	require.Regexp(t, `(?s)utemu: step \d+ differs:\n.*=> 0x[0-9a-f]+ .*\nutemu .*stops at .*\nqemu-ppc stops at `, o.stderr)
}

// TestConform runs a part of the suite and writes its results.
func TestConform(t *testing.T) {
	dir := t.TempDir()
	o := finished(t, command(t, "conform", "--arch", "thumb,ppc", "--case", "plain*,002", "--strategy", "native,xol",
		"--json", filepath.Join(dir, "r.json"), "--junit", filepath.Join(dir, "r.xml"), "-v"))
	require.Zero(t, o.status, o.stdout+o.stderr)
	require.Contains(t, o.stdout, "ok   ppc/001-plain3/insn/native\n")
	require.Regexp(t, `(?m)^ARCH +MODE +NATIVE +XOL$`, o.stdout)
	require.NotContains(t, o.stdout, "FAIL")
	require.NotContains(t, o.stdout, "membp")
	b, err := os.ReadFile(filepath.Join(dir, "r.json"))
	require.NoError(t, err)
	var vs []verdict
	require.NoError(t, json.Unmarshal(b, &vs))
	require.NotEmpty(t, vs)
	b, err = os.ReadFile(filepath.Join(dir, "r.xml"))
	require.NoError(t, err)
	requireJUnitFile(t, bytes.NewReader(b))
	var all junitSuites
	require.NoError(t, xml.Unmarshal(b, &all))
	n := 0
	for _, s := range all.Suites {
		require.Len(t, s.Cases, s.Tests)
		n += s.Tests
	}
	require.Equal(t, len(vs), n)
	for _, v := range vs {
		require.True(t, v.Passed && v.Seconds >= 0 && (v.Arch == "thumb" || v.Arch == "ppc"), "%+v", v)
	}
	for _, args := range [][]string{{"--arch", "vax"}, {"--case", "["}, {"--strategy", "x"}, {"--mode", "x"}, {"--case", "nosuch"}, {"word"}} {
		require.Equal(t, 2, finished(t, command(t, append([]string{"conform"}, args...)...)).status, args)
	}
	o = finished(t, command(t, "conform", "--list", "--arch", "arm", "--mode", "block"))
	require.Contains(t, o.stdout, "thumb/")
	require.NotContains(t, o.stdout, "insn")
}

// TestConformFailures: a failure is in the table, and told.
func TestConformFailures(t *testing.T) {
	vs := []verdict{
		{Arch: "arm", Case: "001-a", Mode: "insn", Strategy: "native", Passed: true, Seconds: 0.5},
		{Arch: "arm", Case: "001-a", Mode: "insn", Strategy: "xol", Error: "stops are <x> & y", Code: "nop", Seconds: 0.25},
		{Arch: "ppc", Case: "001-a", Mode: "block", Strategy: "native", Passed: true},
	}
	var b strings.Builder
	table(&b, vs)
	require.Equal(t, "ARCH  MODE   NATIVE  XOL\narm   insn   1 ok    0 ok, 1 FAILED\nppc   block  1 ok    -\n3 cases: 2 ok, 1 FAILED\n", b.String())
	b.Reset()
	f := conformFlags{}
	f.tell(&b, &vs[0])
	require.Empty(t, b.String())
	f.tell(&b, &vs[1])
	require.Equal(t, "FAIL arm/001-a/insn/xol: stops are <x> & y\n     nop\n", b.String())
}

// TestTrail: the instructions before a difference are told in the instruction
// set state in which they ran.
func TestTrail(t *testing.T) {
	m, err := utemu.Load(utemu.Config{Path: bin(t, "arm", "loops-thumb"), Args: []string{"x"}, Stdin: strings.NewReader("")})
	require.NoError(t, err)
	defer m.Close()
	g, err := emu.NewTarget(m.Task())
	require.NoError(t, err)
	var out bytes.Buffer
	p := printer{m: m, g: g, out: bufio.NewWriter(&out)}
	a := g.Arch()
	for a.State(g.Regs()) == 0 {
		_, err := stepper.Native{}.Step(t.Context(), g, stepper.Insn)
		require.NoError(t, err)
	}
	at := g.Regs().Reg(a.PC)
	want := p.insn(at)
	var recent trail
	recent.add(g, stepper.Stop{PC: at})
	psr, ok := a.RegByName("cpsr")
	require.True(t, ok)
	g.Regs().SetReg(psr.ID, 0x10)
	require.NotEqual(t, want, p.insn(at))
	p.difference([]string{"a"}, &stepper.Difference{From: at, Stops: []stepper.Stop{{PC: at}}}, recent)
	require.NoError(t, p.out.Flush())
	require.Contains(t, out.String(), want)
}
