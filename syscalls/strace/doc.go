// Package strace writes the system calls of guest tasks the way strace does,
// so that people and tools that read strace's output can read ours.
//
// A Printer makes the text of single calls. A Tracer puts the texts of all
// tasks together into a trace, with signals, exits, times and statistics. What
// calls take is data: one table of signatures by call name, one of structures,
// one of symbol names. Numbers, structure layouts, byte order and the registers
// of arguments come from arch.Arch, so that no guest architecture is special.
package strace
