//go:build !cgo

package capstone

// Handle decodes one instruction set.
type Handle struct{}

// Open fails with ErrUnavailable.
func Open(Mode) (*Handle, error) { return nil, ErrUnavailable }

// Decode knows no instruction.
func (*Handle) Decode(uint64, []byte) (Text, bool) { return Text{}, false }

// Version is empty: no library is linked.
func Version() string { return "" }
