package nodetest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"

	kadpb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"google.golang.org/protobuf/encoding/protodelim"

	starling "github.com/starling-social/starling/node"
	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/records"
)

// A Troupe is puppets: hosts that are no nodes, but answer the DHT's and the exchange's
// questions as one attacker likes, the same to stock kad-dht as to ours. They
// acknowledge every put and keep nothing, and say of every place that nothing is
// there; those who lie about routes do what else [TroupeConfig] says.
//
// Puppets are light, so that one network can see many of them come and go.
type Troupe struct {
	config  TroupeConfig
	links   *Links
	network records.Network

	mu      sync.Mutex // protects puppets
	puppets []*puppet
}

// TroupeConfig says what puppets do.
type TroupeConfig struct {
	// Astray has them lie about routes: they name their own alone, now and then nobody,
	// and nodes that do not exist; and tell prefixes that nobody has.
	Astray bool
	// Others are the honest nodes, whom those who do not lie about routes name too.
	Others func() []peer.AddrInfo
	// Prefix is what those who do not lie tell.
	Prefix int
	// Flood is shown for what is asked for instead of nothing, as far as it belongs
	// there.
	Flood []*records.Record
}

type puppet struct {
	troupe *Troupe
	number int
	host   host.Host
	stop   context.CancelFunc
	ended  chan error
}

// NewTroupe is puppets for the nodes of a network on some links, none yet.
func NewTroupe(l *Links, n records.Network, c TroupeConfig) *Troupe {
	return &Troupe{config: c, links: l, network: n}
}

// Infos are the running nodes and where they are.
func (n *Network) Infos() (out []peer.AddrInfo) {
	for _, x := range n.Running() {
		out = append(out, peer.AddrInfo{ID: x.PeerID(), Addrs: []ma.Multiaddr{n.Links.Addr(x.Index)}})
	}
	return out
}

