package dht

import (
	"math"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/libp2p/go-libp2p/core/peer"
)

// Evidence is something that a node did to us and that bears on its reputation. It is
// what we saw ourselves, never what others say: scores are not told to anybody.
type Evidence uint8

// What nodes do.
const (
	Answered      Evidence = iota // a question, within its time
	TimedOut                      // it did not
	ValidRecord                   // it gave us records that pass the door
	InvalidRecord                 // it sent what no honest node sends: a record that does not, or a broken answer
)

const (
	// neutral is the score of a node of which nothing is known, and to which all scores
	// decay: half of what was seen is forgotten after reputationHalfLife.
	neutral            = 0.5
	reputationHalfLife = 30 * time.Minute
	// banBelow is the score of a node that is banned: four times as much bad as good of
	// one kind, and a little more.
	banBelow = 0.2
	// timeoutFloor is as far as time-outs sink a score: who is slow or often away is
	// asked late, never banned.
	timeoutFloor = 0.25
	// maxGood bounds the good of one kind that counts: a long honest life buys a liar
	// some tens of lies. maxBad bounds what has to be forgotten afterwards.
	maxGood = 8
	maxBad  = 64
	// invalidWeight is by how much an invalid record outweighs valid ones. Two from a
	// stranger are enough for a ban.
	invalidWeight = 2

	// Bans are short: ids are free, and a mistake must not last. Each further one within
	// banMemory of the last is twice as long.
	firstBan  = 10 * time.Minute
	longBan   = 6 * time.Hour
	banMemory = 24 * time.Hour

	maxAccounts = 4096 // nodes with a reputation, about 250 bytes each
	maxBans     = 1024 // and with a ban, now or before
)

// The kinds of evidence. The good of one kind does not make up for the bad of another.
const (
	answers = iota // answers and time-outs
	names          // nodes that it named, which are there or not
	content        // records, valid or not
	kinds
)

// A tally is what speaks for a node and what against it.
type tally struct{ good, bad float64 }

// trust is the expected share of good, with one of each to begin with (a beta
// reputation; Jøsang and Ismail, Bled 2002).
func (t tally) trust() float64 { return (t.good + 1) / (t.good + t.bad + 2) }

// An account is what is remembered of one node.
type account struct {
	tallies [kinds]tally
	at      time.Time // when they were last brought up to date
}

// decayed is a at a later time.
func (a account) decayed(now time.Time) account {
	left := math.Exp2(-max(now.Sub(a.at), 0).Seconds() / reputationHalfLife.Seconds())
	for i := range a.tallies {
		a.tallies[i].good *= left
		a.tallies[i].bad *= left
	}
	a.at = now
	return a
}

// with is a after more good and bad of one kind.
func (a account) with(kind int, good, bad float64) account {
	t := &a.tallies[kind]
	t.good, t.bad = min(t.good+good, maxGood), min(t.bad+bad, maxBad)
	return a
}

// honesty is the worse of what it named and of what it gave.
func (a account) honesty() float64 {
	return min(a.tallies[names].trust(), a.tallies[content].trust())
}

// score is, from 0 to 1, the worst of what a node did; where nothing was bad, the best.
func (a account) score() float64 {
	patience := max(a.tallies[answers].trust(), timeoutFloor)
	worst := min(patience, a.honesty())
	if worst < neutral {
		return worst
	}
	return max(patience, a.tallies[names].trust(), a.tallies[content].trust())
}

// A ban is until when a node is not dealt with, and how often it was banned before.
type ban struct {
	until time.Time
	times int
}

// next is the ban after b, which may be the zero one.
func (b ban) next(now time.Time) ban {
	if now.Sub(b.until) > banMemory {
		b.times = 0
	}
	length := min(firstBan<<min(b.times, 10), longBan)
	return ban{until: now.Add(length), times: b.times + 1}
}

