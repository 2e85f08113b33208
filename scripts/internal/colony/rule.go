package colony

import (
	"crypto/sha256"
	"math"

	kb "github.com/libp2p/go-libp2p-kbucket"

	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
)

// A Region tells which places are a node's to hold.
type Region func(x *nodetest.Node) func(records.Coordinate) bool

// Own is the region that each node takes for its own.
func Own(x *nodetest.Node) func(records.Coordinate) bool { return x.Region() }

// Rule is the region that each node would have if it knew who lives and how many
// these are: its prefix grows from nothing by a bit for as long as the network has K
// nodes for each region of the longer one, and both halves of the present region
// have K members.
func (c *Colony) Rule() Region {
	all := c.Net.Running()
	bits := map[*nodetest.Node]int{}
	for _, x := range all {
		bits[x] = c.ruleBits(x, all)
	}
	return func(x *nodetest.Node) func(records.Coordinate) bool {
		self, prefix := coordinate(x), bits[x]
		return func(at records.Coordinate) bool { return kb.CommonPrefixLen(self, at[:]) >= prefix }
	}
}

func (c *Colony) ruleBits(x *nodetest.Node, region []*nodetest.Node) int {
	k := c.Network.Params.Neighbourhood
	self, all := coordinate(x), len(region)
	for p := 0; ; p++ {
		var near []*nodetest.Node
		for _, y := range region {
			if kb.CommonPrefixLen(self, coordinate(y)) > p {
				near = append(near, y)
			}
		}
		if float64(all)/math.Exp2(float64(p+1)) < float64(k) || len(near) < k || len(region)-len(near) < k {
			return p
		}
		region = near
	}
}

func coordinate(x *nodetest.Node) kb.ID {
	at := sha256.Sum256([]byte(x.PeerID()))
	return at[:]
}

// Cover is how much of what lies in their regions the running nodes hold, all together,
// and by how many of them it is whole.
func (c *Colony) Cover(plan *nodetest.Plan, region Region) (all nodetest.Cover, whole int) {
	for _, x := range c.Net.Running() {
		one := plan.Cover(x, region(x))
		if all = all.Plus(one); one.Whole() {
			whole++
		}
	}
	return all, whole
}
