// Package protocol holds what the protocols of a Starling node share: the id,
// version and topic name of each, every limit that an inbound path has, with its
// reason, and the framing of messages on a stream.
//
// It does not own a protocol: those are the packages below it, one each, which
// never import each other. It opens no stream and starts no goroutine.
//
// What a malformed frame is refused with are the ErrFrame sentinels; they arrive
// wrapped with what was being read.
package protocol
