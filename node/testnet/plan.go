package testnet

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/zeebo/blake3"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

// The derive-key contexts of what a stream leaves to us.
const (
	contextAuthor = "starling 2026-11-21 testnet author"
	contextSalt   = "starling 2026-11-21 testnet salt"
	contextProber = "starling 2026-11-21 testnet prober"
)

// KeyOf is the key of an author's number, the same in every run.
func KeyOf(author int) records.Key {
	return records.KeyFromSeed(derive(contextAuthor, author))
}

func derive(context string, n int) (out [32]byte) {
	blake3.DeriveKey(context, binary.LittleEndian.AppendUint64(nil, uint64(n)), out[:])
	return out
}

// Watched timelines: the busiest, because they have the most to lose, and a few
// authors because people are heard in another way than hashtags.
const (
	watchedTags    = 8
	watchedAuthors = 4
)

// plan is what is made of a stream before anything is sent: who says what where,
// and who listens.
type plan struct {
	network  records.Network
	lines    []Line
	nodes    int
	watched  map[string]int // timeline to the node that watches it
	expected int            // pairs that watchers should hear

	keys   map[int]records.Key
	said   map[int]said // by id of line
	turn   int          // the node that publishes next
	placed []placed     // what was sealed, in order
}

// said is what replies need to know of a post.
type said struct{ root, self records.Ref }

// placed is a post and where it should be found.
type placed struct {
	id        records.ID
	publisher int
	sources   []string
}

func newPlan(network records.Network, lines []Line, nodes int) *plan {
	p := &plan{network: network, lines: lines, nodes: nodes, keys: map[int]records.Key{}, said: map[int]said{}}
	p.watch()
	return p
}

// watch chooses the timelines to watch, each on one node. Watchers stay on half of
// the nodes, so that every post can be published by a node that does not watch it.
func (p *plan) watch() {
	tags, authors := map[string]int{}, map[string]int{}
	for _, l := range p.lines {
		head := p.head(l)
		author := p.author(l.Author).User()
		p.said[l.ID] = said{self: records.Ref{Author: author}} // enough to count the places of replies
		authors[author.String()]++
		for _, t := range head.Tags {
			tags["#"+string(t)]++
		}
	}
	p.watched = map[string]int{}
	for _, some := range [][]string{busiest(tags, watchedTags), busiest(authors, watchedAuthors)} {
		for _, source := range some {
			p.watched[source] = len(p.watched) % max(p.nodes/2, 1)
			p.expected += tags[source] + authors[source]
		}
	}
}

func busiest(count map[string]int, n int) []string {
	sources := slices.SortedFunc(maps.Keys(count), func(a, b string) int {
		return cmp.Or(count[b]-count[a], cmp.Compare(a, b))
	})
	return sources[:min(n, len(sources))]
}

func (p *plan) author(n int) records.Key {
	k, ok := p.keys[n]
	if !ok {
		k = KeyOf(n)
		p.keys[n] = k
	}
	return k
}

// head is the head of a line's post. A post has [records.MaxPlaces] places; of a
// line with more, its author and thread stay, then its tags and then its mentions
// in the order of the line, and the rest is left out.
func (p *plan) head(l Line) records.PostHead {
	author := p.author(l.Author).User()
	head := records.PostHead{}
	if l.ReplyTo != nil {
		parent := p.said[*l.ReplyTo]
		head.Root, head.Parent = &parent.root, &parent.self
	}
	for _, s := range l.Tags {
		t, err := records.NormalizeTag(s)
		if err == nil && !slices.Contains(head.Tags, t) && node.CountPlaces(head, author) < records.MaxPlaces {
			head.Tags = append(head.Tags, t)
		}
	}
	for _, n := range l.Mentions {
		u := p.author(n).User()
		if !slices.Contains(head.Mentions, u) && node.CountPlaces(head, author) < records.MaxPlaces {
			head.Mentions = append(head.Mentions, u)
		}
	}
	return node.WithText(head, author, "") // in the order that a head needs
}

// seal makes the record of the next line, keeping when it was written but saying
// it now: what is said long ago is no news to those who listen.
func (p *plan) seal(ctx context.Context, l Line, now time.Time) (*records.Record, placed, error) {
	if records.Millis(l.Time) > records.MillisOf(now) {
		return nil, placed{}, fmt.Errorf("post %d: %w: time %d is in the future", l.ID, ErrStream, l.Time)
	}
	salt := derive(contextSalt, l.ID)
	head := p.head(l)
	body := records.PostBody{Text: l.Text, Facets: node.Facets(l.Text, head)}
	draft, err := records.NewPost(records.Millis(l.Time), [8]byte(salt[:8]), head, body)
	if err != nil {
		return nil, placed{}, fmt.Errorf("post %d: %w", l.ID, err)
	}
	draft.Rev = records.RevAt(records.MillisOf(now))
	r, err := records.Seal(ctx, p.network, records.AuthorSigner(p.author(l.Author)), draft)
	if err != nil {
		return nil, placed{}, fmt.Errorf("post %d: %w", l.ID, err)
	}
	self := r.Ref()
	root := self
	if head.Root != nil {
		root = *head.Root
	}
	p.said[l.ID] = said{root: root, self: self}
	at := placed{id: r.ID(), sources: sourcesOf(r)}
	at.publisher = p.publisher(at.sources)
	p.placed = append(p.placed, at)
	return r, at, nil
}

// probe is a post in a timeline that nobody looks for afterwards.
func (p *plan) probe(ctx context.Context, s node.Source, now time.Time) (*records.Record, error) {
	key, head := records.KeyFromSeed(derive(contextProber, 0)), records.PostHead{}
	if tag, ok := strings.CutPrefix(s.String(), "#"); ok {
		head.Tags = []records.Tag{records.Tag(tag)}
	} else {
		for _, k := range p.keys {
			if k.User().String() == s.String() {
				key = k
			}
		}
	}
	var salt [8]byte
	_, _ = rand.Read(salt[:]) // never fails: see crypto/rand
	draft, err := records.NewPost(records.MillisOf(now), salt, head, records.PostBody{Text: "Does anybody listen?"})
	if err != nil {
		return nil, fmt.Errorf("probe %s: %w", s, err)
	}
	return records.Seal(ctx, p.network, records.AuthorSigner(key), draft)
}

// sourcesOf are the timelines in which a post is looked for: its author's and
// those of its tags.
func sourcesOf(r *records.Record) []string {
	head, _, _ := r.Post()
	sources := []string{r.Author().String()}
	for _, t := range head.Tags {
		sources = append(sources, "#"+string(t))
	}
	return sources
}

// publisher is the next node in turn that watches none of the sources.
func (p *plan) publisher(sources []string) int {
	for range p.nodes {
		p.turn = (p.turn + 1) % p.nodes
		if !slices.ContainsFunc(sources, func(s string) bool { n, ok := p.watched[s]; return ok && n == p.turn }) {
			break
		}
	}
	return p.turn
}
