// Package capstone is utemu's binding of libcapstone: the text of one
// instruction at a time, for the instruction sets that golang.org/x/arch does
// not decode. It works with libcapstone 4 and 5, which differ in the
// instructions they know and in details of their text, so callers must take
// any answer as possible and none as certain.
//
// It is one of the two packages of utemu that use cgo. Built without cgo the
// package still compiles; Open then fails with ErrUnavailable.
package capstone

import "errors"

// ErrUnavailable is returned by Open when the binary was built without cgo.
var ErrUnavailable = errors.New("capstone: built without cgo")

// Mode is an instruction set together with its byte order and word size.
type Mode uint8

// The instruction sets that Open knows.
const (
	X86 Mode = iota + 1 // AT&T syntax, 32 bits
	X8664
	ARM
	Thumb
	ARM64
	PPC32
	PPC64
)

// Text is an instruction as libcapstone prints it.
type Text struct {
	Len      int // bytes, at least 1
	Mnemonic string
	Operands string
}
