//go:build amd64

package syscalls

// vforkCalls makes a child of the host that shares this process's memory, has
// it make the system calls of a list, of which the last has to be an exec that
// succeeds or an exit, and returns its number, or a negated errno of clone(2),
// when that has happened. The first call that fails ends the child, and its
// result goes to failed. The thread must have all signals blocked: their
// handlers are not for the child.
//
//go:noescape
func vforkCalls(list *vforkCall, failed *int) (pid int)

// sigEntryPC is the address of the handler of signals that notes senders.
func sigEntryPC() uintptr
