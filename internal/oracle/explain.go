package oracle

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/internal/disasm"
	"github.com/utemu/utemu/stepper"
)

// differ compares stops and registers.
func (s *session) differ(st stepper.Stop, from uint64) *Difference {
	a := s.g.Arch()
	d := &Difference{Difference: stepper.Difference{Step: s.rep.Steps + 1, From: from, Stops: []stepper.Stop{st, s.theirs()}}}
	theirs := d.Stops[1]
	if st.Why == stepper.Exited || theirs.Why == stepper.Exited {
		if st.Why == theirs.Why && st.Code == theirs.Code {
			return nil
		}
		return d
	}
	same := a.Addr(st.PC) == a.Addr(theirs.PC) && (st.Why == stepper.Signal) == (theirs.Why == stepper.Signal) && (st.Why != stepper.Signal || st.Signo == theirs.Signo)
	for _, r := range a.Regs[:a.Core] {
		mask := maskOf(r)
		x, y := s.g.Regs().Reg(r.ID), s.p.Regs().Reg(r.ID)
		if (x^y)&mask != 0 {
			d.Regs = append(d.Regs, stepper.RegDifference{Name: r.Name, Values: []uint64{x, y}})
		}
	}
	if same && (d.Regs == nil || s.explain(d)) {
		return nil
	}
	return d
}

// theirs is the oracle's stop as one of package stepper.
func (s *session) theirs() stepper.Stop {
	o := stepper.Stop{Why: stepper.Stepped, PC: s.p.Regs().Reg(s.g.Arch().PC)}
	switch {
	case s.last.Exited:
		o = stepper.Stop{Why: stepper.Exited, Code: s.last.Status}
	case s.last.Signo != 0:
		o.Why, o.Signo = stepper.Signal, s.last.Signo
	}
	return o
}

// explain tells whether the registers that differ may, after what has run. The
// oracle then takes the emulator's.
func (s *session) explain(d *Difference) bool {
	var machine, mistake string
	var flags uint64
	var wrong []string
	for k := range s.ran {
		name := s.mnemonic(&s.ran[k])
		if r := reads[name]; r != "" {
			machine = name + ": " + r
		} else if s.ran[k].Is(arch.IsTime) {
			machine = name + ": " + whyTime
		}
		if x, ok := deviations[name]; ok && s.p.Qemu() {
			mistake, wrong = x.why, append(wrong, x.regs...)
		}
		flags |= undefinedBy(name)
	}
	a := s.g.Arch()
	why := map[string]bool{}
	for _, r := range d.Regs {
		switch {
		case machine != "":
			why[machine] = true
		case s.helped && s.scratch(r):
			why["registers that a helper of the kernel's may change"] = true
		case slices.Contains(wrong, r.Name):
			why[mistake] = true
		case r.Name == "eflags" && (r.Values[0]^r.Values[1])&arithmetic&^flags == 0:
			why["flags that instructions leave undefined"] = true
		default:
			return false
		}
	}
	for _, r := range d.Regs {
		reg, _ := a.RegByName(r.Name)
		s.p.Regs().SetReg(reg.ID, r.Values[0]&maskOf(reg)|r.Values[1]&^maskOf(reg))
	}
	for w := range why {
		s.rep.Explained[w]++
	}
	return true
}

// refused has the oracle go on behind an instruction of Power ISA 3.0 that reads
// FPSCR, which is MFFS on processors that do not know it, and for which qemu-ppc
// raises SIGILL.
func (s *session) refused(i *arch.Insn) error {
	k, ok := s.p.(Skipper)
	if !ok || s.last.Signo != int(unix.SIGILL) || s.st == nil || s.st.Why == stepper.Signal {
		return nil
	}
	name, operands, _ := strings.Cut(s.text(i), " ")
	reg, _, _ := strings.Cut(operands, ",")
	r, ok := s.g.Arch().RegByName(reg)
	if !ok || !strings.HasPrefix(name, "mffs") {
		return nil
	}
	s.last = Stop{}
	s.rep.Explained[name+": qemu does not run it"]++
	return k.Skip(i, reg, s.g.Regs().Reg(r.ID))
}

