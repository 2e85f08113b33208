package dht

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	kad "github.com/libp2p/go-libp2p-kad-dht"
	kadpb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/records"
)

const (
	// askTimeout bounds one question, dialling included: a node that hangs delays a
	// search by this much and no more.
	askTimeout = 3 * time.Second
	// searchTimeout bounds a search: liars can name nodes that do not exist.
	searchTimeout = 12 * time.Second
)

// wire asks other nodes. It lives from Run's beginning to its end.
type wire struct {
	host      host.Host
	network   records.Network
	self      contact
	addresses func([]ma.Multiaddr) []ma.Multiaddr
	kad       *kad.IpfsDHT
	table     *table
	messages  *kadpb.ProtocolMessenger

	searches, finds, pings atomic.Uint64
}

// A result is what a search found.
type result struct {
	contacts []contact // answered, nearest to the target first; ourselves never
	complete bool      // there are no others
	replies  int       // nodes that answered, on the way too
	dead     []peer.ID // nodes that did not
	err      error     // why one of them did not
}

// silent tells that nodes are known and nobody answered.
func (r result) silent() bool { return r.replies == 0 && len(r.dead) > 0 }

// An answer is what came of a question.
type answer struct {
	from  peer.ID
	named []contact
	err   error
}

// search finds the nodes nearest to key's hash, at most limit of them, among
// those that share its first bits, over one path that begins with the nodes of the
// table that are nearest, and with seeds.
func (w *wire) search(ctx context.Context, key string, bits, limit int, seeds ...peer.ID) (result, error) {
	return w.walk(ctx, newPaths([]string{key}, bits, limit), seeds)
}

// explore finds the nodes of a region, at most limit of them, over disjoint paths.
func (w *wire) explore(ctx context.Context, r region, limit int) (result, error) {
	return w.walk(ctx, newPaths(keysIn(r, surveyPaths), r.bits, limit), nil)
}

// walk carries out a search. Nodes that answer enter the table; those that do not
// leave it, unless nobody answers: then the fault is likely ours.
func (w *wire) walk(ctx context.Context, s *paths, seeds []peer.ID) (result, error) {
	bounded, cancel := context.WithTimeout(ctx, searchTimeout)
	defer cancel()
	w.searches.Add(1)
	for _, f := range s.each {
		f.add(w.believe(w.table.lib.NearestPeers(f.target[:], s.limit))...)
		f.add(w.believe(seeds)...)
	}

	var r result
	answers := make(chan answer)
	for w.spread(bounded, s, answers) {
		a := <-answers
		switch {
		case a.err == nil:
			s.answer(a.from, a.named)
			w.table.admit(a.from)
			r.replies++
		case bounded.Err() == nil:
			r.dead, r.err = append(r.dead, a.from), a.err
			s.fail(a.from)
		default:
			s.fail(a.from) // we gave up, not it
		}
	}
	r.contacts, r.complete = s.found()
	r.complete = r.complete && bounded.Err() == nil
	if r.replies > 0 {
		w.evict(r.dead)
	}
	if err := ctx.Err(); err != nil {
		return r, fmt.Errorf("search %s: %w", s.each[0].region, err)
	}
	return r, nil
}

// spread asks whom s wants to ask now, and tells whether an answer is to come.
func (w *wire) spread(ctx context.Context, s *paths, answers chan<- answer) bool {
	for ctx.Err() == nil {
		p, q, key, ok := s.next()
		if !ok {
			break
		}
		go func() { answers <- w.ask(ctx, p, q, key) }()
	}
	return s.inFlight() > 0
}

// ask puts one question to p.
func (w *wire) ask(ctx context.Context, p peer.ID, q question, key string) answer {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if err := w.host.Connect(ctx, peer.AddrInfo{ID: p}); err != nil {
		return answer{from: p, err: fmt.Errorf("connect to %s: %w", p, err)}
	}
	if q == ping {
		w.pings.Add(1)
		if err := w.messages.Ping(ctx, p); err != nil {
			return answer{from: p, err: fmt.Errorf("ping %s: %w", p, err)}
		}
		return answer{from: p}
	}
	w.finds.Add(1)
	named, err := w.messages.GetClosestPeers(ctx, p, peer.ID(key))
	if err != nil {
		return answer{from: p, err: fmt.Errorf("ask %s: %w", p, err)}
	}
	return answer{from: p, named: w.learn(named)}
}

// learn takes the nodes that an answer named, as far as they may be believed.
// The rest of a list that is longer than any honest one is ignored.
func (w *wire) learn(named []*peer.AddrInfo) []contact {
	named = named[:min(len(named), w.kad.BucketSize()+1)]
	ids := make([]peer.ID, 0, len(named))
	for _, info := range named {
		if !w.mayServe(info.ID) {
			continue
		}
		ids = append(ids, info.ID)
		if w.host.Network().Connectedness(info.ID) != network.Connected {
			w.host.Peerstore().AddAddrs(info.ID, w.addresses(info.Addrs), peerstore.TempAddrTTL)
		}
	}
	return w.believe(ids)
}

// believe turns ids into contacts, without ourselves and without those that may
// not serve.
func (w *wire) believe(ids []peer.ID) []contact {
	contacts := make([]contact, 0, len(ids))
	for _, id := range ids {
		if w.mayServe(id) {
			contacts = append(contacts, contactOf(id))
		}
	}
	return contacts
}

func (w *wire) mayServe(p peer.ID) bool {
	return p != w.self.id && protocol.Solves(w.network, p)
}

// evict removes nodes that did not answer from the table.
func (w *wire) evict(dead []peer.ID) {
	for _, p := range dead {
		w.table.remove(p)
	}
}

// check pings nodes, a few at a time, and returns those that did not answer.
func (w *wire) check(ctx context.Context, nodes []peer.ID) (dead []peer.ID) {
	answers := make(chan answer, len(nodes))
	slots := make(chan struct{}, pingWidth)
	for _, p := range nodes {
		slots <- struct{}{}
		go func() {
			answers <- w.ask(ctx, p, ping, "")
			<-slots
		}()
	}
	for range nodes {
		if a := <-answers; a.err == nil {
			w.table.admit(a.from)
		} else {
			dead = append(dead, a.from)
		}
	}
	return dead
}
