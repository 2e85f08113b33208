package gossip

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/zeebo/blake3"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/records"
)

var (
	// ErrStale is for a record whose revision is too far from now to be announced. It is not lost: whoever reads finds it.
	ErrStale = errors.New("record is not of now")
	// errElsewhere is for a record without a tag of the shard it came on.
	errElsewhere = errors.New("record has no tag of this shard")
)

// validate decides about every message, ours included, before it is handed to watchers and passed on. pubsub calls it on
// its workers, once for each message id.
func (g *Gossip) validate(_ context.Context, from peer.ID, msg *pubsub.Message) pubsub.ValidationResult {
	shard, ok := g.shardOf[msg.GetTopic()]
	if !ok {
		return pubsub.ValidationIgnore // not reached: such topics are never joined
	}
	if from == g.self { // through Announce, which made sure
		return pubsub.ValidationAccept
	}
	now := g.cfg.Now()
	r, err := g.cfg.Door.Open(msg.GetData(), now.Add(clockGrace))
	if err == nil {
		err = belongs(r, shard)
	}
	if err != nil {
		g.log.Debug("reject message", "peer_id", from, "shard", shard, "error", err)
		return pubsub.ValidationReject
	}
	if result := timely(r.Rev().Millis().Time(), now); result != pubsub.ValidationAccept {
		g.log.Debug("message out of time", "peer_id", from, "record", r.ID(), "revised", r.Rev().Millis().Time())
		return result
	}
	switch g.seen.enter(claim{shard, r.ID()}, from, now) {
	case again:
		return pubsub.ValidationIgnore
	case variant:
		g.log.Debug("reject second signature of one record", "peer_id", from, "record", r.ID())
		return pubsub.ValidationReject
	default:
		msg.ValidatorData = r
		return pubsub.ValidationAccept
	}
}

// timely accepts what was revised about now. A clock that differs a little is nobody's fault, so what is out of time by
// less than the grace is only not passed on.
func timely(revised, now time.Time) pubsub.ValidationResult {
	off := now.Sub(revised).Abs()
	switch {
	case off <= liveFor:
		return pubsub.ValidationAccept
	case off <= liveFor+clockGrace:
		return pubsub.ValidationIgnore
	default:
		return pubsub.ValidationReject
	}
}

// belongs tells whether r is a post with a tag of the shard.
func belongs(r *records.Record, shard byte) error {
	if !slices.Contains(shardsOf(r), shard) {
		return fmt.Errorf("%w: %02x", errElsewhere, shard)
	}
	return nil
}

// shardsOf are the shards on which r is announced, ascending and each once; none unless r is a post with tags.
func shardsOf(r *records.Record) []byte {
	post, _, ok := r.Post()
	if !ok {
		return nil
	}
	shards := make([]byte, 0, records.MaxPlaces)
	for _, tag := range post.Tags {
		shards = append(shards, protocol.ShardOf(tag))
	}
	slices.Sort(shards)
	return slices.Compact(shards)
}

// contextMessage is the derive-key context of message ids; docs/spec.md lists all.
const contextMessage = "starling 2026-11-21 gossip message id"

// messageIDBytes is long enough that nobody finds two messages with one id, and short because ids are offered to every
// peer that is not in the mesh.
const messageIDBytes = 20

// messageHashers keeps hashers, because setting up a derive-key context costs as much as the hash itself. Hashers in the
// pool are reset.
var messageHashers = sync.Pool{New: func() any { return blake3.NewDeriveKey(contextMessage) }}

// messageID is the BLAKE3 of topic and data. The topic is in it because a post goes, in the same bytes, on a shard for
// each of its tags.
func messageID(m *pb.Message) string {
	h := messageHashers.Get().(*blake3.Hasher)
	topic := m.GetTopic()
	var length [8]byte
	binary.BigEndian.PutUint64(length[:], uint64(len(topic)))
	_, _ = h.Write(length[:]) // a hash never fails to take bytes
	_, _ = h.WriteString(topic)
	_, _ = h.Write(m.GetData())
	var sum [32]byte
	h.Sum(sum[:0])
	h.Reset()
	messageHashers.Put(h)
	return string(sum[:messageIDBytes])
}
