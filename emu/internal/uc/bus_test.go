//go:build cgo

package uc

import (
	"bytes"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/internal/ucnum"
)

// sharedFile is a file of n pages and its memory.
func sharedFile(t testing.TB, pages int) (*os.File, []byte) {
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	require.NoError(t, f.Truncate(int64(pages)*page))
	m, err := unix.Mmap(int(f.Fd()), 0, pages*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	require.NoError(t, err)
	t.Cleanup(func() { _ = unix.Munmap(m) })
	return f, m
}

// A file that is cut short under the guest stops it before the instruction
// that misses the page, which can be repeated once the file is longer again.
func TestBusError(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		f, m := sharedFile(t, 2)
		require.NoError(t, r.Map(holeAt, m, ucnum.PROT_ALL))
		for _, c := range faultCodes[r.name()] {
			if c.insn[:2] == "ca" { // call: where to depends on the memory
				continue
			}
			t.Run(c.insn, func(t *testing.T) {
				r.t = t
				r.put(codeAt, c.code)
				for range 2 {
					require.NoError(t, f.Truncate(2*page))
					r.set(r.g.sp, dataAt+dataLen/2)
					r.trap(r.run(r.start(codeAt, holeAt+0x80, 3), Limit{}))
					require.NoError(t, f.Truncate(0))
					st := r.fault(c)
					require.True(t, st.Bus)
				}
			})
		}
	})
}

// Code in a file that is cut short cannot be fetched. What was translated from
// it before may still run, as it may from a real processor's cache.
func TestBusErrorFetch(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		f, m := sharedFile(t, 2)
		copy(m, workCode[r.name()])
		require.NoError(t, r.Map(holeAt, m, ucnum.PROT_ALL))
		clear(r.data)
		r.trap(r.run(r.start(holeAt, dataAt, 10), Limit{}))
		require.Equal(t, work(10), r.reg(r.g.result))
		for _, off := range []uint64{0, page} {
			require.NoError(t, f.Truncate(0))
			r.DropCode(holeAt, 2*page)
			st := r.run(r.start(holeAt+off, dataAt, 10), Limit{})
			require.Equal(t, KindMem, st.Kind)
			require.True(t, st.Bus)
			require.Equal(t, 4, st.Access)
			require.Equal(t, holeAt+off, st.Addr)
			require.Equal(t, holeAt+off, st.PC)
			require.NoError(t, f.Truncate(2*page))
		}
		copy(m, workCode[r.name()])
		r.DropCode(holeAt, 2*page)
		clear(r.data)
		r.trap(r.run(r.start(holeAt, dataAt, 10), Limit{}))
		require.Equal(t, work(10), r.reg(r.g.result))
	})
}

// A file is cut short by somebody else while the guest works in it.
func TestBusErrorUnderWay(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		f, m := sharedFile(t, 1)
		require.NoError(t, r.Map(holeAt, m, ucnum.PROT_READ|ucnum.PROT_WRITE))
		r.put(codeAt, workCode[r.name()])
		pc := r.start(codeAt, holeAt, 1<<31)
		cut := make(chan error, 1)
		over := make(chan bool)
		go func() {
			// The guest is at work once it has written.
			b := make([]byte, 0x400)
			var err error
			for begin := time.Now(); err == nil && bytes.Count(b, []byte{0}) == len(b) && time.Since(begin) < 20*time.Second; {
				_, err = f.ReadAt(b, 0)
			}
			err = errors.Join(err, f.Truncate(0))
			if r.endless(over) {
				err = errors.Join(err, errors.New("the guest did not stop"))
			}
			cut <- err
		}()
		st := r.run(pc, Limit{})
		close(over)
		require.NoError(t, <-cut)
		require.Equal(t, KindMem, st.Kind)
		require.True(t, st.Bus)
		require.GreaterOrEqual(t, st.Addr, uint64(holeAt))
		require.Less(t, st.Addr, uint64(holeAt+page))
		// The instruction is at the PC: it misses the page again.
		require.Equal(t, st, r.run(r.at(st.PC), Limit{}))
	})
}

// Parts of memory are given back and replaced: only what is the guest's now
// counts as its memory.
func TestBusErrorAfterUnmap(t *testing.T) {
	r := newRig(t, guests["x86_64"], false)
	f, m := sharedFile(t, 4)
	c := faultCodes["x86_64"][0]
	r.put(codeAt, c.code)
	require.NoError(t, r.Map(holeAt-page, m, ucnum.PROT_ALL))
	require.NoError(t, r.Unmap(holeAt, page))
	require.NoError(t, r.Unmap(holeAt+2*page, page))
	st := r.fault(c)
	require.False(t, st.Bus)
	require.NoError(t, r.Map(holeAt, m[page:2*page], ucnum.PROT_ALL))
	require.NoError(t, f.Truncate(0))
	st = r.fault(c)
	require.True(t, st.Bus)
	require.NoError(t, r.Unmap(holeAt-page, 3*page))
	st = r.fault(c)
	require.False(t, st.Bus)
}

// What is not the guest's stays Go's: a fault of Go code panics as before, and
// signals that are sent are delivered.
func TestBusErrorOfGo(t *testing.T) {
	r := newRig(t, guests["x86_64"], false)
	f, m := sharedFile(t, 1)
	require.NoError(t, r.Map(holeAt, m, ucnum.PROT_ALL))
	require.NoError(t, f.Truncate(0))
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	require.Panics(t, func() { m[0]++ })

	sent := make(chan os.Signal, 1)
	signal.Notify(sent, unix.SIGBUS)
	defer signal.Stop(sent)
	require.NoError(t, unix.Kill(unix.Getpid(), unix.SIGBUS))
	require.Equal(t, unix.SIGBUS, <-sent)

	// The guard is still there.
	r.put(codeAt, faultCodes["x86_64"][0].code)
	require.True(t, r.fault(faultCodes["x86_64"][0]).Bus)
}
