// Utemu runs Linux programs of other architectures and shows what they do.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/utemu/utemu"
)

// version is set by the linker to what git describes.
var version = "unknown"

// versionText is version, or what the Go tool knows of a build without make.
func versionText() string {
	if info, ok := debug.ReadBuildInfo(); ok && version == "unknown" && info.Main.Version != "" {
		return info.Main.Version
	}
	return version
}

// Exit statuses of our own, as env(1) and the shell have them; a guest's own
// status and 128+n after a signal are passed on.
const (
	exitUsage   = 2
	exitFailed  = 125 // utemu itself failed
	exitCannot  = 126 // the program cannot be run
	exitMissing = 127 // the program is not there
)

// exitStatus ends the command with a status and nothing to print.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// usageError is a mistake on the command line.
type usageError struct{ error }

func main() {
	os.Exit(run(context.Background(), os.Args[1:]))
}

func run(ctx context.Context, args []string) int {
	cmd := root()
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	var st exitStatus
	var use usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &st):
		return int(st)
	case errors.As(err, &use):
		fmt.Fprintf(os.Stderr, "utemu: %v (utemu --help tells more)\n", err)
		return exitUsage
	}
	fmt.Fprintf(os.Stderr, "utemu: %v\n", err)
	switch {
	case errors.Is(err, errLoad) && errors.Is(err, fs.ErrNotExist):
		return exitMissing
	case errors.Is(err, errLoad):
		return exitCannot
	}
	return exitFailed
}

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:           "utemu",
		Short:         "Run and trace Linux programs of other architectures",
		Long:          "Utemu runs Linux programs built for i386, x86-64, ARM, AArch64, PowerPC and\nPowerPC64 on a Linux/amd64 machine and shows what they do.",
		Version:       versionText() + " (libunicorn " + utemu.EngineVersion() + ")",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown command %q", args[0])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	cmd.AddCommand(runCommand(), traceCommand(), straceCommand(), stepCommand(), conformCommand(), archCommand(), syscallsCommand())
	return cmd
}

// usage makes mistakes that check finds usage errors.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{err}
		}
		return nil
	}
}

// needProgram wants at least one argument: the program.
func needProgram(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usageError{errors.New("no program given")}
	}
	return nil
}
