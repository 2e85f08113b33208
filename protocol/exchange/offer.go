package exchange

import (
	"context"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/pb"
	"github.com/starling-social/starling/records"
)

// Offer tells p, a member of places that it said are hot, that this node keeps
// copies of them, at most [protocol.MaxOfferPlaces]; name is what [SealCopy] made
// for it. It returns for each place how long p will name this node to those who
// read there, 0 when it will not. A node that does not solve the network's puzzle
// is refused.
func (c *Client) Offer(ctx context.Context, p peer.ID, name []byte, places []records.Place) ([]time.Duration, error) {
	m := &pb.Offer{PeerRecord: name}
	for _, place := range places {
		m.Places = append(m.Places, place.Bytes())
	}
	replies, err := c.do(ctx, p, &pb.Request{Body: &pb.Request_Offer{Offer: m}}, protocol.SmallReply)
	if err != nil {
		return nil, fmt.Errorf("offer %d copies to %s: %w", len(places), p, err)
	}
	seconds := replies[0].GetOffer().GetSeconds()
	if len(replies) != 1 || len(seconds) != len(places) {
		return nil, fmt.Errorf("offer %d copies to %s: %w: it answered for %d", len(places), p, ErrProtocol, len(seconds))
	}
	leases := make([]time.Duration, len(places))
	for i, s := range seconds {
		leases[i] = min(time.Duration(s)*time.Second, longestLease)
	}
	return leases, nil
}

// longestLease is the most that is believed of one.
const longestLease = time.Hour

// offer notes what a node offers copies of.
func (x *session) offer(ctx context.Context, id uint64, m *pb.Offer) error {
	if n := len(m.GetPlaces()); n == 0 || n > protocol.MaxOfferPlaces {
		return x.refuse(ctx, id, &Refusal{TooLarge, fmt.Sprintf("%d places, at most %d and at least one", n, protocol.MaxOfferPlaces)})
	}
	named, err := OpenCopy(x.cfg.Door.Network(), m.GetPeerRecord())
	switch {
	case err != nil:
		return x.refuse(ctx, id, &Refusal{Malformed, err.Error()})
	case named.ID != x.peer():
		return x.refuse(ctx, id, &Refusal{Malformed, "peer record of another node"})
	}
	places := make([]records.Place, len(m.GetPlaces()))
	for i, b := range m.GetPlaces() {
		if places[i], err = records.ParsePlace(b); err != nil {
			return x.refuse(ctx, id, refuse(err))
		}
	}
	out := &pb.OfferReply{}
	for _, lease := range x.heat.offer(x.peer(), m.GetPeerRecord(), places, time.Now()) {
		out.Seconds = append(out.Seconds, uint32(lease/time.Second))
	}
	return x.reply(ctx, &pb.Reply{Id: id, Body: &pb.Reply_Offer{Offer: out}})
}

// Warm is what the server has to do with hot places.
func (s *Server) Warm() Warm { return s.heat.warm(time.Now()) }

// Member tells whether the server takes puts at places of a coordinate: whether
// it lies in its region, or would if neighbours were a bit less sure of theirs.
func (s *Server) Member(c records.Coordinate) bool { return s.member(c) }

// heated counts the reading of a bucket, and says in the answer whether the place
// is hot and, of one with records, who keeps copies. Only of places that this node
// is a member of, and that hold something: those alone can be worth a copy.
func (x *session) heated(q records.Query, b *pb.Bucket, left int) {
	empty := b.GetCount() == 0 && len(b.GetWitnesses()) == 0 && b.GetFingerprint() == nil
	if empty || !x.member(q.Place.Coordinate()) {
		return
	}
	now := time.Now()
	if b.Hot = x.heat.read(q.Place, x.peer(), now); !b.Hot || q.Print {
		return
	}
	for _, name := range x.heat.named(q.Place, x.peer(), now) {
		if left -= len(name) + recordOverhead; left >= 0 {
			b.Copies = append(b.Copies, name)
		}
	}
}

// checkCopies tells whether so many, and so large ones, may be named.
func checkCopies(m *pb.Bucket) error {
	if n := len(m.GetCopies()); n > protocol.MaxCopiesNamed || n > 0 && !m.GetHot() {
		return violation("%d copies, at most %d and of what is hot", n, protocol.MaxCopiesNamed)
	}
	for _, c := range m.GetCopies() {
		if len(c) > protocol.MaxCopyBytes {
			return violation("copy named with %d bytes, at most %d", len(c), protocol.MaxCopyBytes)
		}
	}
	return nil
}
