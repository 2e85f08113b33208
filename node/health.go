package node

import (
	"errors"

	"github.com/starling-social/starling/datastore"
)

// Health says whether a node can do its work now, for those who start, stop and watch
// nodes.
//
// Idle is healthy: a node without posts, without readers or alone in its network is
// ready. So is one that is full up to its quota, which serves everybody and takes its
// owner's posts.
type Health struct {
	Ready   bool
	Reasons []Ailment // why it is not; empty if it is
}

// An Ailment is one reason why a node is not ready.
type Ailment struct {
	Code     AilmentCode
	Sentence string // for people, strangers among them: it names no path
}

// AilmentCode names a reason to programs.
type AilmentCode string

// The reasons there are.
const (
	Starting      AilmentCode = "starting"        // nobody of the network has answered yet
	Draining      AilmentCode = "draining"        // it is about to end
	StoreFull     AilmentCode = "store_full"      // the disk has no room even for what the owner writes
	StoreReadOnly AilmentCode = "store_read_only" // the store failed and is opened again when it can be
	StoreHarmed   AilmentCode = "store_harmed"    // what a disk damaged has not been fetched from others yet
)

// Ailments are all codes.
func Ailments() []AilmentCode {
	return []AilmentCode{Starting, Draining, StoreFull, StoreReadOnly, StoreHarmed}
}

// Health looks at the node. It waits for neither disk nor network.
func (n *Node) Health() Health {
	return healthOf(vitals{
		ready: n.isReady(), stopping: n.stopping.Load(), fault: n.store.Condition().Fault,
		harmed: n.healer.healing().Harmed,
	})
}

// vitals are what health is judged by.
type vitals struct {
	ready, stopping bool
	fault           error // of the store
	harmed          bool  // everything in the store may be missing, and has not been compared since
}

func healthOf(v vitals) Health {
	var h Health
	add := func(c AilmentCode, sentence string) { h.Reasons = append(h.Reasons, Ailment{c, sentence}) }
	switch {
	case v.stopping:
		add(Draining, "the node is about to end")
	case !v.ready:
		add(Starting, "nobody of the network has answered yet")
	}
	switch {
	case v.fault == nil, v.stopping && errors.Is(v.fault, datastore.ErrClosed):
	case errors.Is(v.fault, datastore.ErrFull):
		add(StoreFull, datastore.ErrFull.Error())
	default:
		add(StoreReadOnly, "the store takes no writes until its files are opened again: the log says why")
	}
	if v.harmed {
		add(StoreHarmed, "the store was damaged, and what it lacks is still being fetched from other nodes")
	}
	h.Ready = len(h.Reasons) == 0
	return h
}
