package node

import (
	"crypto/rand"
	"fmt"
	"slices"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	"pgregory.net/rapid"

	"github.com/starling-social/starling/records"
)

// A panel is the members of one place, and who are said to keep copies of it: honest
// ones that hold what has reached them, dead ones, and liars, who know what everybody
// holds.
type panel struct {
	place   records.Place
	ids     []peer.ID // of members
	copies  []peer.ID
	honest  map[peer.ID]*records.State
	dead    map[peer.ID]bool
	all     []*records.Record
	network records.Network
}

func drawPanel(t *rapid.T, n records.Network, posts []*records.Record) *panel {
	place := records.UserPlace(posts[0].Author()).At(records.LevelMonth, posts[0])
	p := &panel{place: place, honest: map[peer.ID]*records.State{}, dead: map[peer.ID]bool{}, all: posts, network: n}
	everybody := rapid.SliceOfN(rapid.SampledFrom(posts), 0, len(posts)).Draw(t, "at everybody")
	for i := range rapid.IntRange(1, 24).Draw(t, "members") {
		p.ids = append(p.ids, peer.ID(fmt.Sprint("member ", i)))
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "copies") {
		p.copies = append(p.copies, peer.ID(fmt.Sprint("copy ", i)))
	}
	for _, id := range slices.Concat(p.ids, p.copies) {
		switch rapid.SampledFrom([]string{"honest", "honest", "behind", "dead", "liar"}).Draw(t, "kind") {
		case "honest":
			p.honest[id] = stateOf(n, place, everybody)
		case "behind":
			p.honest[id] = stateOf(n, place, rapid.SliceOfN(rapid.SampledFrom(posts), 0, 10).Draw(t, "at this one"))
		case "dead":
			p.dead[id] = true
		}
	}
	return p
}

func stateOf(n records.Network, p records.Place, rs []*records.Record) *records.State {
	s := records.NewState(n, p)
	for _, r := range rs {
		s.Merge(r)
	}
	return s
}

// answer is what a member says; nil is nothing.
func (p *panel) answer(t *rapid.T, q question) *records.Bucket {
	query := q.reading.query
	query.Print = !q.full
	if s := p.honest[q.member]; s != nil {
		b := s.Bucket(query)
		return &b
	}
	if p.dead[q.member] {
		return nil
	}
	if !q.full { // the fingerprint of somebody, or any
		b := records.Bucket{Place: p.place, Fingerprint: records.Fingerprint{Count: rapid.Uint64Range(0, 2).Draw(t, "claim")}}
		if s := p.honest[rapid.SampledFrom(p.ids).Draw(t, "whose")]; s != nil {
			b = s.Bucket(query)
		}
		return &b
	}
	b := stateOf(p.network, p.place, rapid.SliceOfN(rapid.SampledFrom(p.all), 0, 5).Draw(t, "shown")).Bucket(query)
	b.Fingerprint = b.Sum()
	return &b
}

// However answers come, and whatever a part of the members claim: what any honest
// member that answered all it was asked would have shown is in what is read, and the
// reading ends after each member was asked at most twice.
func TestReading_nobodyHides(t *testing.T) {
	network, err := records.NewNetwork("reading", records.Params{Neighbourhood: 4, Capacity: 4})
	if err != nil {
		t.Fatal(err)
	}
	posts := somePosts(t, network, 12)
	rapid.Check(t, func(t *rapid.T) {
		p := drawPanel(t, network, posts)
		q := records.Query{Place: p.place, Before: records.Newest, Limit: rapid.IntRange(0, 5).Draw(t, "limit")}
		if rapid.Bool().Draw(t, "cursor") {
			q.Before = p.place.Position(rapid.SampledFrom(posts).Draw(t, "before"))
		}
		r := newReading(q, p.ids, nil)
		r.copies = p.copies
		heard := p.conduct(t, r)
		for _, m := range p.ids {
			if r.told() == 0 && !p.dead[m] {
				t.Fatalf("only copies were heard, and %s is alive", m)
			}
		}
		if len(r.full) == 0 && len(heard) > 0 && r.underway == 0 {
			t.Fatalf("%d members answered and none was asked for records", len(heard))
		}
		if len(r.full) == 0 {
			return
		}
		got := r.union()
		for _, m := range heard {
			p.mustShow(t, got, q, m)
		}
	})
}

