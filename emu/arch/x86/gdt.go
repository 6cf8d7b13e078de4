package x86

import (
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
)

// The descriptor tables fill one page: the GDT as a 64-bit Linux kernel lays
// it out, and at ldtOff the LDT, empty at first. All descriptors have the
// accessed bit set, so the CPU never writes the page.
const (
	selKernel32CS = 0x08
	selKernelDS   = 0x18
	selUser32CS   = 0x23
	selUserDS     = 0x2b
	selUserCS     = 0x33

	tlsMin  = 12 // GDT_ENTRY_TLS_MIN of a 64-bit kernel
	tlsMax  = 14
	cpuNode = 15

	gdtLimit   = 16*8 - 1
	ldtOff     = 0x800
	ldtEntries = 256
	pageSize   = 4096
)

// tables is the first content of the descriptor table page.
func tables() []byte {
	p := make([]byte, pageSize)
	for i, d := range map[int]uint64{
		1:       0x00cf9b000000ffff, // kernel code, 32 bits
		2:       0x00af9b000000ffff, // kernel code
		3:       0x00cf93000000ffff, // kernel data
		4:       0x00cffb000000ffff, // user code, 32 bits
		5:       0x00cff3000000ffff, // user data
		6:       0x00affb000000ffff, // user code
		cpuNode: 0x0040f50000000000, // limit: number of CPU and node
	} {
		le.PutUint64(p[8*i:], d)
	}
	return p
}

// userDesc is struct user_desc.
type userDesc struct {
	entry, base, limit, flags uint32
}

// The flags of struct user_desc.
const (
	udSeg32        = 1 << 0
	udContents     = 3 << 1
	udReadExecOnly = 1 << 3
	udLimitInPages = 1 << 4
	udNotPresent   = 1 << 5
	udUseable      = 1 << 6

	userDescSize = 16
)

func readUserDesc(m arch.Mem, addr uint64) (d userDesc, err error) {
	var b [userDescSize]byte
	if _, err := m.ReadAt(b[:], addr); err != nil {
		return d, unix.EFAULT
	}
	return userDesc{le.Uint32(b[0:]), le.Uint32(b[4:]), le.Uint32(b[8:]), le.Uint32(b[12:])}, nil
}

func (d userDesc) bytes() []byte {
	b := make([]byte, 0, userDescSize)
	for _, v := range []uint32{d.entry, d.base, d.limit, d.flags} {
		b = le.AppendUint32(b, v)
	}
	return b
}

// empty is LDT_empty or LDT_zero of the kernel: a request to clear the entry.
func (d userDesc) empty() bool {
	return d.base == 0 && d.limit == 0 &&
		(d.flags == udReadExecOnly|udNotPresent || d.flags == 0)
}

// descriptor is fill_ldt: the segment descriptor as the CPU wants it.
func (d userDesc) descriptor() uint64 {
	bit := func(f uint32) uint64 {
		if d.flags&f != 0 {
			return 1
		}
		return 0
	}
	base, limit := uint64(d.base), uint64(d.limit)
	typ := bit(udReadExecOnly)<<1 ^ 2 | uint64(d.flags&udContents)<<1 | 1
	return limit&0xffff | base&0xffffff<<16 | base>>24<<56 | limit>>16&15<<48 |
		typ<<40 | 1<<44 | 3<<45 | (bit(udNotPresent)^1)<<47 |
		bit(udUseable)<<52 | bit(udSeg32)<<54 | bit(udLimitInPages)<<55
}

// describe is fill_user_desc, the inverse of descriptor.
func describe(entry uint32, v uint64) userDesc {
	typ := uint32(v >> 40 & 15)
	d := userDesc{
		entry: entry,
		base:  uint32(v>>16&0xffffff | v>>56<<24),
		limit: uint32(v&0xffff | v>>48&15<<16),
		flags: typ>>2&3<<1 | (typ>>1&1^1)<<3 | uint32(v>>47&1^1)<<5,
	}
	d.flags |= uint32(v>>54&1) | uint32(v>>55&1)<<4 | uint32(v>>52&1)<<6
	return d
}
