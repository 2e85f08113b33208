package dht

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	ds "github.com/ipfs/go-datastore"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/records"
)

var (
	// ErrNoAnswer is returned when nodes are known and none answered.
	ErrNoAnswer = errors.New("no node answered")
	// ErrClosed is returned once Run has ended.
	ErrClosed = errors.New("dht is closed")
)

// Config is what a DHT is made of.
type Config struct {
	Host    host.Host       // not owned: who made it closes it, after Run has returned
	Network records.Network // part of the protocol id; its parameters give K and the puzzle

	// PrefixOf tells how many bits of its coordinate a node holds. When it fails,
	// or is nil, our own prefix stands in.
	PrefixOf func(ctx context.Context, p peer.ID) (int, error)

	// Everything below is optional.

	// Bootstrap are nodes to join through. With any, we are not ready before
	// somebody answered: a node that cannot reach its network is not all of it.
	Bootstrap []peer.AddrInfo
	// Remembered are nodes known from before, best first, tried as well: the first few
	// always, the rest by chance. When none of them
	// answers and there is nobody else to join through, we begin alone.
	Remembered []peer.AddrInfo

	Datastore ds.Batching // handed to the library; nil: nothing is kept

	// Registers and Door let any kad-dht client read and write registers, as values
	// under their keys. Both or none.
	Registers Registers
	Door      *records.Door

	// Offences is where records count that others put and no honest node does; nil: here
	// alone.
	Offences *protocol.Offences

	// Server asks to stand in others' tables, to answer and to hold. A node whose
	// id does not solve the network's puzzle is a client whatever it asks for.
	Server bool

	// Addresses keeps those addresses of other nodes that we believe and pass on.
	// nil: PublicAddresses, so that nobody's private network is told to strangers.
	// Networks on loopback or in one house need AllAddresses.
	Addresses func([]ma.Multiaddr) []ma.Multiaddr

	// Searched is told of every search how long it took and whether anybody answered;
	// nil: nobody is. It must not block.
	Searched func(took time.Duration, answered bool)

	IPGroups IPGroups         // zero: as many from one network as there are
	Log      *slog.Logger     // nil: discarded
	Now      func() time.Time // nil: time.Now
}

func (c Config) withDefaults() Config {
	if c.Addresses == nil {
		c.Addresses = PublicAddresses
	}
	if c.Searched == nil {
		c.Searched = func(time.Duration, bool) {}
	}
	if c.Offences == nil {
		c.Offences = protocol.NewOffences()
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Validate tells what is missing or wrong.
func (c Config) Validate() error {
	switch {
	case c.Host == nil:
		return errors.New("dht: no host")
	case c.Network.ID() == "":
		return errors.New("dht: no network")
	case (c.Registers == nil) != (c.Door == nil):
		return errors.New("dht: registers and door go together")
	case min(c.IPGroups.PerBucket, c.IPGroups.PerTable, c.IPGroups.PerPlace) < 0:
		return fmt.Errorf("dht: limits of %d, %d and %d nodes per IP group: want 0 (none) or more",
			c.IPGroups.PerBucket, c.IPGroups.PerTable, c.IPGroups.PerPlace)
	}
	return nil
}

// bucketSize is k of kad-dht, the nodes in a bucket and in an answer: as many as
// a neighbourhood has at most, 4K, so that any of its members can name them all,
// and never fewer than the library's own 20.
func bucketSize(neighbourhood int) int { return max(20, 4*neighbourhood) }
