package dht

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// An inquiry is the questions of one search and what is to be learned from how they
// are answered. It belongs to the goroutine of the search.
//
// Who takes longer than its round trips so far promise is late: another is asked in
// its place, and the search does not wait for it for long. Its answer is taken all the
// same, be it after the search (hedged requests; Dean and Barroso, CACM 2013).
type inquiry struct {
	wire    *wire
	haste   haste
	answers chan answer
	timer   *time.Timer
	due     map[peer.ID]time.Time // who was asked, and from when on it is late
	late    map[peer.ID]struct{}  // who is, and has not answered

	named  map[peer.ID]answer // of those that named anybody
	living map[peer.ID]bool   // who answered, and who did not
}

func newInquiry(w *wire, h haste) *inquiry {
	return &inquiry{
		wire: w, haste: h, answers: make(chan answer), timer: time.NewTimer(askTimeout),
		due: map[peer.ID]time.Time{}, late: map[peer.ID]struct{}{},
		named: map[peer.ID]answer{}, living: map[peer.ID]bool{},
	}
}

// ask puts a question to p.
func (q *inquiry) ask(ctx context.Context, p peer.ID, what question, key string) {
	connected := q.wire.connected(p)
	q.due[p] = time.Now().Add(q.wire.timings.patience(p, connected, q.haste))
	go func() { q.answers <- q.wire.ask(ctx, p, what, key) }()
}

// open is how many questions wait for an answer.
func (q *inquiry) open() int { return len(q.due) + len(q.late) }

// next waits for an answer, or until somebody is late; neither when ctx has ended.
func (q *inquiry) next(ctx context.Context) (a answer, late []peer.ID, answered bool) {
	var first time.Time
	for _, at := range q.due {
		if first.IsZero() || at.Before(first) {
			first = at
		}
	}
	timer := q.timer.C
	if first.IsZero() {
		timer = nil // nobody can be late any more
	} else {
		q.timer.Reset(time.Until(first))
	}
	select {
	case a := <-q.answers:
		delete(q.due, a.from)
		delete(q.late, a.from)
		q.living[a.from] = a.err == nil
		if len(a.named)+a.bogus > 0 {
			q.named[a.from] = a
		}
		return a, nil, true
	case now := <-timer:
		for p, at := range q.due {
			if !at.After(now) {
				late = append(late, p)
				delete(q.due, p)
				q.late[p] = struct{}{}
			}
		}
		return answer{}, late, false
	case <-ctx.Done():
		return answer{}, nil, false
	}
}

// abandon leaves the questions that are still open to themselves: who answers yet is
// met, who does not leaves the table, unless nobody answers us at all. leave is called
// when nothing is open any more.
func (q *inquiry) abandon(ctx context.Context, leave func(), offline bool) {
	q.timer.Stop()
	open := q.open()
	if open == 0 {
		leave()
		return
	}
	go func() {
		defer leave()
		for range open {
			switch a := <-q.answers; {
			case a.err == nil:
				q.wire.answered(a.from)
				q.wire.met(a.from)
			case ctx.Err() == nil && !offline:
				q.wire.silent(a.from)
			}
		}
	}()
}

// judge draws conclusions on those who named nodes: how many of them are there?
func (q *inquiry) judge() {
	missing := map[peer.ID]float64{}
	for p, a := range q.named {
		asked, gone := a.bogus, a.bogus
		for _, c := range a.named {
			lives, resolved := q.living[c.id]
			_, late := q.late[c.id]
			if !resolved && !late {
				continue
			}
			if asked++; !lives {
				gone++
			}
		}
		if asked >= leastNamed {
			missing[p] = float64(gone) / float64(asked)
		}
	}
	for p, over := range excess(missing) {
		q.wire.named(p, over)
	}
}

// leastNamed is of how many nodes that somebody named we have to know whether they are
// there, before we judge by them.
const leastNamed = 3

func (w *wire) connected(p peer.ID) bool {
	return w.host.Network().Connectedness(p) == network.Connected
}
