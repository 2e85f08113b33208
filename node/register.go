package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/records"
)

// A register is one value of its owner's, under a name. Writing one is publishing
// with two differences: who writes may say which version he means to replace, and
// what a majority acknowledged counts only once others show it. There is no leader
// who could decide between two writers at once, so a register compares and swaps as
// well as that goes without: who is overtaken while he writes is told, with what
// stands, and of two who write at the same instant both may be told that all is well,
// and then the versions tell: the one that won does not name the other as the one it
// replaced (see [Node.History]).

// RegisterDraft is the next version of a register.
type RegisterDraft struct {
	Value   []byte
	Delete  bool         // write a tombstone instead
	Expires time.Time    // zero for never
	Expect  *records.Rev // the version that this one replaces; 0 that there is none; nil for whatever there is

	Party   records.User // of a relation: the other side; zero of none
	Consent [64]byte     // the party's, see [records.Consent]; zero while there is none
}

// RegisterReceipt says how well a version of a register is kept.
type RegisterReceipt struct {
	Record *records.Record
	Place  PlaceReceipt
	Shown  int // other members that showed it when it was read back
	Asked  int // other members that said then what they hold
}

// RegisterError is why a version of a register was not taken.
type RegisterError struct {
	// Reason is records.ErrTooOld, ErrHaveNewer or ErrConflict when another version
	// stands, which is Current; records.ErrExpired when the version was past its time.
	Reason  error
	Current *records.Record // nil for none
}

func (e *RegisterError) Error() string {
	if e.Current == nil {
		return fmt.Sprintf("register not written: %v", e.Reason)
	}
	return fmt.Sprintf("register not written: %v: revision %d", e.Reason, e.Current.Rev())
}

func (e *RegisterError) Unwrap() error { return e.Reason }

// PutRegister writes the next version of one of our registers and returns when a
// majority of its members have it on disk and others show it. With [*RegisterError]
// another version stands; with [ErrNoQuorum] too few members acknowledged, or too few
// showed it, and it may or may not stay.
func (n *Node) PutRegister(ctx context.Context, name string, d RegisterDraft) (RegisterReceipt, error) {
	id := records.RegisterID{User: n.User(), Name: name}
	current, err := n.ReadRegister(ctx, id, false)
	if err != nil && !errors.Is(err, ErrNoRegister) {
		return RegisterReceipt{}, fmt.Errorf("read what stands: %w", err)
	}
	if d.Expect != nil && *d.Expect != revOf(current) {
		return RegisterReceipt{}, &RegisterError{records.ErrConflict, current}
	}
	draft, err := d.next(current, records.MillisOf(n.now()), name)
	if err != nil {
		return RegisterReceipt{}, err
	}
	r, err := records.Seal(ctx, n.config.Network, records.AuthorSigner(n.config.Person), draft)
	if err != nil {
		return RegisterReceipt{}, err
	}
	return n.StoreRegister(ctx, r)
}

// revOf is what a compare-and-swap compares: 0 where nothing stands.
func revOf(r *records.Record) records.Rev {
	if r == nil {
		return 0
	}
	return r.Rev()
}

// next is the draft of the version after prev.
func (d RegisterDraft) next(prev *records.Record, now records.Millis, name string) (records.Draft, error) {
	if d.Delete && prev == nil {
		return records.Draft{}, ErrNoRegister
	}
	if d.Delete {
		return records.Tombstone(prev, now), nil
	}
	var expires records.Millis
	if !d.Expires.IsZero() {
		if expires = records.MillisOf(d.Expires); expires <= now {
			return records.Draft{}, &RegisterError{records.ErrExpired, prev}
		}
	}
	return records.NewRegister(prev, now, name, records.RegisterBody{Value: d.Value, Party: d.Party, Consent: d.Consent}, expires)
}

// StoreRegister is [Node.PutRegister] of a version that somebody has signed already.
func (n *Node) StoreRegister(ctx context.Context, r *records.Record) (RegisterReceipt, error) {
	id, _, err := r.Register()
	if err != nil {
		return RegisterReceipt{}, err
	}
	receipt := RegisterReceipt{Record: r, Place: PlaceReceipt{Place: id.Place()}}
	if r.Expired(records.MillisOf(n.now())) {
		return receipt, &RegisterError{records.ErrExpired, nil}
	}
	t, err := n.spread(ctx, records.Put{Place: id.Place(), Record: r})
	if err != nil {
		return receipt, err
	}
	newest, behind := t.instead(r)
	receipt.Place.Stored, receipt.Place.Wanted, receipt.Place.Full = t.stored-behind, t.members, t.full
	if err := records.Refusal(r, newest); err != nil {
		n.history.note(ctx, newest)
		return receipt, &RegisterError{err, newest}
	}
	if receipt.Place.Stored < majority(t.members) {
		return receipt, quorumError(id.Place(), receipt.Place, t.refused)
	}
	return receipt, n.readBack(ctx, &receipt)
}

