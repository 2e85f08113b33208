package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	ds "github.com/ipfs/go-datastore"

	"github.com/starling-social/starling/records"
)

// MaxFollowed is how many sources a node follows at most: what one peer may follow
// at another, see [protocol.MaxRootsPeer].
const MaxFollowed = 1024

// Followed is a source that the node follows.
type Followed struct {
	Source Source
	Since  time.Time // to the millisecond
}

// Follow has the node follow a hashtag, a user, or what mentions a user: it keeps
// copies of their newest posts, hears what arrives, and shows all of it at home.
// The list is on disk when it returns. Following twice changes nothing. A thread
// is refused with [ErrThread], one source too many with [ErrManyFollowed].
func (n *Node) Follow(ctx context.Context, s Source) error {
	if err := s.Followable(); err != nil {
		return err
	}
	root, _ := s.root()
	f := n.followed
	f.writing.Lock()
	defer f.writing.Unlock()
	list := f.entries()
	at := indexOf(list, s)
	switch {
	case at >= 0 && !list[at].leaving:
		return nil
	case at >= 0:
		list[at] = follow{Followed: Followed{s, n.now()}}
	case len(list) >= MaxFollowed:
		n.brims.reach(brimFollowed)
		return ErrManyFollowed
	default:
		list = append(list, follow{Followed: Followed{s, n.now()}})
	}
	if err := f.write(ctx, list); err != nil {
		return fmt.Errorf("follow %s: %w", s, err)
	}
	n.copies.follow(root)
	return nil
}

// Unfollow ends that, and drops the copies that the node kept for it alone. With
// an error some of them may be left; they are dropped when the node starts again.
// What is not followed is unfollowed already.
func (n *Node) Unfollow(ctx context.Context, s Source) error {
	f := n.followed
	f.writing.Lock()
	defer f.writing.Unlock()
	list := f.entries()
	at := indexOf(list, s)
	if at < 0 {
		return nil
	}
	// First the word that it is leaving: while copies are left, they are hidden.
	list[at].leaving = true
	if err := f.write(ctx, list); err != nil {
		return fmt.Errorf("unfollow %s: %w", s, err)
	}
	if err := n.leave(ctx, s); err != nil {
		return fmt.Errorf("unfollow %s: %w", s, err)
	}
	return nil
}

// leave drops the copies of a source that is leaving and takes it off the list,
// which the caller has locked for writing.
func (n *Node) leave(ctx context.Context, s Source) error {
	root, _ := s.root()
	n.copies.unfollow(root)
	if err := n.dropCopies(ctx, root); err != nil {
		return err
	}
	list := n.followed.entries()
	return n.followed.write(ctx, slices.DeleteFunc(list, func(e follow) bool { return e.Source == s }))
}

// finishLeaving sees to the sources whose copies were not all dropped when they
// were unfollowed.
func (n *Node) finishLeaving(ctx context.Context) error {
	f := n.followed
	f.writing.Lock()
	defer f.writing.Unlock()
	for _, e := range f.entries() {
		if !e.leaving {
			continue
		}
		if err := n.leave(ctx, e.Source); err != nil {
			return fmt.Errorf("drop copies of %s: %w", e.Source, err)
		}
	}
	return nil
}

// Following is what the node follows, the longest followed first.
func (n *Node) Following() (out []Followed) {
	for _, e := range n.followed.entries() {
		if !e.leaving {
			out = append(out, e.Followed)
		}
	}
	return out
}

// follow is an entry of the follow list.
type follow struct {
	Followed

	leaving bool // not followed any more; copies may be left
}

func indexOf(list []follow, s Source) int {
	return slices.IndexFunc(list, func(e follow) bool { return e.Source == s })
}

// followList is the follow list, on disk and at hand.
type followList struct {
	store   ds.Datastore
	writing sync.Mutex // held by whoever changes the list, until that is on disk

	mu      sync.Mutex                 // protects all below
	list    []follow                   // never changed, only replaced
	roots   map[records.Place]struct{} // of all on the list, those that leave included; only replaced
	changed chan struct{}              // closed when the list is replaced
}

