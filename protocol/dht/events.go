package dht

import (
	"context"
	"fmt"
	"slices"

	libevent "github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"

	"github.com/starling-social/starling/protocol"
)

const (
	// maxEvents bounds what waits for the upkeep; more is dropped, for the next
	// round will find it anyway.
	maxEvents = 256
	// hostEvents is the buffer between the host and us, which must not slow it.
	hostEvents = 256
)

// An event is a node that was met or that failed.
type event struct {
	node   peer.ID
	failed bool
}

// tell passes an event to the upkeep, if it can take one.
func (d *DHT) tell(e event) {
	select {
	case d.events <- e:
	default:
	}
}

// subscribe asks the host to tell whom it meets and loses.
func (d *DHT) subscribe() (libevent.Subscription, error) {
	sub, err := d.cfg.Host.EventBus().Subscribe([]any{
		new(libevent.EvtPeerIdentificationCompleted),
		new(libevent.EvtPeerProtocolsUpdated),
		new(libevent.EvtPeerConnectednessChanged),
	}, eventbus.BufSize(hostEvents), eventbus.Name("starling/dht"))
	if err != nil {
		return nil, fmt.Errorf("subscribe to the host's events: %w", err)
	}
	return sub, nil
}

// listen takes the host's events until ctx ends.
func (d *DHT) listen(ctx context.Context, sub libevent.Subscription) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, open := <-sub.Out():
			if !open {
				return nil
			}
			d.observe(e)
		}
	}
}

func (d *DHT) observe(e any) {
	switch e := e.(type) {
	case libevent.EvtPeerIdentificationCompleted:
		if slices.Contains(e.Protocols, d.protocol) {
			d.met(e.Peer)
		}
	case libevent.EvtPeerProtocolsUpdated:
		if slices.Contains(e.Added, d.protocol) {
			d.met(e.Peer)
		}
		if slices.Contains(e.Removed, d.protocol) {
			d.Forget(e.Peer)
		}
	case libevent.EvtPeerConnectednessChanged:
		if e.Connectedness != network.Connected && d.IsMember(e.Peer) {
			d.tell(event{node: e.Peer, failed: true})
		}
	}
}

// met notes a node that serves our network and is connected.
func (d *DHT) met(p peer.ID) {
	if p == d.self.id || !protocol.Solves(d.cfg.Network, p) || d.Banned(p) {
		return
	}
	d.surveys.add(contactOf(p), bucketSize(d.k))
	if w := d.running(); w != nil {
		d.greet(w, p)
	}
	if !d.IsMember(p) {
		d.tell(event{node: p})
	}
}
