// Package campaign is the frame of the programs in scripts/campaigns, each of
// which proves one claim at length: that many kills lose nothing, that a network
// of some size heals in some time.
//
// It owns the command line (--quick, --seed), the table, the bars that must hold
// and the JSON line at the end. It does not own what a campaign does: that is one
// function in one file, which reads like the claim it proves:
//
//	// Command crash kills the store again and again and looks for what it had acknowledged.
//	package main
//
//	func main() { campaign.Main("crash", run) }
//
//	func run(ctx context.Context, c *campaign.Campaign) error {
//		lost := 0
//		c.Table("cycle", "acknowledged", "lost")
//		for cycle := range c.Size(200, 10) {
//			…
//			c.Row(cycle, acknowledged, missing)
//		}
//		c.AtMost("lost", float64(lost), 0)
//		return nil
//	}
//
// A Campaign is used from one goroutine. A campaign that ends with an error, or
// without a bar, has failed.
package campaign

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// quickLimit is how long a campaign may take with --quick, on two cores.
const quickLimit = time.Minute

// Run is what a campaign does.
type Run func(context.Context, *Campaign) error

// Campaign is one run of one.
type Campaign struct {
	// Quick asks for the smallest size that still shows something.
	Quick bool
	// Seed is what all randomness of the campaign comes from, through Rand.
	Seed uint64
	Rand *rand.Rand

	name    string
	out     io.Writer
	outErr  error // the first that out returned
	widths  []int
	figures []figure // in the order they were given
	bars    []bar
}

type figure struct {
	name  string
	value any
}

type bar struct {
	name       string
	got, bound float64
	relation   string
	holds      bool
}

// errBars is what a campaign ends with whose bars do not hold; the table of bars
// says which.
var errBars = errors.New("bars do not hold")

// Main runs the campaign and ends the process: 0 when its bars hold, 1 when they
// do not, 2 when the command line is wrong. A campaign that has flags of its own
// declares them in more.
func Main(name string, run Run, more ...func(*flag.FlagSet)) {
	c := &Campaign{name: name, out: os.Stdout}
	flags := flag.NewFlagSet(name, flag.ExitOnError)
	flags.BoolVar(&c.Quick, "quick", false, "a small run that ends within a minute on two cores")
	flags.Uint64Var(&c.Seed, "seed", rand.Uint64(), "repeat the random choices of an earlier run")
	profile := flags.String("profile", "", "a `file` for a profile of the processor time")
	for _, declare := range more {
		declare(flags)
	}
	_ = flags.Parse(os.Args[1:]) // ends the process itself
	if flags.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "%s: unexpected argument %q\n", name, flags.Arg(0))
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := profiled(*profile, func() error { return c.conduct(ctx, run) })
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

// conduct runs the campaign within its time and prints what it came to.
func (c *Campaign) conduct(ctx context.Context, run Run) error {
	if c.Quick {
		limited, cancel := context.WithTimeoutCause(ctx, quickLimit, fmt.Errorf("--quick took longer than %s", quickLimit))
		defer cancel()
		ctx = limited
	}
	c.Rand = rand.New(rand.NewPCG(c.Seed, 0))
	c.printf("%s, seed %d\n", c.name, c.Seed)

	began := time.Now()
	err := run(ctx, c)
	if err == nil {
		err = context.Cause(ctx)
	}
	c.Figure("seconds", time.Since(began).Round(time.Millisecond).Seconds())
	return c.close(err)
}

// close prints the bars and the JSON line.
func (c *Campaign) close(err error) error {
	if err == nil && len(c.bars) == 0 {
		err = errors.New("no bar was set, so nothing was proved")
	}
	if len(c.bars) > 0 {
		c.Table("bar", "got", "must be", "")
	}
	for _, b := range c.bars {
		verdict := "ok"
		if !b.holds {
			verdict, err = "FAILED", cmp.Or(err, errBars)
		}
		c.Row(b.name, b.got, fmt.Sprintf("%s %v", b.relation, b.bound), verdict)
	}
	line, encodeErr := c.line(err)
	if encodeErr != nil {
		return errors.Join(err, encodeErr)
	}
	c.printf("\n%s\n", line)
	return errors.Join(err, c.outErr)
}

