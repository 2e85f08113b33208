package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	ds "github.com/ipfs/go-datastore"
)

// Leases outlive a restart: else a node that runs for some hours a day would keep for ever
// what is others' to hold.

var leasesKey = ds.NewKey("/node/leases")

// maxLeasesBytes bounds what was written down of leases, when it is read: a time for each
// bit of a prefix.
const maxLeasesBytes = 16 << 10

// resumeLeases goes on with the leases of an earlier run. Without them all begin when
// the node has joined.
func (n *Node) resumeLeases() error {
	b, err := n.store.Datastore().Get(context.Background(), leasesKey)
	if errors.Is(err, ds.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("leases of an earlier run: %w", err)
	}
	var left []time.Time
	if len(b) > maxLeasesBytes || json.Unmarshal(b, &left) != nil {
		n.log.Warn("the leases of what others hold are damaged: they begin anew")
		return nil
	}
	n.healer.leases.Resume(left, n.now())
	n.healer.kept = left
	return nil
}

// keepLeases writes down what has changed.
func (n *Node) keepLeases(ctx context.Context) {
	left := n.healer.left()
	if slices.EqualFunc(left, n.healer.kept, time.Time.Equal) {
		return
	}
	b, err := json.Marshal(left)
	if err == nil {
		err = n.store.Datastore().Put(ctx, leasesKey, b)
	}
	if err != nil {
		n.voices.heal.Warn("remember the leases of what others hold", "err", err)
		return
	}
	n.healer.kept = left
}

func (h *healer) left() []time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.leases.Left()
}
