package nodetest

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/starling-social/starling/records"
)

// A Spammer is a host of no node, which speaks to nodes as it likes. It sends what no
// node would, and signs as many records as it wants.
type Spammer struct {
	host   host.Host
	net    *Network
	random *mathrand.ChaCha8
	key    records.Key
	made   uint64
}

// spammersFrom is where on the links spammers are: beyond all nodes.
const spammersFrom = 50_000

// Spammer makes the spammer of a number. It ends with the network.
func (n *Network) Spammer(number int) *Spammer {
	n.t.Helper()
	var seed [32]byte
	binary.BigEndian.PutUint64(seed[:], n.config.Links.Seed)
	binary.BigEndian.PutUint64(seed[8:], uint64(number))
	identity, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		n.t.Fatalf("make key of a spammer: %v", err)
	}
	h, err := n.Links.Host(spammersFrom+number, identity)
	if err != nil {
		n.t.Fatalf("start a spammer: %v", err)
	}
	n.t.Cleanup(func() { _ = h.Close() })
	return &Spammer{host: h, net: n, random: mathrand.NewChaCha8(seed), key: records.KeyFromSeed(seed)}
}

// Garbage opens a stream to a node for each of its protocols of ours, writes so many
// random bytes to each, and waits until the node has done with it. Every other stream
// begins with a length that claims more than anybody may send. It returns how many
// streams those were.
func (s *Spammer) Garbage(ctx context.Context, x *Node, bytes int) (streams int, err error) {
	to := peer.AddrInfo{ID: x.PeerID(), Addrs: []ma.Multiaddr{s.net.Links.Addr(x.Index)}}
	if err := s.host.Connect(ctx, to); err != nil {
		return 0, fmt.Errorf("connect: %w", err)
	}
	ids, err := s.host.Peerstore().GetProtocols(x.PeerID())
	if err != nil {
		return 0, fmt.Errorf("protocols: %w", err)
	}
	for i, id := range ids {
		if !strings.HasPrefix(string(id), "/starling/") {
			continue
		}
		if err := s.garble(ctx, x.PeerID(), id, bytes, i%2 == 0); err != nil {
			return streams, fmt.Errorf("%s: %w", id, err)
		}
		streams++
	}
	return streams, nil
}

// garbleTime bounds how long one stream of garbage is waited for.
const garbleTime = time.Minute

func (s *Spammer) garble(ctx context.Context, p peer.ID, id protocol.ID, bytes int, long bool) error {
	stream, err := s.host.NewStream(ctx, p, id)
	if errors.Is(err, network.ErrReset) || errors.Is(err, context.DeadlineExceeded) {
		return nil // it wants no more of us, which is its right
	}
	if err != nil {
		return err
	}
	defer func() { _ = stream.Reset() }()
	if err := stream.SetDeadline(time.Now().Add(garbleTime)); err != nil {
		return err
	}
	b := make([]byte, bytes)
	_, _ = s.random.Read(b) // never fails
	if long {
		b = append(binary.AppendUvarint(nil, 1<<62), b...)
	}
	// What becomes of it is the other's business: a reset, an answer or nothing.
	_, _ = stream.Write(b)
	_ = stream.CloseWrite()
	_, _ = stream.Read(make([]byte, 1))
	return nil
}

// Post signs a post with hashtags, and publishes it through a node.
func (s *Spammer) Post(ctx context.Context, through *Node, text string, tags ...records.Tag) (*records.Record, error) {
	var salt [8]byte
	s.made++
	binary.BigEndian.PutUint64(salt[:], s.made)
	d, err := records.NewPost(records.MillisOf(time.Now()), salt, records.PostHead{Tags: tags}, records.PostBody{Text: text})
	if err != nil {
		return nil, fmt.Errorf("compose: %w", err)
	}
	r, err := records.Seal(ctx, s.net.network, records.AuthorSigner(s.key), d)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	_, err = through.PublishRecord(ctx, r, nil)
	return r, err
}
