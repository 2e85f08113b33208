// Command decoders says how much of each decoder the fuzz targets reach, before any
// byte is changed, and how much the tests beside them add. What has no target, or is
// reached by neither, nobody has tried.
//
//	decoders [PACKAGE...]
//
// It owns the list of decoders, decoders.txt. It runs in the root of the module,
// starts no goroutine, and its last line is one JSON object. Exit: 0 when every decoder
// is covered as far as it should be, 1 when not, or when the list is not of this code,
// 2 when it has no such package.
package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"strings"
)

// least is the share of a decoder's statements that must be reached.
const least = 0.9

//go:embed decoders.txt
var list string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Stdout, os.Args[1:])
	stop()
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "scripts/fuzz:", err)
	if errors.Is(err, errUsage) {
		os.Exit(2)
	}
	os.Exit(1)
}

var (
	errUsage = errors.New("no such package in scripts/decoders/decoders.txt")
	errBelow = errors.New("not every decoder is covered")
)

func run(ctx context.Context, out io.Writer, only []string) error {
	packages, err := parse(list)
	if err != nil {
		return err
	}
	tree := os.DirFS(".")
	switch wrong, err := disagreements(tree, packages); {
	case err != nil:
		return err
	case len(wrong) > 0:
		return fmt.Errorf("scripts/decoders/decoders.txt: %s", strings.Join(wrong, "; "))
	}
	if packages, err = choose(packages, only); err != nil {
		return err
	}
	sum := summary{Name: "fuzz", Below: []string{}}
	if _, err := fmt.Fprintf(out, row, "decoder", "target", "statements", "by seeds", "and tests"); err != nil {
		return err
	}
	for _, p := range packages {
		extents, err := functions(tree, p.path)
		if err != nil {
			return err
		}
		seeds, both, err := profiles(ctx, p)
		if err != nil {
			return err
		}
		for _, t := range p.targets {
			for _, name := range t.decoders {
				if err := sum.add(out, p.path+"."+name, t.name, seeds.of(extents[name]), both.of(extents[name])); err != nil {
					return err
				}
			}
			sum.Targets++
		}
	}
	return sum.close(out)
}

// summary is the last line.
type summary struct {
	Name     string   `json:"name"`
	OK       bool     `json:"ok"`
	Targets  int      `json:"targets"`
	Decoders int      `json:"decoders"`
	Seeds    float64  `json:"share_by_seeds"` // of the statements of all decoders
	Both     float64  `json:"share"`          // with the tests beside
	Least    float64  `json:"least"`          // share of any decoder
	Below    []string `json:"below"`          // those that should be covered further

	statements, bySeeds, byBoth int
	least                       coverage
}

func rounded(c coverage) float64 { return math.Floor(1000*c.share()) / 1000 }

const row = "%-42s  %-22s  %10v  %8v  %9v\n"

func (s *summary) add(out io.Writer, decoder, target string, seeds, both coverage) error {
	if s.Decoders == 0 || both.share() < s.least.share() {
		s.least = both
	}
	if both.share() < least {
		s.Below = append(s.Below, decoder)
	}
	s.Decoders++
	s.statements += both.statements
	s.bySeeds += seeds.reached
	s.byBoth += both.reached
	_, err := fmt.Fprintf(out, row, decoder, target, both.statements, seeds, both)
	return err
}

func (s *summary) close(out io.Writer) error {
	s.Seeds, s.Both, s.Least = rounded(coverage{s.statements, s.bySeeds}), rounded(coverage{s.statements, s.byBoth}), rounded(s.least)
	s.OK = len(s.Below) == 0
	line, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "%s\n", line); err != nil || s.OK {
		return err
	}
	return fmt.Errorf("%w: %s", errBelow, strings.Join(s.Below, ", "))
}
