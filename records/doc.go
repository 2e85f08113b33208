// Package records is the vocabulary of Starling: the signed record, the places
// it belongs to, the order among its versions and the merge of two copies of a
// place.
//
// It owns the bytes of a record (a libp2p signed envelope, RFC 0002, around a
// Protocol Buffers payload), the one door through which bytes become a
// [*Record] ([Open]), the ladder of buckets below every user, hashtag, thread
// and set ([Place]), the state that any replica of a place ends in ([State])
// and the walk that reads a timeline newest first ([Walk]).
//
// It does not own where bytes are kept (package datastore), who is responsible
// for a place (package protocol/dht) or how anything travels (protocol/exchange,
// protocol/gossip).
//
// Everything here is a value or a pure function of values: no goroutine, no
// clock (the present is an argument), no file, no socket. The package builds
// for js/wasm, so a browser runs the same code.
//
// Errors that a caller can act on are the sentinels of errors.go; they arrive
// wrapped with what was being done.
package records
