package hooks

import "golang.org/x/sys/unix"

// The errors of this package. errors.Is finds in each the errno that utrace
// returns in its place.
var (
	ErrExist       error = traceError{unix.EEXIST, "a matching engine is attached"}
	ErrNoEnt       error = traceError{unix.ENOENT, "no matching engine is attached"}
	ErrGone        error = traceError{unix.ESRCH, "the task or the engine is gone"}
	ErrInvalid     error = traceError{unix.EINVAL, "not valid here"}
	ErrAlready     error = traceError{unix.EALREADY, "the end of the task is being reported"}
	ErrInProgress  error = traceError{unix.EINPROGRESS, "not yet: the task is running, or in a callback"}
	ErrAgain       error = traceError{unix.EAGAIN, "the task has run"}
	ErrNoStep      error = traceError{unix.EOPNOTSUPP, "there is no such step"}
	ErrInterrupted error = traceError{erestartsys, "interrupted"}
)

// erestartsys is ERESTARTSYS of linux/errno.h, which user mode never sees.
const erestartsys = unix.Errno(512)

type traceError struct {
	errno unix.Errno
	text  string
}

func (e traceError) Error() string { return "hooks: " + e.text }

func (e traceError) Is(target error) bool { return target == e.errno }
