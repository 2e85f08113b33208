package dht

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	kad "github.com/libp2p/go-libp2p-kad-dht"
	kadpb "github.com/libp2p/go-libp2p-kad-dht/pb"
	kb "github.com/libp2p/go-libp2p-kbucket"
	"github.com/libp2p/go-libp2p/core/host"
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
	// maxAddrs bounds the addresses that we believe of a node that another one named:
	// five transports on a few interfaces.
	maxAddrs = 32
)

// wire asks other nodes. It lives from Run's beginning to its end.
type wire struct {
	host      host.Host
	network   records.Network
	self      contact
	addresses func([]ma.Multiaddr) []ma.Multiaddr
	kad       *kad.IpfsDHT
	table     *table
	crowds    crowds
	messages  *kadpb.ProtocolMessenger
	now       func() time.Time

	visits     visits
	calls      *calls
	timings    *timings
	reputation *reputation
	met        func(peer.ID) // told of nodes that answer late
	shun       func(peer.ID) // told of nodes that are banned
	searched   func(took time.Duration, answered bool)

	searches, hops, finds, pings atomic.Uint64
}

// A result is what a search found.
type result struct {
	contacts []contact // answered, nearest to the target first; ourselves never
	crowd    []contact // did too, but crowd: only where there was room left
	complete bool      // there are no others, but for such as crowd
	replies  int       // nodes that answered, on the way too
	dead     []peer.ID // nodes that did not, or not yet when we had waited long enough
	err      error     // why one of them did not
}

// all is who was found, those that crowd last.
func (r result) all() []contact { return slices.Concat(r.contacts, r.crowd) }

// silent tells that nodes are known and nobody answered.
func (r result) silent() bool { return r.replies == 0 && len(r.dead) > 0 }

// An answer is what came of a question.
type answer struct {
	from  peer.ID
	named []contact
	bogus int // named too, but no id of this network
	err   error
}

// A haste is how long a search waits for those that have not answered.
type haste uint8

const (
	patient haste = iota // until they answer or time out
	hasty                // while they are not late; then no longer, once as many of those it wants have answered
	eager                // no longer, once a few of those it wants have answered
)

// search finds the nodes nearest to key's hash, at most limit of them, among
// those that share its first bits, over one path that begins with the nodes of the
// table that are nearest, and with seeds.
func (w *wire) search(ctx context.Context, key string, bits, limit int, h haste, seeds ...peer.ID) (result, error) {
	return w.walk(ctx, newPaths([]string{key}, bits, limit, w.crowds), h, seeds)
}

// explore finds the nodes of a region, at most limit of them, over disjoint paths, each
// of which asks somebody from elsewhere, too.
func (w *wire) explore(ctx context.Context, r region, limit int, h haste) (result, error) {
	s := newPaths(keysIn(r, surveyPaths), r.bits, limit, w.crowds)
	for i, c := range w.strangers(r, len(s.each)) {
		s.each[i].consult(c)
	}
	return w.walk(ctx, s, h, nil)
}

// strangers are so many nodes of the table that lie outside of a region: half of them
// those that have been there longest, the others by chance. Whom we know in a region may
// all have dialled us, and name each other.
func (w *wire) strangers(r region, n int) (chosen []contact) {
	infos := slices.DeleteFunc(w.table.lib.GetPeerInfos(), func(i kb.PeerInfo) bool {
		return r.holds(coordinateOf(i.Id)) || !w.mayServe(i.Id)
	})
	slices.SortFunc(infos, func(a, b kb.PeerInfo) int { return a.AddedAt.Compare(b.AddedAt) })
	if oldest := n / 2; len(infos) > n {
		others := infos[oldest:]
		rand.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
	}
	for _, i := range infos[:min(n, len(infos))] {
		chosen = append(chosen, contactOf(i.Id))
	}
	return chosen
}

