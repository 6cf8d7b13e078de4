package utemu_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/trace"
)

// traced runs a program and returns its trace, with the machine and the
// program's end.
func traced(t *testing.T, c utemu.Config, tc trace.Config) ([]byte, *utemu.Machine, emu.Status) {
	t.Helper()
	var out, buf bytes.Buffer
	c.Stdout, c.Stdin, c.Stock = &out, strings.NewReader(""), stock
	c.Env = []string{}
	m, err := utemu.Load(c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	tc.Out = &buf
	tr, err := trace.New(m.Process(), m.Symbols(), tc)
	require.NoError(t, err)
	st, err := m.Run(context.Background())
	require.NoError(t, err)
	require.NoError(t, tr.Close())
	return buf.Bytes(), m, st
}

// pcs are the instruction addresses of a binary trace.
func pcs(t *testing.T, b []byte) []uint64 {
	t.Helper()
	var l []uint64
	require.NoError(t, trace.ReadPCs(bytes.NewReader(b), func(_ trace.Task, p []uint64) error {
		l = append(l, p...)
		return nil
	}))
	return l
}

// runs are the ways in which the tests run programs: args by program.
var runs = map[string][][]string{
	"hello": {{}}, "branches": {{}}, "memory": {{}}, "smc": {{}},
	"work":  {{"call", "1000"}, {"mem", "5000"}, {"cpu", "5000"}},
	"fault": {{"read"}, {"write"}, {"exec"}, {"illegal"}, {"trap"}, {"privileged"}},
}

// TestTraceModes holds the addresses that follow from blocks alone to those of
// a record for each instruction, in every kind of ending, in self-modifying
// code and across drains of the ring.
func TestTraceModes(t *testing.T) {
	t.Parallel()
	for program, all := range runs {
		for _, args := range all {
			t.Run(program+" "+strings.Join(args, " "), func(t *testing.T) {
				bins(t, program, func(t *testing.T, _, path string) {
					c := utemu.Config{Path: path, Args: append([]string{path}, args...)}
					blocks, _, st := traced(t, c, trace.Config{Events: trace.Insn, Format: trace.Binary})
					insns, _, st2 := traced(t, c, trace.Config{Events: trace.Insn | trace.Mem | trace.Reg, Format: trace.Binary})
					require.Equal(t, st.Signal, st2.Signal)
					require.Equal(t, st.Code, st2.Code)
					want := pcs(t, insns)
					require.NotEmpty(t, want)
					require.Equal(t, want, pcs(t, blocks))
				})
			})
		}
	}
}

// TestTraceBlocks holds block events to the instructions: the addresses that
// follow from them are those of a trace of instructions, and blocks are the
// same whatever else is traced.
func TestTraceBlocks(t *testing.T) {
	t.Parallel()
	for program, args := range map[string][]string{"smc": nil, "work": {"call", "20"}, "fault": {"illegal"}} {
		bins(t, program, func(t *testing.T, _, path string) {
			c := utemu.Config{Path: path, Args: append([]string{path}, args...)}
			both, _, _ := traced(t, c, trace.Config{Events: trace.Insn | trace.Block, Format: trace.JSONL})
			alone, _, _ := traced(t, c, trace.Config{Events: trace.Block, Format: trace.JSONL})
			only, _, _ := traced(t, c, trace.Config{Events: trace.Insn, Format: trace.Binary})
			var blocks, end uint64
			var got []uint64
			var lines []event
			for _, e := range events(t, both) {
				pc := num(t, e.PC)
				if e.Event == "block" {
					lines = append(lines, e)
					blocks++
					end = pc + uint64(e.Size)
					continue
				}
				require.Less(t, pc, end, "an instruction of no block")
				got = append(got, pc)
			}
			require.Equal(t, pcs(t, only), got)
			require.Equal(t, lines, events(t, alone))
			require.Greater(t, blocks, uint64(10))
		})
	}
}

// qemuPCs is qemu-user's own list of the instructions it runs. It repeats a
// string instruction of x86 once more than utemu does, so equal neighbours
// count as one.
func qemuPCs(t *testing.T, arch, path string, args []string) []uint64 {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	argv := []string{"-singlestep", "-d", "nochain,exec", "-D", log}
	if arch == "ppc" {
		argv = append(argv, "-cpu", "7457a_v1.2")
	}
	cmd := exec.Command("qemu-"+arch, append(append(argv, path), args...)...)
	cmd.Env = []string{}
	_ = cmd.Run() // the program's status is not of interest here
	b, err := os.ReadFile(log)
	require.NoError(t, err)
	var l []uint64
	for _, m := range regexp.MustCompile(`(?m)^Trace [^\[]*\[[^/]*/([0-9a-f]+)/`).FindAllSubmatch(b, -1) {
		v, err := strconv.ParseUint(string(m[1]), 16, 64)
		require.NoError(t, err)
		l = append(l, v)
	}
	return distinct(l)
}

// distinct drops neighbours that are equal.
func distinct(l []uint64) (out []uint64) {
	for i, v := range l {
		if i == 0 || v != l[i-1] {
			out = append(out, v)
		}
	}
	return out
}

// TestTraceQEMU holds traces to what qemu-user runs. Programs whose addresses
// depend on where mmap puts things are left to TestTraceModes.
func TestTraceQEMU(t *testing.T) {
	t.Parallel()
	for program, all := range map[string][][]string{
		"hello": {{}}, "branches": {{}}, "work": {{"call", "300"}, {"mem", "500"}, {"sys", "20"}},
		"fault": {{"read"}, {"write"}, {"illegal"}},
	} {
		for _, args := range all {
			t.Run(program+" "+strings.Join(args, " "), func(t *testing.T) {
				bins(t, program, func(t *testing.T, arch, path string) {
					want := qemuPCs(t, arch, path, args)
					require.Greater(t, len(want), 50)
					c := utemu.Config{Path: path, Args: append([]string{path}, args...)}
					b, _, _ := traced(t, c, trace.Config{Events: trace.Insn, Format: trace.Binary})
					got := distinct(pcs(t, b))
					require.Len(t, got, len(want))
					for i := range want { // a program may lie elsewhere
						require.Equal(t, want[i]-want[0], got[i]-got[0], "instruction %d, at %#x", i, want[i])
					}
				})
			})
		}
	}
}

// event is a line of a JSON trace.
type event struct {
	Event, PC, Addr, Value, Text, Bytes, Symbol string
	Size                                        int
	Regs                                        map[string]string
}

func events(t *testing.T, b []byte) (l []event) {
	t.Helper()
	for _, line := range bytes.Split(bytes.TrimSuffix(b, []byte("\n")), []byte("\n")) {
		var e event
		require.NoError(t, json.Unmarshal(line, &e), "%s", line)
		l = append(l, e)
	}
	return l
}

func num(t *testing.T, s string) uint64 {
	t.Helper()
	v, err := strconv.ParseUint(s, 0, 64)
	require.NoError(t, err)
	return v
}

// TestTraceRegisters replays the changes and compares the outcome with the
// registers that the program ended with.
func TestTraceRegisters(t *testing.T) {
	t.Parallel()
	for program, arg := range map[string]string{"branches": "", "smc": "", "memory": "", "fault": "read"} {
		bins(t, program, func(t *testing.T, _, path string) {
			c := utemu.Config{Path: path, Args: []string{path, arg}}
			b, m, st := traced(t, c, trace.Config{Events: trace.Insn | trace.Reg, Format: trace.JSONL})
			vals := map[string]uint64{}
			for _, e := range events(t, b) {
				for r, v := range e.Regs {
					vals[r] = num(t, v)
				}
			}
			require.NotEmpty(t, vals)
			a := m.Process().Arch
			for _, r := range emu.TraceRegisters(a) {
				if kernels := r.ID == a.ABI.Ret || r.Name == "rcx" || r.Name == "r11" && a.Word == 8; kernels && st.Signal == 0 {
					continue // set by the kernel for the call that ended the program
				}
				require.Equal(t, m.Task().CPU().Reg(r.ID)&emu.RegMask(r), vals[r.Name], r.Name)
			}
		})
	}
}

// TestTraceMemory replays the writes of a program: every read must give what
// was written last at its address, byte by byte.
func TestTraceMemory(t *testing.T) {
	for _, program := range []string{"branches", "work"} {
		bins(t, program, func(t *testing.T, _, path string) {
			args := []string{path}
			if program == "work" {
				args = append(args, "call", "50")
			}
			b, m, _ := traced(t, utemu.Config{Path: path, Args: args}, trace.Config{Events: trace.Mem, Format: trace.JSONL})
			big := m.Process().Arch.Order.Uint16([]byte{0, 1}) == 1
			mem := map[uint64]byte{}
			reads := 0
			for _, e := range events(t, b) {
				addr, v := num(t, e.Addr), num(t, e.Value)
				for i := range e.Size {
					shift := 8 * i
					if big {
						shift = 8 * (e.Size - 1 - i)
					}
					at := addr + uint64(i)
					if e.Event == "write" {
						mem[at] = byte(v >> shift)
					} else if old, ok := mem[at]; ok {
						reads++
						require.Equal(t, old, byte(v>>shift), "%+v", e)
					}
				}
			}
			require.Greater(t, reads, 100)
		})
	}
}

// accesses are programs in assembler that end in an undefined instruction,
// with what they do to memory at their symbol data.
var accesses = map[string]struct {
	cc, start, asm string
	want           []string // kind, offset from data, size, value
}{
	"i386": {"i686-linux-gnu-gcc", "_start:", `
		mov $data,%esi; lea 64(%esi),%edi; mov $2,%ecx; rep movsl; lea 128+data,%esp; push $5; pop %eax
		pusha; incl data+64; lock cmpxchg %ecx,data+4; fldl data; fstps data+200; movw $7,4095+page; xchg %al,data; ud2`, []string{
		"read 0 4 0x44332211", "write 64 4 0x44332211", "read 4 4 0x88776655", "write 68 4 0x88776655",
		"write 124 4 0x5", "read 124 4 0x5",
		"write 96 4 *", "write 100 4 *", "write 104 4 0x0", "write 108 4 *", "write 112 4 0x0", "write 116 4 0x0",
		"write 120 4 0x0", "write 124 4 0x5", "read 64 4 0x44332211", "write 64 4 0x44332212", "read 4 4 0x88776655", "write 4 4 0x88776655",
		"read 0 8 0x8877665544332211", "write 200 4 0x80000000", "write 8191 2 0x7", "read 0 1 0x11", "write 0 1 *"}},
	"x86_64": {"x86_64-linux-gnu-gcc", "_start:", `
		lea data(%rip),%rsi; lea 64+data(%rip),%rdi; mov $3,%ecx; rep movsb
		lea 128+data(%rip),%rsp; push $5; pop %rax; call 1f; 1: movups data(%rip),%xmm0
		movl $7,4093+page(%rip); mov 4093+page(%rip),%eax; ud2`, []string{
		"read 0 1 0x11", "write 64 1 0x11", "read 1 1 0x22", "write 65 1 0x22", "read 2 1 0x33", "write 66 1 0x33",
		"write 120 8 0x5", "read 120 8 0x5", "write 120 8 *", "read 0 8 0x8877665544332211", "read 8 8 0x0",
		"write 8189 4 0x7", "read 8189 4 0x7"}},
	"arm": {"arm-linux-gnueabihf-gcc", "_start:", `
		ldr r0,=data; ldmia r0,{r1,r2}; add r0,#64; stmia r0!,{r1,r2}; push {lr}
		ldrd r4,r5,[r0,#-8]; .inst 0xe7f001f0; .balign 4; .ltorg`, []string{
		"read 0 4 0x44332211", "read 4 4 0x88776655", "write 64 4 0x44332211", "write 68 4 0x88776655",
		"read 64 4 0x44332211", "read 68 4 0x88776655"}},
	"thumb": {"arm-linux-gnueabihf-gcc", ".syntax unified; .thumb; .thumb_func; _start:", `
		ldr r0,=data; ldmia r0!,{r1,r2}; stmia r0!,{r1,r2}; cmp r1,r1; ite eq; strheq r2,[r0]; strbne r2,[r0,#8]
		ldrsb r3,[r0,#-1]; strd r1,r2,[r0,#16]; vldr d0,[r0,#16]; vstr s1,[r0,#24]; ldrex r4,[r0,#24]; strex r5,r1,[r0,#24]
		udf #0; .balign 4; .ltorg`, []string{
		"read 0 4 0x44332211", "read 4 4 0x88776655", "write 8 4 0x44332211", "write 12 4 0x88776655",
		"write 16 2 0x6655", "read 15 1 0x88", "write 32 4 0x44332211", "write 36 4 0x88776655",
		"read 32 8 0x8877665544332211", "write 40 4 0x88776655",
		"read 40 4 0x88776655", "read 40 4 0x88776655", "write 40 4 0x44332211"}},
	"aarch64": {"aarch64-linux-gnu-gcc", "_start:", `
		adrp x0,data; add x0,x0,:lo12:data; ldp x1,x2,[x0]; stp w1,w2,[x0,#64]; add x3,x0,#128; dc zva,x3; ldr q0,[x0]; .inst 0`, []string{
		"read 0 8 0x8877665544332211", "read 8 8 0x0", "write 64 4 0x44332211", "write 68 4 0x0",
		"write 128 8 0x0", "write 136 8 0x0", "write 144 8 0x0", "write 152 8 0x0", "write 160 8 0x0", "write 168 8 0x0",
		"write 176 8 0x0", "write 184 8 0x0", "read 0 8 0x8877665544332211", "read 8 8 0x0"}},
	"ppc": {"powerpc-linux-gnu-gcc", "_start:", `
		lis 3,data@ha; addi 3,3,data@l; lmw 30,0(3); stmw 30,64(3); lswi 5,3,7; addi 4,3,72; stswi 5,4,3
		addi 4,3,128; dcbz 0,4; trap`, []string{
		"read 0 4 0x11223344", "read 4 4 0x55667788", "write 64 4 0x11223344", "write 68 4 0x55667788",
		"read 0 4 0x11223344", "read 4 2 0x5566", "read 6 1 0x77", "write 72 2 0x1122", "write 74 1 0x33",
		"write 128 8 0x0", "write 136 8 0x0", "write 144 8 0x0", "write 152 8 0x0"}},
	"ppc64": {"powerpc64-linux-gnu-gcc", `.section ".opd","aw"; _start: .quad .begin,.TOC.@tocbase,0; .previous; .begin:`, `
		lis 3,data@ha; addi 3,3,data@l; ld 4,0(3); stdu 4,64(3); lbz 5,-63(3); sth 4,0(3); lwa 6,-60(3); ldarx 7,0,3; stdcx. 4,0,3; trap`, []string{
		"read 0 8 0x1122334455667788", "write 64 8 0x1122334455667788", "read 1 1 0x22", "write 64 2 0x7788",
		"read 4 4 0x55667788", "read 64 8 0x7788334455667788", "read 64 8 0x7788334455667788", "write 64 8 0x1122334455667788"}},
}

// TestTraceAccesses holds each access of instructions that make several, or
// that the engine does in one piece, to the architecture's manual.
func TestTraceAccesses(t *testing.T) {
	for name, c := range accesses {
		t.Run(name, func(t *testing.T) {
			exe := filepath.Join(t.TempDir(), "a")
			src := exe + ".S"
			text := ".globl _start\n.text\n" + strings.ReplaceAll(c.start+c.asm, ";", "\n") +
				"\n.section .sdat,\"awx\"\n.balign 4096\ndata: .byte 0x11,0x22,0x33,0x44,0x55,0x66,0x77,0x88\n.space 4088\npage: .space 8192\n"
			require.NoError(t, os.WriteFile(src, []byte(text), 0o644))
			out, err := exec.Command(c.cc, "-nostdlib", "-static", "-no-pie", "-o", exe, src).CombinedOutput()
			require.NoError(t, err, "%s", out)
			b, m, st := traced(t, utemu.Config{Path: exe}, trace.Config{Events: trace.Mem, Format: trace.JSONL})
			require.NotZero(t, st.Signal)
			base, _, ok := m.Symbols().ByName("data")
			require.True(t, ok)
			var got []string
			for _, e := range events(t, b) {
				if a := num(t, e.Addr); a >= base && a < base+3*4096 {
					got = append(got, fmt.Sprintf("%s %d %d %s", e.Event, a-base, e.Size, e.Value))
				}
			}
			require.Len(t, got, len(c.want), "%q", got)
			for i, w := range c.want {
				require.Regexp(t, "^"+strings.ReplaceAll(w, "*", ".*")+"$", got[i], "access %d of %q", i, got)
			}
		})
	}
}

// TestTraceFilters holds the selections to what they say.
func TestTraceFilters(t *testing.T) {
	bins(t, "branches", func(t *testing.T, _, path string) {
		text := func(tc trace.Config) (lines []string) {
			b, _, st := traced(t, utemu.Config{Path: path}, tc)
			require.Zero(t, st.Signal)
			require.True(t, bytes.HasSuffix(b, []byte("\n")), "last line %q", b)
			return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
		}
		all := text(trace.Config{Events: trace.Insn})
		const symbol = "fib"
		of := func(lines []string) (n int) {
			for _, l := range lines {
				if where := strings.Split(l, "\t")[1]; where == symbol || strings.HasPrefix(where, symbol+"+") {
					n++
				}
			}
			return n
		}
		only := text(trace.Config{Events: trace.Insn, Only: []string{symbol}})
		require.NotZero(t, len(only))
		require.Equal(t, of(all), len(only))
		require.Equal(t, of(only), len(only))
		require.Equal(t, all, text(trace.Config{Events: trace.Insn, Only: []string{filepath.Base(path)}}))
		require.Equal(t, all[:100], text(trace.Config{Events: trace.Insn, Max: 100}))

		from := text(trace.Config{Events: trace.Insn, From: symbol})
		require.Equal(t, symbol, strings.Split(from[0], "\t")[1])
		require.Equal(t, all[len(all)-len(from):], from)
		// With memory accesses the engine is told to watch for the start.
		withMem := text(trace.Config{Events: trace.Insn | trace.Mem, From: symbol})
		var insns []string
		for _, l := range withMem {
			if strings.HasPrefix(l, "0x") {
				insns = append(insns, l)
			}
		}
		require.Equal(t, from, insns)
		to := text(trace.Config{Events: trace.Insn, To: symbol})
		require.Equal(t, all[:len(all)-len(from)], to)
	})
}

// BenchmarkTrace measures a run without a trace, with all addresses into a
// binary trace, and with disassembly, in instructions a second.
func BenchmarkTrace(b *testing.B) {
	for _, arch := range []string{"x86_64", "arm", "ppc"} {
		path := filepath.Join("testdata/bins", arch, "work")
		for name, tc := range map[string]*trace.Config{
			"none":   nil,
			"binary": {Events: trace.Insn, Format: trace.Binary},
			"text":   {Events: trace.Insn, Format: trace.Text},
		} {
			b.Run(arch+"/"+name, func(b *testing.B) {
				for b.Loop() {
					m, err := utemu.Load(utemu.Config{Path: path, Args: []string{path, "call", "1000000"}, Stdout: io.Discard, Stock: stock})
					require.NoError(b, err)
					var tr *trace.Tracer
					if tc != nil {
						c := *tc
						c.Out = io.Discard
						tr, err = trace.New(m.Process(), m.Symbols(), c)
						require.NoError(b, err)
					}
					_, err = m.Run(context.Background())
					require.NoError(b, err)
					if tr != nil {
						require.NoError(b, tr.Close())
						b.ReportMetric(float64(tr.Insns())*float64(b.N)/b.Elapsed().Seconds()/1e6, "Minsn/s")
					}
					require.NoError(b, m.Close())
				}
			})
		}
	}
}