// GrindKeys makes n keys whose nodes stand nearer to at than all others, as an attacker
// without a puzzle in his way does: by trying.
func GrindKeys(at records.Coordinate, others []peer.AddrInfo, n int) ([]crypto.PrivKey, error) {
	var nearest records.Coordinate
	for i := range nearest {
		nearest[i] = 0xff
	}
	for _, p := range others {
		if d := apart(at, sha256.Sum256([]byte(p.ID))); bytes.Compare(d[:], nearest[:]) < 0 {
			nearest = d
		}
	}
	var keys []crypto.PrivKey
	for len(keys) < n {
		key, public, err := crypto.GenerateEd25519Key(rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("generate key: %w", err)
		}
		id, err := peer.IDFromPublicKey(public)
		if err != nil {
			return nil, fmt.Errorf("derive id: %w", err)
		}
		if d := apart(at, sha256.Sum256([]byte(id))); bytes.Compare(d[:], nearest[:]) < 0 {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// apart is the XOR distance of two points of the ring.
func apart(a, b records.Coordinate) (d records.Coordinate) {
	for i := range d {
		d[i] = a[i] ^ b[i]
	}
	return d
}

// Enter starts a puppet with each key, at numbers from first, that makes itself known
// to some nodes.
func (t *Troupe) Enter(ctx context.Context, first int, keys []crypto.PrivKey, known []peer.AddrInfo) error {
	for i, key := range keys {
		p, err := t.start(first+i, key)
		if err != nil {
			return err
		}
		t.mu.Lock()
		t.puppets = append(t.puppets, p)
		t.mu.Unlock()
	}
	return t.Meet(ctx, known...)
}

// Meet has all puppets dial some nodes, at once.
func (t *Troupe) Meet(ctx context.Context, known ...peer.AddrInfo) error {
	puppets := t.all()
	var meetings sync.WaitGroup
	failed := make(chan error, len(puppets)*len(known))
	for _, p := range puppets {
		for _, node := range known {
			meetings.Go(func() {
				if err := p.host.Connect(ctx, node); err != nil {
					failed <- fmt.Errorf("puppet %d meets %s: %w", p.number, node.ID, err)
				}
			})
		}
	}
	meetings.Wait()
	close(failed)
	return <-failed
}

// Leave ends all puppets, who say goodbye.
func (t *Troupe) Leave() error {
	var errs []error
	for _, p := range t.all() {
		p.stop()
		errs = append(errs, <-p.ended, p.host.Close())
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.puppets = nil
	return errors.Join(errs...)
}

// Infos are the puppets and where they are.
func (t *Troupe) Infos() (out []peer.AddrInfo) {
	for _, p := range t.all() {
		out = append(out, peer.AddrInfo{ID: p.host.ID(), Addrs: p.host.Addrs()})
	}
	return out
}

func (t *Troupe) all() []*puppet {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.puppets)
}

func (t *Troupe) start(number int, key crypto.PrivKey) (*puppet, error) {
	h, err := t.links.Host(number, key)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	p := &puppet{troupe: t, number: number, host: h, stop: stop, ended: make(chan error, 1)}
	h.SetStreamHandler(protocol.KadPrefix(t.network)+"/kad/1.0.0", p.route)
	server := exchange.NewServer(exchange.ServerConfig{
		Host: h, Door: records.NewDoor(t.network, 16), Region: p, Store: p.store(),
		Status: func() exchange.Status { return exchange.Status{} },
	})
	go func() { p.ended <- server.Run(ctx) }()
	return p, nil
}

// Prefix is what a puppet tells of its region.
func (p *puppet) Prefix() int {
	switch {
	case !p.troupe.config.Astray:
		return p.troupe.config.Prefix
	case p.number%3 == 0:
		return 0 // some send searching, most crowd
	default:
		return 20
	}
}

// Narrowed is nothing of it.
func (p *puppet) Narrowed() int { return 0 }

// Holds is true of everything.
func (p *puppet) Holds(records.Coordinate) bool { return true }

// store acknowledges what it drops, and shows nothing, or the flood.
func (p *puppet) store() starling.ServedStore {
	return told{
		merge: func(_ context.Context, puts []records.Put) ([]records.Outcome, error) {
			return slices.Repeat([]records.Outcome{{Status: records.Stored}}, len(puts)), nil
		},
		bucket: func(q records.Query) (records.Bucket, error) {
			b := records.Bucket{Place: q.Place}
			for _, r := range p.troupe.config.Flood {
				if records.Fits(r, q.Place) == nil && q.Place.Position(r).Compare(q.Before) < 0 && len(b.Records) < q.Limit {
					b.Records = append(b.Records, r)
				}
			}
			slices.SortFunc(b.Records, func(r, s *records.Record) int { return q.Place.Position(s).Compare(q.Place.Position(r)) })
			b.Count = len(b.Records)
			b.Fingerprint = b.Sum()
			if q.Print {
				b.Records = nil
			}
			return b, nil
		},
	}
}

// route answers the questions of one stream of the DHT.
func (p *puppet) route(s network.Stream) {
	defer func() { _ = s.Close() }() // nobody is owed anything
	in := bufio.NewReader(s)
	for {
		var m kadpb.Message
		if err := protodelim.UnmarshalFrom(in, &m); err != nil {
			return
		}
		switch m.GetType() {
		case kadpb.Message_FIND_NODE, kadpb.Message_GET_VALUE:
			m.Record = nil
			m.CloserPeers = kadpb.RawPeerInfosToPBPeers(p.troupe.name(m.GetKey(), s.Conn().RemotePeer(), p.number))
		default: // a put and a ping are answered with themselves
		}
		if _, err := protodelim.MarshalTo(s, &m); err != nil {
			return
		}
	}
}

// named is how many nodes an answer names: as many as stock kad-dht takes.
const named = 40

// name is whom a puppet names as nearest to a key.
func (t *Troupe) name(key []byte, asker peer.ID, number int) []peer.AddrInfo {
	infos := t.Infos()
	switch {
	case !t.config.Astray && t.config.Others != nil:
		infos = append(infos, t.config.Others()...)
	case t.config.Astray && number%5 == 0:
		return nil
	case t.config.Astray && number%5 == 1 && len(infos) > 0:
		infos = append(infos, invented(key, infos[0])...)
	}
	at := records.Coordinate(sha256.Sum256(key))
	infos = slices.DeleteFunc(infos, func(i peer.AddrInfo) bool { return i.ID == asker })
	distance := func(i peer.AddrInfo) []byte {
		d := apart(at, sha256.Sum256([]byte(i.ID)))
		return d[:]
	}
	slices.SortFunc(infos, func(a, b peer.AddrInfo) int { return bytes.Compare(distance(a), distance(b)) })
	return infos[:min(len(infos), named)]
}

// invented are nodes that do not exist, at the address of one that does.
func invented(key []byte, at peer.AddrInfo) (out []peer.AddrInfo) {
	const prefix = "\x00\x24\x08\x01\x12\x20" // of the id of every Ed25519 key
	for i := range byte(4) {
		public := sha256.Sum256(append(slices.Clone(key), i))
		out = append(out, peer.AddrInfo{ID: peer.ID(prefix + string(public[:])), Addrs: at.Addrs})
	}
	return out
}
