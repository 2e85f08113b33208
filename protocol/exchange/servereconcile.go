package exchange

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/pb"
	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/records/reconcile"
)

// Holdings is what a server has to reconcile: the elements of its store, and the
// puts by which a record stands at some of these coordinates, an error if at none.
type Holdings interface {
	reconcile.Set
	Standing(key records.ItemKey, at []records.Coordinate) ([]records.Put, error)
}

// reconcileLimits bound messages and answers.
func reconcileLimits(bytes int) reconcile.Limits {
	return reconcile.Limits{Bytes: bytes, Items: protocol.MaxReconcileItems}
}

// reconcile answers a message of a peer's session, or hands over what it lacks by
// one. Nothing of it is remembered and nothing is stored: what is here and a peer
// lacks goes out, and what it has and is missing here comes by a put, through the
// door, like anything else.
func (x *session) reconcile(ctx context.Context, id uint64, m *pb.Reconcile) error {
	s, err := x.shared(m)
	if err != nil {
		return x.refuse(ctx, id, refuse(err))
	}
	if err := x.gate.begin(ctx, x.peer(), x.visitor); err != nil {
		return err
	}
	reply, cost, err := x.inTurn(ctx, func() (*pb.ReconcileReply, error) {
		if len(m.GetMessage()) == 0 {
			return x.handOver(m.GetWants(), s)
		}
		limits := reconcileLimits(protocol.MaxReconcileAnswer)
		began := time.Now()
		limits.Enough = func() bool { return time.Since(began) > protocol.MaxReconcileTime }
		answer, err := reconcile.Respond(x.cfg.Holdings, s.from, s.to, m.GetMessage(), limits)
		return &pb.ReconcileReply{Answer: answer}, err
	})
	defer func() { x.gate.end(x.peer(), x.visitor, cost, x.whole(), x.cfg.SpareRate) }()
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return x.refuse(ctx, id, x.reconcileRefusal(err))
	}
	reply.Whole = uint32(x.cfg.Status().Whole)
	cost.sent = len(reply.GetAnswer())
	for _, r := range reply.GetRecords() {
		cost.sent += len(r)
	}
	return x.sendInRoom(&pb.Reply{Id: id, Body: &pb.Reply_Reconcile{Reconcile: reply}})
}

// whole is what a peer may have had at full rate: as much as there is, and room for
// comparing what little that may be.
func (x *session) whole() int { return int(x.cfg.Status().Bytes) + protocol.ReconcileLeast }

// inTurn makes a reply when there is room for it and a turn. It has its room then,
// unless this fails: who does not take its replies keeps nobody else from a turn.
func (x *session) inTurn(ctx context.Context, work func() (*pb.ReconcileReply, error)) (reply *pb.ReconcileReply, c cost, err error) {
	if err := x.firstRoom(ctx); err != nil {
		return nil, c, err
	}
	if err = takeSoon(ctx, 1, x.gate.turns); err == nil {
		began := time.Now()
		reply, err = work()
		c.took = time.Since(began)
		giveBack(1, x.gate.turns)
	}
	if err != nil {
		giveBack(pageRoom, x.visitor.replies, x.gate.replies)
	}
	return reply, c, err
}

// reconcileRefusal is what a peer is told when it cannot be answered. What no
// honest node sends counts against it.
func (x *session) reconcileRefusal(err error) *Refusal {
	var r *Refusal
	switch {
	case errors.Is(err, errNoRoom):
		return &Refusal{Busy, "others are being answered"}
	case errors.Is(err, reconcile.ErrMessage):
		r = &Refusal{Malformed, err.Error()}
	case !errors.As(err, &r):
		x.cfg.Log.Error("reconcile with a peer", "peer_id", x.peer(), "err", err)
		return refuse(err)
	}
	if r.Code.offence() {
		x.cfg.Offended(x.peer())
		x.cfg.Offences.Count(x.peer(), 1)
	}
	return r
}

// A shared is the range of what both sides hold.
type shared struct{ from, to reconcile.Bound }

