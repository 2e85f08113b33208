package main

import (
	"fmt"
	"math"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
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
		progressbar.OptionSetWidth(30),
		progressbar.OptionThrottle(barPace),
		progressbar.OptionOnCompletion(func() { fmt.Fprintln(os.Stderr) }),
	}, more...)...)
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
	if p.bar == nil {
		p.began, p.bar = time.Now(), newBar("make node key", searches, progressbar.OptionSetPredictTime(false))
	}
	if p.bar == nil {
		return
	}
	share := 1 - math.Exp(-float64(tries)/float64(expected))
	average := time.Duration(float64(time.Since(p.began)) * float64(expected) / float64(tries))
	p.bar.Describe(fmt.Sprintf("make node key, once: luck, half of all take %s, one in twenty more than %s",
		within(0.5, average), within(0.95, average)))
	_ = p.bar.Set(min(int(share*searches), searches-1)) // a bar that cannot be drawn is no reason to stop
}

// within is how long a search takes at most in the given share of all cases: the tries
// are geometric, and so the time is exponential with that average.
func within(share float64, average time.Duration) time.Duration {
	return time.Duration(-math.Log(1-share) * float64(average)).Round(time.Second)
}

func (p *puzzle) found() {
	if p.bar != nil {
		_ = p.bar.Finish() // as above
	}
}
