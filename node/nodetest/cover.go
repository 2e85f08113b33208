package nodetest

import (
	"github.com/starling-social/starling/records"
)

// A Cover is how much of what members should hold they do hold, counted in records
// at members: one for each record of each place on each of its members.
type Cover struct {
	Due   int64 // there should be
	Held  int64 // of these there are
	Bytes int64 // of the records due, each once a member
}

// Whole is whether nothing is missing.
func (c Cover) Whole() bool { return c.Held == c.Due }

// Missing is how many of those due are not there.
func (c Cover) Missing() int64 { return c.Due - c.Held }

// Plus is both together.
func (c Cover) Plus(o Cover) Cover { return Cover{c.Due + o.Due, c.Held + o.Held, c.Bytes + o.Bytes} }

// A Plan is where records belong, as by [Network.Audit]: every place of their trees,
// with all that counts there once everything has come to rest.
type Plan struct {
	t    T
	beds []bed
}

// Plan lays records out. All records of a root have to be among them.
func (n *Network) Plan(rs []*records.Record) *Plan {
	return &Plan{n.t, n.layOut(rs, func(records.Place) bool { return true })}
}

// Cover is how much of the places that holds picks a node has.
func (p *Plan) Cover(x *Node, holds func(records.Coordinate) bool) (c Cover) {
	p.t.Helper()
	has, err := x.elements()
	if err != nil {
		p.t.Fatalf("entries of node %d: %v", x.Index, err)
	}
	counted := map[records.ID]bool{}
	for _, b := range p.beds {
		if !holds(b.at) {
			continue
		}
		for _, put := range b.puts {
			c.Due++
			if id := put.Record.ID(); !counted[id] {
				counted[id] = true
				c.Bytes += int64(len(put.Record.Bytes()))
			}
			if has[element{b.at, put.Record.ItemKey(), put.Record.ID()}] {
				c.Held++
			}
		}
	}
	return c
}

// Copies is how many of some nodes hold that record at that place which fewest of
// them hold.
func (p *Plan) Copies(nodes []*Node) (least int) {
	p.t.Helper()
	copies := map[element]int{}
	for _, b := range p.beds {
		for _, put := range b.puts {
			copies[element{b.at, put.Record.ItemKey(), put.Record.ID()}] = 0
		}
	}
	for _, x := range nodes {
		has, err := x.elements()
		if err != nil {
			p.t.Fatalf("entries of node %d: %v", x.Index, err)
		}
		for e := range has {
			if n, due := copies[e]; due {
				copies[e] = n + 1
			}
		}
	}
	least = len(nodes)
	for _, n := range copies {
		least = min(least, n)
	}
	return least
}

// Places is how many places there are that holds picks.
func (p *Plan) Places(holds func(records.Coordinate) bool) (n int) {
	for _, b := range p.beds {
		if holds(b.at) {
			n++
		}
	}
	return n
}

// Answers tells how a node answers whoever asks it for each of the places that holds
// picks: in how many cases at all, and in how many of these with something else than
// all that belongs there.
func (p *Plan) Answers(x *Node, holds func(records.Coordinate) bool) (answered, wrong int) {
	for _, b := range p.beds {
		if !holds(b.at) {
			continue
		}
		place := b.puts[0].Place
		shown, err := x.disguise.Bucket(records.Query{Place: place, Before: records.Newest, Limit: len(b.puts), Print: true})
		if err != nil {
			continue
		}
		answered++
		if shown.Fingerprint != b.fingerprint() {
			wrong++
		}
	}
	return answered, wrong
}

func (b bed) fingerprint() (sum records.Fingerprint) {
	for _, put := range b.puts {
		sum = sum.Plus(records.Element(b.at, put.Record.ItemKey(), put.Record.ID()))
	}
	return sum
}

// Region are the places that are the node's to hold, as its prefix is now.
func (x *Node) Region() func(records.Coordinate) bool { return x.holds() }

// An element is one record where it stands.
type element struct {
	at  records.Coordinate
	key records.ItemKey
	id  records.ID
}

func (x *Node) elements() (map[element]bool, error) {
	has := make(map[element]bool, x.Entries())
	for e, err := range x.store.All() {
		if err != nil {
			return nil, err
		}
		has[element{e.Coordinate, e.Key, e.ID}] = true
	}
	return has, nil
}
