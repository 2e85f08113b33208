package records

import (
	"fmt"
	"slices"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// Open is the one door: the only way in which bytes from outside become a
// [*Record]. It checks, cheapest first, size, envelope, proof of work, encoding,
// the rules of the kind, the clock, and then certificate and signature. It does
// not keep b, which may be part of something larger.
func Open(b []byte, n Network, now time.Time) (*Record, error) {
	e, err := openEnvelope(b, n)
	if err != nil {
		return nil, err
	}
	proven := provenBits(n, e.payload)
	if err := worth(proven, n.WorkBits(len(e.payload), 1)); err != nil {
		return nil, err // before anything is decoded
	}
	r := &Record{}
	cert, err := parsePayload(e.payload, r)
	if err != nil {
		return nil, err
	}
	if err := worth(proven, n.WorkBits(len(e.payload), placesOf(r.head, r.author))); err != nil {
		return nil, err
	}
	if err := r.timely(now); err != nil {
		return nil, err
	}
	if err := entitled(n, r.author, e.signer, cert); err != nil {
		return nil, err
	}
	if !e.verify(n) {
		return nil, ErrSignature
	}
	r.bytes, r.id, r.digest = own(b), recordID(n, e.payload), DigestOf(b)
	return r, nil
}

// Restore is the way back from the own disk: b was verified when it was stored,
// and is the same if its digest is d. Only package datastore calls it. It does
// not keep b.
func Restore(b []byte, d Digest, n Network) (*Record, error) {
	if DigestOf(b) != d {
		return nil, ErrCorrupt
	}
	e, err := openEnvelope(b, n)
	if err != nil {
		return nil, err
	}
	r := &Record{}
	if _, err := parsePayload(e.payload, r); err != nil {
		return nil, err
	}
	r.bytes, r.id, r.digest = own(b), recordID(n, e.payload), d
	return r, nil
}

// openEnvelope takes an envelope of network n apart. Its payload is long enough
// for a proof of work.
func openEnvelope(b []byte, n Network) (envelope, error) {
	e, err := parseEnvelope(b)
	if err != nil {
		return envelope{}, err
	}
	if string(e.network) != n.ID() {
		return envelope{}, fmt.Errorf("%w: %.48q, this is %s", ErrWrongNetwork, e.network, n.ID())
	}
	if !endsInWork(e.payload) {
		return envelope{}, fmt.Errorf("%w: payload does not end in its work", ErrMalformed)
	}
	return e, nil
}

// own is a copy of b without room behind it, so that appending to it copies too.
func own(b []byte) []byte { return append(make([]byte, 0, len(b)), b...) }

func recordID(n Network, payload []byte) ID {
	m := make(material, 0, len(payload)+64)
	m.string(Domain(n))
	m.bytes(payload)
	return purposeRecordID.sum(m)
}

func worth(proven, want int) error {
	if proven < want {
		return fmt.Errorf("%w: %d bits, want %d", ErrWork, proven, want)
	}
	return nil
}

// timely refuses what is dated ahead. There is no lower bound: people go
// offline and archives are imported, and backdating is as dear as posting.
func (r *Record) timely(now time.Time) error {
	if ahead := r.rev.Millis() - MillisOf(now); ahead > Millis(MaxAhead.Milliseconds()) {
		return fmt.Errorf("%w: by %s, at most %s", ErrFuture, time.Duration(ahead)*time.Millisecond, MaxAhead)
	}
	return nil
}

// entitled tells whether signer may sign for author.
func entitled(n Network, author, signer User, cert *Certificate) error {
	if cert == nil {
		if signer != author {
			return fmt.Errorf("%w: signed by another key", ErrSignature)
		}
		return nil
	}
	if cert.Device != signer || !cert.Verify(n, author) {
		return ErrCertificate
	}
	return nil
}

// Door is [Open] with a memory: what comes again, whichever way, is not verified
// again. It is safe for concurrent use and may be shared by nodes of one process.
type Door struct {
	network Network
	known   *lru.Cache[Digest, *Record]
}

// NewDoor remembers the last size records that passed, at most 9 KiB each.
func NewDoor(n Network, size int) *Door {
	known, err := lru.New[Digest, *Record](max(size, 1))
	if err != nil {
		panic(err) // only for a size below 1
	}
	return &Door{network: n, known: known}
}

// Network is the network whose records pass.
func (d *Door) Network() Network { return d.network }

// Remembered are the records that passed last, the latest first.
func (d *Door) Remembered() []*Record {
	out := d.known.Values()
	slices.Reverse(out)
	return out
}

// Open is [Open] in the door's network. The record may be one that others hold.
func (d *Door) Open(b []byte, now time.Time) (*Record, error) {
	if len(b) > MaxRecord {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(b))
	}
	digest := DigestOf(b)
	if r, ok := d.known.Get(digest); ok {
		if err := r.timely(now); err != nil {
			return nil, err
		}
		return r, nil
	}
	r, err := Open(b, d.network, now)
	if err != nil {
		return nil, err
	}
	d.known.Add(digest, r)
	return r, nil
}