// walk carries out a search. Nodes that answer enter the table; those that do not
// leave it, unless nobody answers: then the fault is likely ours.
func (w *wire) walk(ctx context.Context, s *paths, h haste, seeds []peer.ID) (result, error) {
	asking, leave, err := w.calls.join(context.WithoutCancel(ctx))
	if err != nil {
		return result{}, err
	}
	bounded, cancel := context.WithTimeout(ctx, searchTimeout)
	defer cancel()
	w.begin(s, seeds)

	var r result
	began := time.Now()
	defer func() { w.searched(time.Since(began), r.replies > 0) }()
	q := newInquiry(w, h)
	for bounded.Err() == nil && w.spread(asking, s, q, h) {
		a, late, answered := q.next(bounded)
		for _, p := range late {
			s.late(p)
		}
		switch {
		case !answered:
		case a.err == nil:
			s.answer(a.from, a.named)
			w.answered(a.from)
			r.replies++
		default:
			r.dead, r.err = append(r.dead, a.from), a.err
			s.fail(a.from)
		}
	}
	r.contacts, r.crowd, r.complete = s.found()
	r.complete = r.complete && bounded.Err() == nil
	w.hops.Add(uint64(s.hops()))
	if r.replies > 0 {
		for _, f := range s.each {
			w.visits.note(w.self.at.SharedBits(f.target), w.now())
		}
	}
	w.conclude(asking, &r, q, leave)
	if err := ctx.Err(); err != nil {
		return r, fmt.Errorf("search %s: %w", s.each[0].region, err)
	}
	return r, nil
}

// begin begins every path with those nearest to its key in the table, and with seeds.
func (w *wire) begin(s *paths, seeds []peer.ID) {
	w.searches.Add(1)
	merit := w.merits()
	for _, f := range s.each {
		f.merit = merit
		f.add(1, w.believe(w.table.lib.NearestPeers(f.target[:], s.limit))...)
		f.add(1, w.believe(seeds)...)
	}
}

// spread asks whom s wants to ask now, and tells whether an answer is to be waited for.
func (w *wire) spread(ctx context.Context, s *paths, q *inquiry, h haste) bool {
	for {
		p, what, key, ok := s.next()
		if !ok {
			break
		}
		q.ask(ctx, p, what, key)
	}
	if h == eager && s.few() {
		return false
	}
	return s.inFlight() > 0 || q.open() > 0 && (h == patient || !s.enough())
}

// conclude draws the conclusions of a search.
func (w *wire) conclude(ctx context.Context, r *result, q *inquiry, leave func()) {
	if r.replies > 0 {
		for _, p := range r.dead {
			w.silent(p)
		}
		q.judge()
	}
	for p := range q.late {
		r.dead = append(r.dead, p)
	}
	q.abandon(ctx, leave, r.replies == 0)
}

// answered notes that p did.
func (w *wire) answered(p peer.ID) {
	w.table.admit(p)
	w.reputation.note(p, Answered, w.now())
}

// silent notes that p did not answer although others do.
func (w *wire) silent(p peer.ID) {
	w.table.remove(p)
	w.reputation.note(p, TimedOut, w.now())
}

// named notes that p named more nodes than is usual that are not there.
func (w *wire) named(p peer.ID, over float64) {
	if w.reputation.named(p, over, w.now()) {
		w.shun(p)
	}
}

// ask puts one question to p.
func (w *wire) ask(ctx context.Context, p peer.ID, q question, key string) answer {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	connected, began := w.connected(p), time.Now()
	if err := w.host.Connect(ctx, peer.AddrInfo{ID: p}); err != nil {
		return answer{from: p, err: fmt.Errorf("connect to %s: %w", p, err)}
	}
	a := w.put(ctx, p, q, key)
	if a.err == nil {
		w.timings.took(p, connected, time.Since(began))
	}
	return a
}

// put puts one question to p, to whom we are connected.
func (w *wire) put(ctx context.Context, p peer.ID, q question, key string) answer {
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
	contacts, bogus := w.learn(named)
	return answer{from: p, named: contacts, bogus: bogus}
}

// learn takes the nodes that an answer named, as far as they may be believed, and
// counts those whose ids do not solve the puzzle: no honest node knows any. The rest of
// a list that is longer than any honest one is ignored.
func (w *wire) learn(named []*peer.AddrInfo) (contacts []contact, bogus int) {
	named = named[:min(len(named), w.kad.BucketSize()+1)]
	ids := make([]peer.ID, 0, len(named))
	for _, info := range named {
		if !protocol.Solves(w.network, info.ID) {
			bogus++
			continue
		}
		if !w.mayServe(info.ID) {
			continue
		}
		ids = append(ids, info.ID)
		if !w.connected(info.ID) {
			addrs := w.addresses(info.Addrs)
			w.host.Peerstore().AddAddrs(info.ID, addrs[:min(len(addrs), maxAddrs)], peerstore.TempAddrTTL)
		}
	}
	return w.believe(ids), bogus
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

// mayServe tells whether p may be asked: its id solves the puzzle, and it is not banned.
func (w *wire) mayServe(p peer.ID) bool {
	return p != w.self.id && protocol.Solves(w.network, p) && !w.reputation.banned(p, w.now())
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
			w.answered(a.from)
		} else {
			dead = append(dead, a.from)
		}
	}
	return dead
}
