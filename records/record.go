package records

import (
	"bytes"
	"cmp"
)

// Record is one verified version of one thing. It is immutable, safe for
// concurrent use, and there is no way to make one but [Open], [Seal] and, from
// the own disk, [Restore]. Slices that its methods return are its own: to be
// read, never written to.
type Record struct {
	bytes  []byte
	id     ID
	key    ItemKey
	digest Digest

	author  User
	epoch   uint64 // of the certificate; 0 without one, and where the thing is contested
	created Millis
	salt    [8]byte
	rev     Rev
	expires Millis
	head    Head
	body    []byte
	post    PostBody // when head is a PostHead and the record is not deleted
	deleted bool
}

// Bytes are the exact signed bytes, to be kept and forwarded as they are.
func (r *Record) Bytes() []byte { return r.bytes }

// ID names this version.
func (r *Record) ID() ID { return r.id }

// ItemKey names the thing that this is a version of.
func (r *Record) ItemKey() ItemKey { return r.key }

// Digest is the hash of Bytes.
func (r *Record) Digest() Digest { return r.digest }

// Kind is what the record is about.
func (r *Record) Kind() Kind { return r.head.Kind() }

// Author is the person whose record this is.
func (r *Record) Author() User { return r.author }

// Created is when the thing was first said, by its author's claim.
func (r *Record) Created() Millis { return r.created }

// Rev orders this version among the author's others.
func (r *Record) Rev() Rev { return r.rev }

// Expires is when the record stops being shown; 0 for never.
func (r *Record) Expires() Millis { return r.expires }

// Head says which thing this is.
func (r *Record) Head() Head { return r.head }

// Body is the kind's own bytes of this version; nil when deleted.
func (r *Record) Body() []byte { return r.body }

// Deleted tells whether this version is a tombstone.
func (r *Record) Deleted() bool { return r.deleted }

// Post is head and body of a post. The body of a deleted post is empty.
func (r *Record) Post() (head PostHead, body PostBody, ok bool) {
	head, ok = r.head.(PostHead)
	return head, r.post, ok
}

// Ref names the record so that any node can find it.
func (r *Record) Ref() Ref { return Ref{Author: r.author, Created: r.created, Key: r.key} }

// Roots are the level-0 places of the record; of a post its author's first. It
// belongs to these and, below each, to exactly one place of every level.
func (r *Record) Roots() []Place { return r.head.roots(r.author, r.key) }

// Wins tells whether r replaces o, another version of the same thing: by the
// higher certificate epoch, then the later revision, then the greater id. Where
// several authors make versions of one thing, a field of a public soul, epochs
// count as 0, so this is a strict total order whoever they are.
func (r *Record) Wins(o *Record) bool {
	if c := cmp.Compare(r.epoch, o.epoch); c != 0 {
		return c > 0
	}
	if c := cmp.Compare(r.rev, o.rev); c != 0 {
		return c > 0
	}
	return bytes.Compare(r.id[:], o.id[:]) > 0
}

// Fits tells whether r belongs to place p, of whatever level: [ErrMisplaced] if not,
// and [ErrWrongOwner] where somebody else alone may write.
func Fits(r *Record, p Place) error {
	for _, root := range r.Roots() {
		if root.kind == p.kind && root.base == p.base && root.At(p.Level(), r) == p {
			return nil
		}
	}
	if u, owned := p.owner(); owned && u != r.author {
		return ErrWrongOwner
	}
	return ErrMisplaced
}
