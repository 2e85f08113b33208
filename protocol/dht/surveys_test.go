package dht_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"pgregory.net/rapid"

	"github.com/starling-social/starling/protocol/dht"
	"github.com/starling-social/starling/records"
)

// inRegion is count ids that lie in r.
func inRegion(r dht.Region, count int) (ids []peer.ID) {
	for i := 0; len(ids) < count; i++ {
		if id := numbered(i); r.Holds(dht.CoordinateOf(id)) {
			ids = append(ids, id)
		}
	}
	return ids
}

// A taker searches by looking into a list, and counts.
type taker struct {
	members  []peer.ID
	complete bool
	err      error
	takes    time.Duration
	mu       sync.Mutex // protects searches
	searches int
}

func (t *taker) take(ctx context.Context, _ dht.Region) ([]peer.ID, bool, error) {
	t.mu.Lock()
	t.searches++
	t.mu.Unlock()
	timer := time.NewTimer(t.takes)
	defer timer.Stop()
	select {
	case <-timer.C:
		return t.members, t.complete, t.err
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
}

var somewhere = records.Coordinate{0b10110000}

func TestSurveys_oneSearchForAllAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := dht.NewSurveys(time.Now)
		search := &taker{members: inRegion(dht.RegionOf(somewhere, 3), 5), complete: true, takes: time.Second}
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				c := somewhere
				c[31] = byte(i) // many places of one region
				v, err := s.Get(t.Context(), c, 3, search.take)
				if err != nil || len(v.Members()) != 5 {
					t.Errorf("got %v, %v", v, err)
				}
			})
		}
		wg.Wait()
		if search.searches != 1 {
			t.Errorf("%d searches, want 1", search.searches)
		}
	})
}

// Who is met while a search is under way, which may have looked already where it would
// have heard of that node, is in what the search brings, unless it failed or was banned
// meanwhile, too.
func TestSurveys_metMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := dht.NewSurveys(time.Now)
		ids := inRegion(dht.RegionOf(somewhere, 3), 8)
		search := &taker{members: ids[:6], complete: true, takes: time.Second}
		time.AfterFunc(time.Second/2, func() {
			s.Add(ids[0], 7) // is found anyway
			s.Add(ids[7], 7)
			s.Drop(ids[7])
			s.Add(ids[6], 7)
			s.Add(inRegion(dht.Sibling(somewhere, 2), 1)[0], 7)
		})
		for range 2 { // as it comes, and as it is kept
			v, err := s.Get(t.Context(), somewhere, 3, search.take)
			if err != nil || !slices.Equal(v.Members(), ids[:7]) || search.searches != 1 {
				t.Errorf("got %d members after %d searches, %v, want 7 after 1", len(v.Members()), search.searches, err)
			}
		}
	})
}

// An error is shared by all who wait for it, so that many callers do not each
// wait for a network that is not there.
func TestSurveys_sharedError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := dht.NewSurveys(time.Now)
		search := &taker{err: dht.ErrNoAnswer, takes: time.Second}
		start := time.Now()
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if _, err := s.Get(t.Context(), somewhere, 3, search.take); !errors.Is(err, dht.ErrNoAnswer) {
					t.Errorf("got %v", err)
				}
			})
		}
		wg.Wait()
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %s, want one second", took)
		}
	})
}

// When the caller that searches gives up, another one goes on.
func TestSurveys_searcherGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := dht.NewSurveys(time.Now)
		search := &taker{members: inRegion(dht.RegionOf(somewhere, 3), 5), takes: 2 * time.Second}
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := s.Get(impatient, somewhere, 3, search.take); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("impatient: got %v", err)
			}
		})
		synctest.Wait()
		wg.Go(func() {
			if v, err := s.Get(t.Context(), somewhere, 3, search.take); err != nil || len(v.Members()) != 5 {
				t.Errorf("patient: got %v, %v", v, err)
			}
		})
		wg.Wait()
		if search.searches != 2 {
			t.Errorf("%d searches, want 2", search.searches)
		}
	})
}

