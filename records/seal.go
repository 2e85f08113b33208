package records

import (
	"context"
	"fmt"
)

// Draft is a version of a thing before it is signed.
type Draft struct {
	Head    Head
	Created Millis
	Salt    [8]byte
	Rev     Rev
	Expires Millis // 0 for never
	Body    []byte // nil makes a tombstone
}

// NewPost drafts the first version of a post.
func NewPost(now Millis, salt [8]byte, head PostHead, body PostBody) (Draft, error) {
	b, err := body.encode(head)
	if err != nil {
		return Draft{}, err
	}
	return Draft{Head: head, Created: now, Salt: salt, Rev: RevAt(now), Body: b}, nil
}

// EditPost drafts the next version of a post with another body.
func EditPost(r *Record, now Millis, body PostBody) (Draft, error) {
	head, _, ok := r.Post()
	if !ok {
		return Draft{}, fmt.Errorf("edit %s: %w: not a post", r.Kind(), ErrMalformed)
	}
	b, err := body.encode(head)
	if err != nil {
		return Draft{}, err
	}
	d := r.next(now)
	d.Body = b
	return d, nil
}

// Tombstone drafts the version that deletes r's thing.
func Tombstone(r *Record, now Millis) Draft { return r.next(now) }

// next is a later version of r without a body.
func (r *Record) next(now Millis) Draft {
	return Draft{Head: r.head, Created: r.created, Salt: r.salt, Rev: NextRev(r.rev, now), Expires: r.expires}
}

// encode is never nil: an empty text is a post, not a tombstone.
func (b PostBody) encode(h PostHead) ([]byte, error) {
	if err := b.check(h); err != nil {
		return nil, err
	}
	out, err := marshal(b.message())
	if err != nil {
		return nil, fmt.Errorf("encode body: %w", err)
	}
	return append([]byte{}, out...), nil
}

// Seal proves the work for a draft, signs it and returns it as a record. The
// work is done on the caller's goroutine; ctx ends it.
func Seal(ctx context.Context, n Network, s Signer, d Draft) (*Record, error) {
	payload, err := d.encode(s)
	if err != nil {
		return nil, err
	}
	r := &Record{}
	cert, err := parsePayload(payload, r)
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", d.Head.Kind(), err)
	}
	if err := entitled(n, s.Author, s.Key.User(), cert); err != nil {
		return nil, fmt.Errorf("seal %s: %w", d.Head.Kind(), err)
	}
	if size := envelopeSize(n, len(payload)); size > MaxRecord {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, size)
	}
	if err := prove(ctx, n, payload, n.WorkBits(len(payload), placesOf(r.head, s.Author))); err != nil {
		return nil, err
	}
	b := sealEnvelope(n, s.Key, payload)
	r.bytes, r.id, r.digest = b, recordID(n, payload), DigestOf(b)
	return r, nil
}
