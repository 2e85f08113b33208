package dht

import (
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/protocol"
)

// Report takes evidence on p from whoever deals with it, as a node's exchange does. Ids
// that do not solve the network's puzzle are free, so nothing is remembered of them.
func (d *DHT) Report(p peer.ID, e Evidence) {
	if !protocol.Solves(d.cfg.Network, p) {
		return
	}
	if d.reputation.note(p, e, d.cfg.Now()) {
		d.shun(p)
	}
}

// Banned tells whether p is not asked, believed or let into the table for now.
func (d *DHT) Banned(p peer.ID) bool { return d.reputation.banned(p, d.cfg.Now()) }

// Reputation is what we think of p, from 0 (banned) to 1: by its answers, what it
// named and what it gave. 0.5 when nothing is known.
func (d *DHT) Reputation(p peer.ID) float64 { return d.reputation.score(p, d.cfg.Now()) }

// Honesty is the same by lies alone: who is slow is as honest as anybody.
func (d *DHT) Honesty(p peer.ID) float64 { return d.reputation.honesty(p, d.cfg.Now()) }

// shun takes a node that was just banned out of the table and of all neighbourhoods.
func (d *DHT) shun(p peer.ID) {
	if w := d.running(); w != nil {
		w.table.remove(p)
	}
	d.surveys.drop(contactOf(p))
	d.cfg.Log.Debug("banned", "peer_id", p)
}
