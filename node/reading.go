package node

import (
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/records"
)

// How a place is read: records from a few members, of others the fingerprint that
// their answer would have. Who is shown records makes their fingerprint himself, so
// a member whose fingerprint is another holds something else and is asked for its
// records too. What is read is the union: one honest member among those asked is
// enough, whatever the others withhold or claim.
const (
	readFull  = 2  // members asked for records: the second in case that the first is slow, or lies
	readPrint = 14 // members asked for the fingerprint alone
	voteSpare = 7  // members asked beyond a majority where one has to agree: some answer late, or hold less
)

// reading is one place being read.
type reading struct {
	query     records.Query // as members are asked
	members   []peer.ID     // in the order in which they are asked
	copies    []peer.ID     // who keep copies of a hot place: asked for records in members' stead
	asked     map[peer.ID]bool
	whole     map[peer.ID]bool // asked for records
	full      map[peer.ID]records.Bucket
	prints    map[peer.ID]records.Bucket
	doubts    map[peer.ID]bool     // asked for records because of their fingerprint, and waited for
	err       error                // why there are no members
	kept      bool                 // we keep a copy: the whole place is asked about, and our copy is among what was shown
	everybody bool                 // all members are asked, and waited for
	vote      bool                 // a majority of the members has to agree: no fewer are asked
	shown     bool                 // our copy was whole once: members are only asked for fingerprints at first
	heard     func(records.Bucket) // told of what each shows, as it comes; nil for nobody

	underway, fullUnderway int
	vacant                 int  // questions that nobody was asked yet in place of one who is no member
	total, answered        int  // of members: who were asked, and who answered or will not
	anybody                bool // whoever answers is enough, not only most of them
	done                   bool // had enough when it was last looked at
	depth                  int  // of the longest chain of questions, each asked because of the answer before
}

// question is what a reading asks of a member: its records, or the fingerprint alone.
type question struct {
	reading *reading
	member  peer.ID
	full    bool
}

func newReading(q records.Query, members []peer.ID, err error) *reading {
	return &reading{
		query: q, members: members, err: err,
		asked: map[peer.ID]bool{}, whole: map[peer.ID]bool{},
		full: map[peer.ID]records.Bucket{}, prints: map[peer.ID]records.Bucket{}, doubts: map[peer.ID]bool{},
	}
}

// holding begins with what we hold ourselves: members are asked whether they hold
// the same. If it was whole once, it most likely is, and nobody need show it.
func (r *reading) holding(self peer.ID, b records.Bucket, whole bool) {
	r.asked[self], r.whole[self] = true, true
	r.full[self] = b
	r.shown = whole
}

// first asks some for records and others for fingerprints.
func (r *reading) first() (out []question) {
	r.depth++
	for _, c := range r.copies {
		if !r.asked[c] && len(r.whole) < readFull {
			out = append(out, r.question(c, true))
		}
	}
	for _, m := range r.members {
		if len(r.asked) >= r.most() {
			break
		}
		if !r.asked[m] {
			out = append(out, r.question(m, !r.shown && len(r.whole) < readFull))
		}
	}
	return out
}

// most is how many are asked at first.
func (r *reading) most() int {
	switch {
	case r.everybody:
		return len(r.asked) + len(r.members)
	case r.vote:
		return max(readFull+readPrint, majority(len(r.members))+voteSpare)
	default:
		return readFull + readPrint
	}
}

func (r *reading) question(m peer.ID, full bool) question {
	r.asked[m] = true
	r.underway++
	if !slices.Contains(r.copies, m) {
		r.total++
	}
	if full {
		r.whole[m] = true
		r.fullUnderway++
	}
	return question{r, m, full}
}

// more are the questions that arise from what was answered.
func (r *reading) more() []question { return r.follow(false) }

// late are the same when those who were asked for records take longer than others
// would. It waits no more for those whose fingerprint was in doubt: one that claims
// to hold something else and never shows it would hold up every reader.
func (r *reading) late() []question {
	clear(r.doubts)
	return r.follow(true)
}

func (r *reading) follow(late bool) (out []question) {
	for ; r.vacant > 0; r.vacant-- {
		if i := slices.IndexFunc(r.members, func(m peer.ID) bool { return !r.asked[m] }); i >= 0 {
			out = append(out, r.question(r.members[i], false))
		}
	}
	switch {
	case len(r.full) == 0 && (r.fullUnderway == 0 || late), r.underway == 0 && r.told() == 0:
		if m, ok := r.spare(); ok {
			out = append(out, r.question(m, true))
		}
	case len(r.full) > 0 && (r.fullUnderway == 0 || late):
		for _, m := range r.differing() {
			r.doubts[m] = true
			out = append(out, r.question(m, true))
		}
	}
	if len(out) > 0 {
		r.depth++
	}
	return out
}

// unlike are the copies that did not show what a member holds, once any member has
// said what that is.
func (r *reading) unlike() (out []peer.ID) {
	for _, c := range r.copies {
		b, shown := r.full[c]
		if r.whole[c] && r.told() > 0 && (!shown || r.holders(b.Fingerprint) == 0) {
			out = append(out, c)
		}
	}
	return out
}

// spare is the next member to ask for records: one that has given its fingerprint
// is there and quick, else the next in line.
func (r *reading) spare() (m peer.ID, ok bool) {
	for _, m := range r.members {
		if _, answered := r.prints[m]; answered && !r.whole[m] {
			return m, true
		}
	}
	for _, m := range r.members {
		if !r.asked[m] {
			return m, true
		}
	}
	return "", false
}

