package steptest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/utemu/utemu/stepper"
)

// Script is the mode of cases that do more than one kind of step: their stops
// are a list of deeds. i:, b: and a: are steps of an instruction, a block and a
// block by the profile any, c: goes on to a breakpoint; what follows is the stop
// that this comes to, one at a breakpoint with B before the place. k inserts a
// breakpoint, d removes one, x is one that is refused, with the reason behind a
// colon; p sets the PC, w writes a word of data and n wants one. Places are
// offsets of the code, +8, of data 8.
const Script stepper.Mode = stepper.BlockAny + 1

// ModeName is the name of a mode of cases.
func ModeName(m stepper.Mode) string {
	if m == Script {
		return "script"
	}
	return m.String()
}

// refusals are the reasons of x.
var refusals = map[string]error{"misaligned": stepper.ErrMisaligned, "inside": stepper.ErrInside, "unmapped": stepper.ErrUnmapped}

// script does what a script says.
func (c *Case) script(ctx context.Context, t stepper.Target, s stepper.Strategy) error {
	b := stepper.NewBreakpoints(t)
	for k, deed := range c.Stops[Script] {
		if err := c.deed(ctx, b, s, k, deed); err != nil {
			return fmt.Errorf("deed %d, %s: %w", k+1, deed, err)
		}
	}
	return b.Clear()
}

// deed does one.
func (c *Case) deed(ctx context.Context, b *stepper.Breakpoints, s stepper.Strategy, k int, deed string) error {
	if what, want, ok := strings.Cut(deed, ":"); ok && what[0] != 'x' {
		return c.step(ctx, b, s, what, want)
	}
	rest, reason, _ := strings.Cut(deed[1:], ":")
	place, word, _ := strings.Cut(rest, "=")
	at, err := strconv.ParseUint(strings.TrimPrefix(place, "+"), 16, 64)
	if err != nil {
		return err
	}
	state := uint8(0)
	if c.ISA == "thumb" {
		state = 1
	}
	switch deed[0] {
	case 'k':
		return b.Insert(k, CodeAt+at, state)
	case 'd':
		return b.Remove(b.Owners(CodeAt + at)[0], CodeAt+at)
	case 'x':
		return refused(b.Insert(k, CodeAt+at, state), reason)
	case 'p':
		b.Regs().SetReg(b.Arch().PC, CodeAt+at)
		return nil
	}
	return c.word(b, deed[0] == 'w', DataAt+at, word)
}

// refused holds the error of a breakpoint against the one there is to be.
func refused(err error, reason string) error {
	if want := refusals[reason]; want == nil || !errors.Is(err, want) {
		return fmt.Errorf("the breakpoint has %v", err)
	}
	return nil
}

// word writes a word of data, or compares one.
func (c *Case) word(t stepper.Target, write bool, at uint64, word string) error {
	v, err := strconv.ParseUint(word, 0, 64)
	if err != nil {
		return err
	}
	want, now := make([]byte, 4), make([]byte, 4)
	t.Arch().Order.PutUint32(want, uint32(v))
	if write {
		_, err := t.Mem().WriteAt(want, at)
		return err
	}
	if _, err := t.Mem().ReadAt(now, at); err != nil {
		return err
	}
	if string(now) != string(want) {
		return fmt.Errorf("the word is % x", now)
	}
	return nil
}

// step makes a step, or goes on.
func (c *Case) step(ctx context.Context, b *stepper.Breakpoints, s stepper.Strategy, what, want string) (err error) {
	var st stepper.Stop
	switch what {
	case "i":
		st, err = s.Step(ctx, b, stepper.Insn)
	case "b":
		st, err = s.Step(ctx, b, stepper.Block)
	case "a":
		st, err = s.Step(ctx, b, stepper.BlockAny)
	case "c":
		st, err = b.Continue(ctx, s)
	default:
		err = fmt.Errorf("no such deed")
	}
	if err != nil {
		return err
	}
	if got := c.token(b, st, want); got != want {
		return fmt.Errorf("it comes to %s", got)
	}
	return nil
}
