package gossip

import (
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/protocol"
)

// How a peer's standing follows from what it does. A score below 0 puts a peer out of every mesh; the other thresholds
// are in score.go.
const (
	// maxCredit is all the good that a peer can have done.
	maxCredit = 10.0
	// creditPerPost is what bringing one post adds.
	creditPerPost = 0.1
	// freeRiding is what owing debtLimit posts on a shard costs. It is more than maxCredit, so no history makes up for it.
	freeRiding = 30.0
	// offenceWeight times the square of its offences is what they cost a peer: two put it out of the meshes whatever
	// its credit, four have it ignored.
	offenceWeight = 10.0

	// debtLimit is how many posts a mesh peer may take in a row without bringing any, of those that are charged. A peer
	// that brings one in ten, far less than any honest one measured, does so by chance once in 700,000 times.
	debtLimit = 128
	// chargeEvery is how often a debt may grow: who is late for half a minute on a busy shard is of no use to it, who is
	// late for a second had a bad second.
	chargeEvery = 250 * time.Millisecond
	// repayment is what one post brought pays for: who brings one in 17 never owes anything for long.
	repayment = 16

	// settling is how long a peer is in the mesh before anything is expected of it.
	settling = 5 * time.Second
	// bringWindow is how long after us a peer may have a post and still count as having brought it. Copies that cross
	// on the way differ by a round trip, and on busy nodes by seconds. A peer that sends everything back within it pays
	// the price of passing it on.
	bringWindow = 3 * time.Second
	// settleAfter is when a post is settled, counted from when its verification began.
	settleAfter = 5 * time.Second

	// forgetAfter is how long a debt outlives the place in the mesh.
	forgetAfter = 10 * time.Minute
	// halfLife is when half of a peer's credit and offences are forgotten.
	halfLife = 5 * time.Minute
	// trace is what is too little to remember.
	trace = 0.05

	// maxAccounts and maxForged bound what is remembered of peers and of messages that did not pass.
	maxAccounts = 1 << 14
	maxForged   = 1 << 12
)

// ledger keeps the standing of every peer: what it brought us, what it owes, what it did wrong.
//
// GossipSub's own delivery score (P3) compares a peer with a fixed rate, so it either punishes every peer of a quiet
// topic or none of a busy one. A debt needs no rate: each post that a mesh peer had time to bring and did not adds to it,
// each that it brought takes away from it, and silence changes nothing.
//
// It has no clock and no goroutine: now is an argument, and tick is to be called every second or so.
type ledger struct {
	mu       sync.Mutex // protects all below
	accounts map[peer.ID]*account
	seats    [protocol.Shards]map[peer.ID]*seat
	arrivals map[string]*arrival // by message id
	order    []*arrival          // the same, oldest first
	forged   map[string]struct{} // ids of messages that did not pass
	forgery  []string            // the same, oldest first
	decayed  time.Time
}

// account is one peer's standing. An absent one is 0.
type account struct {
	credit   float64
	offences float64
	debts    int // shards on which it owes debtLimit or more
}

// seat is a peer's place in the mesh of one shard and what it owes there.
type seat struct {
	taken   time.Time
	left    time.Time // zero while it is in the mesh
	debt    int
	charged time.Time // when the debt last grew
}

// arrival is a message whose verification began within settleAfter.
type arrival struct {
	id       string
	shard    byte
	excused  bool // nobody owes it: we told the mesh not to send it
	at       time.Time
	accepted time.Time // zero until then
	bringers []peer.ID // in order; the first is whose copy was verified
}

func newLedger() *ledger {
	l := &ledger{
		accounts: make(map[peer.ID]*account),
		arrivals: make(map[string]*arrival),
		forged:   make(map[string]struct{}),
	}
	for i := range l.seats {
		l.seats[i] = make(map[peer.ID]*seat)
	}
	return l
}

// score is what p's standing adds to its score. Above 0 only by bringing posts; below 0 whenever p owes debtLimit on any
// shard, whatever else it did: maxCredit - freeRiding is less than 0.
func (l *ledger) score(p peer.ID) float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	a, ok := l.accounts[p]
	if !ok {
		return 0
	}
	s := a.credit - offenceWeight*a.offences*a.offences
	if a.debts > 0 {
		s -= freeRiding
	}
	return s
}

// offend counts something that no honest peer does.
func (l *ledger) offend(p peer.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.offendLocked(p)
}

func (l *ledger) offendLocked(p peer.ID) { l.account(p).offences++ }

// graft seats p in the mesh of a shard. A debt from before is still owed.
func (l *ledger) graft(p peer.ID, shard byte, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.seats[shard][p]
	if !ok {
		s = &seat{}
		l.seats[shard][p] = s
	}
	s.taken, s.left = now, time.Time{}
}

// prune takes p out of the mesh of a shard.
func (l *ledger) prune(p peer.ID, shard byte, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leave(p, shard, now)
}

// gone takes p out of every mesh.
func (l *ledger) gone(p peer.ID, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for shard := range l.seats {
		l.leave(p, byte(shard), now)
	}
}

func (l *ledger) leave(p peer.ID, shard byte, now time.Time) {
	s, ok := l.seats[shard][p]
	if !ok || !s.left.IsZero() {
		return
	}
	if s.debt == 0 {
		delete(l.seats[shard], p)
		return
	}
	s.left = now
}

// arrive begins a message: from brought it and it will be verified.
func (l *ledger) arrive(id string, shard byte, size int, from peer.ID, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settle(now)
	if _, ok := l.arrivals[id]; ok {
		return
	}
	a := &arrival{id: id, shard: shard, excused: size >= lazyFrom, at: now, bringers: append(make([]peer.ID, 0, 8), from)}
	l.arrivals[id] = a
	l.order = append(l.order, a)
}

// repeat is a further copy of a message.
func (l *ledger) repeat(id string, from peer.ID, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.forged[id]; ok {
		l.offendLocked(from)
		return
	}
	a, ok := l.arrivals[id]
	if !ok || !a.accepted.IsZero() && now.Sub(a.accepted) > bringWindow || slices.Contains(a.bringers, from) {
		return
	}
	a.bringers = append(a.bringers, from)
}

// accept is when a message passed and was handed on.
func (l *ledger) accept(id string, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a, ok := l.arrivals[id]; ok && a.accepted.IsZero() {
		a.accepted = now
	}
}

// ignore is when a message was neither passed on nor held against anybody.
func (l *ledger) ignore(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.arrivals, id)
}

// reject is when a message did not pass: an offence of all who brought it, also later.
func (l *ledger) reject(id string, from peer.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	bringers := []peer.ID{from}
	if a, ok := l.arrivals[id]; ok {
		bringers = a.bringers
		delete(l.arrivals, id)
	}
	for _, p := range bringers {
		l.offendLocked(p)
	}
	l.remember(id)
}

func (l *ledger) remember(id string) {
	if _, ok := l.forged[id]; ok {
		return
	}
	if len(l.forgery) == maxForged {
		delete(l.forged, l.forgery[0])
		l.forgery = l.forgery[1:]
	}
	l.forged[id] = struct{}{}
	l.forgery = append(l.forgery, id)
}

// account is p's, made if need be; when there are too many, in place of any other.
func (l *ledger) account(p peer.ID) *account {
	if a, ok := l.accounts[p]; ok {
		return a
	}
	for other, a := range l.accounts {
		if len(l.accounts) < maxAccounts {
			break
		}
		if a.debts == 0 {
			delete(l.accounts, other)
		}
	}
	a := &account{}
	l.accounts[p] = a
	return a
}
