package dht_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"sync"
	"testing"
	"time"

	kadpb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/dht"
	"github.com/starling-social/starling/records"
)

// A locker is a shelf for a running node.
type locker struct {
	mu sync.Mutex // protects shelf
	shelf
}

func (l *locker) Register(ctx context.Context, p records.Place) (*records.Record, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shelf.Register(ctx, p)
}

func (l *locker) Keep(ctx context.Context, put records.Put) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shelf.Keep(ctx, put)
}

func (l *locker) held() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.kept)
}

// taker is a node that takes values.
func (n *testNet) taker(l *locker) *testNode {
	return n.add(func(c *dht.Config) { c.Registers, c.Door = l, records.NewDoor(n.net, 256) })
}

// stranger is a host that is no node.
func (n *testNet) stranger(number int) host.Host {
	n.Helper()
	h, err := n.links.Host(number, keyOf(n, number))
	if err != nil {
		n.Fatal(err)
	}
	n.Cleanup(func() {
		if err := h.Close(); err != nil {
			n.Error(err)
		}
	})
	return h
}

// stream is one of kad-dht's to a node.
func (n *testNet) stream(from host.Host, to *testNode) network.Stream {
	n.Helper()
	from.Peerstore().AddAddrs(to.host.ID(), to.host.Addrs(), time.Hour)
	s, err := from.NewStream(n.Context(), to.host.ID(), protocol.KadPrefix(n.net)+"/kad/1.0.0")
	if err != nil {
		n.Fatal(err)
	}
	return s
}

// ask sends a message on a stream of its own and tells whether it is answered.
func (n *testNet) ask(from host.Host, to *testNode, message []byte) bool {
	s := n.stream(from, to)
	defer func() { _ = s.Reset() }()
	return answered(s, message)
}

func answered(s network.Stream, message []byte) bool {
	if _, err := s.Write(append(binary.AppendUvarint(nil, uint64(len(message))), message...)); err != nil {
		return false
	}
	n, err := binary.ReadUvarint(byteReader{s})
	if err != nil {
		return false
	}
	_, err = io.ReadFull(s, make([]byte, n))
	return err == nil
}

type byteReader struct{ io.Reader }

func (r byteReader) ReadByte() (byte, error) {
	var b [1]byte
	_, err := io.ReadFull(r, b[:])
	return b[0], err
}

func pingMessage(t testing.TB) []byte {
	t.Helper()
	m, err := proto.Marshal(kadpb.NewMessage(kadpb.Message_PING, nil, 0))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// putMessage is PUT_VALUE, as kad-dht writes it.
func putMessage(key string, value []byte) []byte {
	record := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), key)
	record = protowire.AppendBytes(protowire.AppendTag(record, 2, protowire.BytesType), value)
	m := protowire.AppendString(protowire.AppendTag(nil, 2, protowire.BytesType), key)
	return protowire.AppendBytes(protowire.AppendTag(m, 3, protowire.BytesType), record)
}

// profile is a version of somebody's, signed now or at another time.
func (n *testNet) profile(owner records.Key, at time.Time, body []byte) (key string, value []byte) {
	n.Helper()
	id := records.RegisterID{User: owner.User(), Name: records.Profile}
	r, err := records.Seal(n.Context(), n.net, records.AuthorSigner(owner), records.Draft{
		Head: records.RegisterHead{Name: id.Name}, Created: records.MillisOf(at), Rev: records.RevAt(records.MillisOf(at)), Body: body,
	})
	if err != nil {
		n.Fatal(err)
	}
	return id.Key(), r.Bytes()
}

// Who puts values that no honest node does is let in for so many and then for nothing
// at all, until the window has passed, and loses its good name; who is merely mistaken,
// however often, does not, and nor does anybody else.
func TestGate_offences(t *testing.T) {
	inBubble(t, records.Params{Neighbourhood: 4}, func(t *testing.T, n *testNet) {
		kept := &locker{}
		taker := n.taker(kept)
		offender, mistaken := n.stranger(1000), n.stranger(1001)
		key, value := n.profile(holder(0), time.Now(), []byte("x"))
		_, ahead := n.profile(holder(0), time.Now().Add(time.Hour), []byte("x"))
		another, _ := n.profile(holder(1), time.Now(), []byte("x"))
		for range protocol.MaxOffences {
			if n.ask(mistaken, taker, putMessage(key, ahead)) || n.ask(mistaken, taker, putMessage(another, value)) {
				t.Fatal("a mistake was taken")
			}
		}
		damaged := bytes.Clone(value)
		damaged[len(damaged)-1] ^= 1
		for i := range protocol.MaxOffences + 1 {
			if !n.ask(offender, taker, pingMessage(t)) {
				t.Fatalf("shut out after %d offences", i)
			}
			if n.ask(offender, taker, putMessage(key, damaged)) {
				t.Fatal("a broken record was taken")
			}
		}
		if n.ask(offender, taker, pingMessage(t)) || n.ask(offender, taker, putMessage(key, value)) {
			t.Error("the offender is let in")
		}
		if !taker.Banned(offender.ID()) || taker.Honesty(mistaken.ID()) < dht.Neutral {
			t.Errorf("the offender is banned: %v; honesty of the mistaken %.2f", taker.Banned(offender.ID()), taker.Honesty(mistaken.ID()))
		}
		if got := taker.Status().ValuesRefused; got != 3*protocol.MaxOffences+1 {
			t.Errorf("%d refused, want %d", got, 3*protocol.MaxOffences+1)
		}
		if kept.held() != 0 {
			t.Errorf("%d kept", kept.held())
		}
		if !n.ask(mistaken, taker, putMessage(key, value)) || kept.held() != 1 {
			t.Errorf("the mistaken may not put; %d kept", kept.held())
		}
		pass(protocol.OffenceWindow + time.Second)
		if !n.ask(offender, taker, pingMessage(t)) {
			t.Error("the offender is not let in after the window")
		}
	})
}

