// Package utemu runs Linux programs built for another CPU and lets others look
// at what they do.
//
// A Machine is one guest program with its memory, its CPU and its side of the
// Linux kernel:
//
//	m, err := utemu.Load(utemu.Config{Path: "hello"})
//	...
//	status, err := m.Run(context.Background())
//
// The program's architecture is that of its ELF header. Its system calls are
// served on this machine; its faults and its end are told by the Status.
package utemu
