package nodetest

import (
	"log/slog"
	mathrand "math/rand/v2"
	"slices"
	"time"

	starling "github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

// Config describes a simulated network of whole nodes.
type Config struct {
	Nodes   int             // how many start
	Network records.Network // zero: a test network with neighbourhoods of 4
	Links   LinksConfig     // zero: 20 ms each way, no loss
	Log     *slog.Logger    // nil discards
	// Keys is what the keys of all nodes and of their people come from, so that they
	// stand at the same places of the ring each time; zero: the seed of the links. Who
	// is the neighbour of whom decides much of what a fault does, so a seed that did
	// not bring that back would bring back nothing.
	Keys uint64
	Tune func(i int, c *starling.Config)
	// Quota is how many bytes a node's store may take; nil or 0 for no bound.
	Quota func(i int) int64
}

// T is what a network asks of the test that it runs in. A *testing.T is one.
type T interface {
	Helper()
	Cleanup(f func())
	failer
}

type failer interface {
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any) // does not return
}

// Network is a network of whole nodes on [Links], in virtual time. Make and use
// it inside one synctest bubble.
type Network struct {
	Links *Links
	Nodes []*Node

	t       T
	config  Config
	network records.Network
	random  *mathrand.Rand
}

// readyTime bounds, in virtual time, how long a node may take to join.
const readyTime = 2 * time.Minute

// New starts a network and waits until every node is ready. The nodes end with
// the test. A node that ends with an error fails it.
func New(t T, c Config) *Network {
	t.Helper()
	if c.Network.ID() == "" {
		network, err := records.TestNetwork("simulation")
		if err != nil {
			t.Fatalf("name the network: %v", err)
		}
		c.Network = network
	}
	if c.Keys == 0 {
		c.Keys = c.Links.Seed
	}
	n := &Network{
		Links: NewLinks(c.Links), t: t, config: c, network: c.Network,
		random: mathrand.New(mathrand.NewPCG(c.Links.Seed, 1)),
	}
	t.Cleanup(func() { n.StopAll() })
	for range c.Nodes {
		n.Start()
	}
	n.WaitReady()
	return n
}

// WaitReady waits until every running node is ready.
func (n *Network) WaitReady() {
	n.t.Helper()
	deadline := time.After(readyTime)
	for _, x := range n.Running() {
		select {
		case <-x.Ready():
		case err := <-x.ended:
			x.ended <- err
			n.t.Fatalf("node %d ended before it was ready: %v", x.Index, err)
		case <-deadline:
			n.t.Fatalf("node %d is not ready after %s", x.Index, readyTime)
		}
	}
}

// settleTime bounds, in virtual time, how long routing may take to come to rest.
const settleTime = 5 * time.Minute

// Settle waits until every running node knows how large the network is, within a
// factor of two, and no node's prefix has changed for ten seconds.
func (n *Network) Settle() {
	n.t.Helper()
	var last []int
	for calm, waited := 0, time.Duration(0); calm < 10; waited += time.Second {
		if waited > settleTime {
			n.t.Fatalf("network has not settled after %s: prefixes %v, sizes %v", settleTime, last, n.sizes())
		}
		time.Sleep(time.Second) // virtual
		if now := n.prefixes(); slices.Equal(now, last) && n.sized() {
			calm++
		} else {
			calm, last = 0, now
		}
	}
}

// Pass lets virtual time pass, for what has no condition to wait for.
func (n *Network) Pass(d time.Duration) { time.Sleep(d) }

// Running are the nodes that have not been stopped or killed.
func (n *Network) Running() (out []*Node) {
	for _, x := range n.Nodes {
		if !x.gone {
			out = append(out, x)
		}
	}
	return out
}

func (n *Network) prefixes() (out []int) {
	for _, x := range n.Running() {
		out = append(out, x.Status().Prefix)
	}
	return out
}

func (n *Network) sizes() (out []float64) {
	for _, x := range n.Running() {
		out = append(out, x.Status().Size)
	}
	return out
}

func (n *Network) sized() bool {
	want := float64(len(n.Running()))
	for _, got := range n.sizes() {
		if got < want/2 || got > want*2 {
			return false
		}
	}
	return true
}
