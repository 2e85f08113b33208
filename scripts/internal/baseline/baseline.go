// Package baseline reads timelines as systems before this one do: depth first,
// newest first, one bucket after the other. Campaigns measure ours against it.
//
// It owns a peer of its own: a host that it is given, kad-dht as the library comes,
// and an exchange client. The buckets it reads are those that ours reads. For each
// it searches the DHT for that very place, unless it remembers who answered for
// it, then asks one member, and the next when that one does not answer; it goes
// down wherever there is a witness. What it has read it yields at once: the newest
// stand deepest, so depth first is newest first.
//
// Two things make it cheaper than what it stands for, and none makes it dearer: the
// library's search asks ten nodes at once, and nobody wants work for reading.
//
// A Reader is used from one goroutine. Close ends what New started.
package baseline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	kad "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/records"
)

// Config is what a reader needs.
type Config struct {
	Host      host.Host // closed by its owner, after the reader
	Door      *records.Door
	Now       func() time.Time // the present by which records are let in; time.Now if nil
	Bootstrap []peer.AddrInfo  // nodes to join by, at least one

	// Ask is how many members are asked for each place, at once: one who is trusted,
	// or as many as it takes not to depend on one.
	Ask int
	// Full of them are asked for records, the others for the fingerprint alone.
	Full int
}

// Reader is one who reads.
type Reader struct {
	config  Config
	kad     *kad.IpfsDHT
	client  *exchange.Client
	members map[records.Place][]peer.ID // remembered, nearest first
	Cost    Cost                        // so far
}

// Cost is what reading cost, besides what a meter of the context counts.
type Cost struct {
	Searches int // of the DHT
	Rounds   int // questions to members, one after the other
	Places   int // buckets asked about
}

// ErrNobody means that no member of a place answered.
var ErrNobody = errors.New("no member answered")

// New joins the network and returns once the routing table is filled.
func New(ctx context.Context, c Config) (*Reader, error) {
	network := c.Door.Network()
	table, err := kad.New(c.Host,
		kad.ProtocolPrefix(protocol.KadPrefix(network)), kad.Mode(kad.ModeClient),
		kad.DisableProviders(), kad.DisableValues(), kad.DisableAutoRefresh())
	if err != nil {
		return nil, fmt.Errorf("start kad-dht: %w", err)
	}
	r := &Reader{
		config: c, kad: table, members: map[records.Place][]peer.ID{},
		client: exchange.NewClient(exchange.ClientConfig{Host: c.Host, Door: c.Door, Now: c.Now}),
	}
	if err := r.join(ctx); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *Reader) join(ctx context.Context) error {
	for _, b := range r.config.Bootstrap {
		if err := r.config.Host.Connect(ctx, b); err != nil {
			return fmt.Errorf("join by %s: %w", b.ID, err)
		}
		if _, err := r.kad.RoutingTable().TryAddPeer(b.ID, true, false); err != nil {
			return fmt.Errorf("join by %s: %w", b.ID, err)
		}
	}
	if err := <-r.kad.RefreshRoutingTable(); err != nil {
		return fmt.Errorf("fill routing table: %w", err)
	}
	return nil
}

// Close ends everything but the host.
func (r *Reader) Close() error {
	r.client.Close()
	return r.kad.Close()
}

// Timeline yields what is in the tree at root before a position, newest first.
func (r *Reader) Timeline(ctx context.Context, root records.Place, before records.Position) iter.Seq2[*records.Record, error] {
	return func(yield func(*records.Record, error) bool) {
		d := &descent{reader: r, before: before, yield: yield}
		if err := d.visit(ctx, root); err != nil && !errors.Is(err, errTaken) {
			yield(nil, err)
		}
	}
}

// errTaken means that the caller wants no more.
var errTaken = errors.New("nobody takes the rest")

// A descent is one timeline being read.
type descent struct {
	reader *Reader
	before records.Position
	yield  func(*records.Record, error) bool
}

// visit yields what is below p, and then what p holds, which is older.
func (d *descent) visit(ctx context.Context, p records.Place) error {
	b, err := d.reader.bucket(ctx, records.Query{Place: p, Before: d.before, Limit: d.reader.config.Door.Network().Capacity(p)})
	if err != nil {
		return err
	}
	children := d.children(b)
	if len(children) > 0 && sameSpan(children[0], p) {
		return d.gather(ctx, b, children)
	}
	for _, child := range children {
		if err := d.visit(ctx, child); err != nil {
			return err
		}
	}
	for _, r := range b.Records {
		if !d.yield(r, nil) {
			return errTaken
		}
	}
	return nil
}

// gather yields what a bucket holds and what is below it, where that is not split
// by time any more.
func (d *descent) gather(ctx context.Context, b records.Bucket, children []records.Place) error {
	all := slices.Clone(b.Records)
	inner := &descent{reader: d.reader, before: d.before, yield: func(r *records.Record, _ error) bool {
		all = append(all, r)
		return true
	}}
	for _, child := range children {
		if err := inner.visit(ctx, child); err != nil {
			return err
		}
	}
	slices.SortFunc(all, func(r, s *records.Record) int { return b.Place.Position(s).Compare(b.Place.Position(r)) })
	for _, r := range all {
		if !d.yield(r, nil) {
			return errTaken
		}
	}
	return nil
}

func sameSpan(p, q records.Place) bool {
	pFrom, pTo := p.Span()
	qFrom, qTo := q.Span()
	return pFrom == qFrom && pTo == qTo
}

// children are the places below a bucket that have something before the cursor,
// newest first.
func (d *descent) children(b records.Bucket) (out []records.Place) {
	for _, w := range b.Witnesses {
		child := b.Place.ChildFor(w)
		if from, _ := child.Span(); from <= d.before.Created && !slices.Contains(out, child) && child != b.Place {
			out = append(out, child)
		}
	}
	slices.SortFunc(out, func(p, q records.Place) int {
		_, pTo := p.Span()
		_, qTo := q.Span()
		return cmp.Compare(qTo, pTo)
	})
	return out
}
