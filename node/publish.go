package node

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/starling-social/starling/records"
)

// Receipt says where a record went.
type Receipt struct {
	Record *records.Record
	Places []PlaceReceipt // of every root the record belongs to, its author's first
}

// PlaceReceipt says how well one of a record's places keeps it.
type PlaceReceipt struct {
	Place  records.Place // the bucket, at the level where it came to rest
	Stored int           // members that have it on disk
	Wanted int           // members known, ourselves included if we are one
	Full   int           // of these, members that said they have no room
	Shown  int           // other members that showed it when they were asked for it afterwards
}

// Majority tells whether more than half of the members of every place have the record.
func (r Receipt) Majority() bool {
	for _, p := range r.Places {
		if p.Stored < majority(p.Wanted) {
			return false
		}
	}
	return len(r.Places) > 0
}

func majority(members int) int { return members/2 + 1 }

// Publish composes a post, proves its work, signs it and publishes it.
func (n *Node) Publish(ctx context.Context, d Draft) (Receipt, error) {
	var salt [8]byte
	if _, err := rand.Read(salt[:]); err != nil {
		return Receipt{}, fmt.Errorf("salt: %w", err)
	}
	return n.publishAs(ctx, d, records.MillisOf(n.now()), salt)
}

// publishAs publishes the one post that a draft, a time and a salt make.
func (n *Node) publishAs(ctx context.Context, d Draft, created records.Millis, salt [8]byte) (Receipt, error) {
	head, body, err := n.compose(ctx, d)
	if err != nil {
		return Receipt{}, err
	}
	draft, err := records.NewPost(created, salt, head, body)
	if err != nil {
		return Receipt{}, fmt.Errorf("compose post: %w", err)
	}
	return n.sealAndPublish(ctx, draft, nil)
}

// Edit publishes the next version of one of our posts, with another text.
func (n *Node) Edit(ctx context.Context, ref records.Ref, text string) (Receipt, error) {
	old, err := n.own(ctx, ref)
	if err != nil {
		return Receipt{}, err
	}
	if old.Deleted() {
		return Receipt{}, ErrDeleted
	}
	head, _, _ := old.Post()
	body, err := bodyOf(text, head)
	if err != nil {
		return Receipt{}, err
	}
	draft, err := records.EditPost(old, records.MillisOf(n.now()), body)
	if err != nil {
		return Receipt{}, fmt.Errorf("compose edit: %w", err)
	}
	return n.sealAndPublish(ctx, draft, old)
}

// Delete publishes the tombstone of one of our posts.
func (n *Node) Delete(ctx context.Context, ref records.Ref) (Receipt, error) {
	old, err := n.own(ctx, ref)
	if err != nil {
		return Receipt{}, err
	}
	return n.sealAndPublish(ctx, records.Tombstone(old, records.MillisOf(n.now())), old)
}

// own is the newest version of one of our posts.
func (n *Node) own(ctx context.Context, ref records.Ref) (*records.Record, error) {
	if ref.Author != n.User() {
		return nil, ErrNotYours
	}
	return n.Post(ctx, ref)
}

func (n *Node) sealAndPublish(ctx context.Context, d records.Draft, replaces *records.Record) (Receipt, error) {
	r, err := records.Seal(ctx, n.config.Network, records.AuthorSigner(n.config.Person), d)
	if err != nil {
		return Receipt{}, err
	}
	return n.PublishRecord(ctx, r, replaces)
}

// PublishRecord stores a record, by whomever it was signed, with the members of
// its places and tells those who watch. replaces is the version that r is the next
// of, nil if r is the first. It returns when a majority of every place has said that
// r is on disk, two others of each have shown it again, and the live networks have
// taken it; with [ErrNoQuorum] and a receipt when a majority could not be had, with
// [ErrNotReadBack] when it was had and too few show r.
func (n *Node) PublishRecord(ctx context.Context, r, replaces *records.Record) (receipt Receipt, err error) {
	began := time.Now()
	ctx, span := n.span(ctx, "publish")
	defer func() {
		n.metrics.published(receipt, began, err)
		endPublish(span, receipt, err)
	}()
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		receipt, err = n.place(ctx, r, replaces != nil)
		return err
	})
	g.Go(func() error {
		// Watchers ask the buckets too, so a post that is not announced is late,
		// not lost: only the caller's own end counts here.
		if err := n.gossip.Announce(gctx, r); err != nil && ctx.Err() == nil {
			n.voices.publish.Debug("announce post", "err", err)
		}
		return ctx.Err()
	})
	err = g.Wait()
	n.keepOwn(ctx, r)
	return receipt, err
}

// place puts r down the tree of each of its roots until a majority of the
// members of some bucket has it. All roots go down in step, so that a member of
// several gets one frame.
func (n *Node) place(ctx context.Context, r *records.Record, later bool) (Receipt, error) {
	var open []*descent
	for _, root := range r.Roots() {
		open = append(open, &descent{record: r, root: root, at: n.tree.deepest(root, r), later: later})
	}
	if err := n.lower(ctx, open); err != nil {
		return receiptOf(r, open), err
	}
	if receipt := receiptOf(r, open); !receipt.Majority() {
		return receipt, noQuorum(open)
	}
	unread, err := n.confirm(ctx, open)
	switch receipt := receiptOf(r, open); {
	case err != nil:
		return receipt, err
	case !receipt.Majority():
		return receipt, noQuorum(open)
	case len(unread) > 0:
		d := unread[0]
		return receipt, fmt.Errorf("%w: %s: acknowledged by %d of %d, shown by %d", ErrNotReadBack, d.at, d.last.stored, d.last.members, d.shown)
	default:
		return receipt, nil
	}
}

// lower takes descents down their trees until each is at rest or stuck.
func (n *Node) lower(ctx context.Context, open []*descent) error {
	var fallen []*descent
	defer func() { n.carry(ctx, fallen) }()
	for first := true; len(open) > 0; first = false {
		more, err := n.descend(ctx, open, first)
		if err != nil {
			return err
		}
		fallen = append(fallen, more...)
		open = stillOpen(open)
	}
	return nil
}

func receiptOf(r *records.Record, all []*descent) Receipt {
	receipt := Receipt{Record: r}
	for _, d := range all {
		receipt.Places = append(receipt.Places, PlaceReceipt{Place: d.at, Stored: d.last.stored, Wanted: d.last.members, Full: d.last.full, Shown: d.shown})
	}
	return receipt
}

func noQuorum(all []*descent) error {
	for _, d := range all {
		if d.last.stored >= majority(d.last.members) {
			continue
		}
		if d.last.refused != nil {
			return fmt.Errorf("%w: %s: %d of %d: %w", ErrNoQuorum, d.at, d.last.stored, d.last.members, d.last.refused)
		}
		return fmt.Errorf("%w: %s: %d of %d", ErrNoQuorum, d.at, d.last.stored, d.last.members)
	}
	return ErrNoQuorum
}
