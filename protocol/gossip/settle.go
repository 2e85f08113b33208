package gossip

import (
	"math"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// decayEvery is how often credit and offences shrink.
const decayEvery = 10 * time.Second

// tick settles what is due and forgets what is old.
func (l *ledger) tick(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settle(now)
	if now.Sub(l.decayed) < decayEvery {
		return
	}
	if !l.decayed.IsZero() {
		l.decay(math.Exp2(-float64(now.Sub(l.decayed)) / float64(halfLife)))
	}
	l.decayed = now
	l.forgive(now)
}

// settle credits who brought a post and charges every mesh peer that could have and did not.
func (l *ledger) settle(now time.Time) {
	due := 0
	for due < len(l.order) && now.Sub(l.order[due].at) >= settleAfter {
		a := l.order[due]
		due++
		if l.arrivals[a.id] != a { // ignored or rejected
			continue
		}
		delete(l.arrivals, a.id)
		if !a.accepted.IsZero() {
			l.settleOne(a)
		}
	}
	clear(l.order[:due])
	l.order = l.order[due:]
}

func (l *ledger) settleOne(a *arrival) {
	for _, p := range a.bringers {
		acc := l.account(p)
		acc.credit = min(acc.credit+creditPerPost, maxCredit)
		if s, ok := l.seats[a.shard][p]; ok {
			l.owe(p, s, -repayment)
		}
	}
	if a.excused {
		return
	}
	for p, s := range l.seats[a.shard] {
		expected := s.left.IsZero() && a.at.Sub(s.taken) >= settling && a.at.Sub(s.charged) >= chargeEvery
		if expected && !slices.Contains(a.bringers, p) {
			s.charged = a.at
			l.owe(p, s, 1)
		}
	}
}

// owe changes a debt, which is never negative and never so great that it could not be paid within a minute.
func (l *ledger) owe(p peer.ID, s *seat, posts int) {
	was := s.debt >= debtLimit
	s.debt = min(max(s.debt+posts, 0), 2*debtLimit)
	l.mark(p, was, s.debt >= debtLimit)
}

func (l *ledger) mark(p peer.ID, was, is bool) {
	switch {
	case is && !was:
		l.account(p).debts++
	case was && !is:
		l.account(p).debts--
	}
}

// decay keeps the given part of all credit and offences.
func (l *ledger) decay(keep float64) {
	for p, a := range l.accounts {
		a.credit *= keep
		a.offences *= keep
		if a.credit < trace && a.offences < trace && a.debts == 0 {
			delete(l.accounts, p)
		}
	}
}

// forgive forgets the debts of those that left a mesh long ago.
func (l *ledger) forgive(now time.Time) {
	for shard := range l.seats {
		for p, s := range l.seats[shard] {
			if s.left.IsZero() || now.Sub(s.left) < forgetAfter {
				continue
			}
			l.mark(p, s.debt >= debtLimit, false)
			delete(l.seats[shard], p)
		}
	}
}