// shared reads what a request is about. Only what is held here for good may be
// compared: of anything else there is less than the peer thinks, which it would
// take for a loss.
func (x *session) shared(m *pb.Reconcile) (shared, error) {
	var prefix records.Coordinate
	bits := int(m.GetBits())
	n := copy(prefix[:], m.GetPrefix())
	from, to := reconcile.Under(prefix, bits)
	start := reconcile.BoundOf(reconcile.Element{At: prefix})
	switch {
	case x.cfg.Holdings == nil:
		return shared{}, &Refusal{Malformed, "nothing is reconciled here"}
	case !protocol.Solves(x.cfg.Door.Network(), x.peer()):
		return shared{}, &Refusal{NotAMember, "only nodes that solve the network's puzzle are reconciled with"}
	case bits > maxPrefix || len(m.GetPrefix()) > len(prefix) || n != (bits+7)/8 || from != start:
		return shared{}, &Refusal{Malformed, fmt.Sprintf("a prefix of %d bits in %d bytes", m.GetBits(), len(m.GetPrefix()))}
	case bits < x.cfg.Region.Prefix() || !x.cfg.Region.Holds(prefix):
		return shared{}, &Refusal{NotAMember, fmt.Sprintf("more is asked about than the %d bits held here", x.cfg.Region.Prefix())}
	case (len(m.GetMessage()) > 0) == (len(m.GetWants()) > 0):
		return shared{}, &Refusal{Malformed, "neither message nor wants, or both"}
	case len(m.GetMessage()) > protocol.MaxReconcileMessage:
		return shared{}, &Refusal{TooLarge, fmt.Sprintf("a message of %d bytes, at most %d", len(m.GetMessage()), protocol.MaxReconcileMessage)}
	}
	return shared{from, to}, nil
}

// handOverBytes is what records and entries of one reply may take.
const handOverBytes = protocol.MaxReply - 1<<10

// handOver is what is wanted and here, as far as there is room.
func (x *session) handOver(wants []*pb.Standing, s shared) (*pb.ReconcileReply, error) {
	asked, err := standingsOf(wants, s)
	if err != nil {
		return nil, err
	}
	reply := &pb.ReconcileReply{}
	size := 0
	for i, a := range asked {
		puts, err := x.cfg.Holdings.Standing(a.key, a.at)
		if err != nil { // it was here a moment ago, or is damaged; the store tells the owner
			x.cfg.Log.Debug("hand over a record", "peer_id", x.peer(), "key", a.key, "err", err)
			continue
		}
		n := len(puts[0].Record.Bytes()) + recordOverhead
		for _, p := range puts {
			n += len(p.Place.Bytes()) + entryOverhead
		}
		if size += n; size > handOverBytes {
			reply.Left = uint32(len(asked) - i)
			break
		}
		for _, p := range puts {
			reply.Entries = append(reply.Entries, &pb.PutEntry{Place: p.Place.Bytes(), Record: uint32(len(reply.GetRecords()))})
		}
		reply.Records = append(reply.Records, puts[0].Record.Bytes())
	}
	return reply, nil
}

// A standing is a thing and where it is said to stand.
type standing struct {
	key records.ItemKey
	at  []records.Coordinate
}

// standingsOf reads what a stranger wants.
func standingsOf(wants []*pb.Standing, s shared) ([]standing, error) {
	if len(wants) > protocol.MaxPutRecords {
		return nil, &Refusal{TooLarge, fmt.Sprintf("%d wants, at most %d", len(wants), protocol.MaxPutRecords)}
	}
	places := 0
	out := make([]standing, len(wants))
	for i, w := range wants {
		if places += len(w.GetCoordinates()); places > protocol.MaxPutEntries {
			return nil, &Refusal{TooLarge, fmt.Sprintf("more than %d places", protocol.MaxPutEntries)}
		}
		if len(w.GetKey()) != len(records.ItemKey{}) || len(w.GetCoordinates()) == 0 {
			return nil, &Refusal{Malformed, "a want without its key or without a coordinate"}
		}
		out[i].key = records.ItemKey(w.GetKey())
		for _, c := range w.GetCoordinates() {
			if len(c) != len(records.Coordinate{}) {
				return nil, &Refusal{Malformed, fmt.Sprintf("a coordinate of %d bytes", len(c))}
			}
			e := reconcile.Element{At: records.Coordinate(c)}
			if e.Before(s.from) || !e.Before(s.to) {
				return nil, &Refusal{Malformed, "a coordinate that is not under the prefix"}
			}
			out[i].at = append(out[i].at, e.At)
		}
	}
	return out, nil
}
