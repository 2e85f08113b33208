// Package node is a Starling node: it owns the identity, the host and its
// transports, the assembly of store, DHT, exchange and gossip, and the four flows
// over them, one file each, to be read top to bottom:
//
//	publish.go   a record to the members of its places, then to those who listen
//	timeline.go  a page of a timeline, newest first, from the members of its places
//	carry.go     what displaced records need, and offer.go what places need, from those who hold them
//	watch.go     the newest of several timelines, then what arrives
//	home.go      all that is followed, as one timeline
//
// It does not own the bytes of records, where they are kept, or any wire format.
//
// [New] opens the store and makes the host; it starts nothing. [Node.Run] starts
// everything under one group of goroutines and blocks; when it has returned, no
// goroutine of the node is alive and nothing touches the store.
//
// A node is a value: as many as one likes run in a process, each with its own directory,
// keys and [Config.Log], and nothing is written anywhere else. [Config.HostOptions]
// brings another network, [Config.Store] another store, [Config.Now] another clock. The
// examples of this package are programs of their own.
//
// Errors that a caller can act on are the sentinels of errors.go.
package node
