//go:build cgo

package uc

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// callCode is a system call.
var callCode = map[string]string{
	"x86_64":  "\x0f\x05", // syscall
	"i386":    "\xcd\x80", // int $0x80
	"arm":     "\x00\x00\x00\xef",
	"thumb":   "\x00\xdf",
	"aarch64": "\x01\x00\x00\xd4",
	"ppc":     "\x44\x00\x00\x02",
	"ppc64":   "\x44\x00\x00\x02",
}

// A run that has come to a system call goes on behind it with the registers
// that it is given, in whatever thread, and reads those that were asked for.
// What has been done to the engine meanwhile makes no difference but that it
// ends the run.
func TestParkedAtException(t *testing.T) {
	const count, mapAt = 20, dataAt + 1<<24
	between := map[string]func(r *rig){
		"nothing": func(*rig) {},
		"ended":   func(r *rig) { r.still() },
		"code that has run is replaced": func(r *rig) {
			call := callCode[r.name()]
			r.put(codeAt, call+call+workCode[r.name()])
		},
		"memory that is mapped": func(r *rig) {
			require.NoError(r.t, r.Map(mapAt, hostMemory(r.t, 1<<16), 3))
			require.NoError(r.t, r.Unmap(mapAt, 1<<16))
		},
		"a trace": func(r *rig) {
			require.NoError(r.t, r.SetTrace(TraceBlocks, nil, nil))
			require.NoError(r.t, r.SetTrace(0, nil, nil))
		},
		"another program": func(r *rig) {
			r.put(codeAt+codeLen/2, workCode[r.name()])
			c, err := r.Save()
			require.NoError(r.t, err)
			r.trap(r.run(r.start(codeAt+codeLen/2, dataAt, 3), Limit{}))
			require.NoError(r.t, r.Restore(c))
			clear(r.data)
		},
	}
	for name, f := range between {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, r *rig) {
				call := callCode[r.name()]
				r.put(codeAt, call+call+workCode[r.name()])
				clear(r.data)
				file := &File{IDs: []int32{int32(r.g.count), int32(r.g.mark)}, Vals: []uint64{0, 1}, Asked: 1}
				st, err := r.RunFile(r.start(codeAt, dataAt, 7), Limit{}, file, false)
				require.NoError(t, err)
				stock, _ := r.Stock()
				for next := uint64(codeAt + len(call)); ; next += uint64(len(call)) {
					require.Contains(t, []Kind{KindIntr, KindSyscallInsn}, st.Kind)
					require.Equal(t, !stock, r.AtException())
					require.False(t, r.Parked())
					require.EqualValues(t, 7, file.Vals[0])
					if next != codeAt+uint64(len(call)) {
						file.Vals[0], file.Dirty = count, 1
					}
					f(r)
					elsewhere(func() { st, err = r.RunFile(r.at(next), Limit{}, file, true) })
					require.NoError(t, err)
					if file.Vals[0] != 7 {
						break
					}
				}
				r.trap(st)
				require.Equal(t, work(count), r.reg(r.g.result))
			})
		})
	}
}

// A request to stop, a limit and a hook that come while a run waits at a system
// call hold for what comes behind it.
func TestParkedAtExceptionBound(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		call := callCode[r.name()]
		next := r.at(codeAt + uint64(len(call)))
		r.put(codeAt, call+workCode[r.name()])
		file := &File{IDs: []int32{int32(r.g.count)}, Vals: []uint64{0}}
		begin := func() {
			_, err := r.RunFile(r.start(codeAt, dataAt, 7), Limit{}, file, false)
			require.NoError(t, err)
		}
		begin()
		r.Interrupt()
		st, err := r.RunFile(next, Limit{}, file, true)
		require.NoError(t, err)
		require.Equal(t, KindInterrupt, st.Kind)
		require.Equal(t, codeAt+uint64(len(call)), st.PC)
		r.trap(r.run(next, Limit{}))

		begin()
		st, err = r.RunFile(next, Limit{Insns: 1}, file, true)
		require.NoError(t, err)
		require.Equal(t, KindLimit, st.Kind)
		require.NotEqual(t, codeAt+uint64(len(call)), st.PC)

		begin()
		if r.Plant(codeAt+uint64(len(call)), r.code[len(call):], []byte(call)) {
			st, err = r.RunFile(next, Limit{}, file, true)
			require.NoError(t, err)
			require.Equal(t, KindPlanted, st.Kind)
		}
	})
}

// A request to stop that comes at whatever time between two system calls stops
// the run where it is: no call is made twice or left out.
func TestParkedAtExceptionInterrupted(t *testing.T) {
	const calls, rounds = 50, 300
	each(t, func(t *testing.T, r *rig) {
		call := callCode[r.name()]
		size := uint64(len(call))
		r.put(codeAt, strings.Repeat(call, calls)+workCode[r.name()])
		done := make(chan struct{})
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			for {
				select {
				case <-done:
					return
				default:
					r.Interrupt()
				}
			}
		}()
		defer func() { close(done); <-gone }()
		for range rounds {
			next, on := uint64(codeAt), false
			r.start(codeAt, dataAt, 7)
			for next < codeAt+calls*size {
				st, err := r.RunFile(r.at(next), Limit{}, new(File), on)
				require.NoError(t, err)
				on = st.Kind != KindInterrupt
				switch st.Kind {
				case KindInterrupt:
					require.Equal(t, next, st.PC)
				case KindSyscallInsn: // at the instruction
					require.Equal(t, next, st.PC)
					next += size
				default:
					next += size
					require.Equal(t, next, st.PC)
				}
			}
		}
	})
}
