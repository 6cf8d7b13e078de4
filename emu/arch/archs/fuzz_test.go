package archs

import (
	"testing"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/arch/archtest"
)

// FuzzDecode: no bytes and no registers make the decoders panic, lengths are
// within bounds, and only an instruction that raises an exception leads
// nowhere.
func FuzzDecode(f *testing.F) {
	for n := range oracles {
		f.Add(uint8(n), []byte{0xf3, 0x0f, 0x1e, 0xfa, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, uint64(0x1000), uint64(0x20))
		f.Add(uint8(n), []byte{0x42, 0x9f, 0x00, 0x05}, uint64(0), ^uint64(0))
		f.Add(uint8(n), []byte{0x62, 0xf1, 0x7c, 0x48}, uint64(0), uint64(0x0600fc20))
	}
	f.Fuzz(func(t *testing.T, n uint8, code []byte, seed, flags uint64) {
		o := oracles[int(n)%len(oracles)]
		a := o.arch
		cpu := archtest.NewCPU(a)
		cpu.Fill(byte(seed))
		c := checker{o: &o, cpu: cpu}
		c.flags(flags)
		pc := a.Addr(seed)
		cpu.SetReg(a.PC, pc)
		cpu.Map(pc, code)
		i, err := a.Insn(cpu, cpu)
		if err != nil {
			return
		}
		if int(i.Len) < a.MinInsn || int(i.Len) > a.MaxInsn {
			t.Fatalf("%s % x: length %d", a.Name, code, i.Len)
		}
		dst, err := a.Next(i, cpu, cpu, nil)
		if err == nil && len(dst) == 0 && !i.Is(arch.IsTrap|arch.IsUndefined) {
			t.Fatalf("%s % x: leads nowhere", a.Name, i.Bytes())
		}
		for _, d := range dst {
			if d.PC != a.Addr(d.PC) || len(a.Plant(d)) == 0 {
				t.Fatalf("%s % x: leads to %#x", a.Name, i.Bytes(), d.PC)
			}
		}
		switch a.XOL(i).How {
		case arch.MoveSimulate:
			_ = a.Simulate(i, cpu, cpu)
		case arch.MoveFix:
			if code, mend, err := a.Move(i, cpu, cpu, pc+64); err == nil {
				if len(code) == 0 || len(code) > 16 {
					t.Fatalf("%s % x: moved to % x", a.Name, i.Bytes(), code)
				}
				_, _ = mend(seed&1 != 0)
			}
		}
		if _, err := a.Follow(i, cpu); err == nil && i.Len == 0 {
			t.Fatal("follows nothing")
		}
	})
}
