package node

import (
	"errors"
	"fmt"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/records"
)

// What a caller can act on.
var (
	ErrNotFound     = errors.New("no member of its neighbourhood has this post")
	ErrNotYours     = errors.New("this post is another's: only its author can change it")
	ErrDeleted      = errors.New("this post was deleted")
	ErrNoQuorum     = errors.New("too few members acknowledged: the post may be lost; try again")
	ErrTextSize     = fmt.Errorf("text is longer than %d bytes", records.MaxText)
	ErrManyTags     = fmt.Errorf("post has more than %d places (author, tags, mentions, thread)", records.MaxPlaces)
	ErrNotSource    = errors.New("not a timeline: want '#tag', a user (did:key:… or me), @ and a user for what mentions them, a post id, or + and a post id for its sequels")
	ErrThread       = errors.New("a thread cannot be followed: follow its author or a hashtag, or watch it")
	ErrManyFollowed = fmt.Errorf("%d sources are followed: unfollow one first", MaxFollowed)
	ErrNoRegister   = errors.New("nothing stands in this register")
	ErrNoAnswer     = errors.New("no member of its neighbourhood answers; try again")
	ErrManyClaims   = fmt.Errorf("more than %d claim this name: only some of them are shown", MaxClaims)
	ErrStopped      = errors.New("node has stopped")
	ErrNoStore      = errors.New("no store here yet: start the node once with 'starling run'")
	ErrLocked       = datastore.ErrLocked  // another node runs on the data directory
	ErrFull         = datastore.ErrFull    // the disk, or what may be used of it, has no room
	ErrQuota        = datastore.ErrQuota   // an ErrFull by Config.StoreQuota
	ErrFloor        = datastore.ErrFloor   // an ErrFull by Config.FreeSpace
	ErrForeign      = datastore.ErrForeign // the data directory is that of a node of another network
	ErrNewer        = datastore.ErrNewer   // the data directory is that of a newer version
	ErrReadOnly     = datastore.ErrReadOnly
	ErrDenied       = datastore.ErrDenied // the data directory is somebody else's
)

// ErrNotReadBack is an [ErrNoQuorum] of those who acknowledged and do not show what
// they did.
var ErrNotReadBack error = notReadBack{}

type notReadBack struct{}

func (notReadBack) Error() string {
	return "acknowledged, but too few members show it when asked: the post may be lost; try again"
}

func (notReadBack) Is(target error) bool { return target == ErrNoQuorum }
