package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

// Whatever a mark is, its text says it, and no other text does.
func TestMark_roundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := mark{
			run: rapid.Uint64().Draw(t, "run"), topic: rapid.Uint64().Draw(t, "topic"), seq: rapid.Uint64().Draw(t, "seq"),
			shown: rapid.IntRange(-1, 60).Draw(t, "shown"), at: rapid.Int64().Draw(t, "at"),
		}
		if got, err := parseMark(want.String()); err != nil || got != want {
			t.Fatalf("%s is read as %+v, %v; want %+v", want, got, err, want)
		}
	})
}

func FuzzParseMark(f *testing.F) {
	for _, s := range []string{"", "1.2.3..4", "1.2.3.0.4", "....", "1.2.3.-1.4", "01.2.3..4", "1.2.3..4.5", strings.Repeat("z", 100), "3w5e11264sgsf.1.1..1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if m, err := parseMark(s); err == nil && m.String() != s {
			t.Errorf("%q is read as %q", s, m)
		}
	})
}

// posts are so many, each with a text of so many bytes, created in no order.
func posts(t testing.TB, n, size int) (all []*records.Record) {
	t.Helper()
	network, err := records.TestNetwork("watch")
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		d, err := records.NewPost(records.Millis(1+i*7919%10007), [8]byte{}, records.PostHead{}, records.PostBody{Text: fmt.Sprint(i) + " " + strings.Repeat("x", size)})
		if err != nil {
			t.Fatal(err)
		}
		r, err := records.Seal(context.Background(), network, records.AuthorSigner(records.KeyFromSeed([32]byte{1})), d)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// heard is what a client makes of what a journal writes: what it was told, and the last
// id. It may stop reading after any event.
func heard(text string, most int) (told []Arrival, last string) {
	n := 0
	for f := range serverSent(bufio.NewScanner(strings.NewReader(text))) {
		if n++; n > most {
			break
		}
		last = f.id
		var a Arrival
		switch f.name {
		case eventPost:
			a.Post = &Post{}
			_ = json.Unmarshal([]byte(f.data), a.Post)
		case eventGap:
			a.Gap = &Gap{}
			_ = json.Unmarshal([]byte(f.data), a.Gap)
		}
		told = append(told, a)
	}
	return told, last
}

// Whoever reads at any pace, and is cut off after any event, hears every post that
// arrived once and in order, or of exactly how many it did not.
func TestJournal_nothingLostOrTwice(t *testing.T) {
	small, large := posts(t, 60, 10), posts(t, 60, 4000)
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SampledFrom([][]*records.Record{small, large}).Draw(t, "posts")
		j := newJournal(1, 1, time.UnixMilli(1000))
		at, gap := j.begin("")
		if gap != nil {
			t.Fatalf("a gap at the beginning: %+v", gap)
		}
		last, next, arrived := at.String(), 0, 0
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			for range rapid.IntRange(0, 80).Draw(t, "arrive") {
				j.append(node.Event{Record: all[arrived%len(all)], Live: true}, time.UnixMilli(int64(2000+arrived)))
				arrived++
			}
			text, _ := j.after(&at, rapid.IntRange(1, 1000).Draw(t, "portion"), gapSlow)
			cut := rapid.Bool().Draw(t, "cut off")
			most := 1 << 30
			if cut {
				most = rapid.IntRange(0, 30).Draw(t, "after")
			}
			told, id := heard(text, most)
			if id != "" {
				last = id
			}
			for _, a := range told {
				if a.Gap != nil {
					if a.Gap.Missed < 1 || a.Gap.Reason != gapSlow {
						t.Fatalf("gap %+v", a.Gap)
					}
					next += a.Gap.Missed
					continue
				}
				if want := fmt.Sprint(next%len(all), " "); !strings.HasPrefix(a.Post.Text, want) || !*a.Post.Live {
					t.Fatalf("heard %.10q, live %t, want %s", a.Post.Text, *a.Post.Live, want)
				}
				next++
			}
			if cut {
				if at, gap = j.begin(last); gap != nil {
					t.Fatalf("back after %s: gap %+v", last, gap)
				}
			}
		}
		for before := -1; before != next; { // to the end
			before = next
			text, _ := j.after(&at, 1000, gapSlow)
			told, _ := heard(text, 1<<30)
			for _, a := range told {
				if next++; a.Gap != nil {
					next += a.Gap.Missed - 1
				}
			}
		}
		if next != arrived {
			t.Fatalf("%d arrived, %d were heard or told of", arrived, next)
		}
	})
}

