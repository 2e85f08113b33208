package records

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/bits"
	"strings"
)

// PlaceKind is what a place collects.
type PlaceKind uint8

// The kinds of places. Their numbers are on the wire.
const (
	PlaceUser      PlaceKind = 1  // what a user posts
	PlaceTag       PlaceKind = 2  // what is posted with a hashtag
	PlaceMention   PlaceKind = 3  // what mentions a user
	PlaceThread    PlaceKind = 4  // what replies in a thread
	PlaceSequel    PlaceKind = 5  // what an author replied to their own post
	PlaceReactions PlaceKind = 6  // reactions to a post
	PlaceFollowers PlaceKind = 7  // who follows a user
	PlaceRegister  PlaceKind = 8  // one value of a user
	PlaceNames     PlaceKind = 9  // who claims a nickname
	PlaceGraph     PlaceKind = 10 // the fields of a soul
)

var placeNames = [...]string{
	PlaceUser: "user", PlaceTag: "tag", PlaceMention: "mention", PlaceThread: "thread", PlaceSequel: "sequel",
	PlaceReactions: "reactions", PlaceFollowers: "followers", PlaceRegister: "register", PlaceNames: "names", PlaceGraph: "graph",
}

func (k PlaceKind) valid() bool { return k >= PlaceUser && int(k) < len(placeNames) }

func (k PlaceKind) String() string {
	if k.valid() {
		return placeNames[k]
	}
	return fmt.Sprintf("place kind %d", uint8(k))
}

// timed tells whether the places of this kind are split by time, rather than by key.
func (k PlaceKind) timed() bool { return k >= PlaceUser && k <= PlaceSequel }

// indexed tells whether root and years of this kind hold witnesses alone.
func (k PlaceKind) indexed() bool { return k >= PlaceUser && k <= PlaceMention }

// maxLevel is the deepest level of this kind's ladder.
func (k PlaceKind) maxLevel() int {
	switch {
	case k == PlaceRegister:
		return 0
	case k.timed():
		return minuteLevel + nibbles
	default:
		return nibbles
	}
}

// Place is where records live: a kind, what it is about, and a slot of its
// ladder. Places are values that can be compared and used as map keys.
type Place struct {
	kind   PlaceKind
	level  uint8
	base   string // the canonical bytes of what the place is about
	slot   int64  // of the time ladder's level, from level 1
	prefix ItemKey
}

// UserPlace is the root of what u posts.
func UserPlace(u User) Place { return Place{kind: PlaceUser, base: string(u[:])} }

// TagPlace is the root of what is posted with t.
func TagPlace(t Tag) Place { return Place{kind: PlaceTag, base: string(t)} }

// MentionPlace is the root of what mentions u.
func MentionPlace(u User) Place { return Place{kind: PlaceMention, base: string(u[:])} }

// ThreadPlace is the root of the replies in the thread that began with root.
func ThreadPlace(root ItemKey) Place { return Place{kind: PlaceThread, base: string(root[:])} }

// SequelPlace is the root of author's replies to their own post parent.
func SequelPlace(parent ItemKey, author User) Place {
	return Place{kind: PlaceSequel, base: string(parent[:]) + string(author[:])}
}

// ReactionsPlace is the root of the reactions to a post.
func ReactionsPlace(post ItemKey) Place { return Place{kind: PlaceReactions, base: string(post[:])} }

// FollowersPlace is the root of the followers of u.
func FollowersPlace(u User) Place { return Place{kind: PlaceFollowers, base: string(u[:])} }

// RegisterPlace is the one bucket of a register of u.
func RegisterPlace(u User, name string) Place {
	return Place{kind: PlaceRegister, base: string(u[:]) + name}
}

// NamesPlace is the root of the claims of a nickname.
func NamesPlace(nickname Tag) Place { return Place{kind: PlaceNames, base: string(nickname)} }

// GraphPlace is the root of the fields of a soul.
func GraphPlace(s Soul) Place { return Place{kind: PlaceGraph, base: string(s)} }

// Kind is what the place collects.
func (p Place) Kind() PlaceKind { return p.kind }

// Level is how deep on its ladder the place stands; 0 is the coarsest.
func (p Place) Level() int { return int(p.level) }

// Root is the place at level 0 above p.
func (p Place) Root() Place { return Place{kind: p.kind, base: p.base} }

// IsRoot tells whether p is at level 0.
func (p Place) IsRoot() bool { return p.level == LevelRoot }

// Timed tells whether the place stands on the time ladder.
func (p Place) Timed() bool { return p.kind.timed() }

