//go:build !linux || !amd64

package oracle

// StartNative says that this machine runs no programs of ours.
func StartNative(Program) (Process, error) { return nil, ErrUnsupported }
