package dht

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	ds "github.com/ipfs/go-datastore"
	"github.com/libp2p/go-libp2p/core/peer"
)

// Bans outlive a restart: else a liar would only have to make us fall over.

var bansKey = ds.NewKey("/dht/bans")

// maxBansBytes bounds what was written down of bans, when it is read.
const maxBansBytes = 256 << 10

// A keptBan is a ban as it is written down.
type keptBan struct {
	Peer  peer.ID   `json:"peer"`
	Until time.Time `json:"until"`
	Times int       `json:"times"`
}

// encode is the bans worth remembering, and whether they are others than when they
// were last encoded.
func (r *reputation) encode(now time.Time) (b []byte, changed bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := make([]keptBan, 0, len(r.bans))
	for p, b := range r.bans {
		if now.Sub(b.until) <= banMemory {
			kept = append(kept, keptBan{p, b.until, b.times})
		}
	}
	changed, r.changed = r.changed, false
	b, err = json.Marshal(kept)
	return b, changed, err
}

// decode takes the bans of an earlier run. One that ends later than any honest run
// would have written is cut, so that a clock that was wrong does not ban for years.
func (r *reputation) decode(b []byte, now time.Time) error {
	var kept []keptBan
	if len(b) > maxBansBytes {
		return fmt.Errorf("%d bytes of bans", len(b))
	}
	if err := json.Unmarshal(b, &kept); err != nil {
		return fmt.Errorf("decode bans: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range kept[:min(len(kept), maxBans)] {
		if k.Until.Sub(now) > longBan {
			k.Until = now.Add(longBan)
		}
		if now.Sub(k.Until) <= banMemory && k.Times > 0 {
			r.bans[k.Peer] = ban{k.Until, k.Times}
		}
	}
	return nil
}

// recallBans takes the bans of an earlier run. Damaged ones are forgotten.
func (d *DHT) recallBans(ctx context.Context) {
	if d.cfg.Datastore == nil {
		return
	}
	b, err := d.cfg.Datastore.Get(ctx, bansKey)
	if errors.Is(err, ds.ErrNotFound) {
		return
	}
	if err == nil {
		err = d.reputation.decode(b, d.cfg.Now())
	}
	if err != nil {
		d.cfg.Log.Warn("bans of an earlier run are forgotten", "err", err)
	}
}

// keepBans writes the bans down if there are new ones.
func (d *DHT) keepBans(ctx context.Context) {
	if d.cfg.Datastore == nil {
		return
	}
	b, changed, err := d.reputation.encode(d.cfg.Now())
	if err == nil && changed {
		err = d.cfg.Datastore.Put(ctx, bansKey, b)
	}
	if err != nil {
		d.cfg.Log.Warn("bans are not kept", "err", err)
	}
}
