package dht_test

import (
	"cmp"
	"encoding/binary"
	"math/rand/v2"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/protocol/dht"
	"github.com/starling-social/starling/records"
)

// A largeNet is thousands of nodes without wires and time, some of whom lie together:
// they name their own alone. The others know of each distance as many nodes as a
// bucket holds, at random, liars among them. It belongs to one goroutine.
type largeNet struct {
	bucket int
	nodes  []*largeNode // along the ring
	byID   map[peer.ID]*largeNode
	tables map[*largeNode][]*largeNode // made when first asked for
	random *rand.Rand

	strangers []peer.ID // of whom each path of a survey asks one, wherever they lie
}

type largeNode struct {
	id   peer.ID
	at   records.Coordinate
	lies bool
}

func newLargeNet(seed uint64, nodes, bucket int, liars float64) *largeNet {
	n := &largeNet{bucket: bucket, byID: map[peer.ID]*largeNode{}, random: rand.New(rand.NewPCG(seed, 1))}
	for i := range nodes {
		n.add(numbered(i), float64(i) < liars*float64(nodes))
	}
	n.connect()
	return n
}

func (n *largeNet) add(id peer.ID, lies bool) {
	x := &largeNode{id, dht.CoordinateOf(id), lies}
	n.byID[id] = x
	n.nodes = append(n.nodes, x)
}

// connect fills all tables anew.
func (n *largeNet) connect() {
	slices.SortFunc(n.nodes, func(a, b *largeNode) int { return slices.Compare(a.at[:], b.at[:]) })
	n.tables = map[*largeNode][]*largeNode{}
}

// honest is one of those who do not lie.
func (n *largeNet) honest() *largeNode {
	for {
		if x := n.nodes[n.random.IntN(len(n.nodes))]; !x.lies {
			return x
		}
	}
}

// among are the nodes that share their first bits with c.
func (n *largeNet) among(c records.Coordinate, bits int) []*largeNode {
	r := dht.RegionOf(c, bits)
	from, _ := slices.BinarySearchFunc(n.nodes, r.Prefix(), func(x *largeNode, c records.Coordinate) int {
		return slices.Compare(x.at[:], c[:])
	})
	to := from
	for to < len(n.nodes) && r.Holds(n.nodes[to].at) {
		to++
	}
	return n.nodes[from:to]
}

// table is whom a node knows.
func (n *largeNet) table(x *largeNode) (known []*largeNode) {
	if known, ok := n.tables[x]; ok {
		return known
	}
	for bits := 0; len(n.among(x.at, bits)) > 1; bits++ {
		far := n.among(dht.Sibling(x.at, bits).Prefix(), bits+1)
		for _, i := range n.random.Perm(len(far))[:min(n.bucket, len(far))] {
			known = append(known, far[i])
		}
	}
	n.tables[x] = known
	return known
}

// named is whom a node names: an honest one the nearest that it knows, a liar the
// nearest liars there are.
func (n *largeNet) named(x *largeNode, target records.Coordinate) []peer.ID {
	if !x.lies {
		return n.nearest(n.table(x), target)
	}
	for bits := 20; ; bits-- {
		liars := slices.DeleteFunc(slices.Clone(n.among(target, bits)), func(x *largeNode) bool { return !x.lies })
		if len(liars) >= n.bucket || bits == 0 {
			return n.nearest(liars, target)
		}
	}
}

// nearest is a bucketful of those known that are nearest to target.
func (n *largeNet) nearest(known []*largeNode, target records.Coordinate) (ids []peer.ID) {
	sorted := slices.Clone(known)
	slices.SortFunc(sorted, func(a, b *largeNode) int {
		return cmp.Compare(distance(target, a.at), distance(target, b.at))
	})
	for _, x := range sorted[:min(n.bucket, len(sorted))] {
		ids = append(ids, x.id)
	}
	return ids
}

func distance(a, b records.Coordinate) uint64 {
	return binary.BigEndian.Uint64(a[:]) ^ binary.BigEndian.Uint64(b[:])
}

// crowd adds liars who stand nearer to c than anybody honest: ids are tried until
// they do, as an attacker would.
func (n *largeNet) crowd(c records.Coordinate, liars int) {
	nearest := ^uint64(0)
	for _, x := range n.nodes {
		nearest = min(nearest, distance(c, x.at))
	}
	for i := 0; liars > 0; i++ {
		if id := numbered(1<<40 + i); distance(c, dht.CoordinateOf(id)) < nearest {
			n.add(id, true)
			liars--
		}
	}
	n.connect()
}

// A tally is what one search found and what it took.
type tally struct {
	found    []peer.ID
	complete bool
	honest   int // of those found
	finds    int // questions whom a node knows
	pings    int // questions whether it is there
	rounds   int // how often answers were waited for
	twice    int // nodes asked more than once
	strange  int // nodes asked for a key on whose path nobody had named them
}

// survey looks for the members of a region from a node, over so many paths.
func (n *largeNet) survey(from *largeNode, c records.Coordinate, bits, paths int) (t tally) {
	s := dht.NewPaths(dht.KeysIn(c, bits, paths), bits, n.bucket)
	asked, named := map[peer.ID]bool{}, map[string]map[peer.ID]bool{}
	s.Seed(func(key string) []peer.ID {
		known := n.nearest(n.table(from), dht.CoordinateOf(peer.ID(key)))
		named[key] = setOf(known)
		return known
	})
	for i, id := range n.strangers {
		named[s.Consult(i, id)][id] = true
	}
	for {
		type question struct {
			to   peer.ID
			ping bool
			key  string
		}
		var batch []question
		for p, ping, key, ok := s.Next(); ok; p, ping, key, ok = s.Next() {
			batch = append(batch, question{p, ping, key})
		}
		if len(batch) == 0 {
			break
		}
		t.rounds++
		for _, q := range batch {
			if asked[q.to] {
				t.twice++
			}
			if asked[q.to] = true; !named[q.key][q.to] {
				t.strange++
			}
			if q.ping {
				t.pings++
				s.Answer(q.to, nil)
				continue
			}
			t.finds++
			answer := n.named(n.byID[q.to], dht.CoordinateOf(peer.ID(q.key)))
			answer = slices.DeleteFunc(answer, func(p peer.ID) bool { return p == from.id })
			for _, p := range answer {
				named[q.key][p] = true
			}
			s.Answer(q.to, answer)
		}
	}
	t.found, t.complete = s.Found()
	for _, p := range t.found {
		if !n.byID[p].lies {
			t.honest++
		}
	}
	return t
}

func setOf(ids []peer.ID) map[peer.ID]bool {
	set := make(map[peer.ID]bool, len(ids))
	for _, id := range ids {
		set[id] = true
	}
	return set
}

// members are the honest nodes of a region, the asker left out.
func (n *largeNet) members(from *largeNode, c records.Coordinate, bits int) (count int) {
	for _, x := range n.among(c, bits) {
		if !x.lies && x != from {
			count++
		}
	}
	return count
}
