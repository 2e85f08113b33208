package exchange_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/record"
	ma "github.com/multiformats/go-multiaddr"
	"google.golang.org/protobuf/proto"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/protocol/pb"
	"github.com/starling-social/starling/records"
)

func addrs(tb testing.TB, n int) (out []ma.Multiaddr) {
	tb.Helper()
	for i := range n {
		a, err := ma.NewMultiaddr(fmt.Sprintf("/ip4/192.0.2.%d/udp/4001/quic-v1", i+1))
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, a)
	}
	return out
}

// nameOf is the name of host i, with one address.
func nameOf(tb testing.TB, i int) []byte {
	tb.Helper()
	name, err := exchange.SealCopy(hostKey(tb, i), addrs(tb, 1))
	if err != nil {
		tb.Fatal(err)
	}
	return name
}

func offerRequest(id uint64, name []byte, places ...records.Place) *pb.Request {
	m := &pb.Offer{PeerRecord: name}
	for _, p := range places {
		m.Places = append(m.Places, p.Bytes())
	}
	return &pb.Request{Id: id, Body: &pb.Request_Offer{Offer: m}}
}

// heat has so many hosts, from the second, ask host 0 for a bucket, and returns
// what the last was told.
func (w *world) heat(t *testing.T, n int, q records.Query) (last exchange.Answer) {
	t.Helper()
	for i := range n {
		c := exchange.NewClient(exchange.ClientConfig{Host: w.hosts[1+i], Door: newDoor(t)})
		answers, err := c.Fetch(t.Context(), w.id(0), []records.Query{q})
		if err != nil || answers[0].Err != nil {
			t.Fatal(err, answers)
		}
		c.Close()
		last = answers[0]
	}
	return last
}

const crowd = protocol.HotReaders * 3 / 2 // a few hash alike

// Those who read a hot place are told so and, with its records, which nodes keep
// copies: by their own signed addresses, for as long as they were promised.
func TestOffer_namedToReaders(t *testing.T) {
	inBubble(t, 2+crowd, func(t *testing.T, w *world) {
		store := newMemory(t)
		s, _ := w.serve(t, 0, store, region{})
		r := post(t, 1, 1)
		keeper := w.client(t, crowd+1)
		mustPut(t, keeper, w.id(0), records.Put{Place: month(r), Record: r})
		full := newest(month(r), 64)
		mark := full
		mark.Print = true
		empty := newest(records.TagPlace("nothing"), 64)
		if a := w.heat(t, crowd, mark); !a.Hot || len(a.Copies) != 0 {
			t.Errorf("read by many: hot is %t, %d copies", a.Hot, len(a.Copies))
		}
		if a := w.heat(t, crowd, empty); a.Hot {
			t.Error("a place with nothing in it is hot")
		}
		leases, err := keeper.Offer(t.Context(), w.id(0), nameOf(t, crowd+1), []records.Place{month(r), empty.Place})
		if err != nil || leases[0] != protocol.CopyLease || leases[1] != 0 {
			t.Fatalf("offered: %v, %v", leases, err)
		}
		if got := s.Warm(); got != (exchange.Warm{Hot: 1, Copies: 1}) {
			t.Errorf("warm: %+v", got)
		}
		a := w.heat(t, 1, full)
		if !a.Hot || len(a.Copies) != 1 {
			t.Fatalf("told after the offer: hot is %t, %d copies", a.Hot, len(a.Copies))
		}
		if named, err := exchange.OpenCopy(net(t), a.Copies[0]); err != nil || named.ID != w.id(crowd+1) || !slices.EqualFunc(named.Addrs, addrs(t, 1), ma.Multiaddr.Equal) {
			t.Errorf("named: %v, %v", named, err)
		}
		if a := w.heat(t, 1, mark); !a.Hot || len(a.Copies) != 0 {
			t.Error("a fingerprint came with copies")
		}
		answers, err := keeper.Fetch(t.Context(), w.id(0), []records.Query{full})
		if err != nil || len(answers[0].Copies) != 0 {
			t.Errorf("the one who keeps it is told of itself: %v", err)
		}
		elapse(protocol.CopyLease)
		if a := w.heat(t, crowd, full); !a.Hot || len(a.Copies) != 0 {
			t.Errorf("after the lease: hot is %t, %d copies", a.Hot, len(a.Copies))
		}
	})
}

// Only members know who reads a place, and only they say that it is hot.
func TestOffer_membersOnly(t *testing.T) {
	inBubble(t, 1+crowd, func(t *testing.T, w *world) {
		r := post(t, 1, 1)
		store := newMemory(t)
		if _, err := store.Merge(t.Context(), []records.Put{{Place: month(r), Record: r}}); err != nil {
			t.Fatal(err)
		}
		far := month(r).Coordinate()
		far[0] ^= 0x80
		w.serve(t, 0, store, region{bits: 3, of: far})
		if a := w.heat(t, crowd, newest(month(r), 64)); a.Hot || len(a.Bucket.Records) != 1 {
			t.Errorf("hot is %t, %d records", a.Hot, len(a.Bucket.Records))
		}
	})
}

