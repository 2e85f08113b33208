package exchange

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/pb"
	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/records/reconcile"
)

// Common is a part of the ring that two nodes hold: the coordinates that share the
// first bits of a prefix, at least as many as either of them says its own has.
type Common struct {
	Prefix records.Coordinate
	Bits   int
}

// prefix is as many bytes as hold the bits.
func (c Common) prefix() []byte {
	var start records.Coordinate
	from, _ := reconcile.Under(c.Prefix, c.Bits)
	copy(start[:], from)
	return start[:min((c.Bits+7)/8, len(start))]
}

// Reconcile finds out how what p holds differs from set under what both hold, and
// tells it as it becomes known, up to some thousand differences at a time. It costs
// what the difference costs; agreement is one small message each way. What p is
// said to have is a claim, which [Client.Collect] makes it prove.
//
// From is where to begin: [reconcile.Start], or the rest of an earlier call. Errors are those of other requests; a peer that
// holds less than it is asked about refuses as [NotAMember], and its prefix is then
// known ([Client.KnownPrefix]).
func (c *Client) Reconcile(ctx context.Context, p peer.ID, what Common, set reconcile.Set, from reconcile.Bound, found func(Found) error) (end Reconciled, err error) {
	low, high := reconcile.Under(what.Prefix, what.Bits)
	limits := reconcileLimits(protocol.MaxReconcileMessage)
	limits.Rounds = protocol.MaxReconcileRounds
	s := reconcile.NewSession(set, newSalt(), max(low, from), high, limits)
	for answer := []byte(nil); !s.Done(); {
		end.Rest = s.Rest()
		differences, message, err := s.Step(answer)
		if errors.Is(err, reconcile.ErrMessage) {
			err = fmt.Errorf("%w: %w", ErrProtocol, err)
		}
		if err == nil && len(differences) > 0 {
			if err := found(Found{differences, end.Whole}); err != nil {
				return end, err
			}
		}
		if answer = nil; err == nil && message != nil {
			answer, end.Whole, err = c.converse(ctx, p, what, message)
		}
		if err != nil {
			end.Rest = s.Rest()
			return end, fmt.Errorf("reconcile with %s: %w", p, err)
		}
	}
	if end.Rest = s.Rest(); end.Rest >= high {
		end.Rest = reconcile.End
	}
	return end, nil
}

// Found is what came out so far.
type Found struct {
	Differences []reconcile.Difference
	Whole       int // as in [Reconciled]
}

// Reconciled tells how a reconciliation ended.
type Reconciled struct {
	// Rest is where the next call has to go on: [reconcile.End] when all has been
	// compared, less after an error, also one of found, or after
	// [protocol.MaxReconcileRounds].
	Rest reconcile.Bound
	// Whole is in bits: of what shares fewer with its place the peer said to be still
	// gathering what it lacks.
	Whole int
}

func newSalt() (s reconcile.Salt) {
	_, _ = rand.Read(s[:]) // which never fails
	return s
}

// converse sends one message of a session and returns the answer, and what the peer
// says to have gathered.
func (c *Client) converse(ctx context.Context, p peer.ID, what Common, message []byte) (answer []byte, whole int, err error) {
	m := &pb.Reconcile{Prefix: what.prefix(), Bits: uint32(what.Bits), Message: message}
	reply, err := c.reconcile(ctx, p, m, protocol.MaxReconcileAnswer+protocol.SmallReply)
	if err != nil {
		return nil, 0, err
	}
	if len(reply.GetAnswer()) == 0 || len(reply.GetRecords())+len(reply.GetEntries()) > 0 {
		return nil, 0, fmt.Errorf("%w: it answered something else", ErrProtocol)
	}
	return reply.GetAnswer(), int(reply.GetWhole()), nil
}

func (c *Client) reconcile(ctx context.Context, p peer.ID, m *pb.Reconcile, most int) (*pb.ReconcileReply, error) {
	replies, err := c.do(ctx, p, &pb.Request{Body: &pb.Request_Reconcile{Reconcile: m}}, most)
	if err != nil {
		return nil, err
	}
	reply := replies[0].GetReconcile()
	if reply == nil || len(replies) != 1 {
		return nil, fmt.Errorf("%w: it answered something else", ErrProtocol)
	}
	return reply, nil
}

// Collect asks p for the records that it said to have where we have none or
// another version, and returns them as puts to the places where they stand. Every
// record has passed the door, is a version of what was asked for, and fits its
// place at that coordinate. What p does not have, or no longer, is left out.
func (c *Client) Collect(ctx context.Context, p peer.ID, what Common, lacked []reconcile.Difference) ([]records.Put, error) {
	var puts []records.Put
	wants := standingsIn(lacked, func(d reconcile.Difference) records.ID { return d.Theirs })
	for len(wants) > 0 {
		n := oneRequest(wants)
		some, done, err := c.collect(ctx, p, what, wants[:n])
		if err != nil {
			return puts, fmt.Errorf("collect %d records from %s: %w", len(wants), p, err)
		}
		puts = append(puts, some...)
		wants = wants[done:]
	}
	return puts, nil
}

