package gossip

import (
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
	core "github.com/libp2p/go-libp2p/core/protocol"
)

// tracer turns what pubsub reports into counts, lengths of queues and the standing of peers. pubsub calls it from its
// loop and its workers, for messages of others only, and waits for it.
type tracer struct {
	shardOf map[string]byte
	ledger  *ledger
	meter   *meter
	counts  *counts
}

var _ pubsub.RawTracer = (*tracer)(nil)

func (t *tracer) OnNewOutboundStream(p peer.ID, _ core.ID) { t.meter.opened(p) }

func (t *tracer) OnClosedOutboundStream(p peer.ID) {
	t.meter.gone(p)
	t.ledger.gone(p, time.Now())
}

func (t *tracer) Graft(p peer.ID, topic string) { t.ledger.graft(p, t.shardOf[topic], time.Now()) }
func (t *tracer) Prune(p peer.ID, topic string) { t.ledger.prune(p, t.shardOf[topic], time.Now()) }

func (t *tracer) ValidateMessage(msg *pubsub.Message) {
	t.ledger.arrive(msg.ID, t.shardOf[msg.GetTopic()], len(msg.GetData()), msg.ReceivedFrom, time.Now())
}

func (t *tracer) DuplicateMessage(msg *pubsub.Message) {
	t.counts.duplicates.Add(1)
	t.ledger.repeat(msg.ID, msg.ReceivedFrom, time.Now())
}

func (t *tracer) DeliverMessage(msg *pubsub.Message) {
	t.counts.delivered.Add(1)
	t.ledger.accept(msg.ID, time.Now())
}

func (t *tracer) RejectMessage(msg *pubsub.Message, reason string) {
	switch reason {
	case pubsub.RejectValidationQueueFull, pubsub.RejectValidationThrottled:
		t.counts.unchecked.Add(1)
	case pubsub.RejectValidationIgnored:
		t.counts.ignored.Add(1)
		t.ledger.ignore(msg.ID)
	case pubsub.RejectValidationFailed:
		t.counts.rejected.Add(1)
		t.ledger.reject(msg.ID, msg.ReceivedFrom)
	default: // an author, a number or a signature of libp2p's, which no honest peer adds
		t.counts.rejected.Add(1)
		t.ledger.offend(msg.ReceivedFrom)
	}
}

func (t *tracer) SendRPC(_ *pubsub.RPC, p peer.ID) { t.meter.queued(p, time.Now()) }

func (t *tracer) DropRPC(rpc *pubsub.RPC, p peer.ID) {
	if t.meter.isOpen(p) { // else there is nobody to send to
		t.counts.unsent.Add(uint64(len(rpc.GetPublish())))
	}
}

func (t *tracer) Join(string)                          {}
func (t *tracer) Leave(string)                         {}
func (t *tracer) ThrottlePeer(peer.ID)                 {}
func (t *tracer) RecvRPC(*pubsub.RPC)                  {}
func (t *tracer) UndeliverableMessage(*pubsub.Message) {} // not reached: see index
