package gossip

import (
	"runtime"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	core "github.com/libp2p/go-libp2p/core/protocol"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/records"
)

// dialect is the one version of GossipSub that is spoken. Older ones would let a peer pose as a FloodSub node, which is
// sent everything and never scored, and version 1.3 is the only one after whose streams pubsub forgets a peer.
const dialect = "/meshsub/1.3.0"

// ID is the protocol id of gossip in network n. It is the network's own: pubsub's usual ids would join us to every other
// libp2p application on the same host.
func ID(n records.Network) core.ID { return protocol.KadPrefix(n) + dialect }

// What one message from a peer may hold.
const (
	// maxRPC bounds a message: just above the largest that an honest peer sends, the hello of a node that relays every
	// shard of a network with the longest name (17.3 KiB). Records have at most 8 KiB; more than one are split.
	maxRPC = 18 << 10
	// maxSubscriptions bounds the subscriptions in it: a hello names every shard once.
	maxSubscriptions = protocol.Shards
	// maxStrangeTopics is how many unknown topics a message may name before it counts as an offence. Not zero: a later
	// version may have topics that we do not know.
	maxStrangeTopics = 16
	// maxAsked is how many posts one peer can make us ask for, by offering them, in one heartbeat.
	maxAsked = 1024
	// maxBackoff bounds how long a peer can have itself kept out of a mesh, since pubsub remembers it for as long. An
	// honest peer asks for a minute.
	maxBackoff = 10 * time.Minute
)

// Queues. Messages are shared by all queues they wait in, so a place costs a pointer.
const (
	// sendQueue is how many messages may wait to be sent to one peer before pubsub drops the next: at a mesh's ceiling of
	// some 3,000 a second, a third of a second of not reading.
	sendQueue = 1024
	// sendRoom is how many may wait before our own posts wait too: few, for what waits here waits because the connection
	// is full, and would only be older when it is heard. The rest is for what we pass on.
	sendRoom = 64
	// checkQueue is how many messages may wait to be verified before the next is dropped: at 60 µs each on four cores,
	// some 60 ms. A dropped one is not remembered as seen, so it is taken when it comes again.
	checkQueue = 4096
	// announceAtOnce bounds the announcements between finding room in a queue and standing in it.
	announceAtOnce = 64
	// watchQueue is how many posts a watcher may leave waiting before it misses the next.
	watchQueue = 512
)

// Times.
const (
	// liveFor is how far a revision may lie from now, either way: what is older is found in the buckets.
	liveFor = records.MaxAhead
	// clockGrace is by how much an honest peer's clock may differ from ours: what is out of time by less is not passed on
	// and not held against who sent it.
	clockGrace = time.Minute
	// seenFor is how long ids are remembered: longer than any message is passed on, which is twice liveFor.
	seenFor = 5 * time.Minute
	// heartbeat is how often meshes are repaired and messages offered by name to those outside them.
	heartbeat = time.Second
)

// maxSeen bounds the record ids remembered: 800 a second for as long as they are. 40 MB.
const maxSeen = 1 << 18

// lazyFrom is the size from which a message is announced to the mesh as already received, which spares duplicates and
// costs a message each. Most posts are smaller; their duplicates show who passes posts on.
const lazyFrom = 2 << 10

// parameters are GossipSub's own with these changes.
func parameters() pubsub.GossipSubParams {
	p := pubsub.DefaultGossipSubParams()
	p.HeartbeatInterval = heartbeat
	// Meshes form at once and stay as large as they may be, and every link of a mesh carries every post: eight copies a
	// node instead of twelve.
	p.Dlo, p.Dhi = 4, 8
	// Whoever is not in the mesh is told every id, twice: a peer pruned for taking without giving still gets every post,
	// only later, and so does one whose mesh links all failed.
	p.GossipFactor = 1
	p.HistoryGossip = 2
	p.HistoryLength = 6
	p.GossipRetransmission = 2
	p.MaxIHaveLength = maxAsked
	// pubsub counts every control message here, not only offers.
	p.MaxIHaveMessages = 256
	// What it can make us remember not to send it: 8,000 ids.
	p.MaxIDontWantMessages = 256
	// An overloaded honest peer answers late; three seconds would punish it.
	p.IWantFollowupTime = 5 * time.Second
	p.IDontWantMessageThreshold = lazyFrom
	// No peer exchange: relays are found on the DHT, where ids are priced.
	p.PrunePeers = 0
	p.Connectors = 0
	p.MaxPendingConnections = 1
	p.SlowHeartbeatWarning = 0
	return p
}

// workers is how many messages are verified at once.
func workers() int { return runtime.GOMAXPROCS(0) }
