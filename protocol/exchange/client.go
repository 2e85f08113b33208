package exchange

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	libp2p "github.com/libp2p/go-libp2p/core/protocol"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/pb"
	"github.com/starling-social/starling/records"
)

// Dialer opens streams, connecting first where it must. A libp2p host is one.
type Dialer interface {
	NewStream(ctx context.Context, p peer.ID, ids ...libp2p.ID) (network.Stream, error)
}

// ClientConfig is what a client needs.
type ClientConfig struct {
	Host Dialer
	Door *records.Door // of the network to talk in

	Asked func(peer.ID)    // told of who was asked for something, and now and then of who is followed; nil: nobody is. It must not block
	Now   func() time.Time // the present by which records are let in; time.Now if nil
	Log   *slog.Logger     // discarded if nil
}

// Client asks peers for records and gives them records. It may be used by many
// goroutines at once.
type Client struct {
	host     Dialer
	door     *records.Door
	id       libp2p.ID
	asked    func(peer.ID)
	now      func() time.Time
	log      *slog.Logger
	prefixes *lru.Cache[peer.ID, heard]
	run      uint64 // drawn by chance
	twins    tellings
	running  sync.WaitGroup // of conns

	mu     sync.Mutex // protects what follows
	conns  map[peer.ID]*conn
	closed bool
}

// heard is a prefix that a peer told.
type heard struct {
	bits int
	at   time.Time
}

const (
	prefixesKept = 4096             // peers, about 200 B each
	prefixFresh  = 10 * time.Minute // prefixes change with the size of the network, slowly
	prefixNoted  = time.Minute      // and need not be noted with every answer
)

// NewClient makes a client; it opens streams when they are needed.
func NewClient(cfg ClientConfig) *Client {
	prefixes, err := lru.New[peer.ID, heard](prefixesKept)
	if err != nil {
		panic(err) // only for a size below 1
	}
	c := &Client{
		host: cfg.Host, door: cfg.Door, id: protocol.ExchangeID(cfg.Door.Network()), asked: cfg.Asked, now: cfg.Now, log: cfg.Log,
		prefixes: prefixes, run: 1 + rand.Uint64N(math.MaxUint64), twins: newTellings(), conns: map[peer.ID]*conn{},
	}
	if c.asked == nil {
		c.asked = func(peer.ID) {}
	}
	if c.now == nil {
		c.now = time.Now
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Close ends every stream of requests, fails what is in flight with [ErrClosed]
// and waits until no goroutine is left. Streams that are followed end by their
// own context.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	conns := c.conns
	c.conns = nil
	c.mu.Unlock()
	for _, k := range conns {
		k.fail(ErrClosed)
	}
	c.running.Wait()
}

// Status asks a peer about itself.
func (c *Client) Status(ctx context.Context, p peer.ID) (Status, error) {
	req := &pb.Request{Body: &pb.Request_Status{Status: &pb.StatusQuery{}}}
	replies, err := c.do(ctx, p, req, protocol.SmallReply)
	if err != nil {
		return Status{}, fmt.Errorf("ask %s for its status: %w", p, err)
	}
	m := replies[0].GetStatus()
	if m == nil || len(replies) != 1 {
		return Status{}, fmt.Errorf("ask %s for its status: %w: it answered something else", p, ErrProtocol)
	}
	return Status{
		Version: m.GetVersion(), Network: m.GetNetwork(), Prefix: int(replies[0].GetPrefix()),
		Load: float64(m.GetLoad()) / 1000, Records: int64(m.GetRecords()), Bytes: int64(m.GetBytes()),
		Limits: limitsOf(m.GetLimits()),
	}, nil
}

// PrefixOf is how many leading bits of a coordinate the neighbourhood of p
// shares: what p said with its last answer or, when that is long ago, says now.
func (c *Client) PrefixOf(ctx context.Context, p peer.ID) (int, error) {
	if bits, ok := c.KnownPrefix(p); ok {
		return bits, nil
	}
	s, err := c.Status(ctx, p)
	return s.Prefix, err
}

// KnownPrefix is what p said of its prefix with an answer that is not long ago.
func (c *Client) KnownPrefix(p peer.ID) (bits int, ok bool) {
	h, ok := c.prefixes.Get(p)
	return h.bits, ok && time.Since(h.at) < prefixFresh
}

// Twins is how many peers said within ten minutes that another node asks them with our
// identity.
func (c *Client) Twins() int { return c.twins.count(time.Now()) }

// note remembers what came with an answer of p besides the answer.
func (c *Client) note(p peer.ID, reply *pb.Reply) {
	if reply.GetTwin() {
		c.twins.note(p, time.Now())
	}
	bits := int(reply.GetPrefix())
	if h, ok := c.prefixes.Peek(p); ok && h.bits == bits && time.Since(h.at) < prefixNoted {
		return
	}
	c.prefixes.Add(p, heard{bits, time.Now()})
}

// do sends a request to p and returns the frames of its answer, at least one and
// together at most so many bytes. A pooled stream that turns out to be dead before
// the request was sent is replaced once.
func (c *Client) do(ctx context.Context, p peer.ID, req *pb.Request, most int) ([]*pb.Reply, error) {
	if asks(req) {
		c.asked(p)
	}
	k, pooled, err := c.conn(p)
	if err != nil {
		return nil, err
	}
	replies, err := k.do(ctx, req, most)
	if pooled && errors.Is(err, errUnsent) {
		if k, _, err = c.conn(p); err != nil {
			return nil, err
		}
		replies, err = k.do(ctx, req, most)
	}
	if err != nil {
		return nil, err
	}
	if r := replies[0].GetRefusal(); r != nil {
		return nil, refusalOf(r)
	}
	return replies, nil
}

// conn is the live stream to p, opened if there is none yet.
func (c *Client) conn(p peer.ID) (k *conn, pooled bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, false, ErrClosed
	}
	if k := c.conns[p]; k != nil && k.ended() == nil {
		return k, true, nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	k = newConn(p, c.run, func(reply *pb.Reply) { c.note(p, reply) }, cancel)
	c.conns[p] = k
	c.running.Go(func() {
		k.run(ctx, c.open)
		c.forget(k)
	})
	return k, false, nil
}

// open opens a stream of ours to p.
func (c *Client) open(ctx context.Context, p peer.ID) (network.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, protocol.OpenTimeout)
	defer cancel()
	return c.host.NewStream(ctx, p, c.id)
}

// forget drops an ended conn from the pool.
func (c *Client) forget(k *conn) {
	err := k.ended()
	if errors.Is(err, ErrProtocol) {
		c.log.Debug("close stream", "peer_id", k.peer, "err", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conns[k.peer] == k {
		delete(c.conns, k.peer)
	}
}
