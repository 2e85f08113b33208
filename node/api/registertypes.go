package api

import (
	"encoding/hex"
	"unicode/utf8"

	"github.com/starling-social/starling/records"
)

// Register is one version of a register.
type Register struct {
	Key       string   `json:"key"`  // under which any kad-dht client finds it
	User      string   `json:"user"` // its owner's did:key
	Name      string   `json:"name"` // profile, identity, or service/ and a name
	ID        string   `json:"id"`   // of the version, hexadecimal
	Rev       uint64   `json:"rev"`  // what a compare-and-swap expects; more than a JavaScript number can hold
	Value     []byte   `json:"value"`
	Text      *string  `json:"text"` // the value, if it is UTF-8
	Profile   *Profile `json:"profile,omitempty"`
	Expires   *int64   `json:"expires"` // Unix ms
	Deleted   bool     `json:"deleted"`
	Party     *string  `json:"party,omitempty"`     // of a relation: the other side
	Confirmed *bool    `json:"confirmed,omitempty"` // whether that side agreed to it
}

// Profile is what somebody says of themselves.
type Profile struct {
	Name  string   `json:"name"`
	About string   `json:"about" required:"false"`
	Links []string `json:"links" required:"false"`
}

// RegisterDraft is the next version of a register: exactly one of value, text and
// profile.
type RegisterDraft struct {
	Value   []byte   `json:"value,omitempty"`
	Text    *string  `json:"text,omitempty"`
	Profile *Profile `json:"profile,omitempty"`
	Expires int64    `json:"expires,omitempty"` // Unix ms; 0 for never
	Expect  *uint64  `json:"expect,omitempty"`  // the revision that stands, 0 for none; absent for whatever stands
	Party   *string  `json:"party,omitempty"`
	Consent *string  `json:"consent,omitempty"` // of the party, hexadecimal
}

// RegisterReceipt says how well a version is kept.
type RegisterReceipt struct {
	Register Register `json:"register"`
	Stored   int      `json:"stored"` // members that have it on disk
	Wanted   int      `json:"wanted"` // members known
	Shown    int      `json:"shown"`  // other members that showed it afterwards
	Asked    int      `json:"asked"`  // other members that answered then
}

// SeenRegister is a version that the node has written or read.
type SeenRegister struct {
	Register

	Missing bool `json:"missing"` // its author had seen another version than the one listed after it
}

// History is the versions seen, the newest first.
type History struct {
	Versions []SeenRegister `json:"versions"`
}

// ConsentTo names a relation: the value of somebody's register.
type ConsentTo struct {
	User string `json:"user"`
	Name string `json:"name"`
	Text string `json:"text"`
}

// Consent is a counter-signature.
type Consent struct {
	Party   string `json:"party"`
	Consent string `json:"consent"` // hexadecimal
}

// Claim is one person's claim of a nickname.
type Claim struct {
	Shown string `json:"shown"` // name#key
	Name  string `json:"name"`
	User  string `json:"user"`
	Since int64  `json:"since"` // Unix ms, by the claimant's word
}

// Claims are those that were found, in an order that says nothing about whose is better.
type Claims struct {
	Claims  []Claim  `json:"claims"`
	Problem *Problem `json:"problem,omitempty"` // why some may be missing
}

func (s *Server) registerJSON(r *records.Record) Register {
	id, body, err := r.Register()
	out := Register{
		Key: id.Key(), User: id.User.String(), Name: id.Name, Rev: uint64(r.Rev()), Value: body.Value, Deleted: r.Deleted(),
	}
	version := r.ID()
	out.ID = hex.EncodeToString(version[:])
	if at := int64(r.Expires()); at != 0 {
		out.Expires = &at
	}
	if err != nil || r.Deleted() {
		return out // of another client's making: the version is all that can be told
	}
	if utf8.Valid(body.Value) {
		text := string(body.Value)
		out.Text = &text
	}
	if p, err := records.ParseProfile(body.Value); err == nil && id.Name == records.Profile {
		out.Profile = &Profile{p.Name, p.About, append([]string{}, p.Links...)}
	}
	if body.Party != (records.User{}) {
		party, confirmed := body.Party.String(), s.Node.Confirmed(r)
		out.Party, out.Confirmed = &party, &confirmed
	}
	return out
}
