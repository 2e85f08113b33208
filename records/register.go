package records

import (
	"crypto/ed25519"
	"fmt"
	"strings"

	"github.com/starling-social/starling/records/pb"
	"github.com/starling-social/starling/records/wire"
)

// The registers that every user may have, besides those of services.
const (
	Profile  = "profile"  // who somebody is, for people
	Identity = "identity" // the same for programs
)

// ServiceName is the name of the register of a service of its owner's.
func ServiceName(service string) string { return servicePrefix + service }

// RegisterID names a register: whose it is, and which.
type RegisterID struct {
	User User
	Name string // profile, identity, or service/ and a name
}

// ParseRegisterKey reads the key under which any kad-dht client finds a register, in
// the one form that [RegisterID.Key] writes. What it refuses wraps [ErrNotRegister].
func ParseRegisterKey(key string) (RegisterID, error) {
	parts := strings.Split(key, "/")
	if len(key) > maxRegisterKey || len(parts) < 3 || parts[0] != "" {
		return RegisterID{}, fmt.Errorf("%w: %.80q", ErrNotRegister, key)
	}
	u, err := parseMultibase(parts[2])
	if err != nil {
		return RegisterID{}, fmt.Errorf("%w: %w", ErrNotRegister, err)
	}
	id := RegisterID{u, parts[1]}
	if parts[1]+"/" == servicePrefix {
		id.Name = servicePrefix + strings.Join(parts[3:], "/")
	} else if len(parts) != 3 {
		return RegisterID{}, fmt.Errorf("%w: %.80q", ErrNotRegister, key)
	}
	if !validRegister(id.Name) {
		return RegisterID{}, fmt.Errorf("%w: %.80q", ErrNotRegister, key)
	}
	return id, nil
}

// maxRegisterKey is more bytes than the longest key has: service, a user, a name.
const maxRegisterKey = 160

// Key is /profile/<user>, /identity/<user> or /service/<user>/<name>, the user as the
// multibase of the key.
func (id RegisterID) Key() string { return registerKey(id.User, id.Name) }

// Place is the one bucket of the register.
func (id RegisterID) Place() Place { return RegisterPlace(id.User, id.Name) }

// Check tells whether there can be such a register: [ErrNotRegister] if not.
func (id RegisterID) Check() error {
	if !validRegister(id.Name) {
		return fmt.Errorf("%w: %.80q", ErrNotRegister, id.Name)
	}
	return nil
}

// Register is the register that p is; false for other kinds.
func (p Place) Register() (id RegisterID, ok bool) {
	if p.kind != PlaceRegister {
		return RegisterID{}, false
	}
	return RegisterID{User([]byte(p.base[:len(User{})])), p.base[len(User{}):]}, true
}

// owner is who alone writes to p; false where others may.
func (p Place) owner() (User, bool) {
	switch p.kind {
	case PlaceUser, PlaceRegister:
		return User([]byte(p.base[:len(User{})])), true
	case PlaceSequel:
		return User([]byte(p.base[len(ItemKey{}):])), true
	case PlaceGraph:
		return Soul(p.base).owner()
	default:
		return User{}, false
	}
}

// RegisterBody is what one version of a register holds. Whoever hears of the
// register by its record alone can tell what it replaced, and whether the other
// side of a relation agreed.
type RegisterBody struct {
	Value    []byte
	Replaces ID       // the version that the author saw before; zero in the first
	Party    User     // of a relation: its other side; zero of none
	Consent  [64]byte // the party's counter-signature, see [Consent]; zero while there is none
}