func TestSurveys_expire(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	s := dht.NewSurveys(func() time.Time { return now })
	search := &taker{members: inRegion(dht.RegionOf(somewhere, 3), 5)}
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{0, 1}, {dht.SurveyAge * 3 / 4, 1}, {dht.SurveyAge / 2, 2}, {time.Second, 2}} {
		now = now.Add(c.after)
		if _, err := s.Get(t.Context(), somewhere, 3, search.take); err != nil {
			t.Fatal(err)
		}
		if search.searches != c.want {
			t.Errorf("at %s: %d searches, want %d", now.Sub(time.Unix(0, 0)), search.searches, c.want)
		}
	}
}

// Regions searched at once are not searched again at once.
func TestSurveys_jitter(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	s := dht.NewSurveys(func() time.Time { return now })
	search := &taker{members: []peer.ID{numbered(1)}}
	ask := func() int {
		before := search.searches
		for i := range 64 {
			if _, err := s.Get(t.Context(), records.Coordinate{byte(4 * i)}, 6, search.take); err != nil {
				t.Fatal(err)
			}
		}
		return search.searches - before
	}
	ask()
	now = now.Add(dht.SurveyAge)
	if again := ask(); again < 10 || again > 54 {
		t.Errorf("after the mean age %d of 64 regions were searched again, want about half", again)
	}
}

// A complete survey of a larger region serves for all of it, an incomplete one
// only for what it was taken for.
func TestSurveys_completeServesItsParts(t *testing.T) {
	t.Parallel()
	for _, complete := range []bool{true, false} {
		s := dht.NewSurveys(time.Now)
		search := &taker{members: inRegion(dht.RegionOf(somewhere, 1), 9), complete: complete}
		for _, bits := range []int{1, 1, 3, 4} {
			if _, err := s.Get(t.Context(), somewhere, bits, search.take); err != nil {
				t.Fatal(err)
			}
		}
		if want := map[bool]int{true: 1, false: 3}[complete]; search.searches != want {
			t.Errorf("complete %v: %d searches, want %d", complete, search.searches, want)
		}
	}
}

func TestSurveys_bounded(t *testing.T) {
	t.Parallel()
	s := dht.NewSurveys(time.Now)
	search := &taker{members: []peer.ID{numbered(1)}}
	for i := range dht.MaxSurveys + 100 {
		c := records.Coordinate{byte(i >> 8), byte(i)}
		if _, err := s.Get(t.Context(), c, 16, search.take); err != nil {
			t.Fatal(err)
		}
	}
	if s.Kept() != dht.MaxSurveys {
		t.Errorf("%d surveys are kept, want %d", s.Kept(), dht.MaxSurveys)
	}
}

// Nodes that are met join the surveys of their regions, nodes that fail leave
// them, and a survey that lost many is taken anew.
func TestSurveys_addAndDrop(t *testing.T) {
	t.Parallel()
	s := dht.NewSurveys(time.Now)
	r := dht.RegionOf(somewhere, 3)
	ids := inRegion(r, 10)
	search := &taker{members: ids[:8], complete: true}
	get := func() []peer.ID {
		v, err := s.Get(t.Context(), somewhere, 3, search.take)
		if err != nil {
			t.Fatal(err)
		}
		return v.Members()
	}
	get()
	s.Add(ids[8], 9)
	s.Add(ids[8], 9) // twice is once
	s.Add(inRegion(dht.Sibling(somewhere, 2), 1)[0], 9)
	if got := get(); !slices.Equal(got, ids[:9]) {
		t.Errorf("after adding: %d members, want 9", len(got))
	}
	s.Drop(ids[0])
	s.Drop(ids[9]) // was none
	if got := get(); !slices.Equal(got, ids[1:9]) || search.searches != 1 {
		t.Errorf("after one failed: %d members after %d searches, want 8 after 1", len(got), search.searches)
	}
	for _, id := range ids[1:4] {
		s.Drop(id)
	}
	if get(); search.searches != 2 {
		t.Errorf("after four of nine failed: %d searches, want 2", search.searches)
	}
}

