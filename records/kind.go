package records

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/starling-social/starling/records/pb"
)

// Kind says what a record is about, and with it which places it belongs to.
type Kind uint8

// The kinds. Of all but a post the head is fixed and checked; their bodies are
// carried as they are.
const (
	KindPost     Kind = Kind(pb.Kind_KIND_POST)
	KindReaction Kind = Kind(pb.Kind_KIND_REACTION)
	KindFollow   Kind = Kind(pb.Kind_KIND_FOLLOW)
	KindRegister Kind = Kind(pb.Kind_KIND_REGISTER)
	KindName     Kind = Kind(pb.Kind_KIND_NAME)
	KindGraph    Kind = Kind(pb.Kind_KIND_GRAPH)
	KindSealed   Kind = Kind(pb.Kind_KIND_SEALED)
)

var kindNames = [...]string{
	KindPost: "post", KindReaction: "reaction", KindFollow: "follow", KindRegister: "register",
	KindName: "name", KindGraph: "graph", KindSealed: "sealed",
}

func (k Kind) String() string {
	if k >= KindPost && int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Head is the part of a record that says which thing it is a version of. It is
// the same in every version, because the item key is its hash.
type Head interface {
	Kind() Kind
	// check tells whether the head, of a record by author, keeps the rules of its kind.
	check(author User) error
	// key adds to m what distinguishes this thing from others of its kind.
	key(m *material, id identity)
	// roots are the level-0 places of the thing, in the order they are reported in:
	// of a post the author's first, then tags, mentions, thread and sequel.
	roots(author User, key ItemKey) []Place
}

// placesOf is how many roots a thing has.
func placesOf(h Head, author User) int {
	if p, ok := h.(PostHead); ok {
		return p.places(author)
	}
	return 1
}

// identity is what a payload outside its head has to say about which thing it is.
type identity struct {
	author  User
	created Millis
	salt    [8]byte
	expires Millis
}

func itemKey(h Head, id identity) ItemKey {
	var m material
	m.byte(byte(h.Kind()))
	h.key(&m, id)
	return purposeItemKey.sum(m)
}

// PostHead is the part of a post that no edit can change.
type PostHead struct {
	Tags     []Tag  // ascending, unique
	Mentions []User // ascending, unique
	Root     *Ref   // the first post of the thread; nil there
	Parent   *Ref   // the post replied to; nil exactly when Root is
}

// MaxPlaces is how many places a post may belong to: each costs the network a
// neighbourhood's worth of copies.
const MaxPlaces = 8

func (PostHead) Kind() Kind { return KindPost }

func (h PostHead) check(author User) error {
	if n := h.places(author); n > MaxPlaces {
		return fmt.Errorf("%w: %d places, at most %d", ErrMalformed, n, MaxPlaces)
	}
	for i, t := range h.Tags {
		if !t.normal() {
			return fmt.Errorf("%w: tag %.64q is not normalised", ErrMalformed, string(t))
		}
		if i > 0 && h.Tags[i-1] >= t {
			return fmt.Errorf("%w: tags do not ascend", ErrMalformed)
		}
	}
	for i, u := range h.Mentions {
		if i > 0 && bytes.Compare(h.Mentions[i-1][:], u[:]) >= 0 {
			return fmt.Errorf("%w: mentions do not ascend", ErrMalformed)
		}
	}
	if (h.Root == nil) != (h.Parent == nil) {
		return fmt.Errorf("%w: a reply names both its thread and its parent", ErrMalformed)
	}
	return nil
}

func (h PostHead) places(author User) int {
	n := 1 + len(h.Tags) + len(h.Mentions)
	if h.Root != nil {
		n++
	}
	if h.sequelOf(author) {
		n++
	}
	return n
}

// sequelOf tells whether the post goes on where its own author left off.
func (h PostHead) sequelOf(author User) bool { return h.Parent != nil && h.Parent.Author == author }

func (h PostHead) key(m *material, id identity) {
	m.fixed(id.author[:])
	m.number(uint64(id.created))
	m.fixed(id.salt[:])
	m.count(len(h.Tags))
	for _, t := range h.Tags {
		m.string(string(t))
	}
	m.count(len(h.Mentions))
	for _, u := range h.Mentions {
		m.fixed(u[:])
	}
	m.optional(h.Root)
	m.optional(h.Parent)
	m.number(uint64(id.expires))
}

func (h PostHead) roots(author User, _ ItemKey) []Place {
	places := make([]Place, 0, h.places(author))
	places = append(places, UserPlace(author))
	for _, t := range h.Tags {
		places = append(places, TagPlace(t))
	}
	for _, u := range h.Mentions {
		places = append(places, MentionPlace(u))
	}
	if h.Root != nil {
		places = append(places, ThreadPlace(h.Root.Key))
	}
	if h.sequelOf(author) {
		places = append(places, SequelPlace(h.Parent.Key, author))
	}
	return places
}

// ReactionHead is one person's reaction of one class to a post.
type ReactionHead struct {
	Target Ref
	Class  uint32 // from 1
}

const maxReactionClass = 255

func (ReactionHead) Kind() Kind { return KindReaction }

func (h ReactionHead) check(User) error {
	if h.Class < 1 || h.Class > maxReactionClass {
		return fmt.Errorf("%w: reaction class %d", ErrMalformed, h.Class)
	}
	return nil
}

func (h ReactionHead) key(m *material, id identity) {
	m.fixed(id.author[:])
	m.fixed(h.Target.Key[:])
	m.number(uint64(h.Class))
}

func (h ReactionHead) roots(User, ItemKey) []Place { return []Place{ReactionsPlace(h.Target.Key)} }

// FollowHead is one person following another.
type FollowHead struct{ Followed User }

func (FollowHead) Kind() Kind       { return KindFollow }
func (FollowHead) check(User) error { return nil }

func (h FollowHead) key(m *material, id identity) {
	m.fixed(id.author[:])
	m.fixed(h.Followed[:])
}

func (h FollowHead) roots(User, ItemKey) []Place { return []Place{FollowersPlace(h.Followed)} }

// RegisterHead names a single value of its author's: profile, identity, or
// service/ and a name.
type RegisterHead struct{ Name string }

const servicePrefix = "service/"

func (RegisterHead) Kind() Kind { return KindRegister }

func (h RegisterHead) check(User) error {
	if !validRegister(h.Name) {
		return fmt.Errorf("%w: register %.80q", ErrMalformed, h.Name)
	}
	return nil
}

func validRegister(name string) bool {
	if name == "profile" || name == "identity" {
		return true
	}
	s, ok := strings.CutPrefix(name, servicePrefix)
	return ok && len(s) >= 1 && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	})
}

func (h RegisterHead) key(m *material, id identity) {
	m.fixed(id.author[:])
	m.string(h.Name)
}

func (h RegisterHead) roots(author User, _ ItemKey) []Place {
	return []Place{RegisterPlace(author, h.Name)}
}

// NameHead is one person's claim of a nickname.
type NameHead struct{ Nickname Tag }

func (NameHead) Kind() Kind { return KindName }

func (h NameHead) check(User) error {
	if !h.Nickname.normal() {
		return fmt.Errorf("%w: nickname %.64q is not normalised", ErrMalformed, string(h.Nickname))
	}
	return nil
}

func (h NameHead) key(m *material, id identity) {
	m.fixed(id.author[:])
	m.string(string(h.Nickname))
}

func (h NameHead) roots(User, ItemKey) []Place { return []Place{NamesPlace(h.Nickname)} }
