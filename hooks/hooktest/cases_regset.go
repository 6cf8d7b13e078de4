package hooktest

import (
	"bytes"
	"errors"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/hooks"
	"github.com/utemu/utemu/regset"
)

// examine looks at a task that is held before its first instruction.
func examine(e *Env, f func(r regset.Regs, views []*regset.View)) {
	e.Make(plain)
	g := e.Hold("A", 0, nil)
	e.Stops()
	require.NoError(e, g.Examine(func(x *hooks.Examiner) error {
		f(x.Regs(), x.Arch().Views)
		return nil
	}))
	e.Control(g, hooks.Run)
	e.Exits(3)
}

// registerCases hold the register sets of tasks of real architectures to the
// rules; each architecture's own tests have the layouts.
var registerCases = []Case{
	{109, "register sets", Real, func(e *Env) {
		examine(e, func(r regset.Regs, views []*regset.View) {
			for _, v := range views {
				for i := range v.Sets {
					roundTrip(e, r, v, &v.Sets[i])
				}
				_, err := v.Read(r, 0xdead, make([]byte, 8))
				refused(e, err, unix.EINVAL)
				_, err = v.Write(r, 0xdead, make([]byte, 8))
				refused(e, err, unix.EINVAL)
			}
		})
	}},
}

// roundTrip writes back what it has read of a set, in whole and in part.
func roundTrip(e *Env, r regset.Regs, v *regset.View, s *regset.Set) {
	all := make([]byte, s.Bytes())
	if _, err := v.Read(r, s.Note, all); err != nil {
		require.True(e, errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENXIO), "%s: %v", s.Name, err) // the CPU has none
		return
	}
	same := func() {
		e.Helper()
		now := make([]byte, len(all))
		require.NoError(e, s.Get(r, 0, now))
		require.Equal(e, all, now, s.Name)
	}
	n, err := v.Write(r, s.Note, all)
	require.NoError(e, err, s.Name)
	require.Equal(e, len(all), n)
	same()
	// More than there is is cut off, half a slot is none.
	n, err = v.Read(r, s.Note, make([]byte, len(all)+s.Size))
	require.NoError(e, err, s.Name)
	require.Equal(e, len(all), n)
	if s.Size > 1 {
		_, err = v.Read(r, s.Note, make([]byte, s.Size+1))
		refused(e, err, unix.EINVAL)
		_, err = v.Write(r, s.Note, make([]byte, s.Size-1))
		refused(e, err, unix.EINVAL)
		same()
	}
	// A slot by itself reads as it does in the whole, and written leaves all
	// others alone.
	for at := 0; at < len(all); at += s.Size {
		one := make([]byte, s.Size)
		require.NoError(e, s.Get(r, at, one), s.Name)
		require.True(e, bytes.Equal(all[at:at+s.Size], one), "%s at %d", s.Name, at)
		if s.Put(r, at, one) == nil {
			same()
		}
	}
}