func (c *Campaign) printf(format string, args ...any) {
	_, err := fmt.Fprintf(c.out, format, args...)
	c.outErr = cmp.Or(c.outErr, err)
}

// line is the JSON object with the name, the verdict and every figure.
func (c *Campaign) line(err error) ([]byte, error) {
	figures := append([]figure{{"name", c.name}, {"ok", err == nil}, {"quick", c.Quick}, {"seed", c.Seed}}, c.figures...)
	if err != nil {
		figures = append(figures, figure{"error", err.Error()})
	}
	var fields []string
	for _, f := range figures {
		if v, ok := f.value.(float64); ok && (math.IsNaN(v) || math.IsInf(v, 0)) {
			f.value = nil // JSON has no word for it
		}
		name, nameErr := json.Marshal(f.name)
		value, valueErr := json.Marshal(f.value)
		if err := errors.Join(nameErr, valueErr); err != nil {
			return nil, fmt.Errorf("encode figure %q: %w", f.name, err)
		}
		fields = append(fields, string(name)+":"+string(value))
	}
	return []byte("{" + strings.Join(fields, ",") + "}"), nil
}

// Size picks how much to do.
func (c *Campaign) Size(full, quick int) int {
	if c.Quick {
		return quick
	}
	return full
}

// Table begins a table with these columns; rows may follow as they become known.
func (c *Campaign) Table(columns ...string) {
	c.widths = c.widths[:0]
	cells := make([]any, 0, len(columns))
	for i, column := range columns {
		least := 12
		if i == 0 {
			least = 20
		}
		c.widths = append(c.widths, max(least, len(column)))
		cells = append(cells, column)
	}
	c.printf("\n")
	c.Row(cells...)
}

// Row prints one line of the table: the first cell to the left, the others to
// the right, durations to three digits, fractions to four.
func (c *Campaign) Row(cells ...any) {
	var line strings.Builder
	for i, cell := range cells {
		width := 0
		if i < len(c.widths) {
			width = c.widths[i]
		}
		if i == 0 {
			fmt.Fprintf(&line, "%-*s", width, text(cell))
			continue
		}
		fmt.Fprintf(&line, "  %*s", width, text(cell))
	}
	c.printf("%s\n", strings.TrimRight(line.String(), " "))
}

func text(cell any) string {
	switch v := cell.(type) {
	case float64:
		if v == float64(int64(v)) {
			return fmt.Sprintf("%.0f", v)
		}
		return fmt.Sprintf("%.4g", v)
	case time.Duration:
		digit := time.Duration(1)
		for v/digit >= 1000 {
			digit *= 10
		}
		return v.Round(digit).String()
	default:
		return fmt.Sprint(v)
	}
}

// Say tells whoever waits how far the campaign is, on stderr: the table is for what came
// of it.
func (c *Campaign) Say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s: %s\n", c.name, fmt.Sprintf(format, args...))
}

// Figure puts a value into the JSON line.
func (c *Campaign) Figure(name string, value any) {
	for i := range c.figures {
		if c.figures[i].name == name {
			c.figures[i].value = value
			return
		}
	}
	c.figures = append(c.figures, figure{name, value})
}

// AtMost sets a bar from above, and puts what was got into the JSON line.
func (c *Campaign) AtMost(name string, got, bound float64) {
	c.bar(bar{name: name, got: got, bound: bound, relation: "at most", holds: got <= bound})
}

// AtLeast sets a bar from below, and puts what was got into the JSON line.
func (c *Campaign) AtLeast(name string, got, bound float64) {
	c.bar(bar{name: name, got: got, bound: bound, relation: "at least", holds: got >= bound})
}

func (c *Campaign) bar(b bar) {
	c.Figure(b.name, b.got)
	c.bars = append(c.bars, b)
}
