package records

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"fmt"
)

// Ref names a post so that any node that never saw it can find it: the author's
// place, the time in it, and the key of the post.
type Ref struct {
	Author  User
	Created Millis
	Key     ItemKey
}

// A printed Ref is 72 bytes in URL-safe base64: a version byte chosen so that
// the text begins with p, author, 48 bits of time, key and a check byte that
// catches typing errors.
const (
	refVersion = 0xa4
	refBytes   = 1 + 32 + 6 + 32 + 1
)

// String is the printed id of a post, 96 characters that need no escaping in a
// URL, a shell or a file name.
func (r Ref) String() string {
	b := make([]byte, 0, refBytes)
	b = append(b, refVersion)
	b = append(b, r.Author[:]...)
	b = appendMillis48(b, r.Created)
	b = append(b, r.Key[:]...)
	b = append(b, checkByte(b))
	return base64.RawURLEncoding.EncodeToString(b)
}

// ParseRef reads a printed post id.
func ParseRef(s string) (Ref, error) {
	if len(s) != base64.RawURLEncoding.EncodedLen(refBytes) {
		return Ref{}, fmt.Errorf("%w: %.100q has %d characters", ErrNotPost, s, len(s))
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != refBytes || b[0] != refVersion { // the decoder passes over line ends
		return Ref{}, fmt.Errorf("%w: %q", ErrNotPost, s)
	}
	if checkByte(b[:refBytes-1]) != b[refBytes-1] {
		return Ref{}, fmt.Errorf("%w: %q has a typing error in it", ErrNotPost, s)
	}
	return Ref{Author: User(b[1:33]), Created: millis48(b[33:39]), Key: ItemKey(b[39:71])}, nil
}

func checkByte(b []byte) byte {
	h := purposeCheck.sum(b)
	return h[0]
}

func appendMillis48(b []byte, m Millis) []byte {
	var w [8]byte
	binary.BigEndian.PutUint64(w[:], uint64(m))
	return append(b, w[2:]...)
}

func millis48(b []byte) Millis {
	var w [8]byte
	copy(w[2:], b)
	return Millis(binary.BigEndian.Uint64(w[:]))
}

// Position is where a record stands among the others of a place: by time then
// key on a time ladder, by key alone on a radix ladder (Created is 0 there).
type Position struct {
	Created Millis
	Key     ItemKey
}

// Compare orders positions, oldest first.
func (p Position) Compare(q Position) int {
	if c := cmp.Compare(p.Created, q.Created); c != 0 {
		return c
	}
	return bytes.Compare(p.Key[:], q.Key[:])
}

// Newest is after every position a record can have.
var Newest = Position{Created: MaxMillis, Key: ItemKey(bytes.Repeat([]byte{0xff}, 32))}

const cursorBytes = 6 + 32

// Cursor is the opaque form of a position in which a reader says where to go on.
func (p Position) Cursor() string {
	return base64.RawURLEncoding.EncodeToString(append(appendMillis48(nil, p.Created), p.Key[:]...))
}

// ParseCursor reads what Cursor wrote.
func ParseCursor(s string) (Position, error) {
	if len(s) != base64.RawURLEncoding.EncodedLen(cursorBytes) {
		return Position{}, fmt.Errorf("%w: %.80q", ErrNotCursor, s)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != cursorBytes {
		return Position{}, fmt.Errorf("%w: %q", ErrNotCursor, s)
	}
	return Position{Created: millis48(b[:6]), Key: ItemKey(b[6:])}, nil
}
