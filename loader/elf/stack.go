package elf

import (
	delf "debug/elf"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
)

// Types of entries of the auxiliary vector (uapi/linux/auxvec.h) that all
// architectures have.
const (
	atNull             = 0
	atPhdr             = 3
	atPhent            = 4
	atPhnum            = 5
	atPagesz           = 6
	atBase             = 7
	atFlags            = 8
	atEntry            = 9
	atUID              = 11
	atEUID             = 12
	atGID              = 13
	atEGID             = 14
	atPlatform         = 15
	atHwcap            = 16
	atClktck           = 17
	atSecure           = 23
	atBasePlatform     = 24
	atRandom           = 25
	atHwcap2           = 26
	atRseqFeatureSize  = 27
	atRseqAlign        = 28
	atExecfn           = 31
	clockTicks         = 100 // USER_HZ
	rseqSize           = 28  // offsetof(struct rseq, end) and its alignment, Linux 6.3 to 6.18
	rseqAlign          = 32
	maxArgStrlen       = 32 * pageSize   // MAX_ARG_STRLEN: one string, with its NUL
	argMax             = 32 * pageSize   // ARG_MAX: what execve always has room for
	maxArgs            = 8 << 20 / 4 * 3 // three quarters of _STK_LIM: what it never exceeds
	threeGiB           = uint64(3) << 30 // the most user space that a 32-bit kernel gives
	defaultStackAlign  = uint64(16)
	randomSize         = 16
	platformStackAlign = ^uint64(16 - 1)
)

// StackConfig is what a new program is told, beside where it was loaded.
type StackConfig struct {
	// Argv and Envp are the strings for main. An empty Argv becomes one empty
	// string, as since Linux 5.18.
	Argv, Envp []string
	ExecFn     string // the path given to execve (of the script, if it was one)

	Random               [16]byte // for AT_RANDOM
	UID, EUID, GID, EGID uint32
	Secure               bool // AT_SECURE

	Model        *arch.Model // gives AT_HWCAP, AT_HWCAP2 and AT_PLATFORM
	BasePlatform string      // AT_BASE_PLATFORM, "" for none (PowerPC has one)
	RSeq         bool        // tell of rseq(2): AT_RSEQ_FEATURE_SIZE and AT_RSEQ_ALIGN

	// StackLimit is the soft RLIMIT_STACK in bytes. A quarter of it, but not
	// less than 128 KiB nor more than 6 MiB, is for strings and pointers.
	StackLimit uint64
}

// StackImage says what Stack put where.
type StackImage struct {
	SP   uint64
	Auxv []byte // as in /proc/PID/auxv: in the guest's words, AT_NULL included
	Args Range  // the strings of argv, /proc/PID/cmdline
	Env  Range  // the strings of envp, /proc/PID/environ
}

// CheckArgs tells whether argv, envp and the file name are within the limits
// of execve(2): unix.E2BIG if not.
func (c *StackConfig) CheckArgs(a *arch.Arch) error {
	limit := max(min(c.StackLimit/4, maxArgs), argMax)
	// Pointers count as those of the kernel, whatever the program has.
	used := uint64(max(len(c.Argv), 1)+len(c.Envp)) * kernelWord(a)
	for _, list := range [][]string{{c.ExecFn}, c.Envp, c.argv()} {
		for _, s := range list {
			if strings.IndexByte(s, 0) >= 0 {
				return fmt.Errorf("elf: zero byte in an argument or environment string: %w", unix.EINVAL)
			}
			if len(s) >= maxArgStrlen {
				return fmt.Errorf("elf: argument or environment string of %d bytes: %w", len(s), unix.E2BIG)
			}
			if used += uint64(len(s)) + 1; used > limit {
				return fmt.Errorf("elf: more than %d bytes of arguments and environment: %w", limit, unix.E2BIG)
			}
		}
	}
	return nil
}

func (c *StackConfig) argv() []string {
	if len(c.Argv) == 0 {
		return []string{""}
	}
	return c.Argv
}

// kernelWord is the size of a pointer of the kernel that runs a: a 32-bit
// program with more than 3 GiB of address space is one of a 64-bit kernel.
func kernelWord(a *arch.Arch) uint64 {
	if a.Word == 8 || a.Start.TaskSize > threeGiB {
		return 8
	}
	return 4
}

// Stack writes the initial stack into the area that Load mapped and returns
// the stack pointer and what /proc tells of it. From the top: a pointer's
// worth of zeroes, the file name, the strings of envp and argv; the platform
// strings and random bytes; the auxiliary vector, envp, argv and argc.
//
// Errors are those of CheckArgs, or a failure to write.
func Stack(s Space, im *Image, c StackConfig) (*StackImage, error) {
	a := im.Arch
	if err := c.CheckArgs(a); err != nil {
		return nil, err
	}
	b := stackBuilder{low: im.Stack.Low, arch: a}
	b.start(im.Stack.High, kernelWord(a))
	argv, envp, execfn := b.strings(c.argv(), c.Envp, c.ExecFn)
	st := &StackImage{
		Args: Range{argv[0], argv[len(argv)-1]},
		Env:  Range{envp[0], envp[len(envp)-1]},
	}
	b.sp &= platformStackAlign
	platform := b.optional(c.Model.Platform)
	base := b.optional(c.BasePlatform)
	random := b.push(c.Random[:])
	aux := auxv(im, &c, vectorStrings{execfn: execfn, platform: platform, base: base, random: random})
	st.Auxv = b.words(flatten(aux))
	b.vectors(argv, envp, st.Auxv)
	if b.full {
		return nil, fmt.Errorf("elf: arguments and environment do not fit a stack of %d bytes: %w", im.Stack.High-im.Stack.Low, unix.E2BIG)
	}
	st.SP = b.sp
	if _, err := s.WriteAt(b.bytes(), b.sp); err != nil {
		return nil, fmt.Errorf("elf: writing the initial stack: %w", err)
	}
	return st, nil
}