// conduct carries out a reading in some order, until it has enough, and returns the
// honest members that answered and owe no answer.
func (p *panel) conduct(t *rapid.T, r *reading) (heard []peer.ID) {
	questions, asked := r.first(), map[peer.ID]int{}
	for len(questions) > 0 {
		i := rapid.IntRange(0, len(questions)-1).Draw(t, "who answers next")
		q := questions[i]
		questions = slices.Delete(questions, i, i+1)
		if asked[q.member]++; asked[q.member] > 2 {
			t.Fatalf("%s was asked three times", q.member)
		}
		r.take(q, p.answer(t, q))
		questions = append(questions, r.more()...)
		if rapid.IntRange(0, 9).Draw(t, "late") == 0 {
			questions = append(questions, r.late()...)
		}
		if r.underway != len(questions) {
			t.Fatalf("%d questions under way, and it counts %d", len(questions), r.underway)
		}
		if r.enough() {
			break
		}
	}
	if !r.enough() {
		t.Fatal("nobody is left to answer and it waits for more")
	}
	for m := range p.honest {
		owes := slices.ContainsFunc(questions, func(q question) bool { return q.member == m })
		if asked[m] > 0 && !owes {
			heard = append(heard, m)
		}
	}
	return heard
}

// mustShow checks that what an honest member holds is in a union, as far as that
// goes.
func (p *panel) mustShow(t *rapid.T, got records.Bucket, q records.Query, m peer.ID) {
	want := p.honest[m].Bucket(q)
	for _, r := range want.Records {
		cut := got.More && (len(got.Records) == 0 || p.place.Position(r).Compare(p.place.Position(got.Records[len(got.Records)-1])) < 0)
		if !cut && !slices.Contains(got.Records, r) {
			t.Fatalf("%s holds %s, which is not shown", m, r.ID())
		}
	}
	for _, w := range want.Witnesses {
		if !slices.Contains(got.Witnesses, w) {
			t.Fatalf("%s has the witness %s, which is not shown", m, w.ID())
		}
	}
}

// What is read before a slow member has answered: without it, if somebody else
// gives records, and from another if nobody does.
func TestReading_late(t *testing.T) {
	network, err := records.TestNetwork("reading")
	if err != nil {
		t.Fatal(err)
	}
	posts := somePosts(t, network, 3)
	p := &panel{place: records.UserPlace(posts[0].Author()).At(records.LevelMonth, posts[0])}
	for i := range 8 {
		p.ids = append(p.ids, peer.ID(fmt.Sprint("member ", i)))
	}
	s := stateOf(network, p.place, posts)
	q := records.Query{Place: p.place, Before: records.Newest, Limit: 50}
	r := newReading(q, p.ids, nil)
	alone := q
	alone.Print = true
	for _, question := range r.first()[readFull:] { // those asked for records do not answer
		b := s.Bucket(alone)
		r.take(question, &b)
		if more := r.more(); len(more) > 0 || r.enough() {
			t.Fatalf("asks %d more, has enough %t", len(more), r.enough())
		}
	}
	late := r.late()
	if len(late) != 1 || !late[0].full || r.prints[late[0].member].Place != p.place {
		t.Fatalf("when they are late asks %v", late)
	}
	b := s.Bucket(q)
	r.take(late[0], &b)
	if !r.enough() || len(r.union().Records) != 3 || r.depth != 2 {
		t.Errorf("has enough %t, %d records, depth %d", r.enough(), len(r.union().Records), r.depth)
	}
}

