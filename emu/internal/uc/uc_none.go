//go:build !cgo

package uc

// Engine is one CPU with its memory. Without cgo there is none: Open fails,
// and the methods exist for the callers' sake.
type Engine struct{}

// Context is the saved state of a CPU, in the library's own form.
type Context struct{}

// Open returns ErrUnavailable.
func Open(Config) (*Engine, error) { return nil, ErrUnavailable }

// Close does nothing.
func (e *Engine) Close() error { return nil }

// Stock says that there is no engine.
func (e *Engine) Stock() (bool, string) { return true, ErrUnavailable.Error() }

// Map returns ErrUnavailable.
func (e *Engine) Map(uint64, []byte, int) error { return ErrUnavailable }

// Unmap returns ErrUnavailable.
func (e *Engine) Unmap(uint64, uint64) error { return ErrUnavailable }

// Protect returns ErrUnavailable.
func (e *Engine) Protect(uint64, uint64, int) error { return ErrUnavailable }

// DropCode does nothing.
func (e *Engine) DropCode(uint64, uint64) {}

// HasCode is false.
func (e *Engine) HasCode(uint64, uint64) bool { return false }

// Reg returns 0.
func (e *Engine) Reg(int) uint64 { return 0 }

// SetReg returns ErrUnavailable.
func (e *Engine) SetReg(int, uint64) error { return ErrUnavailable }

// Regs gives zeros.
func (e *Engine) Regs(_ []int32, dst []uint64) { clear(dst) }

// SetRegs does nothing.
func (e *Engine) SetRegs([]int32, []uint64) {}

// RegBytes returns ErrUnavailable.
func (e *Engine) RegBytes(int, []byte) error { return ErrUnavailable }

// SetRegBytes returns ErrUnavailable.
func (e *Engine) SetRegBytes(int, []byte) error { return ErrUnavailable }

// CPReg returns ErrUnavailable.
func (e *Engine) CPReg(CP) (uint64, error) { return 0, ErrUnavailable }

// SetCPReg returns ErrUnavailable.
func (e *Engine) SetCPReg(CP, uint64) error { return ErrUnavailable }

// SetMMR returns ErrUnavailable.
func (e *Engine) SetMMR(int, uint64, uint32) error { return ErrUnavailable }

// SetCPUID returns ErrUnavailable.
func (e *Engine) SetCPUID(uint32, uint32, [4]uint32) error { return ErrUnavailable }

// Decode is false.
func (e *Engine) Decode([4]uint32, uint32) bool { return false }

// Save returns ErrUnavailable.
func (e *Engine) Save() (*Context, error) { return nil, ErrUnavailable }

// SaveTo returns ErrUnavailable.
func (e *Engine) SaveTo(*Context) error { return ErrUnavailable }

// Restore returns ErrUnavailable.
func (e *Engine) Restore(*Context) error { return ErrUnavailable }

// Put does nothing.
func (e *Engine) Put(*Context, int, []byte) {}

// State returns ErrUnavailable.
func (e *Engine) State() ([]byte, error) { return nil, ErrUnavailable }

// SetState returns ErrUnavailable.
func (e *Engine) SetState([]byte) error { return ErrUnavailable }

// Run returns ErrUnavailable.
func (e *Engine) Run(uint64, Limit) (Stop, error) { return Stop{}, ErrUnavailable }

// RunFile returns ErrUnavailable.
func (e *Engine) RunFile(uint64, Limit, *File, bool) (Stop, error) { return Stop{}, ErrUnavailable }

// AtException returns false.
func (e *Engine) AtException() bool { return false }

// Parked is false.
func (e *Engine) Parked() bool { return false }

// ContinueFile returns ErrUnavailable.
func (e *Engine) ContinueFile(Limit, *File) (Stop, error) { return Stop{}, ErrUnavailable }

// Plant is false.
func (e *Engine) Plant(uint64, []byte, []byte) bool { return false }

// Lift does nothing.
func (e *Engine) Lift(uint64) {}

// Planted is false.
func (e *Engine) Planted() bool { return false }

// Real does nothing.
func (e *Engine) Real() {}

// Translations is 0.
func (e *Engine) Translations() uint64 { return 0 }

// GoOn returns ErrUnavailable.
func (e *Engine) GoOn(Limit, *File) (Kind, uint64, error) { return 0, 0, ErrUnavailable }

// Last is empty.
func (e *Engine) Last() Stop { return Stop{} }

// Status is 0.
func (e *Engine) Status() uint64 { return 0 }

// Interrupt does nothing.
func (e *Engine) Interrupt() {}

// Determine returns false.
func (e *Engine) Determine(seed uint64) bool { return false }

// SetSlice does nothing.
func (e *Engine) SetSlice(branches, tail, now uint64) {}

// Slice is 0.
func (e *Engine) Slice() uint64 { return 0 }

// SetTrace returns ErrUnavailable.
func (e *Engine) SetTrace(Trace, []int32, []uint64) error { return ErrUnavailable }

// WrongFloat returns false.
func (e *Engine) WrongFloat() bool { return false }

// Mute does nothing.
func (e *Engine) Mute(bool) {}

// Drain returns nothing.
func (e *Engine) Drain() []Rec { return nil }

// Version is 0.0.
func Version() (major, minor uint) { return 0, 0 }

// VersionString says that there is no library.
func VersionString() string { return "none" }

// StartNoFile knows nothing without cgo.
func StartNoFile() (uint64, bool) { return 0, false }
