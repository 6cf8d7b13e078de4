package ppc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/internal/ucnum"
	"github.com/utemu/utemu/regset"
)

// Instructions of the probes. Each ends in a trap.
const (
	insnLi3     = 0x38600000 // li r3,0
	insnTrap    = 0x7fe00008
	insnMtxer3  = 0x7c6103a6
	insnMfpvr3  = 0x7c7f42a6
	insnMtvrs3  = 0x7c6043a6 // mtspr VRSAVE,r3
	insnLvx0    = 0x7c0020ce // lvx v0,0,r4
	insnLvx31   = 0x7fe020ce
	insnMtvscr0 = 0x10000644
	insnMfvscr0 = 0x10000604
)

// probe finds registers in the saved context by running code that sets them.
type probe struct {
	b     arch.Bare
	word  int // bytes
	fresh []byte
	r3    uint64 // after the last run
	found map[regset.ID][]arch.Piece
}

// dataAt is where the data of a probe lies behind its code.
const dataAt = 64

// hidden returns the function that finds XER and the vector registers for
// words of so many bytes.
func hidden(word int) func(b arch.Bare) (map[regset.ID][]arch.Piece, error) {
	return func(b arch.Bare) (map[regset.ID][]arch.Piece, error) {
		before := b.Context()
		if err := b.SetReg(ucnum.PPC_REG_MSR, b.Reg(ucnum.PPC_REG_MSR)&^msrStep); err != nil {
			return nil, fmt.Errorf("ppc: msr: %w", err)
		}
		p := &probe{b: b, word: word, fresh: b.Context(), found: map[regset.ID][]arch.Piece{}}
		err := p.all()
		return p.found, errors.Join(err, b.SetContext(before))
	}
}

// all finds what the CPU has.
func (p *probe) all() error {
	if err := p.xer(); err != nil {
		return err
	}
	if err := p.version(); err != nil {
		return err
	}
	if p.b.Reg(ucnum.PPC_REG_MSR)&msrVR == 0 {
		return nil
	}
	return p.vector()
}

// run runs code with r3 and data in memory, and returns the context after it;
// the CPU is as before then.
func (p *probe) run(code []uint32, r3 uint64, data []byte) ([]byte, error) {
	page := make([]byte, pageSize)
	for i, c := range append(append([]uint32(nil), code...), insnTrap) {
		be.PutUint32(page[4*i:], c)
	}
	copy(page[dataAt:], data)
	if err := p.b.Place(scratch, page, arch.Read|arch.Write|arch.Exec); err != nil {
		return nil, fmt.Errorf("ppc: probe: %w", err)
	}
	for r, v := range map[int]uint64{ucnum.PPC_REG_3: r3, ucnum.PPC_REG_4: scratch + dataAt} {
		if err := p.b.SetReg(r, v); err != nil {
			return nil, fmt.Errorf("ppc: probe: %w", err)
		}
	}
	e, err := p.b.Run(scratch)
	if err != nil {
		return nil, fmt.Errorf("ppc: probe: %w", err)
	}
	if want := scratch + 4*uint64(len(code)) + insnLen; e.Kind != arch.ExcIntr || e.No != excProgram || e.PC != want {
		return nil, fmt.Errorf("ppc: probe ended with exception %d/%d at %#x instead of the trap at %#x", e.Kind, e.No, e.PC, want)
	}
	p.r3 = p.b.Reg(ucnum.PPC_REG_3)
	ctx := p.b.Context()
	if err := p.b.Drop(scratch); err != nil {
		return nil, fmt.Errorf("ppc: probe: %w", err)
	}
	if err := p.b.SetContext(p.fresh); err != nil {
		return nil, fmt.Errorf("ppc: probe: %w", err)
	}
	return ctx, nil
}

// get reads the word of the CPU's size at off.
func (p *probe) get(ctx []byte, off int) uint64 {
	if p.word == 4 {
		return uint64(binary.NativeEndian.Uint32(ctx[off:]))
	}
	return binary.NativeEndian.Uint64(ctx[off:])
}

// follow finds the word that is 0 after code with r3 = 0, and want with r3.
func (p *probe) follow(name string, code []uint32, r3, want uint64) (int, error) {
	zero, err := p.run(code, 0, nil)
	if err != nil {
		return 0, err
	}
	set, err := p.run(code, r3, nil)
	if err != nil {
		return 0, err
	}
	at := -1
	for off := 0; off+p.word <= len(set); off += p.word {
		if p.get(zero, off) == 0 && p.get(set, off) == want {
			if at >= 0 {
				return 0, fmt.Errorf("ppc: %s is at more than one place of the library's context", name)
			}
			at = off
		}
	}
	if at < 0 {
		return 0, fmt.Errorf("ppc: %s is not in the library's context", name)
	}
	return at, nil
}

// xer finds the flags, which the library keeps in a word each, and the rest.
// Its register interface gives only the rest, and takes flags where nothing
// looks for them.
func (p *probe) xer() error {
	const countBits = 7 // of lswx and stswx
	code := []uint32{insnMtxer3, insnLi3}
	flags := []int{31, 30, 29} // SO, OV, CA
	if p.word == 8 {
		flags = append(flags, 19, 18) // OV32, CA32
	}
	var l []arch.Piece
	for _, bit := range flags {
		at, err := p.follow("XER", code, 1<<bit, 1)
		if err != nil {
			return err
		}
		l = append(l, arch.Piece{Off: at, Size: p.word, Lo: bit, Width: 1})
	}
	const count = 1<<countBits - 1
	at, err := p.follow("XER", code, count, count)
	if err != nil {
		return err
	}
	p.found[xer] = append(l, arch.Piece{Off: at, Size: p.word, Width: countBits})
	return nil
}

