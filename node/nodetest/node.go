package nodetest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"

	"github.com/libp2p/go-libp2p/core/crypto"

	"github.com/starling-social/starling/datastore"
	starling "github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

// Node is one node of a simulated network. It stays the same when it is restarted.
type Node struct {
	*starling.Node

	Index int
	Clock *Clock                   // what the node takes for the time
	Disk  *datastore.SimulatedDisk // what its store lies on
	Quota int64                    // bytes that its store may take from its next start on; 0 for no bound

	config   starling.Config // as it is started again with, but for the store
	store    *datastore.Store
	disguise *disguise
	masks    *masks
	client   bool // holds nothing for others
	stop     context.CancelFunc
	ended    chan error
	gone     bool // stopped or killed
}

// diskFloor is how many bytes of its disk a node leaves free: a disk with less is full.
const diskFloor = 1 << 20

// Start adds a node that joins by up to three nodes already there.
func (n *Network) Start() *Node {
	n.t.Helper()
	x := &Node{Index: len(n.Nodes), Clock: &Clock{}, Disk: datastore.NewSimulatedDisk()}
	if n.config.Quota != nil {
		x.Quota = n.config.Quota(x.Index)
	}
	x.config = n.nodeConfig(x)
	n.run(x, x.config)
	x.config.Store = nil
	n.Nodes = append(n.Nodes, x)
	return x
}

// Restart starts a node again that was stopped or killed, with its keys, its disk and
// its clock as they are now. What it lied about is forgotten.
func (n *Network) Restart(i int) *Node {
	n.t.Helper()
	x := n.Nodes[i]
	if !x.gone {
		n.t.Fatalf("node %d is running", i)
	}
	n.Links.Revive(i)
	c := x.config
	c.Store = n.open(x, c.Person.User())
	n.run(x, c)
	return x
}

// run makes the node of c and runs it.
func (n *Network) run(x *Node, c starling.Config) {
	n.t.Helper()
	x.disguise, x.masks = newDisguise(c.Serve), &masks{}
	c.Serve, c.Reconcile = x.disguise.serve, x.masks.serve
	made, err := starling.New(c)
	if err != nil {
		n.t.Fatalf("make node %d: %v", x.Index, err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	x.Node, x.store, x.client, x.stop, x.ended, x.gone = made, c.Store, c.Client, stop, ended, false
	go func() { ended <- made.Run(ctx) }()
}

// nodeConfig is what a node starts with for the first time.
func (n *Network) nodeConfig(x *Node) starling.Config {
	n.t.Helper()
	identity, _, err := crypto.GenerateEd25519Key(n.entropy("node", x.Index))
	if err != nil {
		n.t.Fatalf("make key of node %d: %v", x.Index, err)
	}
	person, err := records.GenerateKey(n.entropy("person", x.Index))
	if err != nil {
		n.t.Fatalf("make key of person %d: %v", x.Index, err)
	}
	c := starling.Default()
	c.Identity, c.Person, c.Network, c.Now = identity, person, n.network, x.Clock.Now
	c.Store = n.open(x, person.User())
	c.DoorSize = 256
	c.Bootstrap = n.bootstrap(x.Index)
	c.HostOptions = n.Links.HostOptions(x.Index)
	if n.config.Log != nil {
		c.Log = n.config.Log.With("node", x.Index)
	}
	if n.config.Tune != nil {
		n.config.Tune(x.Index, &c)
	}
	return c
}

// entropy is where the key of a node or person comes from.
func (n *Network) entropy(what string, number int) io.Reader {
	var seed [32]byte
	binary.BigEndian.PutUint64(seed[:], n.config.Keys)
	binary.BigEndian.PutUint64(seed[8:], uint64(number))
	copy(seed[16:], what)
	return mathrand.NewChaCha8(seed)
}

// open opens the store on a node's disk.
func (n *Network) open(x *Node, owner records.User) *datastore.Store {
	n.t.Helper()
	s, err := x.Disk.Open(datastore.Config{Network: n.network, Owner: owner, Limits: datastore.Limits{Quota: x.Quota, Floor: diskFloor}})
	if err != nil {
		n.t.Fatalf("open store of node %d: %v", x.Index, err)
	}
	return s
}

// bootstrap are the first node and two others at random, as a list that operators
// publish would be.
func (n *Network) bootstrap(i int) (addrs []string) {
	if i == 0 {
		return nil
	}
	for _, j := range []int{0, n.random.IntN(i), n.random.IntN(i)} {
		addrs = append(addrs, fmt.Sprintf("%s/p2p/%s", n.Links.Addr(j), n.Nodes[j].PeerID()))
	}
	return addrs
}

// Kill makes nodes vanish at once, without a goodbye, and then takes their
// goroutines away.
func (n *Network) Kill(nodes ...int) {
	n.t.Helper()
	for _, i := range nodes {
		n.Links.Kill(i)
	}
	for _, i := range nodes {
		n.Nodes[i].leave()
	}
	for _, i := range nodes {
		n.end(n.Nodes[i])
	}
}

// Stop ends a node properly.
func (n *Network) Stop(i int) {
	n.t.Helper()
	n.end(n.Nodes[i])
}

// StopAll ends all nodes at once.
func (n *Network) StopAll() {
	n.t.Helper()
	for _, x := range n.Nodes {
		x.leave()
	}
	for _, x := range n.Nodes {
		n.end(x)
	}
}

// leave has the node end, and lets go of whom it keeps waiting.
func (x *Node) leave() {
	x.disguise.release()
	x.stop()
}

func (n *Network) end(x *Node) {
	n.t.Helper()
	x.leave()
	x.gone = true
	err := <-x.ended
	x.ended <- nil // the next to ask
	if err != nil && !errors.Is(err, context.Canceled) {
		n.t.Errorf("node %d ended: %v", x.Index, err)
	}
}
