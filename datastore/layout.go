package datastore

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/starling-social/starling/records"
)

// The first byte of a key says what is under it; doc.go has the whole table.
const (
	sectionMeta      = 'm' // of the store itself
	sectionRecord    = 'r' // item key: the record
	sectionPlace     = 'p' // coordinate: the head of a place; and position: an entry of it
	sectionSum       = 'f' // 16 bits of coordinate: the fingerprint of the places under them
	sectionDisplaced = 'd' // coordinate and position of what is on its way down
	sectionDamaged   = 'q' // item key: what was put aside
	sectionNode      = 'n' // key of go-datastore: its value
)

// Keys of the store itself.
var (
	keyFormat  = []byte("mformat")
	keyNetwork = []byte("mnetwork")
	keyStats   = []byte("mstats")
)

// Sizes of keys and values, for decoding and for the exact account of bytes.
const (
	coordinateSize  = len(records.Coordinate{})
	positionSize    = 6 + len(records.ItemKey{})
	recordKeySize   = 1 + len(records.ItemKey{})
	headKeySize     = 1 + coordinateSize
	entryKeySize    = headKeySize + positionSize
	sumKeySize      = 1 + sumBits/8
	fingerprintSize = 8 + 32
	statsSize       = 8 * (6 + 2*Classes)
)

// errValue is the reason why a value could not be read.
var errValue = errors.New("value does not have its form")

func recordKey(k records.ItemKey) []byte { return append([]byte{sectionRecord}, k[:]...) }

func damagedKey(k records.ItemKey) []byte { return append([]byte{sectionDamaged}, k[:]...) }

func headKey(at records.Coordinate) []byte { return append([]byte{sectionPlace}, at[:]...) }

func entryKey(at records.Coordinate, pos records.Position) []byte {
	return appendPosition(append(make([]byte, 0, entryKeySize), headKey(at)...), pos)
}

func displacedKey(at records.Coordinate, pos records.Position) []byte {
	k := entryKey(at, pos)
	k[0] = sectionDisplaced
	return k
}

func sumKey(prefix uint16) []byte { return binary.BigEndian.AppendUint16([]byte{sectionSum}, prefix) }

// entriesOf is the span of the entries of a place, without its head.
func entriesOf(at records.Coordinate) span {
	s := under(headKey(at))
	s.low = append(s.low, 0)
	return s
}

func appendPosition(b []byte, pos records.Position) []byte {
	var created [8]byte
	binary.BigEndian.PutUint64(created[:], uint64(pos.Created))
	return append(append(b, created[2:]...), pos.Key[:]...)
}

// parseEntryKey reads the key of an entry, or of what is displaced.
func parseEntryKey(k []byte) (at records.Coordinate, pos records.Position, err error) {
	if len(k) != entryKeySize {
		return at, pos, fmt.Errorf("%w: entry key of %d bytes", errValue, len(k))
	}
	var created [8]byte
	copy(created[2:], k[headKeySize:])
	pos.Created = records.Millis(binary.BigEndian.Uint64(created[:]))
	return records.Coordinate(k[1:headKeySize]), records.Position{Created: pos.Created, Key: records.ItemKey(k[headKeySize+6:])}, nil
}

// A role is what an entry is to its place. The bucket's entries have none.
type role byte

const (
	witness   role = 1 << iota // the smallest of its child
	displaced                  // kept until it has been carried down
)

// An entry is one record in one place.
type entry struct {
	pos   records.Position
	id    records.ID
	role  role
	child records.Coordinate // where it belongs below, unless it is in the bucket
}

// counts tells whether the entry is part of the place's state, and so of its
// fingerprint: the bucket and the witnesses are.
func (e entry) counts() bool { return e.role == 0 || e.role&witness != 0 }

func (e entry) value() []byte {
	v := append(make([]byte, 0, e.valueSize()), byte(e.role))
	v = append(v, e.id[:]...)
	if e.role != 0 {
		v = append(v, e.child[:]...)
	}
	return v
}

func (e entry) valueSize() int {
	n := 1 + len(e.id)
	if e.role != 0 {
		n += coordinateSize
	}
	return n
}