// An offer that is not the sender's own, or too large, is refused whole.
func TestOffer_refusals(t *testing.T) {
	p := records.TagPlace("cats")
	many := make([]records.Place, protocol.MaxOfferPlaces+1)
	for i := range many {
		many[i] = tagPlace(i)
	}
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.serve(t, 1, newMemory(t), region{})
		c := w.client(t, 0)
		for _, bad := range []struct {
			name   string
			record []byte
			places []records.Place
			code   exchange.Code
		}{
			{"another's name", nameOf(t, 2), []records.Place{p}, exchange.Malformed},
			{"no name", nil, []records.Place{p}, exchange.Malformed},
			{"no places", nameOf(t, 0), nil, exchange.TooLarge},
			{"many places", nameOf(t, 0), many, exchange.TooLarge},
			{"no place", nameOf(t, 0), []records.Place{{}}, exchange.Malformed},
		} {
			_, err := c.Offer(t.Context(), w.id(1), bad.record, bad.places)
			var refused *exchange.Refusal
			if !errors.As(err, &refused) || refused.Code != bad.code {
				t.Errorf("%s: %v, want %s", bad.name, err, bad.code)
			}
		}
		if leases, err := c.Offer(t.Context(), w.id(1), nameOf(t, 0), many[1:]); err != nil || len(leases) != len(many)-1 {
			t.Errorf("as many as there may be: %d, %v", len(leases), err)
		}
	})
}

// A member that answers an offer with what cannot be is to blame, and a lease
// without end is not believed.
func TestOffer_hostileAnswers(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer []uint32
		want   []time.Duration
	}{
		{"as it should be", []uint32{120, 0}, []time.Duration{2 * time.Minute, 0}},
		{"for ever", []uint32{1 << 31, 1}, []time.Duration{time.Hour, time.Second}},
		{"too few", []uint32{120}, nil},
		{"too many", []uint32{120, 120, 120}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, 2, func(t *testing.T, w *world) {
				w.script(t, 1, func(r *raw) {
					m := r.request()
					r.sendFrame(&pb.Reply{Id: m.GetId(), Body: &pb.Reply_Offer{Offer: &pb.OfferReply{Seconds: c.answer}}})
					r.drain()
				})
				got, err := w.client(t, 0).Offer(t.Context(), w.id(1), nameOf(t, 0), []records.Place{tagPlace(1), tagPlace(2)})
				if !slices.Equal(got, c.want) || (c.want == nil) != errors.Is(err, exchange.ErrProtocol) {
					t.Errorf("got %v, %v", got, err)
				}
			})
		})
	}
}

// However many and large the records of a hot place, who keeps copies is named
// only where there is room, and a frame is no larger than it may be.
func TestOffer_roomInAnswers(t *testing.T) {
	inBubble(t, 1+crowd+protocol.MaxCopies, func(t *testing.T, w *world) {
		store := newMemory(t)
		w.serve(t, 0, store, region{})
		r := largePosts(t, 1, 64)
		var puts []records.Put
		for _, r := range r {
			puts = append(puts, records.Put{Place: month(r), Record: r})
		}
		if _, err := store.Merge(t.Context(), puts); err != nil {
			t.Fatal(err)
		}
		q := newest(month(r[0]), 64)
		w.heat(t, crowd, q)
		long, err := exchange.SealCopy(hostKey(t, 1), addrs(t, 100))
		if err != nil || len(long) > protocol.MaxCopyBytes {
			t.Fatalf("name of %d bytes, %v", len(long), err)
		}
		taken := 0
		for i := range protocol.MaxCopies {
			leases, err := w.client(t, 1+crowd+i).Offer(t.Context(), w.id(0), nameOf(t, 1+crowd+i), []records.Place{q.Place})
			if err != nil {
				t.Fatal(err)
			}
			if leases[0] > 0 {
				taken++
			}
		}
		if taken < protocol.MaxCopiesNamed {
			t.Fatalf("%d offers taken", taken)
		}
		queries := make([]records.Query, 12)
		for i := range queries {
			queries[i] = q
		}
		answers, err := w.client(t, 1).Fetch(t.Context(), w.id(0), queries)
		if err != nil {
			t.Fatal(err)
		}
		for i, a := range answers {
			if a.Err != nil || len(a.Bucket.Records) != 64 || len(a.Copies) > protocol.MaxCopiesNamed {
				t.Errorf("answer %d: %d records, %d copies, %v", i, len(a.Bucket.Records), len(a.Copies), a.Err)
			}
		}
		if len(answers[0].Copies) != protocol.MaxCopiesNamed {
			t.Errorf("%d copies named", len(answers[0].Copies))
		}
	})
}

