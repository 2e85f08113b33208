package gossip_test

import (
	"encoding/binary"
	"sync"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	core "github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-msgio"
	"google.golang.org/protobuf/proto"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/gossip"
	"github.com/starling-social/starling/records"
)

// stranger is a peer that says whatever a test wants, byte for byte.
type stranger struct {
	w    *world
	host host.Host

	mu    sync.Mutex // protects heard
	heard []*pb.RPC
}

// stranger adds a peer that listens; one that is mute refuses the streams of others.
func (w *world) stranger(mute bool) *stranger {
	w.Helper()
	s := &stranger{w: w, host: w.host()}
	if !mute {
		s.host.SetStreamHandler(gossip.ID(w.network), s.hear)
	}
	return s
}

func (s *stranger) hear(in network.Stream) {
	r := msgio.NewVarintReaderSize(in, 1<<20)
	for {
		msg, err := r.ReadMsg()
		if err != nil {
			_ = in.Reset()
			return
		}
		rpc := &pb.RPC{}
		s.w.must(proto.Unmarshal(msg, rpc))
		s.mu.Lock()
		s.heard = append(s.heard, rpc)
		s.mu.Unlock()
	}
}

// count adds up what f finds in everything heard.
func (s *stranger) count(f func(*pb.RPC) int) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rpc := range s.heard {
		n += f(rpc)
	}
	return n
}

func posts(rpc *pb.RPC) int  { return len(rpc.GetPublish()) }
func grafts(rpc *pb.RPC) int { return len(rpc.GetControl().GetGraft()) }
func wishes(rpc *pb.RPC) (n int) {
	for _, w := range rpc.GetControl().GetIwant() {
		n += len(w.GetMessageIDs())
	}
	return n
}

// line is a stream on which a stranger speaks to one member.
type line struct {
	s   *stranger
	out network.Stream
}

// call connects a stranger to a member and opens a line.
func (s *stranger) call(m *member) *line {
	s.w.Helper()
	s.w.connect(s.host, m.host)
	out, err := s.host.NewStream(s.w.Context(), m.host.ID(), gossip.ID(s.w.network))
	s.w.must(err)
	elapse(exchangeTime)
	return &line{s: s, out: out}
}

// say sends messages.
func (l *line) say(rpcs ...*pb.RPC) {
	l.s.w.Helper()
	l.s.w.must(l.try(rpcs...))
}

func (l *line) try(rpcs ...*pb.RPC) error {
	for _, rpc := range rpcs {
		body, err := proto.Marshal(rpc)
		if err != nil {
			return err
		}
		if _, err := l.out.Write(append(binary.AppendUvarint(nil, uint64(len(body))), body...)); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) topic(tag records.Tag) *string {
	return proto.String(protocol.Topic(w.network, protocol.ShardOf(tag)))
}

// publish is a message that carries data on the shard of a tag.
func (w *world) publish(data []byte, tag records.Tag) *pb.RPC {
	return &pb.RPC{Publish: []*pb.Message{{Data: data, Topic: w.topic(tag)}}}
}

func subscribe(topics ...*string) *pb.RPC {
	rpc := &pb.RPC{}
	for _, t := range topics {
		rpc.Subscriptions = append(rpc.Subscriptions, &pb.RPC_SubOpts{Subscribe: proto.Bool(true), Topicid: t})
	}
	return rpc
}

func control(c *pb.ControlMessage) *pb.RPC { return &pb.RPC{Control: c} }

func graft(topics ...*string) *pb.RPC {
	c := &pb.ControlMessage{}
	for _, t := range topics {
		c.Graft = append(c.Graft, &pb.ControlGraft{TopicID: t})
	}
	return control(c)
}

// plainPubsub are the options with which the library's own pubsub takes part in a network.
func (w *world) plainPubsub(more ...pubsub.Option) []pubsub.Option {
	id := gossip.ID(w.network)
	return append([]pubsub.Option{
		pubsub.WithGossipSubProtocols([]core.ID{id}, func(pubsub.GossipSubFeature, core.ID) bool { return true }),
		pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign),
		pubsub.WithNoAuthor(),
		pubsub.WithMessageIdFn(gossip.MessageID),
	}, more...)
}
