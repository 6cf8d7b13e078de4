// Engines runs a guest with a number of tracing engines that hear of its
// system calls and change nothing, for the measurement of what they cost.
//
//	engines N PROG [ARGS...]
//
// Built with the tag utemu_notracehook it has no tracehook points, and N must
// be 0.
package main

import (
	"context"
	"errors"
	"log"
	"os"
	"strconv"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/hooks"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("engines: ")
	if len(os.Args) < 3 {
		log.Fatal("usage: engines N PROG [ARGS...]")
	}
	n, err := strconv.Atoi(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	code, err := run(n, os.Args[2:])
	if err != nil {
		log.Fatal(err)
	}
	os.Exit(code)
}

func run(n int, args []string) (code int, err error) {
	m, err := utemu.Load(utemu.Config{Path: args[0], Args: args})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	ops := &hooks.Ops{
		SyscallEntry: func(*hooks.Call, *hooks.Syscall) hooks.Action { return hooks.Action{} },
		SyscallExit:  func(*hooks.Call, *hooks.Syscall) hooks.Resume { return hooks.Run },
	}
	for range n {
		e, err := hooks.Attach(m.Task(), hooks.AttachCreate, ops, nil)
		if err != nil {
			return 0, err
		}
		if err := e.SetEvents(hooks.EventSyscall); err != nil {
			return 0, err
		}
	}
	st, err := m.Run(context.Background())
	return st.Code, err
}
