//go:build !amd64

package syscalls

import "golang.org/x/sys/unix"

// vforkCalls is there on amd64 only.
func vforkCalls(*vforkCall, *int) (pid int) { return -int(unix.ENOSYS) }

// sigEntryPC is the address of a handler that there is on amd64 only.
func sigEntryPC() uintptr { return 0 }
