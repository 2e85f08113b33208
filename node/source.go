package node

import (
	"fmt"
	"strings"

	"github.com/starling-social/starling/records"
)

// Source is a timeline: a hashtag's, a user's, what mentions a user, the thread of a
// post, or what its own author added to a post.
type Source struct {
	tag      records.Tag
	user     records.User
	mentions bool // of user
	post     *records.Ref
	sequels  bool // of post
}

// TagSource is what is posted with a hashtag.
func TagSource(t records.Tag) Source { return Source{tag: t} }

// UserSource is what a user posts.
func UserSource(u records.User) Source { return Source{user: u} }

// MentionSource is what mentions a user.
func MentionSource(u records.User) Source { return Source{user: u, mentions: true} }

// ThreadSource is the thread that a post stands in.
func ThreadSource(post records.Ref) Source { return Source{post: &post} }

// SequelSource is what the author of a post went on to say right under it.
func SequelSource(post records.Ref) Source { return Source{post: &post, sequels: true} }

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
	switch {
	case s.sequels:
		return "+" + s.post.String()
	case s.post != nil:
		return s.post.String()
	case s.tag != "":
		return "#" + string(s.tag)
	case s.mentions:
		return "@" + s.user.String()
	default:
		return s.user.String()
	}
}