// Register is head and body of a register. A tombstone has an empty body. It fails
// with [ErrMalformed] on a body that is not ours: doors let any bytes pass there.
func (r *Record) Register() (id RegisterID, body RegisterBody, err error) {
	h, ok := r.head.(RegisterHead)
	if !ok {
		return RegisterID{}, RegisterBody{}, fmt.Errorf("%w: a %s is no register", ErrMalformed, r.Kind())
	}
	id = RegisterID{r.author, h.Name}
	if r.deleted {
		return id, RegisterBody{}, nil
	}
	var m pb.RegisterBody
	if err := wire.Unmarshal(r.body, &m, contentLimits); err != nil {
		return id, RegisterBody{}, fmt.Errorf("%w: body: %w", ErrMalformed, err)
	}
	body.Value = m.GetValue()
	for _, f := range []struct{ from, to []byte }{
		{m.GetReplaces(), body.Replaces[:]}, {m.GetParty(), body.Party[:]}, {m.GetConsent(), body.Consent[:]},
	} {
		if len(f.from) != 0 && len(f.from) != len(f.to) {
			return id, RegisterBody{}, fmt.Errorf("%w: field of %d bytes in a register", ErrMalformed, len(f.from))
		}
		copy(f.to, f.from)
	}
	return id, body, nil
}

func (b RegisterBody) encode() ([]byte, error) {
	m := &pb.RegisterBody{Value: b.Value}
	if b.Replaces != (ID{}) {
		m.Replaces = b.Replaces[:]
	}
	if b.Party != (User{}) {
		m.Party = b.Party[:]
	}
	if b.Consent != ([64]byte{}) {
		m.Consent = b.Consent[:]
	}
	out, err := marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode register: %w", err)
	}
	return append([]byte{}, out...), nil // never nil: an empty value is no tombstone
}

// NewRegister drafts the version of a register that follows prev, or the first one
// if that is nil. Expires is zero for never.
func NewRegister(prev *Record, now Millis, name string, body RegisterBody, expires Millis) (Draft, error) {
	if !validRegister(name) {
		return Draft{}, fmt.Errorf("%w: %.80q", ErrNotRegister, name)
	}
	d := Draft{Head: RegisterHead{Name: name}, Created: now, Rev: RevAt(now)}
	if prev != nil {
		d = prev.next(now)
		body.Replaces = prev.id
	}
	var err error
	d.Body, err = body.encode()
	d.Expires = expires
	return d, err
}

// NewClaim drafts the first claim of a nickname, or the next one after prev, which
// was perhaps given up.
func NewClaim(prev *Record, now Millis, nickname Tag) Draft {
	d := Draft{Head: NameHead{Nickname: nickname}, Created: now, Rev: RevAt(now)}
	if prev != nil {
		d = prev.next(now)
	}
	d.Body = []byte{}
	return d
}

// Consent is the counter-signature by which the second party of a relation agrees to
// it: to the register's owner, its name and its value. The owner may write the same
// value again; another value needs another consent.
func Consent(n Network, party Key, id RegisterID, value []byte) [64]byte {
	return [64]byte(ed25519.Sign(party.private, consented(n, id, value)))
}

// Confirmed tells whether the other side of the relation in r, a register of network
// n, agreed to it. One-sided relations are to be shown as unconfirmed.
func (b RegisterBody) Confirmed(n Network, id RegisterID) bool {
	return b.Party != (User{}) && verify(b.Party, consented(n, id, b.Value), b.Consent[:])
}

func consented(n Network, id RegisterID, value []byte) []byte {
	var m material
	m.string("starling consent " + n.ID())
	m.fixed(id.User[:])
	m.string(id.Name)
	m.bytes(value)
	return m
}

// Refusal tells why put, offered where held is the version of the same thing, was not
// taken; nil if put is held or replaces it.
func Refusal(put, held *Record) error {
	switch {
	case held == nil, put.id == held.id, put.Wins(held):
		return nil
	case held.epoch > put.epoch:
		return ErrTooOld
	case held.rev > put.rev:
		return ErrHaveNewer
	default:
		return ErrConflict
	}
}

// Expired tells whether the record is past its time. It still holds its key.
func (r *Record) Expired(now Millis) bool { return r.expires != 0 && r.expires <= now }

// Fragment is a part of the user's key by which people tell two claimants of one
// nickname apart: name#fragment. Eight characters cost 2^46 keys to match.
func (u User) Fragment() string {
	const fixed = len("z6Mk") // of all Ed25519 keys
	return u.Multibase()[fixed : fixed+8]
}
