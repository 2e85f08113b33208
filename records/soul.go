package records

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// GraphHead is a field of a soul. Anyone's write to a public soul competes for
// the same key, so the author is not part of it.
type GraphHead struct {
	Soul  Soul
	Field string
}

const maxField = 128

func (GraphHead) Kind() Kind { return KindGraph }

func (h GraphHead) check(author User) error {
	if len(h.Field) < 1 || len(h.Field) > maxField || !plain(h.Field) {
		return fmt.Errorf("%w: field %.128q", ErrMalformed, h.Field)
	}
	return h.Soul.writable(author)
}

func (h GraphHead) key(m *material, _ identity) {
	m.string(string(h.Soul))
	m.string(h.Field)
}

func (h GraphHead) roots(User, ItemKey) []Place { return []Place{GraphPlace(h.Soul)} }

// SealedHead is the wrapped content key of a soul for one epoch.
type SealedHead struct {
	Soul  Soul
	Epoch uint64
}

func (SealedHead) Kind() Kind { return KindSealed }

func (h SealedHead) check(author User) error { return h.Soul.writable(author) }

func (h SealedHead) key(m *material, id identity) {
	m.fixed(id.author[:])
	m.string(string(h.Soul))
	m.number(h.Epoch)
}

func (h SealedHead) roots(User, ItemKey) []Place { return []Place{GraphPlace(h.Soul)} }

// Soul names a node of a graph. Its class, who may write it, is part of the
// name: pub/…, own/<user>/… or sec/<user>/….
type Soul string

const maxSoul = 256

// The classes of souls.
const (
	soulPublic    = "pub" // anyone writes
	soulOwned     = "own" // its owner writes
	soulProtected = "sec" // its owner writes, and only readers it names can read
)

// public tells whether anyone may write to s.
func (s Soul) public() bool { return strings.HasPrefix(string(s), soulPublic+"/") }

// owner is who alone may write to a soul that is well formed and not public.
func (s Soul) owner() (User, bool) {
	class, rest, _ := strings.Cut(string(s), "/")
	owner, name, _ := strings.Cut(rest, "/")
	if (class != soulOwned && class != soulProtected) || name == "" {
		return User{}, false
	}
	u, err := parseMultibase(owner)
	return u, err == nil
}

// check tells whether s is well formed.
func (s Soul) check() error {
	if len(s) > maxSoul || !plain(string(s)) {
		return fmt.Errorf("%w: soul %.80q", ErrMalformed, string(s))
	}
	if s.public() && len(s) > len(soulPublic+"/") {
		return nil
	}
	if _, ok := s.owner(); !ok {
		return fmt.Errorf("%w: soul %.80q has no class", ErrMalformed, string(s))
	}
	return nil
}

// writable tells whether s is a soul that author may write to.
func (s Soul) writable(author User) error {
	if err := s.check(); err != nil {
		return err
	}
	if owner, owned := s.owner(); owned && owner != author {
		return fmt.Errorf("%w: soul %.80q is another's", ErrMalformed, string(s))
	}
	return nil
}

// contested tells whether several authors make versions of one thing. Their
// certificate epochs say nothing about each other, and whoever gave himself the
// highest would own the thing for ever, so epochs do not count there.
func contested(h Head) bool {
	g, ok := h.(GraphHead)
	return ok && g.Soul.public()
}

// plain tells whether s is text without control characters.
func plain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f })
}