// Copies that a member may not name spoil their bucket and no other.
func TestFetch_hostileCopies(t *testing.T) {
	name := nameOf(t, 3)
	for _, c := range []struct {
		name   string
		bucket *pb.Bucket
		good   bool
	}{
		{"as it should be", &pb.Bucket{Hot: true, Copies: [][]byte{name, name}}, true},
		{"of no meaning", &pb.Bucket{Hot: true, Copies: [][]byte{{1, 2, 3}}}, true}, // found out by who opens it
		{"too many", &pb.Bucket{Hot: true, Copies: slices.Repeat([][]byte{name}, protocol.MaxCopiesNamed+1)}, false},
		{"too long", &pb.Bucket{Hot: true, Copies: [][]byte{make([]byte, protocol.MaxCopyBytes+1)}}, false},
		{"of what is not hot", &pb.Bucket{Copies: [][]byte{name}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, 2, func(t *testing.T, w *world) {
				w.playFetch(t, 1, c.bucket, &pb.Bucket{})
				answers, err := w.client(t, 0).Fetch(t.Context(), w.id(1), []records.Query{newest(tagPlace(1), 64), newest(tagPlace(2), 64)})
				if err != nil {
					t.Fatal(err)
				}
				if got := answers[0]; (got.Err == nil) != c.good || !c.good && (!errors.Is(got.Err, exchange.ErrProtocol) || got.Hot || got.Copies != nil) {
					t.Errorf("got %+v", got)
				}
				if answers[1].Err != nil {
					t.Errorf("the bucket beside it: %v", answers[1].Err)
				}
			})
		})
	}
}

// A name is one node's own, of that network, and no longer than it may be.
func TestOpenCopy_refusals(t *testing.T) {
	hard, err := records.NewNetwork("hard", records.Params{PuzzleBits: 12, Neighbourhood: 4, Capacity: 64})
	if err != nil {
		t.Fatal(err)
	}
	sealed := func(signer int, of peer.AddrInfo) []byte {
		envelope, err := record.Seal(peer.PeerRecordFromAddrInfo(of), hostKey(t, signer))
		if err != nil {
			t.Fatal(err)
		}
		b, err := envelope.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	good := nameOf(t, 1)
	forged := slices.Clone(good)
	forged[len(forged)-1] ^= 1
	for _, c := range []struct {
		name string
		in   records.Network
		b    []byte
		good bool
	}{
		{"as it should be", net(t), good, true},
		{"forged", net(t), forged, false},
		{"signed by another", net(t), sealed(2, peer.AddrInfo{ID: peerID(t, 1), Addrs: addrs(t, 1)}), false},
		{"no address", net(t), sealed(1, peer.AddrInfo{ID: peerID(t, 1)}), false},
		{"many addresses", net(t), sealed(1, peer.AddrInfo{ID: peerID(t, 1), Addrs: addrs(t, protocol.MaxCopyAddrs+1)}), false},
		{"too long", net(t), append(slices.Clone(good), make([]byte, protocol.MaxCopyBytes)...), false},
		{"no node", hard, good, false},
	} {
		if got, err := exchange.OpenCopy(c.in, c.b); (err == nil) != c.good || c.good && got.ID != peerID(t, 1) {
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
	}
	if name, err := exchange.SealCopy(hostKey(t, 1), nil); err == nil {
		t.Errorf("without addresses: %x", name)
	}
}

// Whatever bytes name a copy, they name a node that signed them, or nobody.
func FuzzOpenCopy(f *testing.F) {
	f.Add(nameOf(f, 1))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := exchange.OpenCopy(net(t), b)
		if err == nil && (!protocol.Solves(net(t), got.ID) || len(got.Addrs) == 0 || len(got.Addrs) > protocol.MaxCopyAddrs || len(b) > protocol.MaxCopyBytes) {
			t.Fatalf("%v of %d bytes", got, len(b))
		}
	})
}

// Whatever a member answers to an offer, it is to blame or its leases can be.
func FuzzOfferReply(f *testing.F) {
	good := &pb.Reply{Id: 1, Body: &pb.Reply_Offer{Offer: &pb.OfferReply{Seconds: []uint32{120, 0}}}}
	f.Add(mustFrame(f, good))
	short := proto.CloneOf(good)
	short.GetOffer().Seconds = nil
	f.Add(mustFrame(f, short))
	name := nameOf(f, 0)
	f.Fuzz(func(t *testing.T, sent []byte) {
		leases, err := answerWith(t, sent, func(c *exchange.Client, w *world) ([]time.Duration, error) {
			return c.Offer(context.Background(), w.id(1), name, []records.Place{tagPlace(1), tagPlace(2)})
		})
		if err != nil {
			mustBlame(t, err)
			return
		}
		for _, l := range leases {
			if len(leases) != 2 || l < 0 || l > time.Hour {
				t.Fatalf("leases %v", leases)
			}
		}
	})
}
