// Package strace writes the system calls of guest tasks the way strace does,
// so that people and tools that read strace's output can read ours. It is held
// to strace 6.1, whose traces of the same programs its tests compare with.
//
// A Printer makes the text of single calls. A Tracer puts the texts of all
// tasks together into a trace, with signals, exits, times and statistics; an
// Output takes a line with one write(2), and the beginning of a line when its
// call takes long, so that a trace that is cut is complete up to the cut. What
// calls take is data: one table of signatures by call name, one of structures,
// one of symbol names. Numbers, structure layouts, byte order and the registers
// of arguments come from arch.Arch, so that no guest architecture is special.
//
// Some differences are meant. Of two ioctls with the same number the one that
// programs make is named ("TCSETS", where strace has "SNDCTL_TMR_START or
// TCSETS"); commands of fcntl that strace 6.1 does not know have names; and "-X
// raw" writes the flags of statx as one number.
package strace
