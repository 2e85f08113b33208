package node

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	ds "github.com/ipfs/go-datastore"

	"github.com/starling-social/starling/datastore"
)

// A node that has no room for all that it is to hold, when every copy that it could do
// without is gone, takes a prefix that is one bit longer than its neighbourhood's, and
// so holds half; and another bit when that is not enough. What lies in the other half it
// keeps until it has been shown that a neighbourhood's worth of others hold it. It takes
// back a bit when there is room for that.

const (
	narrowAfter = 10 * time.Minute // since the last change: a disk is less full only some time after something was dropped
	widenAfter  = time.Hour        // since then, to take on twice as much: what that is can only be guessed
	narrowMost  = 8                // bits: who has no room for a 256th is of no use as a member
)

// A fit is what is known when a node decides how much of its neighbourhood's it holds.
type fit struct {
	narrowed int // bits by which its prefix is longer now
	room     datastore.Room
	held     int64         // bytes that it keeps for others for good
	others   int           // nodes known in its neighbourhood, itself not
	least    int           // that have to be left to hold what it does not
	settled  bool          // what is others' to hold has been let go of
	since    time.Duration // the last change
}

// next is by how many bits the prefix should be longer from now on.
//
// A longer one must be of use: where even all that is held for others would not make
// enough room, it is not theirs that takes it. And twice as much must fit by half as
// much again, so that no guess of what the other half holds has the node change for
// ever.
func (f fit) next() int {
	switch {
	case f.since < narrowAfter:
		return f.narrowed
	case f.others < f.least:
		return 0
	case f.room.Short && f.narrowed < narrowMost && f.settled && f.held > -f.room.Bytes:
		return f.narrowed + 1
	case f.narrowed > 0 && f.room.Bytes >= f.held+f.held/2 && f.since >= widenAfter:
		return f.narrowed - 1
	default:
		return f.narrowed
	}
}

// fit makes the prefix longer or shorter as there is room.
func (n *Node) fit(ctx context.Context) error {
	if n.config.Client || !n.isReady() {
		return nil
	}
	room, err := n.store.Room()
	if err != nil {
		return fmt.Errorf("ask how much room there is: %w", err)
	}
	f := fit{
		narrowed: n.dht.Narrowed(), room: room, held: n.store.Stats().Class[datastore.Held].Bytes,
		others: len(n.dht.Neighbours()), least: n.config.Network.Params.Neighbourhood,
		settled: n.healer.settled(n.now()), since: n.now().Sub(n.narrowedAt),
	}
	next := f.next()
	if next == f.narrowed {
		return nil
	}
	n.narrowedAt = n.now()
	n.dht.Narrow(next)
	said := []any{"share", share(next), "prefix", n.dht.Prefix(), "was", share(f.narrowed), "setting", settingOf(room.Of)}
	if next > f.narrowed {
		n.healer.gather()
		n.voices.store.Warn("holds less than its share: there is no room for more", said...)
	} else {
		n.voices.store.Info("holds more of its share again", said...)
	}
	return n.rememberNarrowed(ctx, next)
}

// gather has us answer for nothing until we have compared what is to be held now: while
// there was no room we lacked what was refused.
func (h *healer) gather() {
	h.mu.Lock()
	h.ledger.Lost()
	h.status.Filling = true
	h.mu.Unlock()
	h.soon()
}

// share is how much of its neighbourhood's a node holds, for people.
func share(narrowed int) string {
	if narrowed == 0 {
		return "all"
	}
	return fmt.Sprintf("1/%d", 1<<narrowed)
}

// settingOf is what an owner sets to make a bound wider.
func settingOf(b datastore.Bound) string {
	if b == datastore.Quota {
		return "store.quota"
	}
	return "store.free_space"
}

// settingBehind is what an owner sets to make room where there was none: of a disk
// that others filled, how much is to stay free.
func settingBehind(err error) string {
	if errors.Is(err, datastore.ErrQuota) {
		return settingOf(datastore.Quota)
	}
	return settingOf(datastore.Disk)
}

// shortOf is the setting that keeps us from holding all of our share; empty if none does.
func (n *Node) shortOf(narrowed int) string {
	if narrowed == 0 {
		return ""
	}
	room, err := n.store.Room()
	if err != nil {
		return ""
	}
	return settingOf(room.Of)
}

// narrowedKey is where it stands how much was held when the node last ran: it would
// else begin each time with taking what it has no room for.
var narrowedKey = ds.NewKey("/node/narrowed")

func (n *Node) rememberNarrowed(ctx context.Context, bits int) error {
	if err := n.store.Datastore().Put(ctx, narrowedKey, []byte(strconv.Itoa(bits))); err != nil {
		return fmt.Errorf("remember how much is held: %w", err)
	}
	return nil
}

// recallNarrowed has the prefix as long as it was, and an hour before it may be shorter.
// What makes no sense is forgotten.
func (n *Node) recallNarrowed(ctx context.Context) error {
	value, err := n.store.Datastore().Get(ctx, narrowedKey)
	if errors.Is(err, ds.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read how much was held: %w", err)
	}
	if bits, err := strconv.Atoi(string(value)); err == nil && bits > 0 && bits <= narrowMost {
		n.narrowedAt = n.now()
		n.dht.Narrow(bits)
	}
	return nil
}
