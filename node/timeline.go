package node

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/starling-social/starling/records"
)

// Range says which part of a timeline to read.
type Range struct {
	Limit  int              // posts at most
	Before records.Position // only posts before it; zero for the newest
}

// MaxTimeline is how many posts one call reads at most; go on with Before.
const MaxTimeline = 1000

// pageSize is how many posts one walk of the tree finds: what a screen or two show.
const pageSize = 50

// maxRounds bounds a walk against members that witness without end: the depth of
// a ladder to the minute, twice over for what arrives meanwhile, and as many
// rounds again for archives with a post a year.
const maxRounds = 64

// GapError says that nobody answered for a part of a timeline: what was read is
// right, newest first, but posts of these places are missing.
type GapError struct{ Places []records.Place }

func (e *GapError) Error() string {
	return fmt.Sprintf("nobody answered for %d buckets of this timeline, the newest %s: posts may be missing", len(e.Places), e.Places[0])
}

// Timeline reads a timeline newest first. Of a thread's first page the post that
// began it comes first, then the replies. Posts are yielded as soon as it is
// certain that none is missing before them. The last pair yielded may be a
// [*GapError]; any other error ends the sequence early.
func (n *Node) Timeline(ctx context.Context, s Source, rng Range) iter.Seq2[*records.Record, error] {
	return func(yield func(*records.Record, error) bool) {
		root, first, err := n.resolve(ctx, s)
		if err != nil {
			yield(nil, err)
			return
		}
		limit := min(max(rng.Limit, 0), MaxTimeline)
		if first != nil && limit > 0 && rng.Before == (records.Position{}) {
			limit--
			if !yield(first, nil) {
				return
			}
		}
		n.pages(ctx, []records.Place{root}, before(rng), limit, yield)
	}
}

// Merged reads several timelines as one, newest first, each post once. Of threads
// it has the replies alone. For the rest see [Node.Timeline].
func (n *Node) Merged(ctx context.Context, sources []Source, rng Range) iter.Seq2[*records.Record, error] {
	return func(yield func(*records.Record, error) bool) {
		if len(sources) == 0 || len(sources) > MaxSources {
			yield(nil, fmt.Errorf("read %d timelines as one: want 1 to %d", len(sources), MaxSources))
			return
		}
		var roots []records.Place
		for _, s := range sources {
			root, _, err := n.resolve(ctx, s)
			if err != nil {
				yield(nil, err)
				return
			}
			if !slices.Contains(roots, root) {
				roots = append(roots, root)
			}
		}
		n.pages(ctx, roots, before(rng), min(max(rng.Limit, 0), MaxTimeline), yield)
	}
}

func before(rng Range) records.Position {
	if rng.Before == (records.Position{}) {
		return records.Newest
	}
	return rng.Before
}

// pages yields up to limit posts before a position, a walk at a time.
func (n *Node) pages(ctx context.Context, roots []records.Place, before records.Position, limit int, yield func(*records.Record, error) bool) {
	var gaps []records.Place
	for limit > 0 {
		page, err := n.page(ctx, roots, before, min(limit, pageSize), func(r *records.Record) bool { return yield(r, nil) })
		switch {
		case errors.Is(err, errTaken):
			return
		case err != nil:
			yield(nil, err)
			return
		}
		gaps = append(gaps, page.Gaps...)
		limit -= len(page.Records)
		if !page.More {
			break
		}
		before = roots[0].Position(page.Records[len(page.Records)-1])
	}
	if len(gaps) > 0 {
		yield(nil, &GapError{gaps})
	}
}

// errTaken means that the reader of a page has had enough of it.
var errTaken = errors.New("nobody takes the rest of the page")

// page carries out one walk: what to ask is decided in package records, whom to
// ask in read.go. It hands over each record as soon as its place in the page is
// certain.
func (n *Node) page(ctx context.Context, roots []records.Place, before records.Position, want int, take func(*records.Record) bool) (records.Page, error) {
	walk := records.NewWalk(n.config.Network, roots, before, records.MillisOf(n.now()), want)
	n.shapes.suggest(walk, roots, before)
	defer func() { n.shapes.learn(walk, before) }() // also when nobody takes the rest
	began, rounds, taken := time.Now(), 0, 0
	ctx, span := n.span(ctx, "page")
	defer func() {
		page := walk.Page()
		n.metrics.paged(began, rounds, len(page.Gaps))
		end(span, "", tallied{"timelines", len(roots)}, tallied{"rounds", rounds}, tallied{"records", len(page.Records)}, tallied{"gaps", len(page.Gaps)})
	}()
	for range maxRounds {
		queries := walk.Ask()
		if len(queries) == 0 {
			break
		}
		rounds++
		buckets, errs := n.read(ctx, queries)
		if err := ctx.Err(); err != nil {
			return records.Page{}, fmt.Errorf("read %s: %w", roots[0], err)
		}
		for i, q := range queries {
			if errs[i] != nil {
				n.voices.read.Debug("bucket unanswered", "place", q.Place, "err", errs[i])
				walk.Fail(q.Place)
				continue
			}
			walk.Answer(buckets[i])
		}
		for _, r := range walk.Settled()[taken:] {
			if taken++; !take(r) {
				return records.Page{}, errTaken
			}
		}
	}
	page := walk.Page()
	for _, r := range page.Records[taken:] {
		if !take(r) {
			return records.Page{}, errTaken
		}
	}
	return page, nil
}

// newest is a page of some timelines as a whole.
func (n *Node) newest(ctx context.Context, roots []records.Place, before records.Position, want int) (records.Page, error) {
	return n.page(ctx, roots, before, want, func(*records.Record) bool { return true })
}

// resolve finds the root of a source's tree and, of a thread, the post that began
// it.
func (n *Node) resolve(ctx context.Context, s Source) (root records.Place, first *records.Record, err error) {
	if root, known := s.root(); known {
		return root, nil, nil
	}
	if s.kind != ofThread {
		return records.Place{}, nil, ErrNotSource
	}
	if first, err = n.threadRoot(ctx, s.post); err != nil {
		return records.Place{}, nil, err
	}
	return records.ThreadPlace(first.ItemKey()), first, nil
}

// threadRoot is the post that began the thread of ref.
func (n *Node) threadRoot(ctx context.Context, ref records.Ref) (*records.Record, error) {
	r, err := n.Post(ctx, ref)
	if err != nil {
		return nil, err
	}
	if head, _, _ := r.Post(); head.Root != nil {
		return n.Post(ctx, *head.Root)
	}
	return r, nil
}

// Post finds the newest version of a post by its id, which names its author and
// its time: a walk of one post through the author's tree.
func (n *Node) Post(ctx context.Context, ref records.Ref) (*records.Record, error) {
	roots := []records.Place{records.UserPlace(ref.Author)}
	page, err := n.newest(ctx, roots, after(records.Position{Created: ref.Created, Key: ref.Key}), 1)
	if err != nil {
		return nil, err
	}
	if len(page.Records) == 1 && page.Records[0].ItemKey() == ref.Key {
		if _, _, ok := page.Records[0].Post(); ok {
			return page.Records[0], nil
		}
	}
	if len(page.Gaps) > 0 {
		return nil, fmt.Errorf("%w: %w", ErrNotFound, &GapError{page.Gaps})
	}
	return nil, ErrNotFound
}

// after is the position that follows p.
func after(p records.Position) records.Position {
	for i := len(p.Key) - 1; i >= 0; i-- {
		if p.Key[i]++; p.Key[i] != 0 {
			return p
		}
	}
	p.Created++
	return p
}