// A page cut from a whole bucket is the page that a holder would give.
func TestPage_asHoldersDo(t *testing.T) {
	network, err := records.TestNetwork("reading")
	if err != nil {
		t.Fatal(err)
	}
	posts := somePosts(t, network, 9)
	place := records.UserPlace(posts[0].Author()).At(records.LevelMonth, posts[0])
	s := stateOf(network, place, posts)
	whole := s.Bucket(records.Query{Place: place, Before: records.Newest, Limit: 64})
	for limit := range 12 {
		for _, before := range []records.Position{records.Newest, {}, place.Position(posts[4])} {
			q := records.Query{Place: place, Before: before, Limit: limit}
			got, want := page(whole, q), s.Bucket(q)
			if !slices.Equal(got.Records, want.Records) || got.More != want.More {
				t.Errorf("%d before %v: %d records and more %t, want %d and %t", limit, before, len(got.Records), got.More, len(want.Records), want.More)
			}
		}
	}
}

func somePosts(t *testing.T, n records.Network, count int) (out []*records.Record) {
	t.Helper()
	key, err := records.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for i := range count {
		d, err := records.NewPost(records.Millis(1_700_000_000_000+int64(i)), [8]byte{byte(i)}, records.PostHead{}, records.PostBody{Text: "post"})
		if err != nil {
			t.Fatal(err)
		}
		r, err := records.Seal(t.Context(), n, records.AuthorSigner(key), d)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

// Whoever lets go of a place asks all of its members, however many, and waits for
// each: a majority of few would let too many go.
func TestReading_everybody(t *testing.T) {
	var members []peer.ID
	for i := range 4*readPrint + 1 {
		members = append(members, peer.ID(fmt.Sprint("member ", i)))
	}
	query := records.Query{Place: records.TagPlace("sky"), Before: records.Newest, Limit: 64}
	r := newReading(query, members, nil)
	r.everybody = true
	r.holding("ourselves", records.Bucket{Place: query.Place}, false)
	asked := r.first()
	if len(asked) != len(members) {
		t.Fatalf("%d of %d members are asked", len(asked), len(members))
	}
	for i, q := range asked {
		if r.enough() {
			t.Fatalf("%d of %d answers are enough", i, len(asked))
		}
		r.take(q, &records.Bucket{Place: query.Place})
	}
	if !r.enough() {
		t.Error("all answers are not enough")
	}
}

// Where a majority has to agree, as many are asked as can make one, however many
// members there are; and readers ask no more than ever.
func TestReading_vote(t *testing.T) {
	query := records.Query{Place: records.TagPlace("sky"), Before: records.Newest, Limit: 1}
	var members []peer.ID
	for n := range 100 {
		members = append(members, peer.ID(fmt.Sprint("member ", n)))
		for _, vote := range []bool{false, true} {
			r := newReading(query, members, nil)
			r.vote = vote
			asked := r.first()
			if !vote && len(asked) > readFull+readPrint || vote && len(asked) < min(len(members), majority(len(members))+voteSpare) {
				t.Fatalf("%d of %d members are asked, by vote: %t", len(asked), len(members), vote)
			}
			if !vote {
				continue
			}
			late := min(voteSpare, len(asked)-majority(len(members)))
			for _, q := range asked[late:] {
				r.take(q, &records.Bucket{Place: query.Place})
			}
			if !r.agreed(r.union().Fingerprint) {
				t.Fatalf("no majority of %d members agrees although all of %d asked do but %d", len(members), len(asked), late)
			}
		}
	}
}

// In place of each who says that he is no member another is asked, as long as there are
// others: those who were made for a place never say so, and would be among few in the end.
func TestReading_noMembersAreReplaced(t *testing.T) {
	t.Parallel()
	// One more than 16, because neither of those who were asked for records gave any.
	for _, c := range []struct{ members, without, want int }{{40, 10, 17}, {20, 10, 10}, {16, 3, 13}} {
		var members []peer.ID
		for i := range c.members {
			members = append(members, peer.ID(fmt.Sprint("member ", i)))
		}
		r := newReading(records.Query{}, members, nil)
		open := r.first()
		for range c.without {
			q := open[0]
			open = open[1:]
			r.without(q.member)
			r.take(q, nil)
			open = append(open, r.more()...)
		}
		asked := 0
		for _, m := range r.members {
			if r.asked[m] {
				asked++
			}
		}
		if asked != c.want || len(open) != r.underway {
			t.Errorf("%d members, of which %d are none: %d of the others are asked, want %d; %d questions open, %d counted",
				c.members, c.without, asked, c.want, len(open), r.underway)
		}
	}
}
