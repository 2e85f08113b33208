package api

import (
	"encoding/hex"
	"unicode/utf8"

	"github.com/starling-social/starling/records"
)

// Register is one version of a register.
type Register struct {
	Key       string   `json:"key" doc:"Under which any kad-dht client finds it." example:"/profile/z6Mk…"`
	User      string   `json:"user" doc:"Its owner." example:"did:key:z6Mk…"`
	Name      string   `json:"name" doc:"profile, identity, or service/ and a name." example:"profile"`
	ID        string   `json:"id" doc:"Of the version, hexadecimal."`
	Rev       uint64   `json:"rev" doc:"What a compare-and-swap expects; more than a JavaScript number can hold." example:"115587100000000000"`
	Value     []byte   `json:"value" doc:"The bytes, in Base64."`
	Text      *string  `json:"text" doc:"The value, if it is UTF-8; else null."`
	Profile   *Profile `json:"profile,omitempty" doc:"The value, if it is a profile."`
	Expires   *int64   `json:"expires" doc:"Unix ms; null for never."`
	Deleted   bool     `json:"deleted" doc:"Whether this version is a tombstone."`
	Party     *string  `json:"party,omitempty" doc:"Of a relation: the other side."`
	Confirmed *bool    `json:"confirmed,omitempty" doc:"Of a relation: whether the other side agreed to it."`
}

// Profile is what somebody says of themselves.
type Profile struct {
	Name  string   `json:"name" doc:"At most 64 characters." example:"Ada"`
	About string   `json:"about" required:"false" doc:"At most 1,024 bytes." example:"Counts birds"`
	Links []string `json:"links" required:"false" doc:"At most 8, http or https." example:"[\"https://example.org/\"]"`
}

// RegisterDraft is the next version of a register: exactly one of value, text and
// profile.
type RegisterDraft struct {
	Value   []byte   `json:"value,omitempty" doc:"Bytes in Base64."`
	Text    *string  `json:"text,omitempty" doc:"Text." example:"hello"`
	Profile *Profile `json:"profile,omitempty" doc:"A profile, for the register of that name."`
	Expires int64    `json:"expires,omitempty" doc:"Unix ms; 0 for never."`
	Expect  *uint64  `json:"expect,omitempty" doc:"The rev that stands, 0 for none; absent for whatever stands."`
	Party   *string  `json:"party,omitempty" doc:"Of a relation: the other side, a did:key or me."`
	Consent *string  `json:"consent,omitempty" doc:"The party's consent, hexadecimal."`
}

// RegisterReceipt says how well a version is kept.
type RegisterReceipt struct {
	Register Register `json:"register" doc:"What stands now."`
	Stored   int      `json:"stored" doc:"Members that have it on disk."`
	Wanted   int      `json:"wanted" doc:"Members known."`
	Shown    int      `json:"shown" doc:"Other members that showed it afterwards."`
	Asked    int      `json:"asked" doc:"Other members that answered then."`
}

// SeenRegister is a version that the node has written or read.
type SeenRegister struct {
	Register

	Missing bool `json:"missing" doc:"Whether its author had seen another version than the one listed after it."`
}

// History is the versions seen, the newest first.
type History struct {
	Versions []SeenRegister `json:"versions" doc:"The newest first."`
}

// ConsentTo names a relation: the value of somebody's register.
type ConsentTo struct {
	User string `json:"user" doc:"Whose register, a did:key or me."`
	Name string `json:"name" doc:"Its name." example:"service/backup"`
	Text string `json:"text" doc:"Its value." example:"two shares"`
}

// Consent is a counter-signature.
type Consent struct {
	Party   string `json:"party" doc:"Who consents: the owner."`
	Consent string `json:"consent" doc:"The counter-signature, hexadecimal."`
}

// Claim is one person's claim of a nickname.
type Claim struct {
	Shown string `json:"shown" doc:"How to show the claimant: the nickname, # and a part of the key." example:"ada#k7Qx2mP4"`
	Name  string `json:"name" doc:"The nickname." example:"ada"`
	User  string `json:"user" doc:"Who claims it." example:"did:key:z6Mk…"`
	Since int64  `json:"since" doc:"Unix ms, by the claimant's word."`
}

// Claims are those that were found, in an order that says nothing about whose is better.
type Claims struct {
	Claims  []Claim  `json:"claims" doc:"In an order that says nothing."`
	Problem *Problem `json:"problem,omitempty" doc:"Why some may be missing."`
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
