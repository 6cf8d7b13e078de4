// Package syscalls is the Linux personality: it serves the system calls of
// guest programs on a Linux host, with the guest's numbers, structures and
// flag values.
//
// Calls are rows of one table and are bound by name: an architecture's
// generated list gives number and name, and the row of that name serves the
// call on every architecture. Handlers know no architecture; widths, byte
// order, register pairs and structure layouts come from arch.Arch through the
// accessors of Ctx.
package syscalls
