package strace

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// Output is where a trace goes: one place for all tasks, or a file for each.
// Its methods keep the first error, which Close returns.
type Output struct {
	w     io.Writer
	close func() error
	err   error

	// name and append are for a file for each task.
	name   string
	append bool
	mode   os.FileMode
	files  map[int]*os.File
}

// NewOutput writes to w, which Close leaves open.
func NewOutput(w io.Writer) *Output { return &Output{w: w} }

// OpenOutput makes the output that -o names: a file, emptied unless add is
// set, or with "|" or "!" before it a command of the shell. With separate each
// task has a file with its number at the end of the name. The files get the
// modes that the umask of this moment gives them.
func OpenOutput(name string, separate, add bool) (*Output, error) {
	if strings.HasPrefix(name, "|") || strings.HasPrefix(name, "!") {
		if separate {
			return nil, errors.New("piping the output and -ff are mutually exclusive")
		}
		return pipeOutput(name[1:])
	}
	if separate {
		mask := unix.Umask(0)
		unix.Umask(mask)
		return &Output{name: name, append: add, mode: 0o666 &^ os.FileMode(mask), files: map[int]*os.File{}}, nil
	}
	f, err := openFile(name, add, 0o666)
	if err != nil {
		return nil, err
	}
	return &Output{w: f, close: f.Close}, nil
}

func openFile(name string, add bool, mode os.FileMode) (*os.File, error) {
	how := os.O_TRUNC
	if add {
		how = os.O_APPEND
	}
	return os.OpenFile(name, os.O_WRONLY|os.O_CREATE|how, mode)
}

func pipeOutput(command string) (*Output, error) {
	cmd := exec.Command("/bin/sh", "-c", command)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &Output{w: in, close: func() error {
		err := in.Close()
		// How the command ended is its own business.
		if e := cmd.Wait(); e != nil && !errors.As(e, new(*exec.ExitError)) {
			err = errors.Join(err, e)
		}
		return err
	}}, nil
}

// write adds text of a task.
func (o *Output) write(tid int, s string) {
	if o.err != nil || s == "" {
		return
	}
	w := o.w
	if o.files != nil {
		f, err := o.file(tid)
		if err != nil {
			o.err = err
			return
		}
		w = f
	}
	if _, err := io.WriteString(w, s); err != nil {
		o.err = fmt.Errorf("writing the trace: %w", err)
	}
}

func (o *Output) file(tid int) (*os.File, error) {
	if f := o.files[tid]; f != nil {
		return f, nil
	}
	f, err := openFile(fmt.Sprintf("%s.%d", o.name, tid), o.append, o.mode)
	if err == nil {
		o.files[tid] = f
	}
	return f, err
}

// separate tells whether each task has its own file.
func (o *Output) separate() bool { return o.files != nil }

// summary is where a table goes: with a file for each task to standard error.
func (o *Output) summary(f func(w io.Writer)) {
	w := o.w
	if w == nil {
		w = os.Stderr
	}
	b := bufio.NewWriter(w)
	f(b)
	if err := b.Flush(); err != nil && o.err == nil {
		o.err = fmt.Errorf("writing the trace: %w", err)
	}
}

// Close ends the output and returns the first error there was.
func (o *Output) Close() error {
	err := o.err
	if o.close != nil {
		err = errors.Join(err, o.close())
	}
	for _, f := range o.files {
		err = errors.Join(err, f.Close())
	}
	return err
}