// differing are members whose fingerprint is that of nothing we were shown or wait
// for, one for each such fingerprint. If that one shows something else or nothing,
// the next is asked.
func (r *reading) differing() (out []peer.ID) {
	known := map[records.Fingerprint]bool{}
	for _, b := range r.full {
		known[b.Fingerprint] = true
	}
	for m := range r.doubts {
		known[r.prints[m].Fingerprint] = true
	}
	for _, m := range r.members {
		if p, ok := r.prints[m]; ok && !r.whole[m] && !known[p.Fingerprint] {
			known[p.Fingerprint] = true
			out = append(out, m)
		}
	}
	return out
}

// take takes in the answer to a question; nil is none.
func (r *reading) take(q question, b *records.Bucket) {
	r.underway--
	if !slices.Contains(r.copies, q.member) {
		r.answered++
	}
	if q.full {
		r.fullUnderway--
		delete(r.doubts, q.member)
	}
	switch {
	case b == nil:
	case q.full:
		r.full[q.member] = *b
		if r.heard != nil {
			r.heard(*b)
		}
	default:
		r.prints[q.member] = *b
	}
}

// without takes out somebody who says that he is no member. Another is to be asked in
// his place: those who were made for a place say that they are.
func (r *reading) without(p peer.ID) {
	r.members = slices.DeleteFunc(r.members, func(m peer.ID) bool { return m == p })
	r.vacant++
}

// enough tells whether waiting longer is unlikely to show more: somebody gave
// records, most of those asked answered, and nobody holds anything else.
func (r *reading) enough() bool {
	return r.underway == 0 || !r.everybody &&
		(len(r.full) > 0 && r.told() > 0 && (2*r.answered > r.total || r.anybody) && len(r.doubts)+len(r.differing()) == 0)
}

// agreed tells whether a majority of the members hold what a holder of this
// fingerprint holds.
func (r *reading) agreed(f records.Fingerprint) bool {
	return r.holders(f) >= majority(len(r.members))
}

// holders is how many members hold, as they showed or say, what a holder of this
// fingerprint holds.
func (r *reading) holders(f records.Fingerprint) (n int) {
	for _, m := range r.members {
		b, ok := r.full[m]
		if !ok {
			b, ok = r.prints[m]
		}
		if ok && b.Fingerprint == f {
			n++
		}
	}
	return n
}

// told is how many members told what they hold. We are not one because we keep a
// copy.
func (r *reading) told() (n int) {
	for _, m := range r.members {
		_, shown := r.full[m]
		if _, claimed := r.prints[m]; shown || claimed {
			n++
		}
	}
	return n
}

// compared tells whether the union is what the members hold: most of those asked
// told, and nobody of them holds what he was not asked to show.
func (r *reading) compared() bool {
	asked := 0
	for _, m := range r.members {
		if r.asked[m] {
			asked++
		}
	}
	return 2*r.told() > asked && len(r.differing()) == 0
}

// union is everything that anybody showed: of each thing the winning version, of
// the page no more than all have shown whole.
func (r *reading) union() records.Bucket {
	out := records.Bucket{Place: r.query.Place}
	held, witnesses := map[records.ItemKey]*records.Record{}, map[records.ItemKey]*records.Record{}
	var cut records.Position // where the first cut page ends
	for _, b := range r.full {
		keepWinners(held, b.Records)
		keepWinners(witnesses, b.Witnesses)
		out.Count, out.Full = max(out.Count, b.Count), out.Full || b.Full
		if b.More && len(b.Records) > 0 {
			out.More = true
			if last := r.query.Place.Position(b.Records[len(b.Records)-1]); last.Compare(cut) > 0 {
				cut = last
			}
		}
	}
	for _, b := range r.prints {
		keepWinners(witnesses, b.Witnesses) // what is on its way down is in no fingerprint
	}
	out.Records, out.Witnesses = newestFirst(r.query.Place, held), newestFirst(r.query.Place, witnesses)
	if out.More {
		out.Records = slices.DeleteFunc(out.Records, func(q *records.Record) bool {
			return r.query.Place.Position(q).Compare(cut) < 0
		})
	}
	out.Fingerprint = out.Sum()
	return out
}

// page is what of a whole bucket answers a query.
func page(b records.Bucket, q records.Query) records.Bucket {
	from := slices.IndexFunc(b.Records, func(r *records.Record) bool { return q.Place.Position(r).Compare(q.Before) < 0 })
	if from < 0 {
		from = len(b.Records)
	}
	to := min(from+q.Limit, len(b.Records))
	b.More = b.More || to < len(b.Records)
	b.Records = b.Records[from:to]
	return b
}

func keepWinners(held map[records.ItemKey]*records.Record, offered []*records.Record) {
	for _, r := range offered {
		if h := held[r.ItemKey()]; h == nil || r.Wins(h) {
			held[r.ItemKey()] = r
		}
	}
}

func newestFirst(p records.Place, held map[records.ItemKey]*records.Record) []*records.Record {
	out := make([]*records.Record, 0, len(held))
	for _, r := range held {
		out = append(out, r)
	}
	slices.SortFunc(out, func(r, s *records.Record) int { return p.Position(s).Compare(p.Position(r)) })
	return out
}
