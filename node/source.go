package node

import (
	"fmt"
	"strings"

	"github.com/starling-social/starling/records"
)

// Source is a timeline: a hashtag's, a user's, what mentions a user, the thread of a
// post, or what its own author added to a post.
//
// Sources are comparable. The zero Source is no timeline.
type Source struct {
	kind sourceKind
	tag  records.Tag
	user records.User
	post records.Ref
}

type sourceKind int

const (
	ofTag sourceKind = iota + 1
	ofUser
	ofMentions
	ofThread
	ofSequels
)

// TagSource is what is posted with a hashtag.
func TagSource(t records.Tag) Source { return Source{kind: ofTag, tag: t} }

// UserSource is what a user posts.
func UserSource(u records.User) Source { return Source{kind: ofUser, user: u} }

// MentionSource is what mentions a user.
func MentionSource(u records.User) Source { return Source{kind: ofMentions, user: u} }

// ThreadSource is the thread that a post stands in.
func ThreadSource(post records.Ref) Source { return Source{kind: ofThread, post: post} }

// SequelSource is what the author of a post went on to say right under it.
func SequelSource(post records.Ref) Source { return Source{kind: ofSequels, post: post} }

// root is the root of the tree that a source is read from. That of a thread has to
// be found: see [Node.resolve].
func (s Source) root() (_ records.Place, known bool) {
	switch s.kind {
	case ofTag:
		return records.TagPlace(s.tag), true
	case ofUser:
		return records.UserPlace(s.user), true
	case ofMentions:
		return records.MentionPlace(s.user), true
	case ofSequels:
		return records.SequelPlace(s.post.Key, s.post.Author), true
	default:
		return records.Place{}, false
	}
}

// Followable tells whether a source can be followed: [ErrThread] if not, because
// threads and sequels end.
func (s Source) Followable() error {
	switch s.kind {
	case ofTag, ofUser, ofMentions:
		return nil
	default:
		return ErrThread
	}
}

// ParseSource reads '#tag', did:key:… or me, the same after @ for what mentions
// them, a post id, or the same after + for its sequels.
func ParseSource(s string, me records.User) (Source, error) {
	switch {
	case strings.HasPrefix(s, "#"):
		t, err := records.NormalizeTag(s)
		return TagSource(t), err
	case strings.HasPrefix(s, "@"):
		u, err := ParseUser(s[1:], me)
		return MentionSource(u), err
	case s == "me" || strings.HasPrefix(s, "did:"):
		u, err := ParseUser(s, me)
		return UserSource(u), err
	case strings.HasPrefix(s, "+"):
		ref, err := records.ParseRef(s[1:])
		return SequelSource(ref), err
	case strings.HasPrefix(s, "p") && len(s) > 64:
		ref, err := records.ParseRef(s)
		return ThreadSource(ref), err
	default:
		return Source{}, fmt.Errorf("%w: %.80q", ErrNotSource, s)
	}
}

// ParseUser reads did:key:… or me.
func ParseUser(s string, me records.User) (records.User, error) {
	if s == "me" {
		return me, nil
	}
	return records.ParseUser(s)
}

func (s Source) String() string {
	switch s.kind {
	case ofTag:
		return "#" + string(s.tag)
	case ofUser:
		return s.user.String()
	case ofMentions:
		return "@" + s.user.String()
	case ofThread:
		return s.post.String()
	case ofSequels:
		return "+" + s.post.String()
	default:
		return ""
	}
}