// version finds the processor version, which only the kernel can read.
func (p *probe) version() error {
	if err := p.b.SetReg(ucnum.PPC_REG_MSR, p.b.Reg(ucnum.PPC_REG_MSR)&^uint64(msrPR)); err != nil {
		return fmt.Errorf("ppc: msr: %w", err)
	}
	if _, err := p.run([]uint32{insnMfpvr3}, 0, nil); err != nil {
		return err
	}
	for off := 0; off+p.word <= len(p.fresh); off += p.word {
		if p.get(p.fresh, off) == p.r3 {
			p.found[pvr] = []arch.Piece{{Off: off, Size: p.word, Width: 32}}
			return nil
		}
	}
	return errors.New("ppc: PVR is not in the library's context")
}

// vector finds the AltiVec registers, and from them the halves of the VSX
// registers that the floating point registers are not.
func (p *probe) vector() error {
	first, err := p.pattern(insnLvx0)
	if err != nil {
		return err
	}
	last, err := p.pattern(insnLvx31)
	if err != nil {
		return err
	}
	if last-first != 31*16 {
		return errors.New("ppc: the vector registers do not follow each other in the library's context")
	}
	for i := range 32 {
		p.found[v0+regset.ID(i)] = []arch.Piece{{Off: first + 16*i, Size: 16, Width: 128}}
	}
	if p.word == 8 {
		if err := p.lowHalves(first - 32*16); err != nil {
			return err
		}
	}
	at, err := p.follow("VRSAVE", []uint32{insnMtvrs3, insnLi3}, 0x6b8b4567, 0x6b8b4567)
	if err != nil {
		return err
	}
	p.found[vrsave] = []arch.Piece{{Off: at, Size: p.word, Width: 32}}
	return p.vscr()
}

// pattern finds where lvx puts a vector: 16 bytes in the host's order.
func (p *probe) pattern(insn uint32) (int, error) {
	data := []byte("\xa1\xb2\xc3\xd4\xe5\xf6\x17\x28\x39\x4a\x5b\x6c\x7d\x8e\x9f\x10")
	ctx, err := p.run([]uint32{insn}, 0, data)
	if err != nil {
		return 0, err
	}
	host := reverse(data)
	at := bytes.Index(ctx, host)
	if at < 0 || bytes.Contains(ctx[at+1:], host) {
		return 0, errors.New("ppc: a vector register is not in the library's context")
	}
	return at, nil
}

// lowHalves finds the other halves of the slots that hold the floating point
// registers, of which the first is at base.
func (p *probe) lowHalves(base int) error {
	const pattern = 0x7461726766707230
	if err := p.b.SetReg(ucnum.PPC_REG_FPR0, pattern); err != nil {
		return fmt.Errorf("ppc: f0: %w", err)
	}
	ctx := p.b.Context()
	if err := p.b.SetContext(p.fresh); err != nil {
		return fmt.Errorf("ppc: probe: %w", err)
	}
	for _, half := range []int{0, 8} {
		if base < 0 || binary.NativeEndian.Uint64(ctx[base+half:]) != pattern {
			continue
		}
		for i := range 32 {
			p.found[vsl0+regset.ID(i)] = []arch.Piece{{Off: base + 16*i + 8 - half, Size: 8, Width: 64}}
		}
		return nil
	}
	return errors.New("ppc: the floating point registers are not beside the vector registers in the library's context")
}

// vscr finds the non-Java bit, and the saturation flag, which the library
// keeps as a whole vector that is not zero.
func (p *probe) vscr() error {
	code := []uint32{insnLvx0, insnMtvscr0, insnMfvscr0}
	word := func(v uint32) []byte { return be.AppendUint32(make([]byte, 12), v) }
	const nj, sat = 1 << 16, 1
	var ctx [3][]byte
	for i, v := range []uint32{0, nj, sat} {
		c, err := p.run(append(code, insnLvx0), 0, word(v))
		if err != nil {
			return err
		}
		ctx[i] = c
	}
	v0At := p.found[v0][0].Off
	differ := func(a, b []byte, want uint32) int {
		at, n := -1, 0
		for off := 0; off+4 <= len(a); off += 4 {
			in := off >= v0At && off < v0At+16
			if !in && binary.NativeEndian.Uint32(a[off:]) == 0 && binary.NativeEndian.Uint32(b[off:]) == want {
				at = off
				n++
			}
		}
		if n != 1 {
			return -1
		}
		return at
	}
	njAt, satAt := differ(ctx[0], ctx[1], nj), differ(ctx[0], ctx[2], sat)
	if njAt < 0 || satAt < 0 {
		return errors.New("ppc: VSCR is not in the library's context")
	}
	p.found[vscr] = []arch.Piece{
		{Off: njAt + 2, Size: 2, Lo: 16, Width: 1},
		{Off: satAt, Size: 16, Width: 1, Any: true},
	}
	return nil
}

func reverse(b []byte) []byte {
	r := make([]byte, len(b))
	for i, c := range b {
		r[len(b)-1-i] = c
	}
	return r
}