// A survey that was complete is not any more when somebody is met for whom it has no
// room: it is taken anew, and once only while it stays as it is then.
func TestSurveys_outgrown(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]bool{"kept": false, "under way": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := dht.NewSurveys(time.Now)
				ids := inRegion(dht.RegionOf(somewhere, 3), 9)
				search := &taker{members: ids[:6], complete: true, takes: time.Second}
				get := func() { // what is below is asked for: only what is complete serves for it
					if _, err := s.Get(t.Context(), somewhere, 3, search.take); err != nil {
						t.Error(err)
					}
				}
				if meanwhile {
					time.AfterFunc(time.Second/2, func() { s.Add(ids[6], 7); s.Add(ids[7], 7) })
					get()
				} else {
					get()
					s.Add(ids[6], 7)
					get()
					if search.searches != 1 {
						t.Errorf("%d searches while there was room, want 1", search.searches)
					}
					s.Add(ids[7], 7)
				}
				if v, err := s.Get(t.Context(), somewhere, 4, search.take); err != nil || v.Region().Bits() != 4 {
					t.Errorf("a part of the region is answered for by one that others are missing from: %v", err)
				}
				before := search.searches
				search.members, search.complete = ids[:7], false // no more than that are looked for
				for range 3 {
					get()
					s.Add(ids[8], 7)
				}
				if search.searches != before+1 {
					t.Errorf("%d searches, want 1", search.searches-before)
				}
			})
		})
	}
}

// Where too few were found, whoever asks looks again, but not at what was found moments
// ago: a place may have no more.
func TestSurveys_renew(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	s := dht.NewSurveys(func() time.Time { return now })
	search := &taker{members: inRegion(dht.RegionOf(somewhere, 3), 3), complete: true}
	get := func() {
		if _, err := s.Get(t.Context(), somewhere, 3, search.take); err != nil {
			t.Fatal(err)
		}
	}
	get()
	for i, step := range []struct {
		after   time.Duration
		renewed bool
	}{{0, false}, {dht.DoubtAge - 1, false}, {1, true}, {0, false}, {dht.DoubtAge, true}} {
		now = now.Add(step.after)
		before := search.searches
		if got := s.Renew(somewhere); got != step.renewed {
			t.Errorf("step %d: renewed %t", i, got)
		}
		if get(); search.searches > before != step.renewed {
			t.Errorf("step %d: %d searches", i, search.searches-before)
		}
	}
	if now = now.Add(dht.DoubtAge); s.Renew(dht.Sibling(somewhere, 2).Prefix()) {
		t.Error("renewed for a place elsewhere")
	}
}

// What a member was first seen at survives new surveys.
func TestSurveys_since(t *testing.T) {
	t.Parallel()
	start := time.Unix(0, 0)
	now := start
	s := dht.NewSurveys(func() time.Time { return now })
	ids := inRegion(dht.RegionOf(somewhere, 3), 2)
	search := &taker{members: ids[:1]}
	if _, err := s.Get(t.Context(), somewhere, 3, search.take); err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * dht.SurveyAge)
	search.members = ids
	v, err := s.Get(t.Context(), somewhere, 3, search.take)
	if err != nil {
		t.Fatal(err)
	}
	if !v.Since(ids[0]).Equal(start) || !v.Since(ids[1]).Equal(now) {
		t.Errorf("known since %s and %s, want %s and %s", v.Since(ids[0]), v.Since(ids[1]), start, now)
	}
}

// Of too many members the nearest half stay and of the others the longest known,
// nearest first.
func TestPreferred_nearAndOld(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 40).Draw(t, "members")
		limit := rapid.IntRange(1, 20).Draw(t, "limit")
		var ids []peer.ID
		var since []time.Time
		for i := range n {
			ids = append(ids, numbered(i))
			since = append(since, time.Unix(rapid.Int64Range(0, 9).Draw(t, "since"), 0))
		}
		kept := dht.Preferred(ids, since, limit, nil)
		if len(kept) != min(n, limit) || !slices.IsSortedFunc(kept, func(a, b peer.ID) int {
			return slices.Index(ids, a) - slices.Index(ids, b)
		}) {
			t.Fatalf("kept %d of %d, limit %d, in another order", len(kept), n, limit)
		}
		for i, id := range ids {
			if slices.Contains(kept, id) {
				continue
			}
			if i < limit/2 {
				t.Fatalf("number %d is near and gone", i)
			}
			for _, other := range kept[limit/2:] {
				if j := slices.Index(ids, other); since[j].After(since[i]) {
					t.Fatalf("number %d, known for longer, gave way to %d", i, j)
				}
			}
		}
	})
}
