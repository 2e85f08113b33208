package node

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/records"
)

// MaxTags is how many hashtags [Node.Tags] gives at most.
const MaxTags = 20

// Tags are hashtags that begin with a prefix, with or without #, as far as this node
// knows any: those it follows, then those that most of the posts have that it saw
// lately or keeps. It asks nobody. Nothing of a prefix that no hashtag has is an error.
func (n *Node) Tags(prefix string) ([]records.Tag, error) {
	begins := strings.TrimPrefix(prefix, "#")
	if t, err := records.NormalizeTag(begins); err == nil {
		begins = string(t)
	}
	counts, err := n.tagBook.read(n.now(), n.countTags)
	if err != nil {
		return nil, fmt.Errorf("find hashtags: %w", err)
	}
	var followed, others []records.Tag
	for _, f := range n.Following() {
		if f.Source.kind == ofTag && strings.HasPrefix(string(f.Source.tag), begins) {
			followed = append(followed, f.Source.tag)
		}
	}
	for t := range counts {
		if strings.HasPrefix(string(t), begins) && !slices.Contains(followed, t) {
			others = append(others, t)
		}
	}
	slices.Sort(followed)
	slices.SortFunc(others, func(a, b records.Tag) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		return strings.Compare(string(a), string(b))
	})
	all := append(followed, others...)
	return all[:min(len(all), MaxTags)], nil
}

// tagBook is how often hashtags were seen, as it was a little while ago.
type tagBook struct {
	mu     sync.Mutex // held while counting too: who asks meanwhile wants the same
	made   time.Time
	counts map[records.Tag]int // never changed, only replaced
}

// tagBookTime is how old a count may be.
const tagBookTime = 30 * time.Second

func (b *tagBook) read(now time.Time, count func() (map[records.Tag]int, error)) (map[records.Tag]int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.counts != nil && now.Sub(b.made).Abs() < tagBookTime {
		return b.counts, nil
	}
	counts, err := count()
	if err == nil {
		b.made, b.counts = now, counts
	}
	return counts, err
}

// tagSample is how many records of the store are looked at: their order in it is that
// of hashes, so they are a fair sample, and it takes some ten milliseconds.
const tagSample = 2000

// countTags counts the hashtags of posts that passed the door lately and of a sample
// of those that are kept. One post may count twice.
func (n *Node) countTags() (map[records.Tag]int, error) {
	counts := map[records.Tag]int{}
	note := func(r *records.Record) {
		if head, _, isPost := r.Post(); isPost && !r.Deleted() {
			for _, t := range head.Tags {
				counts[t]++
			}
		}
	}
	for _, r := range n.door.Remembered() {
		note(r)
	}
	looked := 0
	for k, err := range n.store.Kept() {
		var damaged *datastore.CorruptError
		switch {
		case errors.As(err, &damaged):
		case err != nil:
			return nil, err
		default:
			note(k.Record)
		}
		if looked++; looked >= tagSample {
			break
		}
	}
	return counts, nil
}