// A reputation is what we know of nodes by what they did to us. It has no clock: now
// is an argument.
type reputation struct {
	mu       sync.Mutex // protects what follows
	accounts *simplelru.LRU[peer.ID, account]
	bans     map[peer.ID]ban
	changed  bool // whether bans were made since they were last written down
}

func newReputation() *reputation {
	accounts, err := simplelru.NewLRU[peer.ID, account](maxAccounts, nil)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &reputation{accounts: accounts, bans: map[peer.ID]ban{}}
}

// note takes evidence, and tells whether p is banned for it.
func (r *reputation) note(p peer.ID, e Evidence, now time.Time) (banned bool) {
	switch e {
	case Answered:
		return r.weigh(p, answers, 1, 0, now)
	case TimedOut:
		if !r.known(p) {
			return false // anybody can name nodes that never answered; they are not worth an account
		}
		return r.weigh(p, answers, 0, 1, now)
	case ValidRecord:
		return r.weigh(p, content, 1, 0, now)
	case InvalidRecord:
		return r.weigh(p, content, 0, invalidWeight, now)
	default:
		return false
	}
}

// named takes which share of the nodes that p named, from 0 to 1, were not there, by
// more than is usual.
func (r *reputation) named(p peer.ID, missing float64, now time.Time) (banned bool) {
	return r.weigh(p, names, 1-missing, missing, now)
}

func (r *reputation) known(p peer.ID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.accounts.Contains(p)
}

func (r *reputation) weigh(p peer.ID, kind int, good, bad float64, now time.Time) (banned bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a, known := r.accounts.Get(p)
	if !known {
		a.at = now
	}
	a = a.decayed(now).with(kind, good, bad)
	r.accounts.Add(p, a)
	if bad == 0 || a.score() >= banBelow || now.Before(r.bans[p].until) {
		return false
	}
	if _, known := r.bans[p]; !known && len(r.bans) == maxBans {
		r.dropBanLocked()
	}
	r.bans[p] = r.bans[p].next(now)
	r.changed = true
	return true
}

// dropBanLocked forgets the ban that ends, or ended, first.
func (r *reputation) dropBanLocked() {
	var first peer.ID
	for p, b := range r.bans {
		if first == "" || b.until.Before(r.bans[first].until) {
			first = p
		}
	}
	delete(r.bans, first)
}

// banned tells whether p is not to be dealt with now.
func (r *reputation) banned(p peer.ID, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return now.Before(r.bans[p].until)
}

// score is from 0, banned, to 1; neutral for who is not known.
func (r *reputation) score(p peer.ID, now time.Time) float64 {
	return r.look(p, now, account.score)
}

// honesty is the same, of lies alone.
func (r *reputation) honesty(p peer.ID, now time.Time) float64 {
	return r.look(p, now, account.honesty)
}

func (r *reputation) look(p peer.ID, now time.Time, at func(account) float64) float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if b, ok := r.bans[p]; ok && now.Before(b.until) {
		return 0
	}
	a, ok := r.accounts.Peek(p)
	if !ok {
		return neutral
	}
	return at(a.decayed(now))
}

// banCount is how many are banned now.
func (r *reputation) banCount(now time.Time) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range r.bans {
		if now.Before(b.until) {
			n++
		}
	}
	return n
}

// excess is which part of what each node named beyond the usual is missing, given the
// shares that are: usual is what the median node named. When a part of the network
// died, or we are cut off from it, everybody names nodes that are not there.
func excess(missing map[peer.ID]float64) map[peer.ID]float64 {
	if len(missing) < 3 {
		return nil // there is no telling what is usual
	}
	shares := make([]float64, 0, len(missing))
	for _, m := range missing {
		shares = append(shares, m)
	}
	slices.Sort(shares)
	usual := shares[len(shares)/2]
	over := make(map[peer.ID]float64, len(missing))
	for p, m := range missing {
		if over[p] = 0; m > usual {
			over[p] = (m - usual) / (1 - usual)
		}
	}
	return over
}
