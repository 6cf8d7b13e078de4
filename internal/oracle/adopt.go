package oracle

import (
	"errors"
	"fmt"
	"os"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

// Types of auxiliary vector entries (uapi/linux/auxvec.h).
const (
	atNull        = 0
	atIgnore      = 1
	atPhdr        = 3
	atBase        = 7
	atEntry       = 9
	atSysinfo     = 32
	atSysinfoEhdr = 33
)

// own are the entries that tell of a CPU or a kernel. The emulator's count, so
// that the program chooses the same functions on both sides; what the emulator
// does not have, the other side is made to ignore: the vDSO before all, whose
// code is the host's.
var own = map[uint64]bool{
	15: true, 24: true, // AT_PLATFORM, AT_BASE_PLATFORM
	16: true, 26: true, 29: true, 30: true, // AT_HWCAP to AT_HWCAP4
	19: true, 20: true, 21: true, 22: true, // caches, PowerPC
	27: true, 28: true, // AT_RSEQ_*
	atSysinfo: true, atSysinfoEhdr: true,
	34: true, 35: true, 36: true, 37: true, 40: true, 41: true, 42: true, 43: true, 44: true, 45: true, 46: true, 47: true, // caches
	51: true, // AT_MINSIGSTKSZ
}

// hold takes descriptors of a guest, so that its own get the numbers that they
// get on the other side.
func hold(p *emu.Process, l []int) (release func(), err error) {
	guest, ok := p.OS.(interface{ SetFile(int, *os.File) error })
	if !ok || len(l) == 0 {
		return func() {}, nil
	}
	f, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	for _, n := range l {
		if err := guest.SetFile(n, f); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return func() { f.Close() }, nil
}

// entry is one of the auxiliary vector; at is where it lies.
type entry struct{ typ, val, at uint64 }

// words reads words of a guest.
type words struct {
	a   *arch.Arch
	m   arch.Memory
	err error
}

func (w *words) get(at uint64) uint64 {
	b := make([]byte, w.a.Word)
	if _, err := w.m.ReadAt(b, at); err != nil {
		w.err = errors.Join(w.err, err)
		return 0
	}
	if w.a.Word == 8 {
		return w.a.Order.Uint64(b)
	}
	return uint64(w.a.Order.Uint32(b))
}

func (w *words) put(at, v uint64) {
	b := make([]byte, w.a.Word)
	if w.a.Word == 8 {
		w.a.Order.PutUint64(b, v)
	} else {
		w.a.Order.PutUint32(b, uint32(v))
	}
	_, err := w.m.WriteAt(b, at)
	w.err = errors.Join(w.err, err)
}

// auxv finds the auxiliary vector above a fresh stack pointer.
func auxv(a *arch.Arch, r regset.Regs, m arch.Memory) ([]entry, error) {
	w := words{a: a, m: m}
	n := uint64(a.Word)
	at := r.Reg(a.SP) + n // argc
	for range 2 {         // argv and envp
		for ; w.err == nil && w.get(at) != 0; at += n {
		}
		at += n
	}
	var l []entry
	for w.err == nil {
		e := entry{w.get(at), w.get(at + n), at}
		if l = append(l, e); e.typ == atNull {
			break
		}
		at += 2 * n
	}
	if w.err != nil {
		return nil, fmt.Errorf("oracle: the initial stack: %w", w.err)
	}
	return l, nil
}

func find(l []entry, typ uint64) uint64 {
	for _, e := range l {
		if e.typ == typ {
			return e.val
		}
	}
	return 0
}

// adopt brings two fresh processes to the same state: that of p, but for what
// the auxiliary vector says of CPU and kernel. The program and its dynamic
// linker move in the emulator to where p has them, and the stack becomes p's.
// It returns p's auxiliary vector.
func adopt(g *emu.Target, p Process) ([]entry, error) {
	a := g.Arch()
	theirs, err := auxv(a, p.Regs(), p)
	if err != nil {
		return nil, err
	}
	ours, err := auxv(a, g.Regs(), g.Mem())
	if err != nil {
		return nil, err
	}
	if err := agree(a, ours, theirs, p); err != nil {
		return nil, err
	}
	sp := p.Regs().Reg(a.SP)
	s := g.Task().Proc.Space
	program, linker := find(theirs, atPhdr)-find(ours, atPhdr), find(theirs, atBase)-find(ours, atBase)
	old := stackOf(s, g.Regs().Reg(a.SP))
	if old == nil {
		return nil, errors.New("oracle: the emulator's stack is not to be found")
	}
	if err := s.Unmap(old.Addr, old.Size()); err != nil {
		return nil, err
	}
	if linker != 0 {
		if err := shift(s, g.Regs().Reg(a.PC), linker); err != nil {
			return nil, err
		}
	}
	if program != 0 {
		if err := shift(s, find(ours, atEntry), program); err != nil {
			return nil, err
		}
	}
	end, err := stackEnd(a, p, sp, theirs)
	if err != nil {
		return nil, err
	}
	if err := stack(s, p, sp, end); err != nil {
		return nil, err
	}
	return theirs, start(g, p)
}

// agree writes the emulator's own entries into the other process. Where that
// has no entry for one it takes the place of one that is ignored.
func agree(a *arch.Arch, ours, theirs []entry, p Process) error {
	w := words{a: a, m: p}
	var free []uint64
	missing := map[uint64]uint64{}
	for _, e := range ours {
		switch e.typ {
		case 15, 24: // point into the old stack
		case atSysinfo, atSysinfoEhdr: // a vDSO that p does not have
		default:
			if own[e.typ] {
				missing[e.typ] = e.val
			}
		}
	}
	for _, e := range theirs {
		if !own[e.typ] {
			continue
		}
		v, ok := missing[e.typ]
		if !ok {
			w.put(e.at, atIgnore)
			free = append(free, e.at)
			continue
		}
		w.put(e.at+uint64(a.Word), v)
		delete(missing, e.typ)
	}
	for typ, v := range missing {
		if len(free) == 0 {
			break
		}
		w.put(free[0], typ)
		w.put(free[0]+uint64(a.Word), v)
		free = free[1:]
	}
	return w.err
}

// stackOf is the mapping that an address on the stack lies in.
func stackOf(s *emu.Space, sp uint64) *emu.VMA { return s.Find(sp) }

// shift moves the object that holds an address: the mappings of its file and
// the zeroes that follow them.
func shift(s *emu.Space, in, by uint64) error {
	v := s.Find(in)
	if v == nil || v.File == nil {
		return fmt.Errorf("oracle: no program at %#x", in)
	}
	file := v.File
	var l []emu.VMA
	mine := false
	s.VMAs(func(v *emu.VMA) bool {
		mine = v.File != nil && v.File.Ino == file.Ino && v.File.Dev == file.Dev ||
			mine && v.File == nil && v.Name == "" && v.Addr == l[len(l)-1].End
		if mine {
			l = append(l, *v)
		}
		return true
	})
	for k := range l {
		v := l[k]
		if int64(by) > 0 { // from the top, so that the pieces do not meet
			v = l[len(l)-1-k]
		}
		if !s.Free(v.Addr+by, v.Size()) {
			return fmt.Errorf("oracle: no room for the program at %#x", v.Addr+by)
		}
		if err := s.Move(v.Addr, v.Addr+by, v.Size()); err != nil {
			return fmt.Errorf("oracle: moving the program: %w", err)
		}
	}
	return nil
}

// stackSize is how far the stack may grow, the kernel's default limit.
const stackSize = 8 << 20

// stackEnd is where the stack ends: behind the page of the last string that the
// program is told of. What lies above it may be another mapping.
func stackEnd(a *arch.Arch, p Process, sp uint64, aux []entry) (uint64, error) {
	w := words{a: a, m: p}
	end := aux[len(aux)-1].at
	reach := func(at, size uint64) {
		if at > sp && at < sp+stackSize {
			end = max(end, at+size)
		}
	}
	n := uint64(a.Word)
	for at := sp + n; w.err == nil && at < aux[0].at; at += n {
		reach(w.get(at), 1)
	}
	for _, e := range aux {
		switch e.typ {
		case 15, 24, 31: // AT_PLATFORM, AT_BASE_PLATFORM, AT_EXECFN
			reach(e.val, 1)
		case 25: // AT_RANDOM
			reach(e.val, 16)
		}
	}
	// The last string goes on to its NUL.
	b := make([]byte, 1)
	for {
		if _, err := p.ReadAt(b, end); err != nil || b[0] == 0 {
			break
		}
		end++
	}
	return (end + emu.PageSize) &^ (emu.PageSize - 1), w.err
}

// stack makes the emulator's stack that of p, which ends at an address.
func stack(s *emu.Space, p Process, sp, end uint64) error {
	data := make([]byte, end-sp)
	if _, err := p.ReadAt(data, sp); err != nil {
		return fmt.Errorf("oracle: no stack at %#x: %w", sp, err)
	}
	low := end - stackSize
	for !s.Free(low, end-low) && low < sp&^(emu.PageSize-1) {
		low += emu.PageSize
	}
	v := emu.VMA{Addr: low, End: end, Prot: arch.Read | arch.Write, Name: "[stack]", Flags: emu.MapGrowsDown | emu.MapFixedName | emu.MapNoReserve}
	if err := s.Map(v); err != nil {
		return fmt.Errorf("oracle: stack at %#x: %w", low, err)
	}
	_, err := s.WriteAt(data, sp)
	return err
}

// start gives the emulator the registers of p, but for flags, which are the
// emulator's: qemu starts with those of a CPU's reset.
func start(g *emu.Target, p Process) error {
	a := g.Arch()
	for _, r := range a.Regs[:a.Core] {
		if r.Mask == 0 {
			g.Regs().SetReg(r.ID, p.Regs().Reg(r.ID))
			continue
		}
		p.Regs().SetReg(r.ID, g.Regs().Reg(r.ID)&r.Mask|p.Regs().Reg(r.ID)&^r.Mask)
	}
	if _, err := a.Insn(g.Regs(), g.Mem()); err != nil {
		return fmt.Errorf("oracle: the emulator has no code at %#x, where %s starts", g.Regs().Reg(a.PC), p.Name())
	}
	return nil
}
