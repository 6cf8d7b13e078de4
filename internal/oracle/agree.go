package oracle

import (
	"fmt"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/stepper"
)

// fromOutside are calls that bring in what may be random, or of the moment: from
// /dev/urandom and /proc, say.
var fromOutside = map[string]output{"read": {arg: 1}, "pread64": {arg: 1}, "recvfrom": {arg: 1}}

// Agree gives all contestants what a system call has told the first, where that
// is nothing two runs agree on: clocks, random bytes, the machine's state; and
// its flags that the instructions that ran have left undefined. It is for
// stepper.Compare; process numbers each has of its own.
func Agree(ran []arch.Insn, cs []stepper.Contestant, stops []stepper.Stop) error {
	agreeFlags(ran, cs, stops)
	for _, st := range stops {
		if st.Why != stepper.Syscall {
			return nil
		}
	}
	a := cs[0].Target.Arch()
	r := cs[0].Target.Regs()
	nr, arg := a.ABI.Nr, a.ABI.Args
	if a.ABI.OrigNr != 0 {
		nr = a.ABI.OrigNr
	}
	if a.ABI.OrigArg != 0 {
		arg[0] = a.ABI.OrigArg
	}
	var c call
	name := ""
	for _, n := range a.Sysnum {
		if uint64(n.Nr) == r.Reg(nr) {
			name, c = n.Name, calls[n.Name]
		}
	}
	if o, ok := fromOutside[name]; ok {
		c.out = []output{o}
	}
	if c.why == whyPID || c.place != placeNone {
		return nil
	}
	result := r.Reg(a.ABI.Ret)
	if c.result {
		for _, o := range cs[1:] {
			o.Target.Regs().SetReg(a.ABI.Ret, result)
		}
	}
	for _, out := range c.out {
		if err := agreeOn(cs, r.Reg(arg[out.arg]), out.bytes(a, result)); err != nil {
			return fmt.Errorf("oracle: what a system call has written: %w", err)
		}
	}
	return nil
}

// agreeFlags gives all contestants the first one's undefined flags. The library
// computes flags when somebody looks, from what the code before has left, and
// how much of that was translated with an instruction differs by strategy.
func agreeFlags(ran []arch.Insn, cs []stepper.Contestant, stops []stepper.Stop) {
	a := cs[0].Target.Arch()
	reg, ok := a.RegByName("eflags")
	if !ok || stops[0].Why == stepper.Exited {
		return
	}
	first := cs[0].Target.Regs().Reg(reg.ID)
	for k, o := range cs[1:] {
		if stops[k+1].Why == stepper.Exited {
			continue
		}
		theirs := o.Target.Regs().Reg(reg.ID)
		if differ := (first ^ theirs) & arithmetic; differ != 0 {
			o.Target.Regs().SetReg(reg.ID, theirs^differ&undefinedIn(a, ran))
		}
	}
}

// undefinedIn are the flags that instructions leave undefined.
func undefinedIn(a *arch.Arch, l []arch.Insn) (flags uint64) {
	for k := range l {
		flags |= undefinedBy(mnemonic(a, &l[k]))
	}
	return flags
}

// agreeOn copies memory of the first to all others.
func agreeOn(cs []stepper.Contestant, at uint64, size int) error {
	if at == 0 || size == 0 {
		return nil
	}
	b := make([]byte, size)
	if _, err := cs[0].Target.Mem().ReadAt(b, at); err != nil {
		return nil // nor has the call written there
	}
	for _, o := range cs[1:] {
		if _, err := o.Target.Mem().WriteAt(b, at); err != nil {
			return err
		}
	}
	return nil
}
