package main

import (
	"fmt"
	"math"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

const barPace = 100 * time.Millisecond // between drawings

// newBar is a progress bar on standard error, nil where there is no terminal to
// draw on.
func newBar(name string, total int64, more ...progressbar.Option) *progressbar.ProgressBar {
	if !fancy(os.Stderr) {
		return nil
	}
	return progressbar.NewOptions64(total, append([]progressbar.Option{
		progressbar.OptionSetWriter(os.Stderr),
		progressbar.OptionSetDescription(fmt.Sprintf("%-15s", name)),
		progressbar.OptionSetWidth(barWidth(os.Stderr, len(more))),
		progressbar.OptionThrottle(barPace),
		progressbar.OptionOnCompletion(func() { fmt.Fprintln(os.Stderr) }),
	}, more...)...)
}

// barWidth is how much of a line a bar may take beside its name and numbers: one that
// is broken in two is drawn anew below itself each time.
func barWidth(f *os.File, numbers int) int {
	const most, name, percent, each = 30, 15, 12, 14
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil || columns <= 0 {
		return most
	}
	return max(1, min(most, columns-name-percent-numbers*each))
}

// bars shows one phase after another. It is safe for concurrent use.
type bars struct {
	mu  sync.Mutex // protects bar
	bar *progressbar.ProgressBar
}

func (b *bars) Phase(name string, total int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.leave()
	if total > 0 {
		b.bar = newBar(name, int64(total), progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true))
	}
}

func (b *bars) Advance(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bar != nil {
		_ = b.bar.Add(n) // a bar that cannot be drawn is no reason to stop
	}
}

func (b *bars) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.leave()
}

// leave leaves the bar where it is; what follows stands below it.
func (b *bars) leave() {
	if b.bar != nil && !b.bar.IsFinished() {
		fmt.Fprintln(os.Stderr)
	}
	b.bar = nil
}

// puzzle shows the search for a node key. The search is luck and has no memory: at
// any moment it will take as long again as it takes on average. So the bar shows how
// many of a thousand searches would have ended by now.
type puzzle struct {
	began time.Time
	bar   *progressbar.ProgressBar
}

const searches = 1000

// tried is told, by one goroutine at a time, how many keys were tried.
func (p *puzzle) tried(tries, expected uint64) {
	if expected <= 1 || tries == 0 {
		return // test networks have no puzzle
	}
	if p.began.IsZero() {
		p.began = time.Now()
	}
	took := time.Since(p.began)
	if p.bar == nil && took > paceKnown {
		p.explain(time.Duration(float64(took) * float64(expected) / float64(tries)))
	}
	if p.bar == nil {
		return
	}
	_ = p.bar.Set(ended(tries, expected)) // a bar that cannot be drawn is no reason to stop
}

// ended is how many of so many searches would have ended after some tries: never all of
// them, for this one has not.
func ended(tries, expected uint64) int {
	share := 1 - math.Exp(-float64(tries)/float64(expected))
	return min(int(share*searches), searches-1)
}

// paceKnown is when it is known how quick this machine is.
const paceKnown = time.Second

// explain says once what is done and how long it may take.
func (p *puzzle) explain(average time.Duration) {
	if p.bar = newBar("make node key", searches, progressbar.OptionSetPredictTime(false), progressbar.OptionSetWidth(barWidth(os.Stderr, 0))); p.bar == nil {
		return
	}
	fmt.Fprintf(os.Stderr, "Looking for a node key, once. It is luck: on this machine half of all searches\nend within %s, one in twenty takes more than %s.\n",
		within(0.5, average), within(0.95, average))
}

// within is how long a search takes at most in the given share of all cases: the tries
// are geometric, and so the time is exponential with that average.
func within(share float64, average time.Duration) time.Duration {
	return time.Duration(-math.Log(1-share) * float64(average)).Round(time.Second)
}

// end ends the bar: full if the key was found, else as it is.
func (p *puzzle) end(err error) { finish(p.bar, err) }