// Who offends on one stream that stays open is cut off on it too: also when the library
// would go on.
func TestGate_openStreams(t *testing.T) {
	inBubble(t, records.Params{Neighbourhood: 4}, func(t *testing.T, n *testNet) {
		taker := n.taker(&locker{})
		offender := n.stranger(1000)
		open := n.stream(offender, taker)
		if !answered(open, pingMessage(t)) {
			t.Fatal("not answered")
		}
		key, value := n.profile(holder(0), time.Now(), []byte("x"))
		for range protocol.MaxOffences + 1 {
			n.ask(offender, taker, putMessage(key, value[:len(value)-1]))
		}
		if answered(open, pingMessage(t)) {
			t.Error("a stream that was open before is still answered")
		}
	})
}

// A stream carries one question after the other, and between them nothing of the library
// waits; one that is quiet for longer than a minute is ended.
func TestGate_quietStreams(t *testing.T) {
	inBubble(t, records.Params{Neighbourhood: 4}, func(t *testing.T, n *testNet) {
		taker := n.taker(&locker{})
		s := n.stream(n.stranger(1000), taker)
		for range 3 {
			if !answered(s, pingMessage(t)) {
				t.Fatal("not answered")
			}
			pass(50 * time.Second)
			all := make([]byte, 1<<20)
			all = all[:runtime.Stack(all, true)]
			if bytes.Contains(all, []byte("handleNewMessage(")) || !bytes.Contains(all, []byte("dht.(*questions).serve(")) {
				t.Error("the library waits for questions")
			}
		}
		pass(time.Minute)
		if answered(s, pingMessage(t)) {
			t.Error("a stream that was quiet for long is still answered")
		}
	})
}

// What is larger than any question is not waited for, and what is as large as one may be
// is taken.
func TestGate_sizes(t *testing.T) {
	inBubble(t, records.Params{Neighbourhood: 4}, func(t *testing.T, n *testNet) {
		kept := &locker{}
		taker, stranger := n.taker(kept), n.stranger(1000)
		key, value := n.profile(holder(0), time.Now(), make([]byte, records.MaxRecord-300))
		if len(value) < records.MaxRecord-200 {
			t.Fatalf("the record has %d bytes: the test shows little", len(value))
		}
		if !n.ask(stranger, taker, putMessage(key, value)) || kept.held() != 1 {
			t.Errorf("a record of %d bytes is not taken", len(value))
		}
		s := n.stream(stranger, taker)
		began := time.Now()
		if _, err := s.Write(binary.AppendUvarint(nil, protocol.MaxKadRequest+1)); err != nil {
			t.Fatal(err)
		}
		_, err := s.Read(make([]byte, 1))
		if !errors.Is(err, network.ErrReset) || time.Since(began) > time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}

// One peer has so many streams open and no more, and others are answered none the less.
func TestGate_streams(t *testing.T) {
	inBubble(t, records.Params{Neighbourhood: 4}, func(t *testing.T, n *testNet) {
		taker, greedy, other := n.taker(&locker{}), n.stranger(1000), n.stranger(1001)
		var open []network.Stream
		for range 2 * protocol.MaxKadStreamsPer {
			if s := n.stream(greedy, taker); answered(s, pingMessage(t)) {
				open = append(open, s)
			}
		}
		if len(open) != protocol.MaxKadStreamsPer {
			t.Errorf("%d streams are open, want %d", len(open), protocol.MaxKadStreamsPer)
		}
		if !n.ask(other, taker, pingMessage(t)) {
			t.Error("another is not answered")
		}
		if err := open[0].Close(); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		if !n.ask(greedy, taker, pingMessage(t)) {
			t.Error("no room after a stream was closed")
		}
	})
}

// Whatever comes, and in whatever pieces it is read, the library reads the whole
// messages of it that were admitted, as they came, and then nothing.
func FuzzQuestions(f *testing.F) {
	var two bytes.Buffer
	for _, m := range []*kadpb.Message{kadpb.NewMessage(kadpb.Message_PING, nil, 0), kadpb.NewMessage(kadpb.Message_FIND_NODE, []byte("x"), 0)} {
		if _, err := protodelim.MarshalTo(&two, m); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(two.Bytes(), uint8(1))
	f.Add(two.Bytes()[:two.Len()-1], uint8(3))
	f.Add(binary.AppendUvarint(nil, protocol.MaxKadRequest+1), uint8(8))
	f.Add([]byte{0x80, 0x00, 1, 2}, uint8(2))
	f.Fuzz(func(t *testing.T, in []byte, piece uint8) {
		admitted := 0
		out, err := dht.Questions(&slow{bytes.NewReader(in), int(piece) + 1}, func(m []byte) error {
			if len(m) == 0 || len(m) > protocol.MaxKadRequest {
				t.Fatalf("a message of %d bytes", len(m))
			}
			if m[0] == 0xff {
				return errors.New("refused")
			}
			admitted += len(binary.AppendUvarint(nil, uint64(len(m)))) + len(m)
			return nil
		})
		if !bytes.Equal(out, in[:admitted]) {
			t.Fatalf("read %x of %x", out, in)
		}
		if err == nil && admitted != len(in) {
			t.Fatalf("the end after %d of %d bytes", admitted, len(in))
		}
	})
}

// slow gives a few bytes at a time.
type slow struct {
	io.Reader
	piece int
}

func (s *slow) Read(b []byte) (int, error) { return s.Reader.Read(b[:min(len(b), s.piece)]) }
