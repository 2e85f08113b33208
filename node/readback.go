package node

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/records"
)

// An acknowledgement is a member's word. A put is called stored when others show the
// record again who were not chosen for being near or quick: whoever acknowledges and
// drops cannot show it. Members that keep it for the writer alone and deny it to
// everybody else are not found out so; the readers' union is what meets those.
const (
	readBackNeed  = 2 // other members that have to show a record
	readBackFirst = 6 // members asked for it at first, by chance; all the others after that
)

// confirm sees to it that others show what came to rest, and returns the descents whose
// record too few show in the end. Where they show instead that more stands below, it goes
// on there: who acknowledges what he drops can be the majority of a place, and its honest
// members say that it is full. Else it is put once more, to members found anew.
func (n *Node) confirm(ctx context.Context, open []*descent) (unread []*descent, err error) {
	for len(open) > 0 {
		var more []*descent
		for _, d := range n.unread(ctx, open) {
			switch {
			case d.led:
				d.at = d.at.ChildFor(d.record)
			case !d.doubted:
				d.doubted = true
				n.dht.Doubt(d.at.Coordinate())
			default:
				unread = append(unread, d)
				continue
			}
			d.done, d.again = false, 0
			more = append(more, d)
		}
		if err := n.lower(ctx, more); err != nil {
			return unread, err
		}
		open = more
	}
	return unread, nil
}

// unread asks for what came to rest, and returns the descents whose record too few
// other members show.
func (n *Node) unread(ctx context.Context, all []*descent) (out []*descent) {
	proofs := make([]*proof, len(all))
	for i, d := range all {
		members, err := n.members(ctx, d.at)
		if err != nil {
			members = nil // needs nobody then: the put found somebody
		}
		others := slices.DeleteFunc(slices.Clone(members), func(p peer.ID) bool { return p == n.host.ID() })
		rand.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
		proofs[i] = &proof{descent: d, others: others, small: len(members) < n.config.Network.Params.Neighbourhood}
	}
	for _, width := range []int{readBackFirst, math.MaxInt} {
		n.askBack(ctx, proofs, width)
	}
	for _, p := range proofs {
		p.descent.shown, p.descent.led = p.shown, p.led >= readBackNeed
		if !p.enough() {
			out = append(out, p.descent)
		}
	}
	return out
}

// A proof is what members show of a record.
type proof struct {
	descent *descent
	others  []peer.ID // members that were not asked yet
	asked   int
	shown   int
	led     int  // of the others: showed that more stands below, where the record would
	unable  int  // did not answer, or not yet
	small   bool // fewer than a neighbourhood has: whoever is there must do
}

// enough tells whether the record was shown often enough.
func (p *proof) enough() bool {
	most := len(p.others) + p.asked
	if p.small {
		most -= p.unable
	}
	return p.shown >= min(readBackNeed, most)
}

func (p *proof) take(a exchange.Answer, err error) {
	switch {
	case err != nil || a.Err != nil:
		p.unable++
	case shows(a.Bucket, p.descent.record):
		p.shown++
	case leads(a.Bucket, p.descent.at.ChildFor(p.descent.record)):
		p.led++
	}
}

// shows tells whether a bucket shows a record, or a version that has replaced it.
func shows(b records.Bucket, r *records.Record) bool {
	return slices.ContainsFunc(slices.Concat(b.Records, b.Witnesses), func(x *records.Record) bool {
		return x.ItemKey() == r.ItemKey() && (x.ID() == r.ID() || x.Wins(r))
	})
}

// leads tells whether a bucket bears witness to a child; to none if that is itself.
func leads(b records.Bucket, child records.Place) bool {
	return child != b.Place && slices.ContainsFunc(b.Witnesses, func(w *records.Record) bool {
		return records.Fits(w, b.Place) == nil && b.Place.ChildFor(w) == child
	})
}

// query asks for the one record.
func (p *proof) query() records.Query {
	return records.Query{Place: p.descent.at, Before: after(p.descent.at.Position(p.descent.record)), Limit: 1}
}

type backAnswer struct {
	proofs  []*proof
	fetched []exchange.Answer
	err     error
}

// askBack asks up to width further members of each place that lacks proof, one frame
// to a member, until there is enough or they take too long.
func (n *Node) askBack(ctx context.Context, proofs []*proof, width int) {
	frames := map[peer.ID][]*proof{}
	for _, p := range proofs {
		if p.enough() {
			continue
		}
		some := p.others[:min(width, len(p.others))]
		p.others, p.asked = p.others[len(some):], p.asked+len(some)
		for _, m := range some {
			frames[m] = append(frames[m], p)
		}
	}
	answers := make(chan backAnswer, len(frames))
	for m, asked := range frames {
		if !n.tasks.start(ctx, n.config.FetchTimeout, func(ctx context.Context) {
			queries := make([]records.Query, len(asked))
			for i, p := range asked {
				queries[i] = p.query()
			}
			fetched, err := n.fetch(ctx, m, queries)
			answers <- backAnswer{asked, fetched, err}
		}) {
			return
		}
	}
	late := time.NewTimer(hedgeMax)
	defer late.Stop()
	for range frames {
		select {
		case a := <-answers:
			for i, p := range a.proofs {
				if a.err != nil {
					p.take(exchange.Answer{}, a.err)
				} else {
					p.take(a.fetched[i], nil)
				}
			}
		case <-late.C:
			return
		case <-ctx.Done():
			return
		}
		if !slices.ContainsFunc(proofs, func(p *proof) bool { return !p.enough() }) {
			return
		}
	}
}