// scratch tells whether a helper of the kernel's may leave a register so. Of its
// result it is said whether it is 0.
func (s *session) scratch(d stepper.RegDifference) bool {
	a := s.g.Arch()
	reg, _ := a.RegByName(d.Name)
	return reg.ID != a.ABI.Ret || d.Values[0] != 0 && d.Values[1] != 0
}

// random tells whether a descriptor is of a device for random numbers.
func (s *session) random(fd uint64) bool {
	guest, ok := s.g.Task().Proc.OS.(interface{ HostPath(string) (string, error) })
	if !ok {
		return false
	}
	name, err := guest.HostPath(fmt.Sprintf("/proc/self/fd/%d", int32(fd)))
	var st unix.Stat_t
	if err != nil || unix.Stat(name, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR {
		return false
	}
	return st.Rdev == unix.Mkdev(1, 8) || st.Rdev == unix.Mkdev(1, 9)
}

// zeroed is how much DC ZVA of qemu's CPU models clears at most.
const zeroed = 2048

// cleared puts memory right after DC ZVA: the CPU model max of qemu clears 512
// bytes, where the program has been told the size of the emulator's.
func (s *session) cleared() error {
	if !s.p.Qemu() || s.last.Exited {
		return nil
	}
	a := s.g.Arch()
	for k := range s.ran {
		name, ok := strings.CutPrefix(s.text(&s.ran[k]), "dc zva, ")
		reg, found := a.RegByName(name)
		if !ok || !found {
			continue
		}
		at := s.g.Regs().Reg(reg.ID) &^ (zeroed - 1)
		if err := s.same(at, zeroed, "dc zva: qemu-aarch64 clears more than it says"); err != nil {
			return err
		}
	}
	return nil
}

// same gives the oracle the emulator's memory, which counts as explained if it
// differs.
func (s *session) same(at uint64, size int, why string) error {
	x, y := make([]byte, size), make([]byte, size)
	if _, err := s.g.Mem().ReadAt(x, at); err != nil {
		return err
	}
	if err := s.read(y, at); err != nil || bytes.Equal(x, y) {
		return err
	}
	s.rep.Explained[why]++
	_, err := s.p.WriteAt(x, at)
	return err
}

// environments are instructions that store the environment of the x87 FPU, by
// size. CPUs differ in whether its pointers are those of the last instruction, and
// in what is in the halves of words that are reserved.
var environments = map[string]int{"fnstenv": 28, "fnsave": 108, "fxsave": 512}

// environment gives the oracle the emulator's of those.
func (s *session) environment() error {
	if s.last.Exited {
		return nil
	}
	for k := range s.ran {
		size := environments[s.mnemonic(&s.ran[k])]
		at, ok := s.operand(s.text(&s.ran[k]))
		if size == 0 || !ok {
			continue
		}
		if _, err := s.g.Mem().ReadAt(make([]byte, size), at); err != nil {
			return nil // it has faulted
		}
		if err := s.same(at, size, "environment of the FPU"); err != nil {
			return err
		}
	}
	return nil
}

// memoryOperand is one of x86: displacement, base, index and scale.
var memoryOperand = regexp.MustCompile(`^\S+ (-?0x[0-9a-f]+)?\(%(\w+)(?:,%(\w+),(\d))?\)$`)

// operand is the address of the only operand of an x86 instruction, of one that
// has not changed the registers.
func (s *session) operand(text string) (uint64, bool) {
	m := memoryOperand.FindStringSubmatch(text)
	if m == nil {
		return 0, false
	}
	a := s.g.Arch()
	disp, _ := strconv.ParseInt(m[1], 0, 64)
	at := uint64(disp)
	scale, _ := strconv.ParseUint(m[4], 10, 8)
	for k, by := range []uint64{2: 1, 3: scale} {
		if by == 0 {
			continue
		}
		r, ok := a.RegByName(m[k])
		if !ok || r.ID == a.PC {
			return 0, false
		}
		at += s.g.Regs().Reg(r.ID) * by
	}
	return a.Addr(at), true
}

func (s *session) text(i *arch.Insn) string     { return text(s.g.Arch(), i) }
func (s *session) mnemonic(i *arch.Insn) string { return mnemonic(s.g.Arch(), i) }

// text is an instruction in assembly.
func text(a *arch.Arch, i *arch.Insn) string {
	return disasm.DecodeIT(disasm.ISA(a.ISA(i.State)), i.PC, i.Bytes(), i.IT, nil).Text
}

// mnemonic is the name of an instruction.
func mnemonic(a *arch.Arch, i *arch.Insn) string {
	text := text(a, i)
	for {
		name, rest, _ := strings.Cut(text, " ")
		switch name {
		case "lock", "rep", "repz", "repnz", "data16", "bnd", "notrack":
			text = rest
			continue
		}
		return name
	}
}

// undefinedBy are the flags that the instruction of a name leaves undefined.
func undefinedBy(name string) uint64 {
	if f, ok := undefined[name]; ok || name == "" {
		return f
	}
	if strings.ContainsAny(name[len(name)-1:], "bwlq") {
		return undefined[name[:len(name)-1]]
	}
	return 0
}

// memory compares all memory that the program may write, but what lies below
// the stack pointer.
func (s *session) memory(from uint64) error {
	sp := s.g.Regs().Reg(s.g.Arch().SP)
	var l []emu.VMA
	s.g.Task().Proc.Space.VMAs(func(v *emu.VMA) bool {
		if v.Prot&(arch.Read|arch.Write) == arch.Read|arch.Write && v.Flags&emu.MapShared == 0 {
			l = append(l, *v)
		}
		return true
	})
	const piece = 1 << 16
	x, y := make([]byte, piece), make([]byte, piece)
	for _, v := range l {
		at := v.Addr
		if v.Addr <= sp && sp < v.End {
			at = sp
		}
		for ; at < v.End; at += piece {
			n := min(piece, int(v.End-at))
			if _, err := s.g.Mem().ReadAt(x[:n], at); err != nil {
				return err
			}
			if err := s.read(y[:n], at); err != nil {
				return err
			}
			s.rep.Bytes += uint64(n)
			if !bytes.Equal(x[:n], y[:n]) {
				s.diff = memoryDifference(x[:n], y[:n], at)
				s.diff.Step, s.diff.From = s.rep.Steps, from
				return nil
			}
		}
	}
	return nil
}

// read reads the oracle's memory; what is not there is zero, as a page that
// nobody has touched.
func (s *session) read(p []byte, at uint64) error {
	if _, err := s.p.ReadAt(p, at); err == nil {
		return nil
	}
	for n := 0; n < len(p); {
		k := min(len(p)-n, int(emu.PageSize-(at+uint64(n))%emu.PageSize))
		if _, err := s.p.ReadAt(p[n:n+k], at+uint64(n)); err != nil {
			clear(p[n : n+k])
		}
		n += k
	}
	return s.ctx.Err()
}

// memoryDifference tells of the first byte that differs.
func memoryDifference(x, y []byte, at uint64) *Difference {
	k := 0
	for x[k] == y[k] {
		k++
	}
	end := min(len(x), k+16)
	return &Difference{What: fmt.Sprintf("memory at %#x: emulator % x, oracle % x", at+uint64(k), x[k:end], y[k:end])}
}

// String says where they part, in one line.
func (d *Difference) String() string {
	if d.What != "" {
		return fmt.Sprintf("after step %d, at %#x: %s", d.Step, d.From, d.What)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "step %d from %#x: emulator %s at %#x, oracle %s at %#x", d.Step, d.From, d.Stops[0].Why, d.Stops[0].PC, d.Stops[1].Why, d.Stops[1].PC)
	for _, st := range d.Stops {
		if st.Signo != 0 {
			fmt.Fprintf(&b, ", signal %d", st.Signo)
		}
	}
	for _, r := range d.Regs {
		fmt.Fprintf(&b, "; %s %#x and %#x", r.Name, r.Values[0], r.Values[1])
	}
	return b.String()
}
