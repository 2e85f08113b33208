// Package testnet is a whole Starling network in one process: complete nodes on
// real transports over loopback, each with its own store on disk, that publish,
// read and watch a stream of posts. It is for developers of clients, who want a
// network to talk about, and for everybody who wants to see whether one holds
// what it promises.
//
// It owns the stream ([ReadStream], [Demo]), what is made of it (plan.go), the
// nodes (cluster.go), and the three checks, one file each:
//
//	publish.go   every post by some node, so many in flight
//	live.go      watchers on other nodes hear every post of the busiest timelines
//	readback.go  every timeline from nodes that did not publish it, page by page
//
// It does not own what a node does, nor how progress and figures are shown.
//
// [Run] starts the goroutines of its nodes, publishers, watchers and readers; all
// have ended, and the directories are gone, when it returns.
package testnet