// Who comes later is shown the newest posts, newest first, as no news, and then what
// arrives; also when it is cut off while it is shown them.
func TestJournal_past(t *testing.T) {
	all := posts(t, 80, 10)
	j := newJournal(1, 1, time.UnixMilli(1000))
	for _, r := range all[:70] {
		j.append(node.Event{Record: r, Live: true}, time.UnixMilli(2000))
	}
	rapid.Check(t, func(t *rapid.T) {
		j := *j
		at, _ := j.begin("")
		var shown []Post
		for len(shown) < pastPosts {
			text, _ := j.after(&at, rapid.IntRange(1, 100).Draw(t, "portion"), gapSlow)
			told, last := heard(text, rapid.IntRange(1, 20).Draw(t, "cut off after"))
			for _, a := range told {
				shown = append(shown, *a.Post)
			}
			j.append(node.Event{Record: all[70+len(shown)%10], Live: true}, time.UnixMilli(3000)) // meanwhile
			var gap *Gap
			if at, gap = j.begin(last); gap != nil {
				t.Fatalf("gap %+v", gap)
			}
		}
		for i, p := range shown[:pastPosts] {
			if *p.Live || i > 0 && p.Created > shown[i-1].Created {
				t.Fatalf("%d: created %d after %d, live %t", i, p.Created, shown[i-1].Created, *p.Live)
			}
		}
	})
}

// Of a post that was edited the newest text is shown, of one deleted none.
func TestJournal_pastVersions(t *testing.T) {
	r := posts(t, 2, 1)
	edit, err := records.EditPost(r[0], 20_000, records.PostBody{Text: "edited"})
	if err != nil {
		t.Fatal(err)
	}
	j := newJournal(1, 1, time.UnixMilli(1000))
	for _, x := range []*records.Record{r[0], r[1], seal(t, edit), seal(t, records.Tombstone(r[1], 30_000))} {
		j.append(node.Event{Record: x, Live: true}, time.UnixMilli(2000))
	}
	at, _ := j.begin("")
	text, n := j.after(&at, 100, gapSlow)
	told, _ := heard(text, 100)
	if n != 1 || len(told) != 1 || told[0].Post.Text != "edited" {
		t.Errorf("shown %d: %s", n, text)
	}
}

func seal(t *testing.T, d records.Draft) *records.Record {
	t.Helper()
	network, err := records.TestNetwork("watch")
	if err != nil {
		t.Fatal(err)
	}
	r, err := records.Seal(t.Context(), network, records.AuthorSigner(records.KeyFromSeed([32]byte{1})), d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Who comes back with an id that says nothing any more is told so, and is shown the
// newest posts.
func TestJournal_gaps(t *testing.T) {
	j := newJournal(7, 3, time.UnixMilli(1000))
	for _, r := range posts(t, 3, 1) {
		j.append(node.Event{Record: r}, time.UnixMilli(2000))
	}
	for name, c := range map[string]struct {
		last string
		want *Gap
	}{
		"first time":       {"", nil},
		"in time":          {mark{7, 3, 2, allShown, 2000}.String(), nil},
		"has all":          {mark{7, 3, 3, allShown, 2000}.String(), nil},
		"another run":      {mark{8, 3, 2, allShown, 1500}.String(), &Gap{Reason: gapRestart, Since: 1500}},
		"another topic":    {mark{7, 4, 2, allShown, 1500}.String(), &Gap{Reason: gapAway, Since: 1500}},
		"from the future":  {mark{7, 3, 4, allShown, 1500}.String(), &Gap{Reason: gapRestart, Since: 1500}},
		"nothing of ours":  {"17", &Gap{Reason: gapRestart}},
		"a line too much":  {"a\nb", &Gap{Reason: gapRestart}},
		"nothing was seen": {mark{7, 3, 0, 0, 1000}.String(), nil},
	} {
		at, gap := j.begin(c.last)
		if (gap == nil) != (c.want == nil) || gap != nil && *gap != *c.want {
			t.Errorf("%s: %+v, want %+v", name, gap, c.want)
		}
		if _, n := j.after(&at, 100, gapAway); c.want != nil && n != 3 {
			t.Errorf("%s: shown %d posts", name, n)
		}
	}
}
