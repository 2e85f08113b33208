// Package exchange asks one peer for records and gives it records: put, fetch,
// follow, reconcile and status, over long-lived streams on which many requests
// are in flight and answers come in any order.
//
// It owns the messages (protocol/pb), the stream a [Client] keeps to each peer it
// talks to, what a [Server] accepts of strangers, and the last arrivals at every
// root that somebody follows. It does not own the store, nor the question which
// peer to ask: both are the caller's.
//
// Nothing that a peer says is believed. The server lets a record in through the
// one door and only where it belongs; the client lets it out the same way, and
// takes answers only to what it asked, in the order it asked for.
//
// A client starts two goroutines for each stream, which end when the stream is
// idle, dies, or [Client.Close] is called. A server starts goroutines for streams
// and requests, all bounded; when [Server.Run] has returned none is left.
//
// Errors: [ErrUnavailable] when nobody answered, [ErrProtocol] when the peer
// broke the rules and is to blame, [Refusal] when it said no and why. They arrive
// wrapped with what was being asked of whom.
package exchange
