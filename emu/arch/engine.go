package arch

import "github.com/utemu/utemu/regset"

// Engine says which libunicorn CPU plays an architecture and how it behaves.
type Engine struct {
	Arch, Mode int     // UC_ARCH_*, UC_MODE_*
	Models     []Model // the first is the default

	// Boot brings a fresh CPU into user mode with floating point enabled,
	// as the kernel leaves it for a new program. Registers other than those
	// that set the mode are not its business.
	Boot func(b Bare, m *Model) error

	// Hidden finds the registers whose UC is UCHidden in what Bare.Context
	// returns, by behaviour: it runs code that changes them and looks at what
	// changed. It is called after Boot and leaves all registers as they were
	// after Boot; nil means the architecture has no such registers.
	Hidden func(b Bare) (map[regset.ID][]Piece, error)

	// Reserve is a load that makes a reservation (LDREX, LDXR, LWARX), which
	// must not outlive the task's turn; nil means the architecture has none.
	Reserve *Reserve

	// PC is the address to start the engine at, where that is more than the
	// PC register (Thumb's bit 0); nil means the PC register. Status is the
	// register that it takes the rest from.
	PC     func(r regset.Regs) uint64
	Status regset.ID

	// Trap says what the kernel makes of an exception. It may change
	// registers and memory through c when it emulates an instruction.
	Trap func(c CPU, e Exception) Trap
}

// Model is one CPU model of an architecture, with what Linux tells programs
// about it.
type Model struct {
	Name     string // as qemu names it, lower case
	UC       int    // libunicorn's number, -1 for the library's default
	HWCap    uint64 // AT_HWCAP
	HWCap2   uint64 // AT_HWCAP2
	Platform string // AT_PLATFORM
	Machine  string // utsname.machine
	CPUInfo  string // the model's lines in /proc/cpuinfo, whole once a CPU of it has booted
}

// Model finds a CPU model by name, the default one for "".
func (e *Engine) Model(name string) (*Model, bool) {
	for i := range e.Models {
		if name == "" || e.Models[i].Name == name {
			return &e.Models[i], true
		}
	}
	return nil, false
}

// Piece says where the saved context keeps a part of a register: bits
// [Lo, Lo+Width) of it are the low Width bits of the Size bytes at Off, which
// are in the host's byte order.
type Piece struct {
	Off, Size int
	Lo, Width int
	// Any: the part is one bit, which is set when any of the Size bytes is
	// not zero; it is written as 0 or 1.
	Any bool
}

// Reserve is an instruction that makes a reservation for the word it loads.
type Reserve struct {
	Code []byte // in memory's order
	Base int    // libunicorn's number of the register that holds the address
}

// CPReg addresses an ARM coprocessor or AArch64 system register.
type CPReg struct{ CP, Is64, Sec, CRn, CRm, Op0, Op1, Op2 uint32 }

// Bare is a CPU before its first user instruction. Register numbers are
// libunicorn's.
type Bare interface {
	Reg(uc int) uint64
	SetReg(uc int, v uint64) error
	CPReg(r CPReg) (uint64, error)
	SetCPReg(r CPReg, v uint64) error
	// SetMMR loads a segment table register of an x86 (GDTR): UC number,
	// base, limit.
	SetMMR(uc int, base uint64, limit uint32) error
	// SetCPUID sets what the x86 CPUID instruction answers from now on to
	// leaf (EAX) and sub (ECX): EAX, EBX, ECX and EDX. Leaves that are not
	// set are answered by the library; a leaf that has no subleaves is given
	// with sub CPUIDAny.
	SetCPUID(leaf, sub uint32, answer [4]uint32) error
	// Decode has an x86 CPU execute instructions of more features of CPUID leaf
	// 1, in ECX, than the library's own answer has. It is false if that cannot
	// be done.
	Decode(has [4]uint32, more uint32) bool
	// Place maps memory for the CPU's own use at a page that no user mapping
	// can have, holding data; it stays until Drop.
	Place(addr uint64, data []byte, p Prot) error
	Drop(addr uint64) error
	// Run starts the CPU at pc and returns at its first exception.
	Run(pc uint64) (Exception, error)
	// Context is the engine's saved CPU state, a private format of the library.
	Context() []byte
	SetContext(b []byte) error
}

// CPUIDAny stands for every subleaf in Bare.SetCPUID.
const CPUIDAny = ^uint32(0)

// CPU is a stopped CPU with its memory.
type CPU interface {
	regset.Regs
	Memory
	// Own is the memory that Bare.Place gave the CPU and that no system call
	// argument can name: descriptor tables.
	Own() Memory
	// Model is the CPU model that runs.
	Model() *Model
	// DropCode forgets what the engine has translated of the code at addr,
	// through every mapping of it, as a cache maintenance instruction or
	// system call of the guest asks for. A range that is not mapped is no error.
	DropCode(addr, size uint64)
}

// ExcKind is the way an exception came out of the engine.
type ExcKind uint8

// The kinds of exceptions.
const (
	ExcIntr     ExcKind = iota // an interrupt or exception number, in No
	ExcSyscall                 // the x86 SYSCALL instruction
	ExcSysenter                // the x86 SYSENTER instruction
	ExcIO                      // an x86 port instruction
	ExcInvalid                 // an undefined instruction
	ExcMem                     // memory not mapped or not permitted
)

// Exception is what the engine reported, with numbers as libunicorn has them.
type Exception struct {
	Kind   ExcKind
	No     int
	PC     uint64 // as the engine gives it for this kind and number
	Addr   uint64 // ExcMem: the address accessed
	Size   int    // ExcMem: bytes
	Access Prot   // ExcMem: Read, Write or Exec
}

// TrapKind is what the kernel makes of an exception.
type TrapKind uint8

// The kinds of traps.
const (
	TrapDefault TrapKind = iota // a memory fault as the address space explains it
	TrapSyscall                 // a system call
	TrapSignal                  // a fault: Signo and Code
	TrapBreak                   // a breakpoint instruction: SIGTRAP with PC as the kernel reports it
	TrapStep                    // a hardware single-step or branch trap
	TrapResume                  // emulated; go on at PC
)

// Trap is the outcome of an exception.
type Trap struct {
	Kind  TrapKind
	PC    uint64 // what the task's PC is to be
	Signo int
	Code  int    // si_code
	Addr  uint64 // si_addr
}
