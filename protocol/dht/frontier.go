package dht

import (
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/records"
)

const (
	// lead is how many of the nearest must have answered before a search may
	// end where its region is empty, as in kad-dht.
	lead = 3
	// calm is how many answers in a row that name no new member end the asking:
	// one honest answer names all, so calm liars in a row are needed to hide
	// anybody. Members not asked by then are only pinged.
	calm = 8
	// findWidth and pingWidth bound the questions in flight. An answer to find
	// can be 64 nodes with all their addresses, 20 KiB and more; a ping is nothing.
	findWidth = 8
	pingWidth = 32
	// maxCandidates bounds what a search remembers, as a multiple of its limit.
	maxCandidates = 8
)

// A question is what a search asks a node.
type question uint8

const (
	find question = iota // who is nearest to the key
	ping                 // are you there
)

// A candidate is a node that a search heard of.
type candidate struct {
	contact
	state state
	asked question
	depth int // how many have to be asked to hear of it, itself included
	merit merit
}

type state uint8

const (
	heard state = iota
	asked
	answered
	failed
	elsewhere // asked on another path: of no use to this one
	late      // asked, and taken for failed until it answers
)

// useful tells whether a candidate in this state is, or may become, part of what
// is looked for.
func (s state) useful() bool { return s != failed && s != elsewhere && s != late }

// A frontier is the state of a search for the nodes of a region, nearest to a
// target in it first, and decides whom to ask next. It knows nothing of wires
// and time: the loop around it asks, and tells it the answers.
//
// Wanted are the nearest limit nodes of the region that did not fail and, while
// there are fewer, the nearest lead nodes of any: through these the search
// draws near. It ends when all wanted ones answered.
type frontier struct {
	target records.Coordinate
	region region
	limit  int
	calm   int
	merit  func(peer.ID) merit // how much a node is to be preferred among near equals; nil: all alike

	met          map[peer.ID]struct{} // heard of, on whatever path of a search
	known        map[peer.ID]*candidate
	order        []*candidate // nearest first
	finds, pings int          // in flight
	quiet        int          // answers in a row from the region that brought nobody new
}

func newFrontier(target records.Coordinate, bits, limit int) *frontier {
	return &frontier{
		target: target, region: regionOf(target, bits), limit: limit, calm: calm,
		met: map[peer.ID]struct{}{}, known: map[peer.ID]*candidate{},
	}
}

// add notes nodes that were heard of at some depth and tells whether any of them is
// wanted that was not met before.
func (f *frontier) add(depth int, contacts ...contact) (news bool) {
	for _, c := range contacts {
		_, met := f.met[c.id]
		if f.known[c.id] == nil && f.insert(f.candidate(c, depth)) && !met {
			news = true
		}
		f.met[c.id] = struct{}{}
	}
	return news
}

func (f *frontier) candidate(c contact, depth int) *candidate {
	made := &candidate{contact: c, depth: depth}
	if f.merit != nil {
		made.merit = f.merit(c.id)
	}
	return made
}

// insert puts c in its place and tells whether it is wanted there.
func (f *frontier) insert(c *candidate) bool {
	i, _ := slices.BinarySearchFunc(f.order, c, func(a, b *candidate) int { return nearer(f.target, a.at, b.at) })
	if i >= maxCandidates*f.limit {
		return false
	}
	f.known[c.id] = c
	f.order = slices.Insert(f.order, i, c)
	if last := len(f.order) - 1; last >= maxCandidates*f.limit && f.order[last].state == heard {
		delete(f.known, f.order[last].id)
		f.order = f.order[:last]
	}
	rank := 0
	for _, nearer := range f.order[:i] {
		if nearer.state.useful() {
			rank++
		}
	}
	return f.wants(c, rank)
}

// wants tells whether c is wanted when rank nodes that did not fail are nearer.
func (f *frontier) wants(c *candidate, rank int) bool {
	return rank < f.limit && (rank < lead || f.region.holds(c.at))
}

// next is whom to ask what. It is false when there is nobody to ask for now:
// the search is over when nothing is in flight then either.
func (f *frontier) next() (peer.ID, question, bool) {
	rank := 0
	for i, c := range f.order {
		if !c.state.useful() {
			continue
		}
		if !f.wants(c, rank) {
			break
		}
		if c.state == heard {
			return f.ask(f.best(i, rank))
		}
		rank++
	}
	return "", find, false
}

// ask turns c, which was only heard of, into one that is asked.
func (f *frontier) ask(c *candidate) (peer.ID, question, bool) {
	q := find
	if f.quiet >= f.calm && f.region.holds(c.at) {
		q = ping
	}
	if q == find && f.finds >= findWidth || q == ping && f.pings >= pingWidth {
		return "", q, false
	}
	c.state, c.asked = asked, q
	f.flying(q, 1)
	return c.id, q, true
}

// answer notes that p answered and whom it named.
func (f *frontier) answer(p peer.ID, named []contact) {
	c := f.known[p]
	f.land(c, answered)
	news := f.add(c.depth+1, named...)
	switch {
	case news:
		f.quiet = 0
	case c.asked == find && f.region.holds(c.at):
		f.quiet++
	}
}

// fail notes that p did not answer.
func (f *frontier) fail(p peer.ID) { f.land(f.known[p], failed) }

// late notes that p has not answered yet. Until it does, others are wanted instead.
func (f *frontier) late(p peer.ID) { f.land(f.known[p], late) }

// land gives c, which was asked, its next state.
func (f *frontier) land(c *candidate, next state) {
	if c.state == asked {
		f.flying(c.asked, -1)
	}
	c.state = next
}

// leave notes that p, which was to be asked, is asked on another path.
func (f *frontier) leave(p peer.ID) { f.land(f.known[p], elsewhere) }

func (f *frontier) flying(q question, n int) {
	if q == find {
		f.finds += n
	} else {
		f.pings += n
	}
}

// inFlight is the number of questions that wait for an answer, of those who are not
// late.
func (f *frontier) inFlight() int { return f.finds + f.pings }

// found is the nodes of the region that answered, nearest first, at most limit
// of them. They are complete when the region cannot hold more: fewer than limit
// answered and nobody wanted is left unasked.
func (f *frontier) found() (contacts []contact, complete bool) {
	complete = true
	rank := 0
	for _, c := range f.order {
		if !c.state.useful() || !f.region.holds(c.at) {
			continue
		}
		if rank++; rank > f.limit {
			return contacts, false
		}
		if c.state == answered {
			contacts = append(contacts, c.contact)
		} else {
			complete = false
		}
	}
	return contacts, complete && len(contacts) < f.limit
}
