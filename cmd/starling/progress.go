package main

import (
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

const barPace = 100 * time.Millisecond // between drawings

// newBar is a progress bar on standard error, with an estimate of the time left;
// nil where there is no terminal to draw on.
func newBar(name string, total int64) *progressbar.ProgressBar {
	if !fancy(os.Stderr) {
		return nil
	}
	return progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(os.Stderr),
		progressbar.OptionSetDescription(fmt.Sprintf("%-15s", name)),
		progressbar.OptionSetWidth(30),
		progressbar.OptionShowCount(),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionThrottle(barPace),
		progressbar.OptionOnCompletion(func() { fmt.Fprintln(os.Stderr) }),
	)
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
		b.bar = newBar(name, int64(total))
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

// puzzle shows the search for a node key. It is luck: two of three searches end
// before the bar is full, one of fifty takes four times as long.
type puzzle struct {
	bars
	shown uint64 // tries that the bar stands for
}

func (p *puzzle) tried(tries, expected uint64) {
	if expected <= 1 {
		return // test networks have no puzzle
	}
	if p.bar == nil && p.shown == 0 {
		p.Phase("make node key", int(expected))
	}
	tries = min(tries, expected-1) // the end is when it is found
	p.Advance(int(tries - p.shown))
	p.shown = tries
}

func (p *puzzle) found() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Finish() // a bar that cannot be drawn is no reason to stop
	}
	p.leave()
}