func quorumError(p records.Place, got PlaceReceipt, refused error) error {
	err := fmt.Errorf("%w: %s: %d of %d", ErrNoQuorum, p, got.Stored, got.Wanted)
	if refused != nil {
		err = fmt.Errorf("%w: %w", err, refused)
	}
	return err
}

// spread puts a version to all members of its place, again where they turn out to be
// others than was believed.
func (n *Node) spread(ctx context.Context, put records.Put) (t tally, err error) {
	for again := 0; ; again++ {
		tallies, err := n.putRound(ctx, []records.Put{put})
		if err != nil {
			return tally{}, err
		}
		t = tallies[0]
		if t.stored >= majority(t.members) || t.lost == 0 || again == maxAgain {
			return t, nil
		}
	}
}

// instead is the newest version that members hold in the place of r, and how many
// hold another than r.
func (t *tally) instead(r *records.Record) (newest *records.Record, behind int) {
	for _, h := range t.held {
		if h.ID() == r.ID() {
			continue
		}
		behind++
		if newest == nil || h.Wins(newest) {
			newest = h
		}
	}
	return newest, behind
}

// A version is read back up to so many times: what a slow member acknowledges after
// the majority did is not there yet when the others are asked.
const (
	readBacks    = 4
	readBackWait = 250 * time.Millisecond
)

// readBack sees that others than this node show the version, more of them than do
// not, so that whoever reads it next finds it, and that none shows a newer one.
//
// What is published is read back in another way (see unread): there any two members prove
// a record, for nothing else can stand in its stead, many places are asked about in one
// frame, and those who lack it are not counted. Here those count too, and what they show
// instead is the answer to the writer; so this is a reading like any other, whose union
// tells.
func (n *Node) readBack(ctx context.Context, receipt *RegisterReceipt) error {
	p, r := receipt.Place.Place, receipt.Record
	for range readBacks {
		rd := n.readings(ctx, []records.Query{registerQuery(p)})[0]
		rd.members = slices.DeleteFunc(rd.members, func(m peer.ID) bool { return m == n.host.ID() })
		if rd.err == nil && len(rd.members) == 0 {
			break // nobody else is responsible: our own disk is all there is
		}
		n.ask(ctx, []*reading{rd})
		all := rd.union()
		n.repair(ctx, rd, all)
		receipt.Shown, receipt.Asked = rd.holders(sumOf(p, r)), rd.told()
		if stands := only(all); stands != nil {
			if err := records.Refusal(r, stands); err != nil {
				n.history.note(ctx, stands)
				return &RegisterError{err, stands}
			}
		}
		if 2*receipt.Shown > receipt.Asked {
			break
		}
		if !pause(ctx, readBackWait) {
			return fmt.Errorf("read register back: %w", ctx.Err())
		}
	}
	if 2*receipt.Shown <= receipt.Asked && receipt.Place.Wanted > 1 {
		return fmt.Errorf("%w: %s: %d of %d acknowledged, and %d of %d others show it", ErrNoQuorum, p,
			receipt.Place.Stored, receipt.Place.Wanted, receipt.Shown, receipt.Asked)
	}
	n.history.note(ctx, r)
	return nil
}

// registerQuery asks for all that a register's place holds.
func registerQuery(p records.Place) records.Query {
	return records.Query{Place: p, Before: records.Newest, Limit: 1}
}

// sumOf is the fingerprint of a register's place whose version is r.
func sumOf(p records.Place, r *records.Record) records.Fingerprint {
	return records.Bucket{Place: p, Records: []*records.Record{r}}.Sum()
}

// only is the version in a register's bucket; nil for none.
func only(b records.Bucket) *records.Record {
	if len(b.Records) == 0 {
		return nil
	}
	return b.Records[0]
}

// Consent is our counter-signature to a relation in somebody's register, see
// [records.Consent].
func (n *Node) Consent(id records.RegisterID, value []byte) [64]byte {
	return records.Consent(n.config.Network, n.config.Person, id, value)
}

// Confirmed tells whether the other side of the relation in a register agreed to it.
func (n *Node) Confirmed(r *records.Record) bool {
	id, body, err := r.Register()
	return err == nil && body.Confirmed(n.config.Network, id)
}
