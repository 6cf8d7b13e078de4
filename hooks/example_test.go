package hooks_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/hooks"
)

// load loads one of the programs of this repository.
func load(arch, program string, args ...string) *utemu.Machine {
	path := "../testdata/bins/" + arch + "/" + program
	m, err := utemu.Load(utemu.Config{Path: path, Args: append([]string{program}, args...), Stdout: os.Stdout})
	if err != nil {
		log.Fatal(err)
	}
	return m
}

// attach attaches an engine with events.
func attach(m *utemu.Machine, ops *hooks.Ops, ev hooks.Event) *hooks.Engine {
	e, err := hooks.Attach(m.Task(), hooks.AttachCreate, ops, nil)
	if err == nil {
		err = e.SetEvents(ev)
	}
	if err != nil {
		log.Fatal(err)
	}
	return e
}

// The system calls of a program are logged.
func Example() {
	m := load("ppc", "hello")
	defer m.Close()
	attach(m, &hooks.Ops{
		Name: "calls",
		SyscallEntry: func(_ *hooks.Call, s *hooks.Syscall) hooks.Action {
			fmt.Printf("%s(%d, ...)\n", s.Name(), s.Arg(0))
			return hooks.Action{}
		},
		SyscallExit: func(_ *hooks.Call, s *hooks.Syscall) hooks.Resume {
			v, errno := s.Result()
			fmt.Println("  =", v, errno != 0)
			return hooks.Run
		},
	}, hooks.EventSyscall)
	if _, err := m.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// write(1, ...)
	// hello, world
	//   = 13 false
	// exit_group(0, ...)
}

// A task is stopped where it starts a new program, and another goroutine reads
// its registers.
func ExampleEngine_Examine() {
	m, err := utemu.Load(utemu.Config{Path: "/bin/sh", Args: []string{"sh", "-c", "exec /bin/echo hello"}, Stdout: os.Stdout})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	e := attach(m, &hooks.Ops{
		Name: "stop at exec",
		Exec: func(*hooks.Call) hooks.Resume { return hooks.Stop },
	}, hooks.EventExec)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if _, err := m.Run(ctx); err != nil {
			log.Print(err)
		}
	}()
	if err := e.Task().WaitStop(ctx); err != nil {
		log.Fatal(err)
	}
	err = e.Examine(func(x *hooks.Examiner) error {
		a := x.Arch()
		argc := make([]byte, a.Word) // it is the first word on a new stack
		if _, err := x.Memory().ReadAt(argc, x.Regs().Reg(a.SP)); err != nil {
			return err
		}
		fmt.Println("arguments:", argc[0])
		fmt.Println("stack aligned:", x.Regs().Reg(a.SP)%16 == 0)
		return nil
	})
	if err == nil {
		err = e.Control(hooks.Run)
	}
	if err != nil {
		log.Fatal(err)
	}
	<-done
	// Output:
	// arguments: 2
	// stack aligned: true
	// hello
}

// A task that runs, or sleeps in a system call, is stopped by another goroutine
// as a debugger does it: Interrupt breaks what blocks, and Signal answers Stop.
func ExampleAttachPID() {
	m := load("aarch64", "forever")
	defer m.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, err := m.Run(ctx)
		fmt.Println("run:", err)
	}()
	e, err := hooks.AttachPID(m.Kernel(), m.Task().TID, hooks.AttachCreate, &hooks.Ops{
		Name: "debugger",
		Signal: func(_ *hooks.Call, s *hooks.SignalReport) hooks.Action {
			return hooks.Action{Resume: hooks.Stop}
		},
	}, nil)
	if err == nil {
		err = e.SetEvents(hooks.EventQuiesce)
	}
	if err == nil {
		err = e.Control(hooks.Interrupt)
	}
	if err == nil {
		err = e.Task().WaitStop(ctx)
	}
	if err != nil {
		log.Fatal(err)
	}
	err = e.Examine(func(x *hooks.Examiner) error {
		fmt.Println("in the program:", x.Regs().Reg(x.Arch().PC) != 0)
		return nil
	})
	fmt.Println(err, e.Control(hooks.Detach))
	cancel()
	<-done
	// Output:
	// in the program: true
	// <nil> <nil>
	// run: context canceled
}

