//go:build cgo

package uc

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu/emu/internal/ucnum"
)

// The shim proves itself for all guests with the libraries that we know.
func TestSelfTest(t *testing.T) {
	for name, g := range guests {
		t.Run(name, func(t *testing.T) { require.Empty(t, shimTrouble(g.Config)) })
	}
}

// Two pages that have one place in the library's TLB, which is small, do not
// stay slow.
func TestConflicts(t *testing.T) {
	runtime.LockOSThread() // the counts are a thread's
	defer runtime.UnlockOSThread()
	const apart, loops = 256 * page, 100000
	r := newRig(t, guests["x86_64"], false)
	require.NoError(t, r.Map(dataAt+apart, hostMemory(t, page), ucnum.PROT_READ))
	r.put(codeAt, "\x48\x8b\x06\x48\x8b\x1f\xff\xc9\x75\xf6\xcc") // mov (%rsi),%rax; mov (%rdi),%rbx; dec %ecx; jne; int3
	run := func() uint64 {
		r.set(ucnum.X86_REG_RSI, dataAt)
		r.set(ucnum.X86_REG_RDI, dataAt+apart)
		r.set(ucnum.X86_REG_RCX, loops)
		counts()
		r.trap(r.run(r.at(codeAt), Limit{}))
		loads, _, _, _ := counts()
		return loads
	}
	require.Greater(t, run(), uint64(loops/2))
	require.Less(t, run(), uint64(100))
}