// At is the place at the given level, on the ladder of p, to which r belongs.
// Levels beyond the ladder's depth are its depth.
func (p Place) At(level int, r *Record) Place { return p.at(level, r.created, r.key) }

func (p Place) at(level int, created Millis, key ItemKey) Place {
	q := p.Root()
	level = min(max(level, 0), p.kind.maxLevel())
	q.level = uint8(level)
	if !p.kind.timed() {
		q.prefix = prefixOf(key, level)
		return q
	}
	if level > LevelRoot {
		q.slot = int64(created / span(level))
	}
	if level > minuteLevel {
		q.prefix = prefixOf(key, level-minuteLevel)
	}
	return q
}

// ChildFor is the place one level below p to which r belongs; p itself at the
// ladder's end.
func (p Place) ChildFor(r *Record) Place { return p.At(p.Level()+1, r) }

// Parent is the place one level above; false at the root.
func (p Place) Parent() (Place, bool) {
	if p.IsRoot() {
		return Place{}, false
	}
	return p.at(p.Level()-1, Millis(p.slot)*span(p.Level()), p.prefix), true
}

// Covers tells whether q is p or stands below it.
func (p Place) Covers(q Place) bool {
	return p.kind == q.kind && p.base == q.base && p.level <= q.level &&
		p == q.at(p.Level(), Millis(q.slot)*span(q.Level()), q.prefix)
}

// Span is the time that a place of the time ladder covers, from inclusive, to
// exclusive; all of time on other ladders.
func (p Place) Span() (from, to Millis) {
	if !p.kind.timed() || p.IsRoot() {
		return 0, MaxMillis + 1
	}
	length := span(p.Level())
	from = Millis(p.slot) * length
	return from, from + length
}

// Position is where r stands among the records of p.
func (p Place) Position(r *Record) Position {
	if p.kind.timed() {
		return Position{Created: r.created, Key: r.key}
	}
	return Position{Key: r.key}
}

// Coordinate is where on the DHT's ring a place is: comparable, by XOR, with the
// SHA-256 of peer ids, as kad-dht computes them.
type Coordinate [32]byte

func (c Coordinate) String() string { return hex.EncodeToString(c[:]) }

// SharedBits is how many leading bits c and d have in common, 256 if they are equal.
func (c Coordinate) SharedBits(d Coordinate) int {
	for i := 0; i < len(c); i += 8 {
		if x := binary.BigEndian.Uint64(c[i:]) ^ binary.BigEndian.Uint64(d[i:]); x != 0 {
			return 8*i + bits.LeadingZeros64(x)
		}
	}
	return 8 * len(c)
}

// Location is the DHT key of the place: the BLAKE3 of its bytes, or for a
// register the key under which any kad-dht client finds it.
func (p Place) Location() []byte {
	if p.kind == PlaceRegister {
		return []byte(registerKey(User([]byte(p.base[:32])), p.base[32:]))
	}
	h := purposeLocation.sum(p.Bytes())
	return h[:]
}

// registerKey is /profile/<user>, /identity/<user> or /service/<user>/<name>.
func registerKey(u User, name string) string {
	if service, ok := strings.CutPrefix(name, servicePrefix); ok {
		return "/service/" + u.Multibase() + "/" + service
	}
	return "/" + name + "/" + u.Multibase()
}

// Coordinate is the SHA-256 of the location.
func (p Place) Coordinate() Coordinate { return sha256.Sum256(p.Location()) }

// Base is what the place is about, for people: a did:key, a tag, or bytes in
// hexadecimal.
func (p Place) Base() string {
	switch p.kind {
	case PlaceUser, PlaceMention, PlaceFollowers:
		return User([]byte(p.base)).String()
	case PlaceTag, PlaceNames, PlaceGraph:
		return p.base
	case PlaceRegister:
		return registerKey(User([]byte(p.base[:32])), p.base[32:])
	default:
		return hex.EncodeToString([]byte(p.base))
	}
}

func (p Place) String() string {
	s := p.kind.String() + " " + p.Base()
	switch {
	case p.IsRoot():
		return s
	case !p.kind.timed():
		return s + "/" + hex.EncodeToString(p.prefix[:])[:p.level]
	default:
		level := min(p.Level(), minuteLevel)
		s += " " + ladder[level].name + " from " + (Millis(p.slot) * span(level)).Time().Format("2006-01-02T15:04Z")
		return s + strings.TrimSuffix("/"+hex.EncodeToString(p.prefix[:])[:p.Level()-level], "/")
	}
}

// maxSlot keeps a slot's start within what a time can be.
func maxSlot(level int) int64 {
	if level == LevelRoot {
		return 0
	}
	return min(int64(MaxMillis/span(level)), math.MaxInt64)
}