// readFollowed reads what the node followed when it ended. None of the copies that
// it kept is fresh.
func (n *Node) readFollowed() (err error) {
	n.followed, err = openFollowList(context.Background(), n.store.Datastore())
	if errors.Is(err, errDamaged) {
		n.voices.follow.Error("what was followed has to be followed again", "err", err)
		err = nil
	}
	if err != nil {
		return err
	}
	for _, f := range n.Following() {
		root, _ := f.Source.root()
		n.copies.follow(root)
	}
	return nil
}

var followsKey = ds.NewKey("/node/following")

// maxFollowsBytes bounds the list when it is read: of 1,024 sources, the longest of
// which is a hashtag of 64 runes, each perhaps six bytes in JSON twice over.
const maxFollowsBytes = MaxFollowed << 10

// openFollowList reads the list. One that is damaged is put aside, so that the
// node starts.
func openFollowList(ctx context.Context, store ds.Datastore) (*followList, error) {
	f := &followList{store: store, changed: make(chan struct{})}
	b, err := store.Get(ctx, followsKey)
	if errors.Is(err, ds.ErrNotFound) {
		return f, nil
	}
	if err != nil {
		return nil, fmt.Errorf("follow list: %w", err)
	}
	list, err := decodeFollows(b)
	if err == nil {
		f.replace(list)
		return f, nil
	}
	if err := store.Put(ctx, followsKey.ChildString("damaged"), b); err != nil {
		return nil, fmt.Errorf("put follow list aside: %w", err)
	}
	return f, fmt.Errorf("%w: %w", errDamaged, err)
}

// errDamaged beside a list says that it was started anew.
var errDamaged = errors.New("follow list is damaged and was put aside")

// storedFollow is an entry on disk.
type storedFollow struct {
	Source  string `json:"source"`
	Since   int64  `json:"since"` // Unix ms
	Leaving bool   `json:"leaving,omitempty"`
}

func decodeFollows(b []byte) (list []follow, err error) {
	var entries []storedFollow
	if len(b) > maxFollowsBytes {
		return nil, fmt.Errorf("it has %d bytes", len(b))
	}
	if err := json.Unmarshal(b, &entries); err != nil {
		return nil, err
	}
	for _, e := range entries {
		s, err := ParseSource(e.Source, records.User{})
		if err != nil {
			return nil, err
		}
		if s.Followable() != nil || indexOf(list, s) >= 0 || len(list) == MaxFollowed {
			return nil, fmt.Errorf("%s in a list of %d", s, len(entries))
		}
		list = append(list, follow{Followed{s, time.UnixMilli(e.Since)}, e.Leaving})
	}
	return list, nil
}

// entries is a copy of the list.
func (f *followList) entries() []follow {
	list, _ := f.watch()
	return slices.Clone(list)
}

// watch is the list and what is closed when it is another.
func (f *followList) watch() ([]follow, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.list, f.changed
}

// write puts a list on disk and then in place of the present one.
func (f *followList) write(ctx context.Context, list []follow) error {
	entries := []storedFollow{}
	for i, e := range list {
		list[i].Since = e.Since.Truncate(time.Millisecond)
		entries = append(entries, storedFollow{e.Source.String(), e.Since.UnixMilli(), e.leaving})
	}
	b, err := json.Marshal(entries)
	if err != nil {
		return fmt.Errorf("encode follow list: %w", err)
	}
	if err := f.store.Put(ctx, followsKey, b); err != nil {
		return fmt.Errorf("write follow list: %w", err)
	}
	f.replace(list)
	return nil
}

func (f *followList) replace(list []follow) {
	roots := make(map[records.Place]struct{}, len(list))
	for _, e := range list {
		root, _ := e.Source.root()
		roots[root] = struct{}{}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list, f.roots = list, roots
	close(f.changed)
	f.changed = make(chan struct{})
}

// tells whether the tree of a place is on the list, also while it leaves.
func (f *followList) tells(p records.Place) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, listed := f.roots[p.Root()]
	return listed
}

// living are the roots of what is followed, and what is closed when they change.
func (f *followList) living() (roots []records.Place, changed <-chan struct{}) {
	list, changed := f.watch()
	for _, e := range list {
		if root, _ := e.Source.root(); !e.leaving {
			roots = append(roots, root)
		}
	}
	return roots, changed
}
