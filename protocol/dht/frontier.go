package dht

import (
	"net/netip"
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
	state  state
	asked  question
	depth  int // how many have to be asked to hear of it, itself included
	merit  merit
	groups []netip.Prefix // that it counts into, none where there are no limits

	stranger bool // asked although it lies elsewhere
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
// draws near. Those that crowd, for a few of their IP group are nearer, are wanted
// once all others have answered, where there is room left. It ends when all wanted
// ones answered.
type frontier struct {
	target records.Coordinate
	region region
	limit  int
	calm   int
	merit  func(peer.ID) merit // how much a node is to be preferred among near equals; nil: all alike
	crowds crowds

	consulted    []*candidate         // to be asked first, wherever they lie
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
	var fresh []*candidate
	for _, c := range contacts {
		_, met := f.met[c.id]
		f.met[c.id] = struct{}{}
		if f.known[c.id] != nil {
			continue
		}
		made := f.candidate(c, depth)
		f.insert(made)
		if !met {
			fresh = append(fresh, made)
		}
	}
	f.trim()
	if len(fresh) == 0 {
		return false
	}
	for c := range f.wanted {
		if slices.Contains(fresh, c) {
			return true
		}
	}
	return false
}

func (f *frontier) candidate(c contact, depth int) *candidate {
	made := &candidate{contact: c, depth: depth, groups: f.crowds.groups(c.id)}
	if f.merit != nil {
		made.merit = f.merit(c.id)
	}
	return made
}

// insert puts c in its place.
func (f *frontier) insert(c *candidate) {
	i, _ := slices.BinarySearchFunc(f.order, c, func(a, b *candidate) int { return nearer(f.target, a.at, b.at) })
	f.known[c.id] = c
	f.order = slices.Insert(f.order, i, c)
}

// trim forgets the farthest that were only heard of, first of those that crowd, as long
// as there are too many.
func (f *frontier) trim() {
	over := len(f.order) - maxCandidates*f.limit
	if over <= 0 {
		return
	}
	forget := make(map[*candidate]bool, over)
	crowd := f.crowd()
	for _, crowds := range []bool{true, false} {
		for _, c := range slices.Backward(f.order) {
			if c.state == heard && crowd[c] == crowds && len(forget) < over {
				forget[c] = true
				delete(f.known, c.id)
			}
		}
	}
	f.order = slices.DeleteFunc(f.order, func(c *candidate) bool { return forget[c] })
}

// wants tells whether c is wanted when rank nodes that did not fail are nearer.
func (f *frontier) wants(c *candidate, rank int) bool {
	return rank < f.limit && (rank < lead || f.region.holds(c.at))
}

// consult has c asked although it lies elsewhere, and of those whom it names the nearest
// although others may be nearer: else a crowd of liars that name each other hides them.
func (f *frontier) consult(c contact) {
	made := f.candidate(c, 1)
	made.stranger = true
	f.consulted = append(f.consulted, made)
}

// next is whom to ask what. It is false when there is nobody to ask for now:
// the search is over when nothing is in flight then either.
func (f *frontier) next() (peer.ID, question, bool) {
	for len(f.consulted) > 0 && f.finds < findWidth {
		c := f.consulted[0]
		f.consulted = f.consulted[1:]
		if known := f.known[c.id]; known != nil {
			known.stranger = known.stranger || c.stranger
			c = known
		}
		if c.state == heard {
			f.known[c.id] = c
			return f.ask(c, find)
		}
	}
	if best := f.best(); best != nil {
		return f.ask(best, f.worth(best))
	}
	return "", find, false
}

// worth is what to ask c: not whom it knows, once that is most likely nobody new.
func (f *frontier) worth(c *candidate) question {
	if f.quiet >= f.calm && f.region.holds(c.at) {
		return ping
	}
	return find
}

// ask turns c, which was only heard of, into one that is asked.
func (f *frontier) ask(c *candidate, q question) (peer.ID, question, bool) {
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
	c.groups = f.crowds.groups(p) // now that we know where it is
	news := f.add(c.depth+1, named...)
	if c.stranger {
		near := slices.Clone(named)
		sortByDistance(f.target, near)
		for _, n := range near[:min(len(near), lead)] {
			f.consulted = append(f.consulted, f.candidate(n, c.depth+1))
		}
	}
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

// found is the nodes of the region that answered, nearest first, at most limit of
// them: those that do not crowd, and if they are fewer, those that do. They are complete
// when the region cannot hold others, but for such as crowd: fewer than limit answered
// and nobody wanted is left unasked.
func (f *frontier) found() (members, crowd []*candidate, complete bool) {
	complete = true
	seen, rank := census{}, 0
	for _, c := range f.order {
		if !c.state.useful() || !f.region.holds(c.at) {
			continue
		}
		if !f.crowds.admits(c.groups, seen) {
			if c.state == answered {
				crowd = append(crowd, c)
			}
			continue
		}
		if rank++; rank > f.limit {
			return members, nil, false
		}
		if c.state == answered {
			members = append(members, c)
		} else {
			complete = false
		}
	}
	complete = complete && len(members) < f.crowds.room(f.limit, crowd)
	return members, crowd[:min(len(crowd), f.limit-len(members))], complete
}
