package dht

import (
	"net/netip"
	"slices"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
)

// Crowds tells which nodes crowd a place: of each IP group, those beyond the few that
// are nearest. Whoever has a network to himself has as many ids as he likes, and all of
// them count for no more than a few: in what a search asks for, in what it brings, in
// how large the network is taken for, and so in how long prefixes are. Else the ids of
// one operator would make every neighbourhood so small that nobody else is in it.
//
// Its zero value has no limits, and nobody crowds.
type crowds struct {
	most  int                          // of a group; 0: no limit
	named int                          // of a group, in an honest answer; 0: no limit
	of    func(peer.ID) []netip.Prefix // the groups of a node
}

// newCrowds goes by connections, which nobody can choose, else by the addresses that a
// node tells, of which it can only invent more than it has.
func newCrowds(h host.Host, limits IPGroups) crowds {
	return crowds{limits.PerPlace, limits.PerTable, func(p peer.ID) []netip.Prefix {
		groups, known := limits.of(remoteAddrs(h, p))
		if !known {
			groups, _ = limits.of(h.Peerstore().Addrs(p))
		}
		return groups
	}}
}

// groups are those that p counts into, none where there are no limits.
func (c crowds) groups(p peer.ID) []netip.Prefix {
	if c.most == 0 {
		return nil
	}
	return c.of(p)
}

// admits counts a node of these groups that comes after those in seen, and tells whether
// it does not crowd.
func (c crowds) admits(groups []netip.Prefix, seen census) bool {
	if !seen.room(groups, c.most) {
		return false
	}
	seen.add(groups)
	return true
}

// room is how many a search of limit nodes has to find at least before there may be
// others who do not crowd: in an honest answer, those that do took their place.
func (c crowds) room(limit int, crowd []*candidate) int {
	groups := census{}
	for _, n := range crowd {
		groups.add(n.groups)
	}
	switch {
	case len(groups) == 0:
		return limit
	case c.named == 0:
		return 0
	default:
		return max(0, limit-c.named*len(groups))
	}
}

// uncrowded are those of members that do not crowd.
func uncrowded(members []member) []member {
	crowds := func(m member) bool { return m.crowds }
	if !slices.ContainsFunc(members, crowds) {
		return members
	}
	return slices.DeleteFunc(slices.Clone(members), crowds)
}

// crowd is the candidates that crowd, by those nearer to the target that may be of use.
func (f *frontier) crowd() map[*candidate]bool {
	crowd, seen := map[*candidate]bool{}, census{}
	for _, c := range f.order {
		if c.state.useful() && !f.crowds.admits(c.groups, seen) {
			crowd[c] = true
		}
	}
	return crowd
}

// wanted is the wanted candidates in the order in which they are.
func (f *frontier) wanted(yield func(*candidate) bool) {
	var (
		crowd []*candidate
		seen  = census{}
		rank  int
		open  bool // somebody who does not crowd has not answered
	)
	for _, c := range f.order {
		switch {
		case !c.state.useful():
			continue
		case !f.crowds.admits(c.groups, seen):
			crowd = append(crowd, c)
			continue
		}
		if !f.wants(c, rank) {
			break
		}
		open = open || c.state != answered
		if !yield(c) {
			return
		}
		rank++
	}
	for _, c := range crowd {
		if open || !f.wants(c, rank) || !yield(c) {
			return
		}
		rank++
	}
}
