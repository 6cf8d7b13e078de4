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
// Text is held back until its line ends, so that a line is one write(2), or
// until Flush. The first error is kept; Close returns it.
type Output struct {
	w     io.Writer
	line  []byte // what w has not got yet
	close func() error
	err   error

	// name and append are for a file for each task.
	name   string
	append bool
	mode   os.FileMode
	files  map[int]*taskFile
}

// taskFile is the file of a task, and what it has not got yet.
type taskFile struct {
	*os.File
	line []byte
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
		return &Output{name: name, append: add, mode: 0o666 &^ os.FileMode(mask), files: map[int]*taskFile{}}, nil
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
	w, line := o.w, &o.line
	if o.files != nil {
		f, err := o.file(tid)
		if err != nil {
			o.err = err
			return
		}
		w, line = f, &f.line
	}
	*line = append(*line, s...)
	if s[len(s)-1] == '\n' || len(*line) > maxLine {
		o.send(w, line)
	}
}

// maxLine is how much of a line may be held back.
const maxLine = 1 << 16

// send writes out what was held back.
func (o *Output) send(w io.Writer, line *[]byte) {
	if len(*line) == 0 || o.err != nil {
		return
	}
	if _, err := w.Write(*line); err != nil {
		o.err = fmt.Errorf("writing the trace: %w", err)
	}
	*line = (*line)[:0]
}

// flush writes out the beginnings of lines, too.
func (o *Output) flush() {
	o.send(o.w, &o.line)
	for _, f := range o.files {
		o.send(f, &f.line)
	}
}

func (o *Output) file(tid int) (*taskFile, error) {
	if f := o.files[tid]; f != nil {
		return f, nil
	}
	f, err := openFile(fmt.Sprintf("%s.%d", o.name, tid), o.append, o.mode)
	if err != nil {
		return nil, err
	}
	o.files[tid] = &taskFile{File: f}
	return o.files[tid], nil
}

// separate tells whether each task has its own file.
func (o *Output) separate() bool { return o.files != nil }

// summary is where a table goes: with a file for each task to standard error.
func (o *Output) summary(f func(w io.Writer)) {
	o.flush()
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
	o.flush()
	err := o.err
	if o.close != nil {
		err = errors.Join(err, o.close())
	}
	for _, f := range o.files {
		err = errors.Join(err, f.Close())
	}
	return err
}