// Supply puts to p the records that differences show it to lack, as they stand in
// from, and returns one result for each put. It comes after [Client.Collect] where
// both sides have a version: what p has already is not sent, and what is no longer
// here is left out.
func (c *Client) Supply(ctx context.Context, p peer.ID, from Holdings, lacked []reconcile.Difference) ([]Result, error) {
	has := make(map[records.ID]bool, len(lacked))
	for _, d := range lacked {
		has[d.Theirs] = true
	}
	var results []Result
	var puts []records.Put
	send := func() error {
		some, err := c.Put(ctx, p, puts)
		results, puts = append(results, some...), puts[:0]
		return err
	}
	for _, s := range standingsIn(lacked, func(d reconcile.Difference) records.ID { return d.Ours }) {
		standing, err := from.Standing(s.key, s.at)
		if err != nil || has[standing[0].Record.ID()] {
			continue
		}
		if puts = append(puts, standing...); len(puts) >= protocol.MaxPutEntries/2 {
			if err := send(); err != nil {
				return results, err
			}
		}
	}
	if len(puts) == 0 {
		return results, nil
	}
	err := send()
	return results, err
}

// standingsIn are the things of which one side has a version, as side tells it,
// each with the coordinates where.
func standingsIn(differences []reconcile.Difference, side func(reconcile.Difference) records.ID) []*standing {
	var out []*standing
	index := map[records.ItemKey]*standing{}
	for _, d := range differences {
		if side(d) == (records.ID{}) {
			continue
		}
		s := index[d.Key]
		if s == nil || len(s.at) == protocol.MaxPutEntries {
			s = &standing{key: d.Key}
			index[d.Key] = s
			out = append(out, s)
		}
		s.at = append(s.at, d.At)
	}
	return out
}

// oneRequest is how many of these wants go into one request.
func oneRequest(wants []*standing) int {
	places := 0
	for i, w := range wants {
		if places += len(w.at); places > protocol.MaxPutEntries || i == protocol.MaxPutRecords {
			return i
		}
	}
	return len(wants)
}

// collect asks for these and returns what came and how many it was about.
func (c *Client) collect(ctx context.Context, p peer.ID, what Common, wants []*standing) (puts []records.Put, done int, err error) {
	m := &pb.Reconcile{Prefix: what.prefix(), Bits: uint32(what.Bits)}
	for _, w := range wants {
		s := &pb.Standing{Key: w.key[:]}
		for i := range w.at {
			s.Coordinates = append(s.Coordinates, w.at[i][:])
		}
		m.Wants = append(m.Wants, s)
	}
	reply, err := c.reconcile(ctx, p, m, protocol.MaxReply)
	if err != nil {
		return nil, 0, err
	}
	left := int(reply.GetLeft())
	if len(reply.GetAnswer()) > 0 || left >= len(wants) {
		return nil, 0, fmt.Errorf("%w: it left %d of %d wants, or answered something else", ErrProtocol, left, len(wants))
	}
	puts, err = c.checker().standings(wants, reply)
	return puts, len(wants) - left, err
}

// standings are the puts that a peer handed over. A record that is ahead of our
// clock is left out: the peer's may be right.
func (c checker) standings(wants []*standing, m *pb.ReconcileReply) ([]records.Put, error) {
	type element struct {
		key records.ItemKey
		at  records.Coordinate
	}
	wanted := map[element]bool{}
	for _, w := range wants {
		for _, at := range w.at {
			wanted[element{w.key, at}] = true
		}
	}
	if len(m.GetRecords()) > len(wants) || len(m.GetEntries()) > len(wanted) {
		return nil, violation("%d records at %d places for %d wants at %d", len(m.GetRecords()), len(m.GetEntries()), len(wants), len(wanted))
	}
	opened, errs := c.open(m.GetRecords())
	puts := make([]records.Put, 0, len(m.GetEntries()))
	for _, e := range m.GetEntries() {
		r, err := pick(e.GetRecord(), opened, errs)
		if errors.Is(err, records.ErrFuture) {
			continue
		}
		if err != nil {
			return nil, violation("hand over: %w", err)
		}
		place, err := records.ParsePlace(e.GetPlace())
		if err == nil {
			err = records.Fits(r, place)
		}
		if err != nil {
			return nil, violation("hand over %s: %w", r.ItemKey(), err)
		}
		is := element{r.ItemKey(), place.Coordinate()}
		if !wanted[is] {
			return nil, violation("hand over %s at %s, which was not asked for, or twice", r.ItemKey(), place)
		}
		delete(wanted, is)
		puts = append(puts, records.Put{Place: place, Record: r})
	}
	return puts, nil
}
