package gossip

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/records"
)

// MessageID is needed by tests that take part with the library's own pubsub.
var MessageID = messageID

// Limits that tests measure against.
const (
	MaxRPC         = maxRPC
	DebtLimit      = debtLimit
	ChargeEvery    = chargeEvery
	WatchQueue     = watchQueue
	MaxBackoff     = maxBackoff
	MaxIDsAsked    = maxAsked
	NoHearing      = noHearing
	SettleAfter    = settleAfter
	LazyFrom       = lazyFrom
	SendRoom       = sendRoom
	SendQueue      = sendQueue
	RoomForHalf    = roomForHalf
	MaxCredit      = maxCredit
	SettlingInMesh = settling
)

// Ledger lets property tests drive the ledger without a network.
type Ledger struct{ l *ledger }

func NewLedger() Ledger { return Ledger{newLedger()} }

func (l Ledger) Graft(p peer.ID, shard byte, now time.Time) { l.l.graft(p, shard, now) }
func (l Ledger) Prune(p peer.ID, shard byte, now time.Time) { l.l.prune(p, shard, now) }
func (l Ledger) Gone(p peer.ID, now time.Time)              { l.l.gone(p, now) }
func (l Ledger) Reject(id string, p peer.ID)                { l.l.reject(id, p) }
func (l Ledger) Tick(now time.Time)                         { l.l.tick(now) }
func (l Ledger) Score(p peer.ID) float64                    { return l.l.score(p) }

// Deliver is a post of the given size that each of bringers brought in turn.
func (l Ledger) Deliver(id string, shard byte, size int, now time.Time, bringers ...peer.ID) {
	l.l.arrive(id, shard, size, bringers[0], now)
	l.l.accept(id, now)
	for _, p := range bringers[1:] {
		l.l.repeat(id, p, now)
	}
}

const SeenFor = seenFor

// Queue lets property tests fill and empty a queue.
type Queue struct{ q *queue }

func NewQueue(room int) Queue         { return Queue{newQueue(room)} }
func (q Queue) Put(r *records.Record) { q.q.put(r) }
func (q Queue) Take() (Event, bool)   { return q.q.take() }

// Seen lets tests ask the seen-set.
type Seen struct{ s *seen }

func NewSeen(limit int) Seen                   { return Seen{newSeen(limit)} }
func (s Seen) Len() int                        { return len(s.s.claims) }
func (s Seen) Forget(shard byte, r records.ID) { s.s.forget(claim{shard, r}) }
func (s Seen) Enter(shard byte, r records.ID, from string, now time.Time) string {
	return [...]string{fresh: "fresh", again: "again", variant: "variant"}[s.s.enter(claim{shard, r}, peer.ID(from), now)]
}
