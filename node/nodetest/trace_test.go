package nodetest_test

import (
	"encoding/binary"
	"hash/fnv"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/starling-social/starling/node/nodetest"
)

// A trace is everything that crossed links, whatever the order at one moment.
type trace struct {
	mu  sync.Mutex // protects sum
	sum uint64
	n   int
}

func (r *trace) watch(c nodetest.Crossing) {
	h := fnv.New64a()
	for _, v := range []int64{int64(c.Sent), int64(c.Arrives), int64(c.From), int64(c.To), int64(c.Bytes)} {
		_ = binary.Write(h, binary.BigEndian, v) // a hash takes everything
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sum += h.Sum64()
	r.n++
}

// On the same links the same traffic meets the same fate: what is lost, how late it is
// and what a fault does to it come from the seed alone, run for run, segment for
// segment; and from another seed differently. What whole nodes send is not the same
// traffic twice: see docs/decisions/0028-what-a-simulation-repeats.md.
func TestLinks_repeat(t *testing.T) {
	run := func(seed uint64) (uint64, int) {
		r := &trace{}
		cfg := nodetest.LinksConfig{
			Seed: seed, Watch: r.watch,
			Link: uniform(nodetest.Link{Latency: latency, Jitter: 30 * time.Millisecond, Loss: 0.1, Bandwidth: 1 << 20}),
		}
		inBubble(t, cfg, func(t *testing.T, l *nodetest.Links) { traverse(t, l) })
		return r.sum, r.n
	}
	seeds := map[uint64]bool{}
	for seed := range uint64(20) {
		first, n := run(seed)
		for range 4 {
			if again, m := run(seed); again != first || m != n {
				t.Errorf("seed %d: %d segments with hash %x, and then %d with %x", seed, n, first, m, again)
			}
		}
		seeds[first] = true
	}
	if len(seeds) != 20 {
		t.Errorf("20 seeds make %d traces", len(seeds))
	}
}

// traverse sends both ways on several streams through a partition and a pause.
func traverse(t *testing.T, l *nodetest.Links) {
	t.Helper()
	near, far := connect(t, l)
	var ends []network.MuxedStream
	for range 3 {
		a, b := openStream(t, near, far)
		ends = append(ends, a, b)
	}
	time.AfterFunc(200*time.Millisecond, func() { l.Partition([]int{0}, []int{1}) })
	time.AfterFunc(2*time.Second, l.Heal)
	time.AfterFunc(3*time.Second, func() { l.Pause(1) })
	time.AfterFunc(4*time.Second, func() { l.Resume(1) })
	var all sync.WaitGroup
	for i, s := range ends {
		all.Go(func() {
			for range 20 {
				sleep(time.Duration(50+i) * time.Millisecond)
				if _, err := s.Write(make([]byte, 1000*(i+1))); err != nil {
					t.Error(err)
				}
			}
			if err := s.CloseWrite(); err != nil {
				t.Error(err)
			}
		})
		all.Go(func() { _, _ = io.Copy(io.Discard, s) })
	}
	all.Wait()
}

// sleep lets virtual time pass for one goroutine of several.
func sleep(d time.Duration) { <-time.NewTimer(d).C }