// A system call is left out, and gets the result that the engine gives it.
func ExampleSyscall_SetResult() {
	m := load("x86_64", "hello")
	defer m.Close()
	attach(m, &hooks.Ops{
		Name: "quiet",
		SyscallEntry: func(_ *hooks.Call, s *hooks.Syscall) hooks.Action {
			if s.Name() != "write" {
				return hooks.Action{}
			}
			s.SetResult(s.Arg(2), 0)
			return hooks.Action{Syscall: hooks.SysAbort}
		},
	}, hooks.EventSyscallEntry)
	status, err := m.Run(context.Background())
	fmt.Println("status", status.Code, err)
	// Output:
	// status 0 <nil>
}

// A signal is made out of nothing: Interrupt leads to a report without a
// signal, which an engine may fill in.
func ExampleOps_signal() {
	m := load("arm", "hello")
	defer m.Close()
	attach(m, &hooks.Ops{
		Name:        "inject",
		SyscallExit: func(*hooks.Call, *hooks.Syscall) hooks.Resume { return hooks.Interrupt },
		Signal: func(_ *hooks.Call, s *hooks.SignalReport) hooks.Action {
			if s.Event != 0 {
				return hooks.Action{}
			}
			s.Info.No = unix.SIGUSR1
			return hooks.Action{Signal: hooks.SigDeliver}
		},
	}, hooks.EventQuiesce|hooks.EventSyscallExit)
	status, err := m.Run(context.Background())
	fmt.Println("died of", status.Signal, err)
	// Output:
	// hello, world
	// died of user defined signal 1 <nil>
}

// A task is single-stepped, one instruction after the other.
func ExampleEngine_Control() {
	m := load("ppc", "hello")
	defer m.Close()
	steps := 0
	e := attach(m, &hooks.Ops{
		Name:    "step",
		Quiesce: func(*hooks.Call, hooks.Event) hooks.Resume { return hooks.SingleStep },
		Signal: func(_ *hooks.Call, s *hooks.SignalReport) hooks.Action {
			steps++
			if steps == 100 {
				return hooks.Action{Resume: hooks.Detach, Signal: hooks.SigIgn}
			}
			return hooks.Action{Resume: hooks.SingleStep, Signal: hooks.SigIgn}
		},
	}, hooks.EventQuiesce|hooks.EventSignalCore)
	if err := e.Control(hooks.Report); err != nil {
		log.Fatal(err)
	}
	_, err := m.Run(context.Background())
	fmt.Println(steps > 10, err)
	// Output:
	// hello, world
	// true <nil>
}

// count steps a program and tells how many instructions ran up to its n-th
// system call. It knows nothing of the architecture: where that has no step, it
// asks for one in software.
func count(m *utemu.Machine, n int) (steps int) {
	if !hooks.Of(m.Task()).HasSingleStep() {
		m.Process().SetCaps(arch.HasSingleStep)
	}
	e := attach(m, &hooks.Ops{
		Name:    "count",
		Quiesce: func(*hooks.Call, hooks.Event) hooks.Resume { return hooks.SingleStep },
		Signal: func(_ *hooks.Call, s *hooks.SignalReport) hooks.Action {
			steps++
			return hooks.Action{Resume: hooks.SingleStep, Signal: hooks.SigIgn}
		},
		SyscallEntry: func(*hooks.Call, *hooks.Syscall) hooks.Action {
			if n--; n == 0 {
				return hooks.Action{Resume: hooks.Detach}
			}
			return hooks.Action{Resume: hooks.SingleStep}
		},
	}, hooks.EventQuiesce|hooks.EventSignalCore|hooks.EventSyscallEntry)
	if err := e.Control(hooks.SingleStep); err != nil {
		log.Fatal(err)
	}
	if _, err := m.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
	return steps
}

// An engine that steps works unchanged on x86 and on 32-bit ARM, which has no
// step of its own: there a plain request is refused.
func ExampleTask_HasSingleStep() {
	for _, name := range []string{"x86_64", "arm"} {
		m := load(name, "hello")
		t := hooks.Of(m.Task())
		if !t.HasSingleStep() {
			e := attach(m, &hooks.Ops{}, hooks.EventQuiesce)
			fmt.Println(name+":", e.Control(hooks.SingleStep))
			e.Control(hooks.Detach)
		}
		fmt.Println(name, count(m, 1) > 10)
		m.Close()
	}
	// Output:
	// hello, world
	// x86_64 true
	// arm: hooks: there is no such step
	// hello, world
	// arm true
}
