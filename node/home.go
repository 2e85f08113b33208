package node

import (
	"context"
	"iter"

	"github.com/starling-social/starling/records"
)

// Home reads everything that the node follows as one timeline, newest first, each
// post once, with the cursor and the end of [Node.Timeline]. Who follows nothing
// has no posts at home, which is no error.
func (n *Node) Home(ctx context.Context, rng Range) iter.Seq2[*records.Record, error] {
	return func(yield func(*records.Record, error) bool) {
		if roots, _ := n.followed.living(); len(roots) > 0 {
			n.pages(ctx, roots, before(rng), min(max(rng.Limit, 0), MaxTimeline), yield)
		}
	}
}

// WatchHome yields the newest posts of everything that the node follows, newest
// first, and then what arrives there, as [Node.Watch] does for given timelines. It
// goes by the follow list as it changes: of a source that comes to it, the newest
// posts are yielded as what was there. Nothing is heard for it that the node does
// not hear already, so any number may watch.
func (n *Node) WatchHome(ctx context.Context, limit int) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		w, err := n.emptyWatcher(limit)
		if err != nil {
			yield(Event{}, err)
			return
		}
		w.list = n.followed
		defer n.hearing.watched(w)()
		w.run(ctx, yield)
	}
}
