package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

// A timeline is what was posted in one hashtag, or by one person.
type timeline struct {
	source node.Source
	root   records.Place
	posts  []*records.Record // newest first
}

const day = 24 * time.Hour

// month is a slot of the month's level.
const month = 28 * day

// steady is arrivals that do not depend on each other, so many a day on average,
// between two moments.
func steady(random *rand.Rand, perDay float64, from, to time.Time) (times []time.Time) {
	for at := from; ; {
		at = at.Add(time.Duration(random.ExpFloat64() / perDay * float64(day)))
		if !at.Before(to) {
			return times
		}
		times = append(times, at)
	}
}

// monthly is so many posts in each of some months, counted back from the one that
// now is in.
func monthly(random *rand.Rand, posts int, months []int, now time.Time) (times []time.Time) {
	begin := now.Add(-sinceMonth(now))
	for _, back := range months {
		from, length := begin.Add(-time.Duration(back)*month), month
		if back == 0 {
			length = now.Sub(from)
		}
		for i := range posts {
			// one in each third, so that there are posts in this month too
			part := length / time.Duration(posts)
			times = append(times, from.Add(time.Duration(i)*part+time.Duration(random.Int64N(int64(part)))))
		}
	}
	return times
}

// sinceMonth is how long the slot of the month's level has lasted.
func sinceMonth(now time.Time) time.Duration {
	return time.Duration(now.UnixMilli()%month.Milliseconds()) * time.Millisecond
}

// sketch is arrivals at a pace from one moment to another, without those that no
// reader who counts back from the end can tell are missing: of each slot that
// the end is in, and of the one before, the first that fill the buckets above and
// its own, and one for each of its parts, which bears witness. So a hashtag with a
// post a second, kept for months, takes a few thousand records.
func sketch(random *rand.Rand, perDay float64, begin, end time.Time) (times []time.Time) {
	const enough = 700 // fills the buckets of ten levels
	gap := time.Duration(float64(day) / perDay)
	kept := map[int64]bool{}
	keep := func(start time.Time, n int64) {
		if start.Before(begin) {
			start = begin
		}
		first := int64(math.Ceil(float64(start.UnixNano()) / float64(gap)))
		for k := first; k < first+n; k++ {
			kept[k] = true
		}
	}
	lengths := []time.Duration{month, 7 * day, day, 6 * time.Hour, time.Hour, 15 * time.Minute, 5 * time.Minute, time.Minute}
	for i, length := range lengths {
		current := time.UnixMilli(end.UnixMilli() / length.Milliseconds() * length.Milliseconds())
		for _, start := range []time.Time{current.Add(-length), current} {
			keep(start, enough)
			for part := start; i+1 < len(lengths) && part.Before(start.Add(length)); part = part.Add(lengths[i+1]) {
				keep(part, 1)
			}
		}
	}
	keep(end.Add(-enough*gap), enough+1)
	for k := range kept {
		at := time.Unix(0, k*int64(gap)).Add(time.Duration(random.Int64N(3 * int64(gap))))
		if at.Before(end) {
			times = append(times, at)
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	return times
}

// A draft is a post to be signed.
type draft struct {
	at     time.Time
	author int
	tags   []records.Tag
	text   string
}

// tagged is a draft in a hashtag at each of some times, by many authors.
func tagged(random *rand.Rand, tag records.Tag, times []time.Time) (out []draft) {
	for _, at := range times {
		out = append(out, draft{at: at, author: random.IntN(100), tags: []records.Tag{tag}, text: prose(random)})
	}
	return out
}

// words make posts about as long as people write them.
var words = strings.Fields(`a flock of starlings turns at dusk over the reeds and nobody leads it each bird
	heeds seven others whichever are nearest so that news of a hawk crosses ten thousand of them in half a second`)

func prose(random *rand.Rand) string {
	var b strings.Builder
	for range 4 + random.IntN(30) {
		b.WriteString(words[random.IntN(len(words))] + " ")
	}
	return strings.TrimSpace(b.String())
}

// sign makes the records of drafts, on all cores.
func sign(ctx context.Context, network records.Network, keys func(author int) records.Key, drafts []draft) ([]*records.Record, error) {
	out := make([]*records.Record, len(drafts))
	g, ctx := errgroup.WithContext(ctx)
	for part := range runtime.GOMAXPROCS(0) {
		g.Go(func() error {
			for i := part; i < len(drafts); i += runtime.GOMAXPROCS(0) {
				var err error
				if out[i], err = drafts[i].sign(ctx, network, keys(drafts[i].author), i); err != nil {
					return fmt.Errorf("sign post %d: %w", i, err)
				}
			}
			return nil
		})
	}
	return out, g.Wait()
}

func (d draft) sign(ctx context.Context, network records.Network, key records.Key, number int) (*records.Record, error) {
	var salt [8]byte
	binary.BigEndian.PutUint64(salt[:], uint64(number))
	post, err := records.NewPost(records.MillisOf(d.at), salt, records.PostHead{Tags: d.tags}, records.PostBody{Text: d.text})
	if err != nil {
		return nil, err
	}
	return records.Seal(ctx, network, records.AuthorSigner(key), post)
}

// author is the key of an author's number.
func author(n int) records.Key {
	var seed [32]byte
	binary.BigEndian.PutUint64(seed[:], uint64(n)+1)
	return records.KeyFromSeed(seed)
}

// newestFirst puts records in the order of a timeline.
func newestFirst(rs []*records.Record) []*records.Record {
	slices.SortFunc(rs, func(r, s *records.Record) int { return position(s).Compare(position(r)) })
	return rs
}

// position is where a post stands in every timeline that it is in.
func position(r *records.Record) records.Position {
	return records.Position{Created: r.Created(), Key: r.ItemKey()}
}
