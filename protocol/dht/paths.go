package dht

import (
	"crypto/sha256"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/records"
)

const (
	// surveyPaths is over how many disjoint paths the members of a region are
	// looked for. docs/decisions/0035 has the measurements: one path ends among
	// liars in one search of eight when half of all nodes lie together, four in less
	// than one of a thousand, at one and a half times the questions.
	surveyPaths = 4
	// pathsCalm is how many answers in a row that name no new member end the asking
	// on all paths together: a path ends after its part of them.
	pathsCalm = 12
)

// Paths are a search along several paths that have no node in common, as in
// S/Kademlia (Baumgart and Mies, ICPADS 2007, section 4.4): each path asks only
// whom the table or the nodes on that same path named, and nobody is asked on two.
// Nodes that lie together capture a path once everybody on it lies; to hide a member
// they have to capture all.
//
// Each path looks for a key of its own in the region, so that ids made to crowd one
// point of it are not the nearest of all paths. What is found is the union.
type paths struct {
	limit  int
	crowds crowds
	each   []path
	owner  map[peer.ID]int // on which path a node was asked
	turn   int             // the path that may ask next
}

// A path is one of them.
type path struct {
	*frontier
	key string // what is asked for
}

// newPaths are paths to keys, one each, that find at most limit nodes of the region
// of so many bits in which all keys lie.
func newPaths(keys []string, bits, limit int, crowds crowds) *paths {
	s := &paths{limit: limit, crowds: crowds, owner: map[peer.ID]int{}}
	met := map[peer.ID]struct{}{}
	for _, key := range keys {
		f := newFrontier(records.Coordinate(sha256.Sum256([]byte(key))), bits, limit)
		if len(keys) > 1 {
			f.limit = max(lead, 2*limit/len(keys)) // members do not split evenly
			f.calm = (pathsCalm + len(keys) - 1) / len(keys)
		}
		f.met, f.crowds = met, crowds
		s.each = append(s.each, path{f, key})
	}
	return s
}

// keysIn are n random keys whose hashes lie in r.
func keysIn(r region, n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = keyIn(r)
	}
	return keys
}

// next is whom to ask what, for which key. The paths take turns.
func (s *paths) next() (p peer.ID, q question, key string, ok bool) {
	for range s.each {
		i := s.turn
		s.turn = (s.turn + 1) % len(s.each)
		if p, q, ok := s.nextOf(i); ok {
			s.owner[p] = i
			return p, q, s.each[i].key, true
		}
	}
	return "", find, "", false
}

// nextOf is whom one path asks next: nobody who was asked on another.
func (s *paths) nextOf(i int) (peer.ID, question, bool) {
	for {
		p, q, ok := s.each[i].next()
		if !ok {
			return "", find, false
		}
		if _, taken := s.owner[p]; !taken {
			return p, q, true
		}
		s.each[i].leave(p)
	}
}

// answer notes that p answered and whom it named, which is news to its path alone.
func (s *paths) answer(p peer.ID, named []contact) { s.each[s.owner[p]].answer(p, named) }

// fail notes that p did not answer.
func (s *paths) fail(p peer.ID) { s.each[s.owner[p]].fail(p) }

// late notes that p has not answered yet.
func (s *paths) late(p peer.ID) { s.each[s.owner[p]].late(p) }

// enough tells whether, on all paths together, as many nodes of the region answered as
// are late: then what was found may be used, and those join it when they answer.
func (s *paths) enough() bool {
	found, behind := 0, 0
	for _, f := range s.each {
		n, m := f.progress()
		found, behind = found+n, behind+m
	}
	return found > 0 && found >= behind
}

// few tells whether as many nodes of the region answered as somebody needs who looks for
// any of them.
func (s *paths) few() bool {
	found := 0
	for _, f := range s.each {
		n, _ := f.progress()
		found += n
	}
	return found >= lead
}

// hops is how many nodes had to be asked, one after the other, on the longest path.
func (s *paths) hops() (n int) {
	for _, f := range s.each {
		n = max(n, f.hops())
	}
	return n
}

// inFlight is the number of questions that wait for an answer, of those who are not
// late.
func (s *paths) inFlight() (n int) {
	for _, f := range s.each {
		n += f.inFlight()
	}
	return n
}

// found is the nodes of the region that answered on any path, at most limit: of one
// path nearest first, of several a nearest of each in turn; and those that crowd, as
// far as there is room. They are complete when no path knows of others and there is
// room for more.
func (s *paths) found() (members, crowd []contact, complete bool) {
	complete = true
	seen := census{}
	var near, rest [][]*candidate
	for _, f := range s.each {
		members, crowd, all := f.found()
		complete = complete && all
		near, rest = append(near, members), append(rest, crowd)
	}
	for _, c := range inTurn(near) {
		if s.crowds.admits(c.groups, seen) {
			members = append(members, c.contact)
		} else { // those of all paths together are more than a few
			crowd = append(crowd, c.contact)
		}
	}
	for _, c := range inTurn(rest) {
		crowd = append(crowd, c.contact)
	}
	complete = complete && len(members) < s.limit
	members = members[:min(len(members), s.limit)]
	crowd = crowd[:min(len(crowd), s.limit-len(members))]
	return members, crowd, complete
}

// inTurn is the first of each list, then the second of each, and so on.
func inTurn[T any](lists [][]T) (all []T) {
	for rank, left := 0, true; left; rank++ {
		left = false
		for _, list := range lists {
			if rank < len(list) {
				all, left = append(all, list[rank]), true
			}
		}
	}
	return all
}
