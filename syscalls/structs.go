package syscalls

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
)

// Struct is a guest structure under construction or as read, in the guest's
// layout. Fields are named as in the kernel's headers; a name that the
// layout lacks is dropped by Set and reads as zero, since architectures differ
// in padding and in optional fields.
type Struct struct {
	b        []byte
	l        arch.Layout
	a        *arch.Arch
	overflow bool
}

// NewStruct makes a zeroed structure of the guest's layout name. A name that
// no layout of the architecture has is a mistake of the handler and panics.
func (c *Ctx) NewStruct(name string) *Struct { return newStruct(c.A, name) }

func newStruct(a *arch.Arch, name string) *Struct {
	l, ok := a.Layout[name]
	if !ok {
		panic(fmt.Sprintf("syscalls: %s has no layout of struct %s", a.Name, name))
	}
	return &Struct{b: make([]byte, l.Size), l: l, a: a}
}

// HasStruct tells whether the guest's architecture has a structure.
func (c *Ctx) HasStruct(name string) bool { _, ok := c.A.Layout[name]; return ok }

// LoadStruct reads a structure from guest memory.
func (c *Ctx) LoadStruct(name string, addr uint64) (*Struct, error) {
	s := c.NewStruct(name)
	if err := c.Space().CopyIn(s.b, addr); err != nil {
		return nil, err
	}
	return s, nil
}

// Store writes the structure to guest memory.
func (s *Struct) Store(c *Ctx, addr uint64) error { return c.Space().CopyOut(s.b, addr) }

// Bytes is the structure's image, which the caller may change.
func (s *Struct) Bytes() []byte { return s.b }

// Size is the structure's size in bytes.
func (s *Struct) Size() int { return s.l.Size }

// Set puts the low bits of v into an integer field. A value whose lost bits
// are not a sign extension or zero is noted: see Overflow.
func (s *Struct) Set(field string, v uint64) {
	f, ok := s.l.Fields[field]
	if !ok {
		return
	}
	putUint(s.a, s.b[f.Off:f.Off+f.Size], v)
	if f.Size < 8 {
		top := int64(v) >> (8*f.Size - 1)
		if v>>(8*f.Size) != 0 && top != -1 {
			s.overflow = true
		}
	}
}

// Overflow returns EOVERFLOW if a Set lost bits.
func (s *Struct) Overflow() error {
	if s.overflow {
		return unix.EOVERFLOW
	}
	return nil
}

// SetBytes copies b into a field, cut to its size.
func (s *Struct) SetBytes(field string, b []byte) {
	if f, ok := s.l.Fields[field]; ok {
		copy(s.b[f.Off:f.Off+f.Size], b)
	}
}

// Field is the image of a field, nil if there is none.
func (s *Struct) Field(field string) []byte {
	f, ok := s.l.Fields[field]
	if !ok {
		return nil
	}
	return s.b[f.Off : f.Off+f.Size]
}

// Uint reads an unsigned integer field.
func (s *Struct) Uint(field string) uint64 { return getUint(s.a, s.Field(field)) }

// Int reads a signed integer field.
func (s *Struct) Int(field string) int64 {
	b := s.Field(field)
	if len(b) == 0 {
		return 0
	}
	shift := 64 - 8*len(b)
	return int64(getUint(s.a, b)<<shift) >> shift
}

func putUint(a *arch.Arch, b []byte, v uint64) {
	switch len(b) {
	case 1:
		b[0] = byte(v)
	case 2:
		a.Order.PutUint16(b, uint16(v))
	case 4:
		a.Order.PutUint32(b, uint32(v))
	case 8:
		a.Order.PutUint64(b, v)
	}
}

func getUint(a *arch.Arch, b []byte) uint64 {
	switch len(b) {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(a.Order.Uint16(b))
	case 4:
		return uint64(a.Order.Uint32(b))
	case 8:
		return a.Order.Uint64(b)
	}
	return 0
}
