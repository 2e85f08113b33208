package testnet

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

// audience are the watchers of the plan, each of one timeline on one node.
type audience struct {
	plan  *plan
	times times
	end   context.CancelFunc
	group errgroup.Group

	mu      sync.Mutex               // protects what follows
	waiting map[pair]time.Time       // expected and not heard yet: when it was said
	heard   int                      // of what was expected
	probes  map[records.ID]chan bool // for the watchers' answer to a probe: was it live?
	news    chan struct{}            // capacity 1: something was heard
}

// pair is a post and a timeline that it belongs to.
type pair struct {
	id     records.ID
	source string
}

const (
	// A watcher listens from a moment after it began; until it answered a probe,
	// nothing is known about it.
	tuneTime  = 10 * time.Second // for one probe to be heard
	tuneTries = 6

	// A node asks the buckets every minute for what its watchers did not hear.
	patience = 65 * time.Second // without anything heard, before the rest counts as lost
)

// listen starts the watchers and waits until each has heard a probe live.
func listen(ctx context.Context, c Config, net *cluster, p *plan) (*audience, error) {
	c.Progress.Phase("tune in", len(p.watched))
	a := &audience{plan: p, waiting: map[pair]time.Time{}, probes: map[records.ID]chan bool{}, news: make(chan struct{}, 1)}
	watching, end := context.WithCancel(ctx)
	a.end = end
	tuning, tctx := errgroup.WithContext(ctx)
	for name, at := range p.watched {
		source, err := node.ParseSource(name, records.User{})
		if err != nil {
			return nil, errors.Join(err, a.leave())
		}
		a.group.Go(func() error { return a.watch(watching, c, net.nodes[at], source) })
		probe := prober{audience: a, source: source, via: net.nodes[p.publisher([]string{name})]}
		tuning.Go(func() error {
			defer c.Progress.Advance(1)
			return probe.tune(tctx)
		})
	}
	if err := tuning.Wait(); err != nil {
		return nil, errors.Join(err, a.leave())
	}
	return a, nil
}

// watch hears one timeline until the audience leaves.
func (a *audience) watch(ctx context.Context, c Config, n *node.Node, source node.Source) error {
	for e, err := range n.Watch(ctx, []node.Source{source}, 0) {
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return fmt.Errorf("watch %s: %w", source, err)
		case e.Record == nil:
			c.Log.Warn("watcher missed posts", "source", source.String(), "posts", e.Missed)
		default:
			a.hear(pair{e.Record.ID(), source.String()}, e.Live)
		}
	}
	return nil
}

func (a *audience) hear(p pair, live bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if answer, ok := a.probes[p.id]; ok {
		select {
		case answer <- live:
		default: // one answer is enough
		}
	}
	said, ok := a.waiting[p]
	if !ok || !live {
		return
	}
	delete(a.waiting, p)
	a.heard++
	a.times.add(time.Since(said))
	select {
	case a.news <- struct{}{}:
	default:
	}
}

// expect notes which watchers should hear a post that is about to be sent.
func (a *audience) expect(at placed, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range at.sources {
		if _, ok := a.plan.watched[s]; ok {
			a.waiting[pair{at.id, s}] = now
		}
	}
}

func (a *audience) delivered() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.heard
}

// await waits until all that is expected was heard, or nothing more comes.
func (a *audience) await(ctx context.Context, c Config) error {
	c.Progress.Phase("hear the last", a.plan.expected)
	lost := time.NewTimer(patience)
	defer lost.Stop()
	for known := 0; ; {
		now := a.delivered()
		c.Progress.Advance(now - known)
		if known = now; known == a.plan.expected {
			return nil
		}
		select {
		case <-a.news:
			lost.Reset(patience)
		case <-lost.C:
			a.tellLost(c)
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// tellLost names the timelines whose watchers did not hear everything.
func (a *audience) tellLost(c Config) {
	a.mu.Lock()
	defer a.mu.Unlock()
	lost := map[string]int{}
	for p := range a.waiting {
		lost[p.source]++
	}
	for source, n := range lost {
		c.Log.Warn("posts not heard live", "source", source, "posts", n, "watcher", a.plan.watched[source])
	}
}

// leave ends all watchers.
func (a *audience) leave() error {
	a.end()
	return a.group.Wait()
}

// prober says something in a timeline until its watcher hears it live.
type prober struct {
	audience *audience
	source   node.Source
	via      *node.Node
}

func (p prober) tune(ctx context.Context) error {
	for range tuneTries {
		live, err := p.probe(ctx)
		if live || err != nil {
			return err
		}
	}
	return fmt.Errorf("the watcher of %s hears nothing live", p.source)
}

// probe says something once and tells whether it was heard, and live.
func (p prober) probe(ctx context.Context) (live bool, err error) {
	r, err := p.audience.plan.probe(ctx, p.source, time.Now())
	if err != nil {
		return false, err
	}
	answer := make(chan bool, 1)
	p.audience.ask(r.ID(), answer)
	if _, err := p.via.PublishRecord(ctx, r, nil); err != nil && !errors.Is(err, node.ErrNoQuorum) {
		return false, fmt.Errorf("probe %s: %w", p.source, err)
	}
	late := time.NewTimer(tuneTime)
	defer late.Stop()
	select {
	case live = <-answer:
	case <-late.C:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	return live, err
}

func (a *audience) ask(id records.ID, answer chan bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.probes[id] = answer
}
