package strace

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Summary counts calls, errors and time by call (-c).
type Summary struct {
	SortBy  string   // a column; "time" is strace's default
	Columns []string // those of ParseColumns; nil for strace's
	counts  map[string]*count
}

type count struct {
	name          string
	calls, errors int
	time          time.Duration
	min, max      time.Duration
}

func (c *count) average() time.Duration { return c.time / time.Duration(max(c.calls, 1)) }

// add counts a call.
func (s *Summary) add(name string, failed bool, d time.Duration) {
	if s.counts == nil {
		s.counts = map[string]*count{}
	}
	c := s.counts[name]
	if c == nil {
		c = &count{name: name, min: d}
		s.counts[name] = c
	}
	c.calls++
	if failed {
		c.errors++
	}
	c.time += d
	c.min, c.max = min(c.min, d), max(c.max, d)
}

// columnNames are the columns by all their names.
var columnNames = map[string]string{
	"time": "time", "time_percent": "time", "time-percent": "time",
	"time_total": "total", "time-total": "total", "total_time": "total", "total-time": "total",
	"min_time": "min", "min-time": "min", "shortest": "min", "time_min": "min", "time-min": "min",
	"longest": "max", "max_time": "max", "max-time": "max", "time_max": "max", "time-max": "max",
	"avg_time": "avg", "avg-time": "avg", "time_avg": "avg", "time-avg": "avg",
	"calls": "calls", "count": "calls", "error": "errors", "errors": "errors",
	"name": "name", "syscall": "name", "syscall_name": "name", "syscall-name": "name",
}

// ParseColumns reads a list of columns (-U). The name of the call is always
// among them.
func ParseColumns(list string) ([]string, error) {
	var out []string
	for _, n := range strings.Split(list, ",") {
		c := columnNames[n]
		if c == "" {
			return nil, fmt.Errorf("unknown column name: %q", n)
		}
		if slices.Contains(out, c) {
			return nil, fmt.Errorf("call summary column has been provided more than once: %q", n)
		}
		out = append(out, c)
	}
	if !slices.Contains(out, "name") {
		out = append(out, "name")
	}
	return out, nil
}

// ParseSort reads the column to sort by (-S).
func ParseSort(name string) (string, error) {
	if name == "none" || name == "nothing" {
		return "none", nil
	}
	if c := columnNames[name]; c != "" {
		return c, nil
	}
	return "", fmt.Errorf("invalid sortby: %q", name)
}

// sorted are the counts in the order of the table: descending, of equals in
// that of their names.
func (s *Summary) sorted() []*count {
	var l []*count
	for _, c := range s.counts {
		l = append(l, c)
	}
	key := func(c *count) time.Duration {
		switch s.SortBy {
		case "min":
			return c.min
		case "max":
			return c.max
		case "avg":
			return c.average()
		case "calls":
			return time.Duration(c.calls)
		case "errors":
			return time.Duration(c.errors)
		case "name", "none":
			return 0
		}
		return c.time
	}
	slices.SortFunc(l, func(a, b *count) int {
		return cmp.Or(cmp.Compare(key(b), key(a)), strings.Compare(a.name, b.name))
	})
	return l
}

// column is how a column is written.
type column struct {
	head  string
	width int
	text  func(c *count) string
	left  bool
}

// table makes the columns for counts whose sum is total.
func (s *Summary) table(l []*count, total *count) []column {
	sec := func(d time.Duration) string { return fmt.Sprintf("%.6f", d.Seconds()) }
	width := func(least int, f func(c *count) string) int {
		w := max(least, len(f(total)))
		for _, c := range l {
			w = max(w, len(f(c)))
		}
		return w
	}
	nameWidth := 16
	for _, c := range l {
		nameWidth = max(nameWidth, len(c.name)+1)
	}
	number := func(n int) string { return fmt.Sprint(n) }
	all := map[string]column{
		"time": {"% time", 6, func(c *count) string {
			if total.time == 0 {
				if c == total {
					return "100.00"
				}
				return "0.00"
			}
			return fmt.Sprintf("%.2f", 100*c.time.Seconds()/total.time.Seconds())
		}, false},
		"total": {"seconds", 11, func(c *count) string { return sec(c.time) }, false},
		"min":   {"shortest", 8, func(c *count) string { return sec(c.min) }, false},
		"max":   {"longest", 7, func(c *count) string { return sec(c.max) }, false},
		"avg":   {"usecs/call", 11, func(c *count) string { return number(int(c.average().Microseconds())) }, false},
		"calls": {"calls", 9, func(c *count) string { return number(c.calls) }, false},
		"errors": {"errors", 9, func(c *count) string {
			if c.errors == 0 {
				return ""
			}
			return number(c.errors)
		}, false},
		"name": {"syscall", nameWidth, func(c *count) string { return c.name }, true},
	}
	cols := s.Columns
	if cols == nil {
		cols = []string{"time", "total", "avg", "calls", "errors", "name"}
	}
	var out []column
	for _, n := range cols {
		c := all[n]
		c.width = width(c.width, c.text)
		out = append(out, c)
	}
	return out
}

// Print writes the table. A summary without calls is empty.
func (s *Summary) Print(w io.Writer) {
	l := s.sorted()
	if len(l) == 0 {
		return
	}
	total := &count{name: "total", min: l[0].min}
	for _, c := range l {
		total.calls += c.calls
		total.errors += c.errors
		total.time += c.time
		total.min, total.max = min(total.min, c.min), max(total.max, c.max)
	}
	cols := s.table(l, total)
	row := func(f func(c column) string) {
		var cells []string
		for i, c := range cols {
			cell := f(c)
			switch {
			case c.left && i == len(cols)-1:
			case c.left:
				cell = fmt.Sprintf("%-*s", c.width, cell)
			default:
				cell = fmt.Sprintf("%*s", c.width, cell)
			}
			cells = append(cells, cell)
		}
		fmt.Fprintln(w, strings.Join(cells, " "))
	}
	line := func(c column) string { return strings.Repeat("-", c.width) }
	row(func(c column) string { return c.head })
	row(line)
	for _, n := range l {
		row(func(c column) string { return c.text(n) })
	}
	row(line)
	row(func(c column) string { return c.text(total) })
}
