// Package gossip carries posts to whoever watches a hashtag, while they are new.
//
// A post is announced, whole, on the shard of each of its tags; a network has 256 shards, each a GossipSub topic
// (github.com/libp2p/go-libp2p-pubsub). The members of the neighbourhood that a shard's coordinate falls into relay it.
// Who watches a tag subscribes to its shard, connects to some relays and takes the tag's posts out of the shard's.
//
// It owns which bytes are passed on (the door, a recent revision, a tag of this shard, and every record id once), which
// shards this node relays, the connections that its watchers and announcements need, the standing of the peers it
// gossips with, the queue of every watcher, and back-pressure on who announces.
//
// It does not own who is responsible for a shard (package protocol/dht, through [Config].Relays), the past of a hashtag
// (protocol/exchange and the store), or what is heard about people and threads (follow streams of protocol/exchange).
//
// # What is lost, and how one knows
//
// [Gossip.Announce] returns once the post waits in the queue to every relay it will go to, or with an error; while those
// queues are full it waits. A watcher that does not keep up is told how many posts it missed, in their place among the
// others. What an overloaded node drops of other people's posts is counted in [Stats] and usually comes by another way:
// every message is pushed along at least five links a node and then offered to all other peers by name.
//
// # Goroutines
//
// None before [Gossip.Run]. Run owns three (relaying, links to relays, standing of peers) and those of pubsub, which has
// no Close: Run gives it a context and a view of the host through which it can end and await every stream that pubsub
// opened or serves. When Run returns, its goroutines are gone, no stream handler of ours is running, and every
// goroutine of pubsub has been told to end and waits for nothing but its turn.
//
// # Errors
//
// A caller can act on [ErrStale], [ErrUnreached], [ErrBusy] and [ErrStopped]. What peers do wrong is logged at debug level,
// counted, and held against them.
package gossip
