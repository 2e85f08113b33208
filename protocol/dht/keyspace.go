package dht

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/records"
)

// maxPrefix is the longest prefix a neighbourhood may have. A key inside a
// region is found by trying 2^bits hashes (a tenth of a second at 20), and a
// network whose neighbourhoods are that small has tens of millions of nodes.
const maxPrefix = 20

// A contact is a node and where it stands on the ring.
type contact struct {
	id peer.ID
	at records.Coordinate
}

func contactOf(p peer.ID) contact { return contact{id: p, at: coordinateOf(p)} }

// coordinateOf is where a node stands: the SHA-256 of its id, as in kad-dht.
func coordinateOf(p peer.ID) records.Coordinate { return sha256.Sum256([]byte(p)) }

// A region is all coordinates that share their first bits. Regions compare:
// beyond those bits the prefix is zero.
type region struct {
	bits   int
	prefix records.Coordinate
}

// regionOf is the region of the given number of bits around c.
func regionOf(c records.Coordinate, bits int) region {
	r := region{bits: min(max(bits, 0), 8*len(c)), prefix: c}
	whole := r.bits / 8
	if whole < len(c) {
		r.prefix[whole] &= ^(byte(0xff) >> (r.bits % 8))
		clear(r.prefix[whole+1:])
	}
	return r
}

func (r region) holds(c records.Coordinate) bool { return r.prefix.SharedBits(c) >= r.bits }

// sibling is the region that c leaves on its way from bits to bits+1: the other
// half of the region of that many bits around c.
func sibling(c records.Coordinate, bits int) region {
	c[bits/8] ^= 0x80 >> (bits % 8)
	return regionOf(c, bits+1)
}

func (r region) String() string {
	digits := make([]byte, r.bits)
	for i := range digits {
		digits[i] = '0' + r.prefix[i/8]>>(7-i%8)&1
	}
	return fmt.Sprintf("%s*", digits)
}

// nearer orders a and b by their XOR distance to target: negative when a is nearer.
func nearer(target, a, b records.Coordinate) int {
	for i := 0; i < len(target); i += 8 {
		t := word(target, i)
		if c := cmp.Compare(t^word(a, i), t^word(b, i)); c != 0 {
			return c
		}
	}
	return 0
}

// fraction is the distance of a and b as a fraction of the ring.
func fraction(a, b records.Coordinate) float64 {
	return float64(word(a, 0)^word(b, 0)) / math.Exp2(64)
}

func word(c records.Coordinate, i int) uint64 { return binary.BigEndian.Uint64(c[i:]) }

// sortByDistance orders contacts nearest to target first.
func sortByDistance(target records.Coordinate, contacts []contact) {
	slices.SortFunc(contacts, func(a, b contact) int { return nearer(target, a.at, b.at) })
}

// keyIn is a random key whose hash lies in r: kad-dht hashes what it is asked
// for, so a place on the ring can only be asked for through such a key.
func keyIn(r region) string {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails
	for n := binary.BigEndian.Uint64(key[24:]); ; n++ {
		binary.BigEndian.PutUint64(key[24:], n)
		if r.holds(sha256.Sum256(key[:])) {
			return string(key[:])
		}
	}
}
