package protocol

import (
	"crypto/sha256"
	"fmt"

	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/zeebo/blake3"

	"github.com/starling-social/starling/records"
)

// root begins every protocol id and topic of ours.
const root = "/starling/"

// exchangeVersion changes when an older peer would misunderstand a newer one.
const exchangeVersion = "1.0.0"

// KadPrefix is the prefix of the DHT's protocol ids in network n; the library
// appends /kad/1.0.0.
func KadPrefix(n records.Network) protocol.ID { return protocol.ID(root + n.ID()) }

// ExchangeID is the protocol id of the exchange in network n.
func ExchangeID(n records.Network) protocol.ID {
	return protocol.ID(root + n.ID() + "/exchange/" + exchangeVersion)
}

// Shards is how many live topics a network has. Subscriptions are visible to
// every neighbour: 256 topics keep the allow-list and the hello message small,
// every mesh populated, and do not tell which tag one watches.
const Shards = 256

// Topic is the name of the live topic of one shard in network n.
func Topic(n records.Network, shard byte) string {
	return fmt.Sprintf("%s%s/live/%02x", root, n.ID(), shard)
}

// Derive-key contexts of this package; docs/spec.md lists all.
const (
	contextShard         = "starling 2026-11-21 shard of a tag"
	contextShardLocation = "starling 2026-11-21 shard location"
)

// ShardOf is the shard on which posts with a tag are announced.
func ShardOf(tag records.Tag) byte {
	var h [1]byte
	blake3.DeriveKey(contextShard, []byte(tag), h[:])
	return h[0]
}

// ShardCoordinate is where on the ring a shard has its relays.
func ShardCoordinate(n records.Network, shard byte) records.Coordinate {
	var location [32]byte
	blake3.DeriveKey(contextShardLocation, append([]byte(n.ID()), shard), location[:])
	return sha256.Sum256(location[:])
}
