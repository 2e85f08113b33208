package exchange

import (
	"errors"
	"fmt"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/record"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/records"
)

// A node that keeps a copy of a hot place is named by its libp2p signed peer
// record (RFC 0003): nobody can be named who did not offer, nor with other
// addresses than its own.

// SealCopy is what names the node with this key and these addresses, of which it
// takes as many as there is room for.
func SealCopy(key crypto.PrivKey, addrs []ma.Multiaddr) ([]byte, error) {
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("seal peer record: %w", err)
	}
	for n := min(len(addrs), protocol.MaxCopyAddrs); n > 0; n-- {
		r := peer.PeerRecordFromAddrInfo(peer.AddrInfo{ID: id, Addrs: addrs[:n]})
		envelope, err := record.Seal(r, key)
		if err != nil {
			return nil, fmt.Errorf("seal peer record: %w", err)
		}
		b, err := envelope.Marshal()
		if err != nil {
			return nil, fmt.Errorf("seal peer record: %w", err)
		}
		if len(b) <= protocol.MaxCopyBytes {
			return b, nil
		}
	}
	return nil, fmt.Errorf("seal peer record: %w", errNoAddrs)
}

var (
	errNoAddrs    = errors.New("no address, or none that fits")
	errNotItsOwn  = errors.New("peer record is signed by another")
	errManyAddrs  = errors.New("peer record has no address, or too many")
	errNotNode    = errors.New("peer does not solve the node puzzle")
	errLongRecord = errors.New("peer record is too long")
)

// OpenCopy is the node of network n that b names, with the addresses it signed.
func OpenCopy(n records.Network, b []byte) (peer.AddrInfo, error) {
	if len(b) > protocol.MaxCopyBytes {
		return peer.AddrInfo{}, errLongRecord
	}
	var r peer.PeerRecord
	envelope, err := record.ConsumeTypedEnvelope(b, &r)
	if err != nil {
		return peer.AddrInfo{}, fmt.Errorf("open peer record: %w", err)
	}
	switch {
	case !r.PeerID.MatchesPublicKey(envelope.PublicKey):
		return peer.AddrInfo{}, errNotItsOwn
	case len(r.Addrs) == 0 || len(r.Addrs) > protocol.MaxCopyAddrs:
		return peer.AddrInfo{}, errManyAddrs
	case !protocol.Solves(n, r.PeerID):
		return peer.AddrInfo{}, errNotNode
	}
	return peer.AddrInfo{ID: r.PeerID, Addrs: r.Addrs}, nil
}
