package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/testnet"
	"github.com/starling-social/starling/records"
)

// drafts are what is to be published: the beginning of the corpus, or made up. Those
// without a hashtag get one, so that each can be watched.
func (n *night) drafts(most int) ([]node.Draft, error) {
	var out []node.Draft
	if n.corpus == "" {
		for i := range most {
			out = append(out, node.Draft{Text: fmt.Sprintf("post %d", len(n.posts)+i), Tags: []string{fmt.Sprintf("tag%d", i%(1+most/10))}})
		}
		return out, nil
	}
	f, err := os.Open(n.corpus)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	lines, err := testnet.ReadStream(f, most)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", n.corpus, err)
	}
	for _, l := range lines {
		d := node.Draft{Text: l.Text, Tags: l.Tags}
		if len(d.Tags) == 0 {
			d.Tags = []string{"none"}
		}
		out = append(out, d)
	}
	return out, nil
}

// ears are nodes that watch a hashtag each.
type ears struct {
	cancel context.CancelFunc
	all    sync.WaitGroup

	mu    sync.Mutex // protects heard
	heard []map[records.ID]bool
	tags  []records.Tag
}

// listen has some nodes watch the hashtags of some of the drafts.
func (n *night) listen(ctx context.Context, drafts []node.Draft) (*ears, error) {
	ctx, cancel := context.WithCancel(ctx)
	e := &ears{cancel: cancel}
	running := n.net.Net.Running()
	for i := range n.Size(40, 12) {
		tag, err := records.NormalizeTag(drafts[n.net.Random.IntN(len(drafts))].Tags[0])
		if err != nil {
			cancel()
			return nil, fmt.Errorf("watch: %w", err)
		}
		e.tags, e.heard = append(e.tags, tag), append(e.heard, map[records.ID]bool{})
		x := running[n.net.Random.IntN(len(running))]
		e.all.Go(func() {
			for event, err := range x.Watch(ctx, []node.Source{node.TagSource(tag)}, 0) {
				if err != nil || event.Record == nil {
					continue
				}
				e.mu.Lock()
				e.heard[i][event.Record.ID()] = true
				e.mu.Unlock()
			}
		})
	}
	n.net.Net.Pass(15 * time.Second) // until they are known as listeners
	return e, nil
}

// A hearing is how much of what was published those heard who should have.
type hearing struct {
	heard, expected int
	most            int // that one of them missed
	nobody          int // posts that nobody heard of those who should have
}

func (h hearing) missed() int { return h.expected - h.heard }

func (h hearing) share() float64 { return float64(h.heard) / float64(max(h.expected, 1)) }

func (h hearing) String() string {
	s := fmt.Sprintf("%d of %d heard live", h.heard, h.expected)
	if h.missed() > 0 {
		s += fmt.Sprintf("; one misses %d, nobody heard %d", h.most, h.nobody)
	}
	return s
}

// take counts what of posts was heard, and what should have been.
func (e *ears) take(posts []*records.Record) (h hearing) {
	e.mu.Lock()
	defer e.mu.Unlock()
	missed := make([]int, len(e.tags))
	for _, r := range posts {
		due, got := 0, 0
		head, _, _ := r.Post()
		for i, tag := range e.tags {
			switch {
			case !slices.Contains(head.Tags, tag):
				continue
			case e.heard[i][r.ID()]:
				got++
			default:
				missed[i]++
			}
			due++
		}
		h.expected, h.heard = h.expected+due, h.heard+got
		if due > 0 && got == 0 {
			h.nobody++
		}
	}
	h.most = slices.Max(missed)
	return h
}

// end has nobody listen any longer.
func (e *ears) end() {
	e.cancel()
	e.all.Wait()
}

// cpu is the processor time that the campaign has taken. Of the real time nothing is
// known where time is virtual.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
