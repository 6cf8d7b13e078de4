package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/arch/archs"
	"github.com/utemu/utemu/syscalls"
)

// archNames completes and lists the names of architectures.
func archNames() (names []string) {
	for _, a := range utemu.Arches() {
		names = append(names, a.Name)
	}
	return names
}

func findArch(name string) (*arch.Arch, error) {
	if a, ok := archs.Lookup(name); ok {
		return a, nil
	}
	return nil, usageError{fmt.Errorf("no architecture %q; there are %s", name, strings.Join(archNames(), ", "))}
}

func archCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "arch [ARCH]",
		Short: "List the architectures, or the CPU models of one",
		Long: "List the architectures with what their hardware offers to a tracer. With the\n" +
			"name of one, list its CPU models, the default first, and its register sets.",
		Args:                  usage(cobra.MaximumNArgs(1)),
		ValidArgs:             archNames(),
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 2, ' ', 0)
			if len(args) == 0 {
				listArches(w)
				return w.Flush()
			}
			a, err := findArch(args[0])
			if err != nil {
				return err
			}
			listModels(w, a)
			return w.Flush()
		},
	}
}

func listArches(w *tabwriter.Writer) {
	fmt.Fprintln(w, "ARCH\tELF MACHINE\tENDIAN\tWORD\tSTEP\tBLOCK STEP\tBREAKPOINT\tREGISTER SETS")
	for _, a := range utemu.Arches() {
		order := "little"
		if a.Order.Uint16([]byte{0, 1}) == 1 {
			order = "big"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\n", a.Name, a.Machine, order, 8*a.Word,
			yes(a.Caps&arch.HasSingleStep), yes(a.Caps&arch.HasBlockStep), breakpoints(a), sets(a))
	}
}

func yes(c arch.Caps) string {
	if c != 0 {
		return "yes"
	}
	return "no"
}

// breakpoints are the breakpoint instructions of all instruction set states.
func breakpoints(a *arch.Arch) string {
	var l []string
	for state := range uint8(2) {
		if b := hex.EncodeToString(a.Break(state)); len(l) == 0 || l[0] != b {
			l = append(l, b)
		}
	}
	return strings.Join(l, ",")
}

func sets(a *arch.Arch) string {
	var l []string
	for _, s := range a.Views[0].Sets {
		l = append(l, s.Name)
	}
	return strings.Join(l, ",")
}

func listModels(w *tabwriter.Writer, a *arch.Arch) {
	fmt.Fprintln(w, "CPU\tPLATFORM\tHWCAP\tHWCAP2")
	for _, m := range a.Engine.Models {
		fmt.Fprintf(w, "%s\t%s\t%#x\t%#x\n", m.Name, m.Platform, m.HWCap, m.HWCap2)
	}
	fmt.Fprintln(w, "\nREGISTER SET\tNOTE\tREGISTERS\tBYTES EACH")
	for _, s := range a.Views[0].Sets {
		fmt.Fprintf(w, "%s\t%#x\t%d\t%d\n", s.Name, s.Note, s.N, s.Size)
	}
}

func syscallsCommand() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:                   "syscalls --arch ARCH",
		Short:                 "List the system calls of an architecture and how far they are supported",
		Args:                  usage(cobra.NoArgs),
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if name == "" {
				return usageError{errors.New("--arch says whose calls to list: " + strings.Join(archNames(), ", "))}
			}
			a, err := findArch(name)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 2, ' ', 0)
			fmt.Fprintln(w, "NUMBER\tNAME\tSUPPORT\tNOTE")
			for _, e := range syscalls.List(a) {
				fmt.Fprintf(w, "%d\t%s\t%s\t%s\n", e.Nr, e.Name, e.Level, e.Note)
			}
			return w.Flush()
		},
	}
	cmd.Flags().StringVar(&name, "arch", "", "the `ARCH`itecture")
	// The flag exists, so completing it cannot fail.
	_ = cmd.RegisterFlagCompletionFunc("arch", cobra.FixedCompletions(archNames(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}