// parseEntry reads the value of the entry at pos.
func parseEntry(pos records.Position, v []byte) (entry, error) {
	e := entry{pos: pos}
	if len(v) < 1 || role(v[0]) > witness|displaced {
		return e, fmt.Errorf("%w: role of an entry", errValue)
	}
	e.role = role(v[0])
	if len(v) != e.valueSize() {
		return e, fmt.Errorf("%w: entry of %d bytes", errValue, len(v))
	}
	copy(e.id[:], v[1:])
	copy(e.child[:], v[1+len(e.id):])
	return e, nil
}

// A head is what is known of a place without reading its entries.
type head struct {
	place  records.Place
	class  Class
	bucket int // entries in the bucket
	sum    records.Fingerprint
}

func (h head) value() []byte {
	place := h.place.Bytes()
	v := appendFingerprint(make([]byte, 0, fingerprintSize+2+len(place)), h.sum)
	v = binary.BigEndian.AppendUint16(v, countWithClass(h.bucket, h.class))
	return append(v, place...)
}

func parseHead(v []byte) (head, error) {
	if len(v) < fingerprintSize+2 {
		return head{}, fmt.Errorf("%w: head of %d bytes", errValue, len(v))
	}
	place, err := records.ParsePlace(v[fingerprintSize+2:])
	if err != nil {
		return head{}, fmt.Errorf("%w: %w", errValue, err)
	}
	bucket, class := parseCountWithClass(binary.BigEndian.Uint16(v[fingerprintSize:]))
	return head{place: place, class: class, bucket: bucket, sum: fingerprintOf([fingerprintSize]byte(v))}, nil
}

func appendFingerprint(b []byte, f records.Fingerprint) []byte {
	return append(binary.BigEndian.AppendUint64(b, f.Count), f.Sum[:]...)
}

func parseFingerprint(v []byte) (records.Fingerprint, error) {
	if len(v) != fingerprintSize {
		return records.Fingerprint{}, fmt.Errorf("%w: fingerprint of %d bytes", errValue, len(v))
	}
	return fingerprintOf([fingerprintSize]byte(v)), nil
}

func fingerprintOf(v [fingerprintSize]byte) records.Fingerprint {
	return records.Fingerprint{Count: binary.BigEndian.Uint64(v[:]), Sum: [32]byte(v[8:])}
}

// A stored record is its bytes, their digest and the places where it stands.
type stored struct {
	class    Class
	at       []records.Coordinate
	digest   records.Digest
	envelope []byte
}

func (s stored) value() []byte {
	v := binary.BigEndian.AppendUint16(make([]byte, 0, s.valueSize()), countWithClass(len(s.at), s.class))
	for _, at := range s.at {
		v = append(v, at[:]...)
	}
	v = append(v, s.digest[:]...)
	return append(v, s.envelope...)
}

func (s stored) valueSize() int {
	return 2 + len(s.at)*coordinateSize + len(s.digest) + len(s.envelope)
}

// parseStored reads the value of a record. The envelope is a part of v.
func parseStored(v []byte) (stored, error) {
	var s stored
	if len(v) < 2 {
		return s, fmt.Errorf("%w: record of %d bytes", errValue, len(v))
	}
	n, class := parseCountWithClass(binary.BigEndian.Uint16(v))
	s.class, v = class, v[2:]
	if len(v) < n*coordinateSize+len(s.digest) {
		return s, fmt.Errorf("%w: record of %d bytes for %d places", errValue, len(v), n)
	}
	for range n {
		s.at = append(s.at, records.Coordinate(v[:coordinateSize]))
		v = v[coordinateSize:]
	}
	s.digest, s.envelope = records.Digest(v[:len(s.digest)]), v[len(s.digest):]
	return s, nil
}

// parseSum reads the key and value of the fingerprint of a prefix.
func parseSum(k, v []byte) (prefix uint16, sum records.Fingerprint, err error) {
	if len(k) != sumKeySize {
		return 0, sum, fmt.Errorf("%w: %w: key of a sum of %d bytes", ErrCorrupt, errValue, len(k))
	}
	sum, err = parseFingerprint(v)
	return binary.BigEndian.Uint16(k[1:]), sum, err
}
