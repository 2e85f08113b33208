package node

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
)

// What happens when a limit is reached is mostly that something is not done, which
// nobody notices. So the node counts how often that is, and says it every few seconds
// in one line for each limit, which names the setting.

// brimEvery is how often at most the same limit is told of.
const brimEvery = 10 * time.Second

// brim is a limit that can be reached.
type brim int

const (
	brimGroups   brim = iota // nodes of one IP group in the routing table
	brimConns                // connections
	brimPace                 // bytes a second of healing
	brimCache                // bytes of copies for others
	brimFollowed             // sources followed
	brimPut                  // time of a member to acknowledge
	brimFetch                // time of a member to answer
	brimLibp2p               // connections, streams and memory that libp2p allows
	brimCount
)

// brimWords say of each which setting it is, how loud it is told, and what happens.
var brimWords = [brimCount]struct {
	setting string
	level   slog.Level
	what    string
}{
	brimGroups:   {"network.per_ip_group", slog.LevelInfo, "nodes are kept out of the routing table: there are enough of their IP group"},
	brimConns:    {"limits.connections_high", slog.LevelInfo, "connections are closed down to limits.connections_low, those of least use first"},
	brimPace:     {"limits.mend_rate", slog.LevelInfo, "healing waits"},
	brimCache:    {"store.cache", slog.LevelInfo, "a place that many read is not kept for others"},
	brimFollowed: {"records.followed", slog.LevelWarn, "something is not followed: the list is full"},
	brimPut:      {"limits.put_timeout", slog.LevelDebug, "a member did not acknowledge in time"},
	brimFetch:    {"limits.fetch_timeout", slog.LevelDebug, "a member did not answer in time"},
	brimLibp2p:   {"libp2p", slog.LevelInfo, "libp2p refuses connections or streams: its limits grow with the machine's memory, no setting changes them"},
}

// brims count how often each limit was reached. They are safe for concurrent use.
type brims struct {
	counts [brimCount]atomic.Uint64

	mu     sync.Mutex // protects what follows
	trim   time.Time  // when connections were last closed because there were too many
	groups uint64     // as the routing table last had it
}

// reach notes that a limit was reached.
func (b *brims) reach(which brim) { b.counts[which].Add(1) }

// late notes that somebody was not waited for any longer, if that is why a context ended.
func (b *brims) late(ctx context.Context, which brim) {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		b.reach(which)
	}
}

// look takes in what others count: when connections were closed, and how many nodes
// were kept out of the routing table.
func (b *brims) look(trim time.Time, groups uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if trim.After(b.trim) {
		b.trim = trim
		b.reach(brimConns)
	}
	b.counts[brimGroups].Add(groups - b.groups)
	b.groups = groups
}

// all is how often each was reached.
func (b *brims) all() (out [brimCount]uint64) {
	for i := range b.counts {
		out[i] = b.counts[i].Load()
	}
	return out
}

// ConsumeEvent hears of what libp2p's resource manager does.
func (b *brims) ConsumeEvent(e rcmgr.TraceEvt) {
	if e.Type == rcmgr.TraceBlockAddConnEvt || e.Type == rcmgr.TraceBlockAddStreamEvt || e.Type == rcmgr.TraceBlockReserveMemoryEvt {
		b.reach(brimLibp2p)
	}
}

// tellBrims says which limits are reached, until ctx ends.
func (n *Node) tellBrims(ctx context.Context) error {
	tick := time.NewTicker(brimEvery)
	defer tick.Stop()
	var told [brimCount]uint64
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		told = n.tellReached(ctx, told)
	}
}

// tellReached says which limits were reached since others were told.
func (n *Node) tellReached(ctx context.Context, told [brimCount]uint64) (now [brimCount]uint64) {
	var trim time.Time
	if m, ok := n.host.ConnManager().(*connmgr.BasicConnMgr); ok {
		trim = m.GetInfo().LastTrim
	}
	n.brims.look(trim, n.dht.Status().Refused)
	now = n.brims.all()
	for i, w := range brimWords {
		if times := now[i] - told[i]; times > 0 {
			n.log.Log(ctx, w.level, "limit reached", "setting", w.setting, "what", w.what, "times", times)
		}
	}
	return now
}
