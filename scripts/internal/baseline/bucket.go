package baseline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/records"
)

// bucket asks the members of a place, as many at once as it is told to, until some
// have answered.
func (r *Reader) bucket(ctx context.Context, q records.Query) (records.Bucket, error) {
	members, err := r.find(ctx, q.Place)
	if err != nil {
		return records.Bucket{}, err
	}
	r.Cost.Places++
	for some := range slices.Chunk(members, r.config.Ask) {
		r.Cost.Rounds++
		answers := r.ask(ctx, some, q)
		if len(answers.full) > 0 {
			return r.settle(ctx, q, answers)
		}
	}
	return records.Bucket{}, errors.Join(fmt.Errorf("%s: %w", q.Place, ErrNobody), ctx.Err())
}

// find is who is responsible for a place, by a search of the DHT or by memory.
func (r *Reader) find(ctx context.Context, p records.Place) ([]peer.ID, error) {
	if members := r.members[p]; len(members) > 0 {
		return members, nil
	}
	r.Cost.Searches++
	members, err := r.kad.GetClosestPeers(ctx, string(p.Location()))
	if err != nil {
		return nil, fmt.Errorf("search for %s: %w", p, err)
	}
	r.members[p] = members
	return members, nil
}

// answers are what members said of one place.
type answers struct {
	full, prints map[peer.ID]records.Bucket
}

type answer struct {
	member peer.ID
	bucket records.Bucket
	print  bool
	err    error
}

// ask asks some members at once and waits for all of them.
func (r *Reader) ask(ctx context.Context, members []peer.ID, q records.Query) answers {
	out := answers{map[peer.ID]records.Bucket{}, map[peer.ID]records.Bucket{}}
	arrived := make(chan answer)
	for i, m := range members {
		q := q
		q.Print = i >= r.config.Full
		go func() {
			b, err := r.fetch(ctx, m, q)
			arrived <- answer{m, b, q.Print, err}
		}()
	}
	for range members {
		switch a := <-arrived; {
		case a.err != nil:
		case a.print:
			out.prints[a.member] = a.bucket
		default:
			out.full[a.member] = a.bucket
		}
	}
	return out
}

func (r *Reader) fetch(ctx context.Context, p peer.ID, q records.Query) (records.Bucket, error) {
	fetched, err := r.client.Fetch(ctx, p, []records.Query{q})
	if err != nil {
		return records.Bucket{}, err
	}
	return fetched[0].Bucket, fetched[0].Err
}

// settle asks those for records whose fingerprint is another, and is the union of
// all that was shown.
func (r *Reader) settle(ctx context.Context, q records.Query, a answers) (records.Bucket, error) {
	known := map[records.Fingerprint]bool{}
	for _, b := range a.full {
		known[b.Fingerprint] = true
	}
	for m, b := range a.prints {
		if known[b.Fingerprint] {
			continue
		}
		r.Cost.Rounds++
		if shown, err := r.fetch(ctx, m, q); err == nil {
			a.full[m] = shown
			known[shown.Fingerprint] = true
		}
	}
	return union(q.Place, slices.Collect(maps.Values(a.full))), ctx.Err()
}

// union is everything that some buckets show, newest first.
func union(p records.Place, shown []records.Bucket) records.Bucket {
	if len(shown) == 1 {
		return shown[0]
	}
	out := records.Bucket{Place: p}
	held, witnesses := map[records.ItemKey]*records.Record{}, map[records.ItemKey]*records.Record{}
	for _, b := range shown {
		keep(held, b.Records)
		keep(witnesses, b.Witnesses)
	}
	out.Records, out.Witnesses = slices.Collect(maps.Values(held)), slices.Collect(maps.Values(witnesses))
	slices.SortFunc(out.Records, func(a, b *records.Record) int { return p.Position(b).Compare(p.Position(a)) })
	return out
}

func keep(held map[records.ItemKey]*records.Record, shown []*records.Record) {
	for _, r := range shown {
		if h := held[r.ItemKey()]; h == nil || r.Wins(h) {
			held[r.ItemKey()] = r
		}
	}
}
