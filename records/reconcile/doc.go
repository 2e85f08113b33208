// Package reconcile finds how two sets differ at a cost that follows the
// difference, not the sets: range-based set reconciliation (Meyer, "Range-Based
// Set Reconciliation", 2023). Two stores that agree on a million entries find out
// with one small message each way; where they differ, ranges are split until they
// are small enough to be listed.
//
// The elements are what replicas hold: that a version of a thing stands at a
// coordinate. They are ordered by coordinate, item key and record id, so that a
// range under a coordinate prefix has a fingerprint that the store keeps anyway.
//
// A [Session] asks, [Respond] answers. Both are conversations without a wire:
// message in, message out. The one who asks keeps what is still open, in bounded
// memory, and can stop at any message and go on later from [Session.Rest]; the
// one who answers keeps nothing at all. Neither believes anything: what a peer
// says it has is a claim, to be proven by the record; what it denies to have may
// be there. A peer that lies can hide what it has and be offered what it has
// already, and nothing else.
//
// Sets may change meanwhile. Every fingerprint and list is one of the set at some
// moment of the conversation, range by range, so what is reported was true then;
// what arrives later is found by the next session. No snapshot is needed.
//
// It owns the messages and their limits. It does not own how they travel
// (protocol/exchange), where elements are kept (package datastore), nor what is
// done about a difference (node). It starts no goroutine and reads no clock;
// randomness is an argument, the [Salt]. Errors: [ErrMessage] when the other side
// broke the rules, else what the [Set] returned.
package reconcile
