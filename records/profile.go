package records

import (
	"fmt"
	"unicode/utf8"

	"github.com/starling-social/starling/records/pb"
	"github.com/starling-social/starling/records/wire"
)

// ProfileBody is the value of the register [Profile].
type ProfileBody struct {
	Name  string   // at most 64 characters, without control characters
	About string   // at most 1,024 bytes
	Links []string // at most 8, each as [ValidLink] says
}

// Limits of a profile.
const (
	MaxProfileName  = 64   // characters
	MaxProfileAbout = 1024 // bytes
	MaxProfileLinks = 8
)

// Encode is the register's value. It fails with [ErrMalformed] on what breaks a rule.
func (p ProfileBody) Encode() ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	b, err := marshal(&pb.Profile{Name: p.Name, About: p.About, Links: p.Links})
	if err != nil {
		return nil, fmt.Errorf("encode profile: %w", err)
	}
	return b, nil
}

// ParseProfile reads the value of a profile. What it refuses wraps [ErrMalformed].
func ParseProfile(value []byte) (ProfileBody, error) {
	var m pb.Profile
	if err := wire.Unmarshal(value, &m, contentLimits); err != nil {
		return ProfileBody{}, fmt.Errorf("%w: profile: %w", ErrMalformed, err)
	}
	p := ProfileBody{m.GetName(), m.GetAbout(), m.GetLinks()}
	return p, p.check()
}

func (p ProfileBody) check() error {
	switch {
	case !plain(p.Name) || utf8.RuneCountInString(p.Name) > MaxProfileName:
		return fmt.Errorf("%w: name %.80q: at most %d characters, no control characters", ErrMalformed, p.Name, MaxProfileName)
	case !utf8.ValidString(p.About) || len(p.About) > MaxProfileAbout:
		return fmt.Errorf("%w: about of %d bytes, at most %d of UTF-8", ErrMalformed, len(p.About), MaxProfileAbout)
	case len(p.Links) > MaxProfileLinks:
		return fmt.Errorf("%w: %d links, at most %d", ErrMalformed, len(p.Links), MaxProfileLinks)
	}
	for _, l := range p.Links {
		if !ValidLink(l) {
			return fmt.Errorf("%w: link %.80q", ErrMalformed, l)
		}
	}
	return nil
}
