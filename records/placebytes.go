package records

import (
	"encoding/binary"
	"fmt"
)

// The bytes of a place, on the wire, on disk and under the hash that is its
// location:
//
//	kind (1) | len base (2, big endian) | base | level (1) | slot (8, big endian, time ladder below the root) | nibbles
//
// with two nibbles to a byte and the last one, if odd, padded with zero.

// MaxPlaceBytes is the longest encoding of a place: a soul, a slot and all
// nibbles of a key.
const MaxPlaceBytes = 1 + 2 + maxSoul + 1 + 8 + 32

// Bytes is the one encoding of p.
func (p Place) Bytes() []byte {
	b := make([]byte, 0, 4+len(p.base)+8+len(p.prefix))
	b = append(b, byte(p.kind))
	b = binary.BigEndian.AppendUint16(b, uint16(len(p.base)))
	b = append(b, p.base...)
	b = append(b, p.level)
	if p.kind.timed() && !p.IsRoot() {
		b = binary.BigEndian.AppendUint64(b, uint64(p.slot))
	}
	return append(b, p.prefix[:(p.nibbles()+1)/2]...)
}

// nibbles is how many nibbles of a key the place fixes.
func (p Place) nibbles() int {
	if p.kind.timed() {
		return max(0, p.Level()-minuteLevel)
	}
	return p.Level()
}

// ParsePlace reads the one encoding of a place and refuses every other.
func ParsePlace(b []byte) (Place, error) {
	if len(b) > MaxPlaceBytes || len(b) < 4 {
		return Place{}, fmt.Errorf("%w: %d bytes", ErrNotPlace, len(b))
	}
	p := Place{kind: PlaceKind(b[0])}
	n := int(binary.BigEndian.Uint16(b[1:]))
	if !p.kind.valid() || len(b) < 4+n {
		return Place{}, fmt.Errorf("%w: kind %d, base of %d bytes", ErrNotPlace, b[0], n)
	}
	p.base, p.level = string(b[3:3+n]), b[3+n]
	if err := checkBase(p.kind, p.base); err != nil {
		return Place{}, err
	}
	if p.Level() > p.kind.maxLevel() {
		return Place{}, fmt.Errorf("%w: level %d of %s", ErrNotPlace, p.level, p.kind)
	}
	rest := b[4+n:]
	if p.kind.timed() && !p.IsRoot() {
		if len(rest) < 8 || binary.BigEndian.Uint64(rest) > uint64(maxSlot(p.Level())) {
			return Place{}, fmt.Errorf("%w: slot", ErrNotPlace)
		}
		p.slot, rest = int64(binary.BigEndian.Uint64(rest)), rest[8:]
	}
	if len(rest) != (p.nibbles()+1)/2 {
		return Place{}, fmt.Errorf("%w: %d bytes after the slot", ErrNotPlace, len(rest))
	}
	copy(p.prefix[:], rest)
	if p.prefix != prefixOf(p.prefix, p.nibbles()) {
		return Place{}, fmt.Errorf("%w: padding", ErrNotPlace)
	}
	return p, nil
}

func checkBase(k PlaceKind, base string) error {
	ok := false
	switch k {
	case PlaceUser, PlaceMention, PlaceThread, PlaceReactions, PlaceFollowers:
		ok = len(base) == 32
	case PlaceSequel:
		ok = len(base) == 64
	case PlaceTag, PlaceNames:
		ok = Tag(base).normal()
	case PlaceRegister:
		ok = len(base) > 32 && validRegister(base[32:])
	case PlaceGraph:
		ok = Soul(base).check() == nil
	}
	if !ok {
		return fmt.Errorf("%w: base of %s", ErrNotPlace, k)
	}
	return nil
}
