package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/syscalls"
)

// errLoad marks errors of programs that cannot be run.
var errLoad = errors.New("cannot run")

// loadError is such an error; its text is the cause's.
type loadError struct{ error }

func (e loadError) Is(target error) bool { return target == errLoad }
func (e loadError) Unwrap() error        { return e.error }

// programFlags are the flags of all commands that run a program.
type programFlags struct {
	sysroot  string
	set      []string
	unset    []string
	argv0    string
	cpu      string
	memLimit string
	core     string
	hostExec bool
	verbose  bool

	deterministic seedFlag
}

func (f *programFlags) add(fs *pflag.FlagSet) {
	f.addCommon(fs)
	fs.StringArrayVarP(&f.set, "env", "E", nil, "set an environment variable `NAME=VALUE` of the program")
	fs.StringArrayVarP(&f.unset, "unset", "U", nil, "remove `NAME` from the program's environment")
	fs.BoolVarP(&f.verbose, "verbose", "v", false, "tell of system calls that are not supported")
}

// addHostExec adds the flag of the commands that run a program once.
func (f *programFlags) addHostExec(fs *pflag.FlagSet) {
	fs.BoolVar(&f.hostExec, "allow-host-exec", false, "let the host itself run its own programs that the program executes and that are not in the sysroot")
}

// addCommon adds those that mean the same in utemu strace.
func (f *programFlags) addCommon(fs *pflag.FlagSet) {
	fs.SetInterspersed(false) // what follows the program is the program's
	fs.StringVarP(&f.sysroot, "sysroot", "L", os.Getenv("UTEMU_SYSROOT"), "look absolute paths of the program up in `DIR` first (default $UTEMU_SYSROOT)")
	fs.StringVarP(&f.argv0, "argv0", "0", "", "give the program `NAME` as its argv[0]")
	fs.StringVar(&f.cpu, "cpu", "", "CPU `MODEL`, see utemu arch")
	fs.StringVar(&f.core, "core", "", "write a core file to `FILE` if a signal kills the program that makes one, whatever ulimit -c says")
	fs.Var(&f.deterministic, "deterministic", "make runs alike in the order of threads and processes, process numbers, clocks and random numbers, which all follow from `SEED`")
	fs.Lookup("deterministic").NoOptDefVal = "0"
	fs.StringVar(&f.memLimit, "mem-limit", "", "private memory of the program, such as `512M` or 8G (default 3/4 of the machine's)")
}

// config turns flags and arguments into what to run.
func (f *programFlags) config(args []string) (utemu.Config, error) {
	c := utemu.Config{Args: f.argv(args), Env: f.environ(), Sysroot: f.sysroot, CPU: f.cpu, Core: f.core, AllowHostExec: f.hostExec, OwnStreams: true, Stock: os.Getenv("UTEMU_STOCK_ENGINE") == "1"}
	var err error
	if c.MemLimit, err = parseSize(f.memLimit); err != nil {
		return c, usageError{fmt.Errorf("--mem-limit: %w", err)}
	}
	for _, e := range f.set {
		if !strings.Contains(e, "=") {
			return c, usageError{fmt.Errorf("-E wants NAME=VALUE, not %q", e)}
		}
	}
	if f.sysroot != "" {
		if st, err := os.Stat(f.sysroot); err != nil || !st.IsDir() {
			return c, usageError{fmt.Errorf("sysroot %s is not a directory", f.sysroot)}
		}
	}
	f.deterministic.config(&c)
	if c.AllowHostExec && c.Deterministic {
		return c, usageError{errors.New("--allow-host-exec and --deterministic exclude each other")}
	}
	c.Path = findProgram(args[0])
	c.Log = func(line string) {
		if f.verbose {
			fmt.Fprintf(os.Stderr, "utemu: %s\n", line)
		}
	}
	c.Warn = func(line string) { fmt.Fprintf(os.Stderr, "utemu: warning: %s\n", line) }
	return c, nil
}

// argv are the program's arguments, with its name as -0 has it.
func (f *programFlags) argv(args []string) []string {
	if f.argv0 == "" {
		return args
	}
	return append([]string{f.argv0}, args[1:]...)
}

// findProgram looks a name without a slash up in PATH, unless it is a file of
// the current directory.
func findProgram(name string) string {
	if strings.Contains(name, "/") {
		return name
	}
	if _, err := os.Stat(name); err == nil {
		return name
	}
	if p, err := exec.LookPath(name); err == nil {
		return p
	}
	return name
}

// environ is our environment as -E and -U change it.
func (f *programFlags) environ() []string {
	drop := map[string]bool{}
	for _, n := range f.unset {
		drop[n] = true
	}
	for _, e := range f.set {
		name, _, _ := strings.Cut(e, "=")
		drop[name] = true
	}
	var env []string
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(e, "=")
		if !drop[name] {
			env = append(env, e)
		}
	}
	return append(env, f.set...)
}

// parseSize reads a number of bytes with an optional K, M, G or T.
func parseSize(s string) (uint64, error) {
	if s == "" {
		return 0, nil
	}
	num, shift := s, 0
	if i := strings.IndexByte("KMGT", s[len(s)-1]&^0x20); i >= 0 {
		num, shift = s[:len(s)-1], 10*(i+1)
	}
	var n uint64
	if _, err := fmt.Sscanf(num, "%d", &n); err != nil || fmt.Sprint(n) != num || n == 0 || n<<shift>>shift != n {
		return 0, fmt.Errorf("not a size: %q", s)
	}
	return n << shift, nil
}

// load makes a machine with the program.
func (f *programFlags) load(args []string) (*utemu.Machine, error) {
	c, err := f.config(args)
	if err != nil {
		return nil, err
	}
	m, err := utemu.Load(c)
	if err != nil {
		return nil, loadError{err}
	}
	if stock, why := m.Stock(); stock {
		fmt.Fprintf(os.Stderr, "utemu: stock engine, slow: %s\n", why)
	}
	return m, nil
}

func runCommand() *cobra.Command {
	var f programFlags
	var seeds uint64
	cmd := &cobra.Command{
		Use:                   "run [flags] PROG [ARGS...]",
		Short:                 "Run a program",
		Long:                  "Run a program with our standard streams, environment and current directory,\nand end with its exit status: 128+n if signal n killed it.",
		Example:               "  utemu run ./hello\n  utemu run -L /usr/arm-linux-gnueabihf ./hello-dynamic\n  utemu run --seeds 100 ./racy",
		Args:                  needProgram,
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("seeds") {
				return runSeeds(cmd, seeds, args)
			}
			m, err := f.load(args)
			if err != nil {
				return err
			}
			st, err := m.Run(cmd.Context())
			if err != nil {
				return err
			}
			return ended(m, st)
		},
	}
	f.add(cmd.Flags())
	f.addHostExec(cmd.Flags())
	cmd.Flags().Uint64Var(&seeds, "seeds", 0, "run the program with --deterministic for each of the seeds 1 to `N` and tell which end otherwise than most, with status 1 if any does")
	return cmd
}

// ended tells of a violent end and turns a status into ours.
func ended(m *utemu.Machine, s emu.Status) error {
	if s.Signal == 0 {
		if s.Code == 0 {
			return nil
		}
		return exitStatus(s.Code & 0xff)
	}
	if s.Fault != nil || syscalls.CoreSignal(s.Signal) {
		fmt.Fprintf(os.Stderr, "utemu: %s\n", m.Explain(s))
	}
	if err := m.CoreError(); err != nil {
		fmt.Fprintf(os.Stderr, "utemu: core file: %v\n", err)
	}
	return exitStatus(128 + int(s.Signal))
}
