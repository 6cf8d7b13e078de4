package steptest

import (
	"encoding/hex"
	"fmt"

	"github.com/utemu/utemu/stepper"
)

// conditionCode is code of an instruction set with every kind of conditional
// branch: each jumps over one instruction that does nothing.
type conditionCode struct {
	isas   []string
	code   string
	branch int // bytes of a branch, and of what it jumps over
	over   int
	count  int
	reg    string
	// flags are the register's value for the k-th combination of flags, of which
	// there are so many.
	flags  func(isa string, k uint64) uint64
	states uint64
	// holds tells whether the n-th branch is taken. ctr is for those that count.
	holds func(n int, k uint64, ctr *uint64) bool
}

const ctrStart = 10

var conditionCodes = []conditionCode{
	{
		isas: []string{"i386", "x86_64"}, branch: 2, over: 1, count: 16, reg: "eflags", states: 32, holds: holdsX86,
		code: "7001907101907201907301907401907501907601907701907801907901907a01907b01907c01907d01907e01907f0190ebfe",
		flags: func(_ string, k uint64) uint64 { // CF PF ZF SF OF
			return 0x202 | k&1 | k>>1&1<<2 | k>>2&1<<6 | k>>3&1<<7 | k>>4&1<<11
		},
	},
	{
		isas: []string{"arm"}, branch: 4, over: 4, count: 14, reg: "cpsr", states: 16, holds: holdsARM, flags: nzcv,
		code: "0000000a00f020e30000001a00f020e30000002a00f020e30000003a00f020e30000004a00f020e30000005a00f020e3" +
			"0000006a00f020e30000007a00f020e30000008a00f020e30000009a00f020e3000000aa00f020e3000000ba00f020e3" +
			"000000ca00f020e3000000da00f020e3feffffea",
	},
	{
		isas: []string{"thumb"}, branch: 2, over: 2, count: 14, reg: "cpsr", states: 16, holds: holdsARM, flags: nzcv,
		code: "00d000bf00d100bf00d200bf00d300bf00d400bf00d500bf00d600bf00d700bf00d800bf00d900bf00da00bf00db00bf00dc00bf00dd00bffee7",
	},
	{
		isas: []string{"aarch64"}, branch: 4, over: 4, count: 14, reg: "cpsr", states: 16, holds: holdsARM, flags: nzcv,
		code: "400000541f2003d5410000541f2003d5420000541f2003d5430000541f2003d5440000541f2003d5450000541f2003d5" +
			"460000541f2003d5470000541f2003d5480000541f2003d5490000541f2003d54a0000541f2003d54b0000541f2003d5" +
			"4c0000541f2003d54d0000541f2003d500000014",
	},
	{
		isas: []string{"ppc", "ppc64"}, branch: 4, over: 4, count: 36, reg: "cr", states: 16, holds: holdsPPC,
		flags: func(_ string, k uint64) uint64 { return k << 28 },
		code: "400000086000000040010008600000004002000860000000400300086000000040400008600000004041000860000000" +
			"404200086000000040430008600000004080000860000000408100086000000040820008600000004083000860000000" +
			"410000086000000041010008600000004102000860000000410300086000000041400008600000004141000860000000" +
			"414200086000000041430008600000004180000860000000418100086000000041820008600000004183000860000000" +
			"420000086000000042010008600000004202000860000000420300086000000042400008600000004241000860000000" +
			"424200086000000042430008600000004280000860000000428100086000000042820008600000004283000860000000" +
			"48000000",
	},
}

func nzcv(isa string, k uint64) uint64 {
	switch isa {
	case "arm":
		return k<<28 | 0x10
	case "thumb":
		return k<<28 | 0x30
	}
	return k << 28
}

// holdsX86 is o, b, z, be, s, p, l, le, each with its opposite after it.
func holdsX86(n int, k uint64, _ *uint64) bool {
	cf, pf, zf, sf, of := k&1 != 0, k&2 != 0, k&4 != 0, k&8 != 0, k&16 != 0
	yes := []bool{of, cf, zf, cf || zf, sf, pf, sf != of, zf || sf != of}[n/2]
	return yes == (n%2 == 0)
}

// holdsARM is eq, cs, mi, vs, hi, ge, gt, each with its opposite after it.
func holdsARM(n int, k uint64, _ *uint64) bool {
	nf, z, c, v := k&8 != 0, k&4 != 0, k&2 != 0, k&1 != 0
	yes := []bool{z, c, nf, v, c && !z, nf == v, !z && nf == v}[n/2]
	return yes == (n%2 == 0)
}

// holdsPPC is each of nine BO with the four bits of CR0 as BI.
func holdsPPC(n int, k uint64, ctr *uint64) bool {
	bo := []int{0, 2, 4, 8, 10, 12, 16, 18, 20}[n/4]
	bit := k>>(3-n%4)&1 != 0
	counted := true
	if bo&4 == 0 {
		*ctr--
		counted = (*ctr == 0) == (bo&2 != 0)
	}
	return counted && (bo&16 != 0 || bit == (bo&8 != 0))
}

// conditions are the cases of scenario 7: every condition under every
// combination of the flags that conditions look at.
func conditions() (cs []Case) {
	for i := range conditionCodes {
		cc := &conditionCodes[i]
		code, err := hex.DecodeString(cc.code)
		if err != nil {
			panic(err) // the code is part of this package
		}
		for _, isa := range cc.isas {
			for k := range cc.states {
				cs = append(cs, cc.one(isa, code, k))
			}
		}
	}
	return cs
}

// one is the case of a combination of flags.
func (cc *conditionCode) one(isa string, code []byte, k uint64) Case {
	c := Case{No: 7, Name: fmt.Sprintf("all-conditions-%02x", k), ISA: isa, Code: code, Stops: map[stepper.Mode][]string{},
		Asm: "each condition: branch over one instruction that does nothing", Set: []Value{{cc.reg, cc.flags(isa, k)}}}
	ctr := uint64(ctrStart)
	if cc.reg == "cr" {
		c.Set = append(c.Set, Value{"ctr", ctr})
	}
	stop := func(m stepper.Mode, at int) { c.Stops[m] = append(c.Stops[m], fmt.Sprintf("+%x", at)) }
	for n := range cc.count {
		at := n * (cc.branch + cc.over)
		next := at + cc.branch + cc.over
		taken := cc.holds(n, k, &ctr)
		if taken {
			stop(stepper.Block, next)
			stop(stepper.BlockAny, next)
		} else {
			stop(stepper.Insn, at+cc.branch)
			stop(stepper.BlockAny, at+cc.branch)
		}
		stop(stepper.Insn, next)
	}
	if cc.reg == "cr" {
		c.End = []Value{{"ctr", ctr}}
	}
	return c
}