// vectorStrings are the addresses of what the auxiliary vector points to.
type vectorStrings struct{ execfn, platform, base, random uint64 }

// auxv makes the entries in the order of create_elf_tables, which programs
// should not but do depend on.
func auxv(im *Image, c *StackConfig, at vectorStrings) []arch.Aux {
	var v []arch.Aux
	add := func(typ, val uint64) { v = append(v, arch.Aux{Type: typ, Val: val}) }
	if f := im.Arch.Start.Aux; f != nil {
		v = append(v, f(c.Model)...)
	}
	add(atHwcap, c.Model.HWCap)
	add(atPagesz, pageSize)
	add(atClktck, clockTicks)
	add(atPhdr, im.Phdr)
	add(atPhent, im.Phent)
	add(atPhnum, im.Phnum)
	add(atBase, im.Base)
	add(atFlags, 0)
	add(atEntry, im.Start)
	add(atUID, uint64(c.UID))
	add(atEUID, uint64(c.EUID))
	add(atGID, uint64(c.GID))
	add(atEGID, uint64(c.EGID))
	add(atSecure, truth(c.Secure))
	add(atRandom, at.random)
	add(atHwcap2, c.Model.HWCap2)
	add(atExecfn, at.execfn)
	if at.platform != 0 {
		add(atPlatform, at.platform)
	}
	if at.base != 0 {
		add(atBasePlatform, at.base)
	}
	if c.RSeq {
		add(atRseqFeatureSize, rseqSize)
		add(atRseqAlign, rseqAlign)
	}
	add(atNull, 0)
	return v
}

func truth(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func flatten(v []arch.Aux) []uint64 {
	w := make([]uint64, 0, 2*len(v))
	for _, e := range v {
		w = append(w, e.Type, e.Val)
	}
	return w
}

// stackBuilder builds the stack's image from the top down. The pieces are kept
// in that order with their addresses, and joined by bytes.
type stackBuilder struct {
	arch   *arch.Arch
	low    uint64
	top    uint64
	sp     uint64
	full   bool
	pieces []piece
}

type piece struct {
	addr uint64
	data []byte
}

// start leaves n bytes of zeroes at the top.
func (b *stackBuilder) start(top, n uint64) { b.top, b.sp = top, top-n }

// push puts p below what there is and returns its address.
func (b *stackBuilder) push(p []byte) uint64 {
	if uint64(len(p)) > b.sp-b.low {
		b.full = true
		return b.sp
	}
	b.sp -= uint64(len(p))
	b.pieces = append(b.pieces, piece{b.sp, p})
	return b.sp
}

// optional pushes a string with its NUL and returns its address, 0 for "".
func (b *stackBuilder) optional(s string) uint64 {
	if s == "" {
		return 0
	}
	return b.push(append([]byte(s), 0))
}

// strings pushes the strings, lowest first argv, then envp, then the file
// name. The addresses returned have one more at the end, behind the last.
func (b *stackBuilder) strings(argv, envp []string, execfn string) (args, env []uint64, fn uint64) {
	var buf []byte
	put := func(list []string) (at []uint64) {
		for _, s := range list {
			at = append(at, uint64(len(buf)))
			buf = append(append(buf, s...), 0)
		}
		return append(at, uint64(len(buf)))
	}
	args, env = put(argv), put(envp)
	fn = put([]string{execfn})[0]
	base := b.push(buf)
	for _, list := range [][]uint64{args, env} {
		for i := range list {
			list[i] += base
		}
	}
	return args, env, base + fn
}

// vectors pushes argc, argv, envp and the auxiliary vector so that argc, at
// the lowest address, is aligned as the ABI wants the stack pointer.
func (b *stackBuilder) vectors(argv, envp []uint64, auxv []byte) {
	w := []uint64{uint64(len(argv) - 1)}
	w = append(append(w, argv[:len(argv)-1]...), 0)
	w = append(append(w, envp[:len(envp)-1]...), 0)
	data := append(b.words(w), auxv...)
	align := max(b.arch.Start.StackAlign, defaultStackAlign)
	// The words are rounded as one block: what is left over lies above it.
	size := uint64(len(data))
	if size+align > b.sp-b.low {
		b.full = true
		return
	}
	b.sp = (b.sp-size)&^(align-1) + size
	b.push(data)
}

// words encodes words of the guest.
func (b *stackBuilder) words(w []uint64) []byte {
	p := make([]byte, 0, len(w)*b.arch.Word)
	for _, v := range w {
		if b.arch.Class == delf.ELFCLASS64 {
			p = appendWord(p, b.arch, v, 8)
		} else {
			p = appendWord(p, b.arch, v, 4)
		}
	}
	return p
}

func appendWord(p []byte, a *arch.Arch, v uint64, n int) []byte {
	var w [8]byte
	if n == 8 {
		a.Order.PutUint64(w[:], v)
	} else {
		a.Order.PutUint32(w[:], uint32(v))
	}
	return append(p, w[:n]...)
}

// bytes is the image from the stack pointer to the top.
func (b *stackBuilder) bytes() []byte {
	p := make([]byte, b.top-b.sp)
	for _, e := range b.pieces {
		copy(p[e.addr-b.sp:], e.data)
	}
	return p
}
