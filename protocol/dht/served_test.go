package dht_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
	"testing"
	"time"

	kadpb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"github.com/starling-social/starling/protocol/dht"
	"github.com/starling-social/starling/records"
)

// Every kind of question is answered on the wire, as any client of kad-dht expects it.
func TestServed_answers(t *testing.T) {
	inBubble(t, records.Params{Neighbourhood: 4}, func(t *testing.T, n *testNet) {
		kept := &locker{}
		taker := n.taker(kept)
		named := n.add(through(taker)).host
		n.eventually(time.Minute, n.settled)
		s := n.stream(n.stranger(1000), taker)
		defer func() { _ = s.Reset() }()
		if m := reply(t, s, pingMessage(t)); m.GetType() != kadpb.Message_PING {
			t.Errorf("a ping is answered with %s", m.GetType())
		}
		m := reply(t, s, findMessage(t, kadpb.Message_FIND_NODE, string(named.ID())))
		at := slices.IndexFunc(m.GetCloserPeers(), func(p *kadpb.Message_Peer) bool { return peer.ID(p.GetId()) == named.ID() })
		if at < 0 || len(m.GetCloserPeers()[at].GetAddrs()) == 0 {
			t.Errorf("asked for a node that it knows it names %d, that one with its address not", len(m.GetCloserPeers()))
		}
		key, value := n.profile(holder(0), time.Now(), []byte("x"))
		if m := reply(t, s, findMessage(t, kadpb.Message_GET_VALUE, key)); len(m.GetRecord().GetValue()) != 0 || len(m.GetCloserPeers()) == 0 {
			t.Errorf("where nothing stands: %d bytes, and %d nodes that may know", len(m.GetRecord().GetValue()), len(m.GetCloserPeers()))
		}
		if m := reply(t, s, putMessage(key, value)); string(m.GetKey()) != key || !bytes.Equal(m.GetRecord().GetValue(), value) || kept.held() != 1 {
			t.Errorf("a put is answered with %d bytes under %q, %d are kept", len(m.GetRecord().GetValue()), m.GetKey(), kept.held())
		}
		if m := reply(t, s, findMessage(t, kadpb.Message_GET_VALUE, key)); !bytes.Equal(m.GetRecord().GetValue(), value) {
			t.Errorf("what was put is answered with %d bytes", len(m.GetRecord().GetValue()))
		}
	})
}

// What a node does for others is counted, by kind; what is no question is not.
func TestServed_counts(t *testing.T) {
	inBubble(t, records.Params{Neighbourhood: 4}, func(t *testing.T, n *testNet) {
		taker := n.taker(&locker{}) // alone, so that nobody else asks
		stranger := n.stranger(1000)
		s := n.stream(stranger, taker)
		key, value := n.profile(holder(0), time.Now(), []byte("x"))
		for range 200 {
			reply(t, s, findMessage(t, kadpb.Message_FIND_NODE, string(stranger.ID())))
		}
		for range 3 {
			reply(t, s, pingMessage(t))
		}
		for range 2 {
			reply(t, s, putMessage(key, value))
		}
		reply(t, s, findMessage(t, kadpb.Message_GET_VALUE, key))
		n.ask(stranger, taker, []byte("\xff\xff"))
		n.ask(stranger, taker, findMessage(t, kadpb.Message_GET_PROVIDERS, key)) // nobody answers that here
		if got, want := taker.Status().Served, (dht.Served{Pings: 3, Finds: 200, Gets: 1, Puts: 2}); got != want {
			t.Errorf("counted %+v, want %+v", got, want)
		}
	})
}

func findMessage(t testing.TB, kind kadpb.Message_MessageType, key string) []byte {
	t.Helper()
	m, err := proto.Marshal(kadpb.NewMessage(kind, []byte(key), 0))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// reply is what is answered to a message.
func reply(t testing.TB, s network.Stream, message []byte) *kadpb.Message {
	t.Helper()
	if _, err := s.Write(append(binary.AppendUvarint(nil, uint64(len(message))), message...)); err != nil {
		t.Fatal(err)
	}
	size, err := binary.ReadUvarint(byteReader{s})
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(s, b); err != nil {
		t.Fatal(err)
	}
	m := new(kadpb.Message)
	if err := proto.Unmarshal(b, m); err != nil {
		t.Fatal(err)
	}
	return m
}
