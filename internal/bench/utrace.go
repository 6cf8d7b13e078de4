package main

import (
	"fmt"
	"os/exec"
	"slices"
)

// utrace measures what tracing costs, by the program engines: table 4. The
// first two columns are builds without and with the tracehook points.
func (b *bench) utrace() error {
	for name, tags := range map[string]string{"engines": "", "pointless": "utemu_notracehook"} {
		if out, err := exec.Command("go", "build", "-tags", tags, "-o", b.file(name), "./internal/bench/engines").CombinedOutput(); err != nil {
			return fmt.Errorf("go build: %w\n%s", err, out)
		}
	}
	header(2, "arch", "guest", "no points s", "no engine s", "ratio", "1 engine", "8 engines", "32 engines", "an engine and call, ns")
	const part = 3 // of the work of the other tables
	var none, one []float64
	for _, a := range b.arches {
		cs := []command{{name: "no points", argv: []string{b.file("pointless"), "0"}}}
		for _, n := range []string{"0", "1", "8", "32"} {
			cs = append(cs, command{name: n + " engines", argv: []string{b.file("engines"), n}})
		}
		for _, g := range []guest{guests[0], guests[3]} {
			g.count /= part * b.scale
			t, err := contest(cs, g.args(a, 1), b.rounds)
			if err != nil {
				return err
			}
			none = append(none, t[1]/t[0])
			each := "-"
			if g.kind == "sys" {
				each = fmt.Sprintf("%.0f", (t[4]-t[1])/32/float64(g.count)*1e9)
			} else {
				one = append(one, t[2]/t[1])
			}
			row(a, g.name, fmt.Sprintf("%.3f", t[0]), fmt.Sprintf("%.3f", t[1]), fmt.Sprintf("%.3f", t[1]/t[0]),
				fmt.Sprintf("%.2f", t[2]/t[1]), fmt.Sprintf("%.2f", t[3]/t[1]), fmt.Sprintf("%.2f", t[4]/t[1]), each)
		}
	}
	fmt.Printf("\nTracehook points without an engine: median %.3f, worst %.3f times the run without them; an engine on system calls of a guest that computes: worst %.2f.\n",
		median(none), slices.Max(none), slices.Max(one))
	return nil
}
