package gossip_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	pb "github.com/libp2p/go-libp2p-pubsub/pb"

	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
)

// What no honest node passes on is passed on by nobody, and costs who sent it its standing.
func TestGossip_refuses(t *testing.T) {
	for name, data := range map[string]func(w *world) []byte{
		"forged":         func(w *world) []byte { return spoil(w.post(w.members[0], "mine", birds)) },
		"misplaced":      func(w *world) []byte { return w.post(w.members[0], "elsewhere", stones).Bytes() },
		"without a tag":  func(w *world) []byte { return w.post(w.members[0], "nowhere").Bytes() },
		"future":         func(w *world) []byte { return w.postIn(records.MaxAhead + 90*time.Second) },
		"stale":          func(w *world) []byte { return w.postIn(-4 * time.Minute) },
		"empty":          func(*world) []byte { return nil },
		"too large":      func(*world) []byte { return make([]byte, records.MaxRecord+1) },
		"other network":  foreign,
		"not a post":     func(w *world) []byte { return w.follow().Bytes() },
		"trailing bytes": func(w *world) []byte { return append(w.post(w.members[0], "more", birds).Bytes(), 0) },
	} {
		t.Run(name, func(t *testing.T) {
			refuses(t, func(w *world) *pb.RPC { return w.publish(data(w), birds) })
		})
	}
}

// Nor does an honest node add what libp2p would sign with.
func TestGossip_refusesAuthors(t *testing.T) {
	for name, sign := range map[string]func(*pb.Message){
		"author":    func(m *pb.Message) { m.From = []byte("somebody") },
		"number":    func(m *pb.Message) { m.Seqno = []byte{1} },
		"signature": func(m *pb.Message) { m.Signature = []byte{1} },
		"key":       func(m *pb.Message) { m.Key = []byte{1} },
	} {
		t.Run(name, func(t *testing.T) {
			refuses(t, func(w *world) *pb.RPC {
				rpc := w.publish(w.post(w.members[0], "mine", birds).Bytes(), birds)
				sign(rpc.GetPublish()[0])
				return rpc
			})
		})
	}
}

// refuses has a stranger say something to one of three nodes.
func refuses(t *testing.T, what func(w *world) *pb.RPC) {
	t.Helper()
	inWorld(t, nodetest.LinksConfig{}, func(w *world) {
		w.relayed(only(3, birds))
		w.add(3)
		w.weave(1)
		ears := []*ear{w.listen(w.members[0], birds), w.listen(w.members[1], birds)}
		s := w.stranger(false)
		before := w.members[1].Stats()
		s.call(w.members[0]).say(what(w))
		elapse(exchangeTime)
		wantOnce(w, ears, nil)
		if got := w.members[0].Standing(s.host.ID()); got >= 0 {
			t.Errorf("standing of who sent it: %v", got)
		}
		if after := w.members[1].Stats(); after.Rejected != before.Rejected || after.Delivered != before.Delivered {
			t.Errorf("it was passed on: %+v", after)
		}
	})
}

// A record whose proof of work was damaged is refused for that, before anybody looks at its signature.
func TestGossip_refusesTooLittleWork(t *testing.T) {
	inWorld(t, nodetest.LinksConfig{}, func(w *world) {
		network, err := records.NewNetwork("costly", records.Params{WorkBits: 8, Neighbourhood: 4, Capacity: 64})
		w.must(err)
		w.network = network
		w.relayed(only(2, birds))
		w.add(2)
		w.weave(0)
		e := w.listen(w.members[1], birds)
		b := slices.Clone(w.post(w.members[0], "cheap", birds).Bytes())
		nonce := len(b) - 64 - 2 - 1 // before the signature and its header
		for _, err := records.Open(b, network, time.Now()); !errors.Is(err, records.ErrWork); _, err = records.Open(b, network, time.Now()) {
			b[nonce]++
		}
		s := w.stranger(false)
		s.call(w.members[0]).say(w.publish(b, birds))
		elapse(exchangeTime)
		wantOnce(w, []*ear{e}, nil)
		if got := w.members[0].Standing(s.host.ID()); got >= 0 {
			t.Errorf("standing of who sent it: %v", got)
		}
	})
}

// A peer that goes on sending forged posts is heard no more after four, also if it refuses our stream, for which pubsub
// itself gives no score at all.
func TestGossip_ignoresWhoForges(t *testing.T) {
	for _, mute := range []bool{false, true} {
		t.Run(fmt.Sprintf("mute=%v", mute), func(t *testing.T) {
			inWorld(t, nodetest.LinksConfig{}, func(w *world) {
				w.relayed(only(2, birds))
				w.add(2)
				w.weave(0)
				s := w.stranger(mute)
				l := s.call(w.members[0])
				for i := range 1000 {
					l.say(w.publish(spoil(w.post(w.members[0], fmt.Sprint(i), birds)), birds))
					if i < 10 {
						elapse(100 * time.Millisecond)
					}
				}
				elapse(exchangeTime)
				if n := w.members[0].Stats().Rejected; n > 4 {
					t.Errorf("%d forged posts were verified, want at most 4", n)
				}
			})
		})
	}
}

// spoil is a record with a damaged signature.
func spoil(r *records.Record) []byte {
	b := slices.Clone(r.Bytes())
	b[len(b)-1] ^= 1
	return b
}

// postIn is a post dated some time from now.
func (w *world) postIn(d time.Duration) []byte {
	return w.postAt(w.members[0], time.Now().Add(d), "not now", birds).Bytes()
}

func foreign(w *world) []byte {
	network, err := records.TestNetwork("other")
	w.must(err)
	here := w.network
	defer func() { w.network = here }()
	w.network = network
	return w.post(w.members[0], "abroad", birds).Bytes()
}

// follow is a record that is not a post.
func (w *world) follow() *records.Record {
	now := records.MillisOf(time.Now())
	r, err := records.Seal(w.Context(), w.network, records.AuthorSigner(w.members[0].author), records.Draft{
		Head: records.FollowHead{Followed: w.members[1].author.User()}, Created: now, Rev: records.RevAt(now), Body: []byte{},
	})
	w.must(err)
	return r
}
