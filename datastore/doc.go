// Package datastore keeps records on disk: each once, with an entry in every
// place it was put to, so that a bucket is read with one scan and every replica
// of a place ends in the same state.
//
// It owns the key layout below, what becomes of a put ([Store.Merge], the rules
// of [records.State] made durable) and of a place that is no longer wanted
// ([Store.Drop]), the fingerprints by which replicas compare what they hold, and
// what happens to a record that the disk damaged. It does not own what a record is
// (package records), which places this node should hold (protocol/dht), nor when
// anything is sent (node). Nothing that is stored depends on a clock.
//
// # Goroutines
//
// [Open] and [OpenMemory] start two, and [Store.Close] ends them. The committer
// makes every change: it takes what callers have queued, works all of it into
// one batch and applies that; meanwhile the second waits until the batches before
// are on disk and then answers their callers, in order. Reads run on the caller's
// goroutine, on a snapshot. After Close nothing touches the database.
//
// # Errors
//
// Those that a caller can act on are the sentinels and types of errors.go. Nothing
// here ends the process, and no fault of a disk outlasts itself:
//
//   - On a full disk writes are refused at once ([ErrFull]) and reads go on (pressure.go).
//   - After a write or sync that failed ([ErrBroken], [ErrReadOnly], …) nothing more is
//     written to what is open (guard.go): what the kernel dropped once it may call clean
//     the next time. With the next write the database is opened again behind the same
//     store, once its directory can be written to (revive.go).
//   - A record that does not match its digest is put aside alone (damaged.go). Damage to
//     the database itself has it made anew of what can be read (wreck.go, salvage.go,
//     exchange.go). [Store.Harmed] tells of both.
//
// # Layout
//
// The store stands on an ordered map of byte strings: Pebble, or a B-tree in
// memory for simulations, whose disks fill up and break ([SimulatedDisk]). Numbers
// are big endian; a coordinate, an item key, a record id and a digest are 32 bytes; a
// position is 6 bytes of Unix milliseconds (0 on radix ladders) and an item key, so
// that keys sort as positions do.
//
//	key                                 value
//	"mformat"                           uvarint: 2
//	"mmigration"                        how far a migration to the next format has come, while it is under way
//	"mnetwork"                          the network's id, as text
//	"mstats"                            records, places, entries, displaced, damaged, bytes, and records and bytes
//	                                    of each class, cached to own: 8 bytes each
//	"r" item key                        class and n (2), n coordinates where it stands, digest, envelope
//	"p" coordinate                      fingerprint (count 8, sum 32), class and bucket's length (2), bytes of the place
//	"p" coordinate position             role (1), record id, and with a role the child's coordinate
//	"f" first 2 bytes of coordinate     fingerprint of all places there
//	"d" coordinate position             nothing: that entry is displaced
//	"q" item key                        n (2), n times length (2) and place, then what was found
//	"n" key of go-datastore             its value
//
// The entries of a place, in order of position, are first its bucket, whose roles
// are 0, and then the rest. A role is a sum: 1, a witness, the smallest of those
// that share its child; 2, displaced, kept and served until it has been carried
// down. There is a rest only when the bucket is full. Bucket and witnesses are the
// place's state: they alone count in fingerprints, so that replicas which have
// seen the same records agree whatever they are still carrying.
//
// Everything of a place has its class, and a record the highest of those of its
// places ([Class]). Where a class stands with a number, it has the two highest bits:
// 0 held, 1 own, 2 cached, 3 followed.
//
// Statistics count every key but those that begin with "m". Whatever the store
// keeps up to date, these and all fingerprints, is written in the same batch as
// what it is about.
//
// Fingerprints of prefixes shorter than those under "f" are kept in memory, and of
// longer ones where somebody has compared a dense stretch part by part
// ([Store.Holdings]).
package datastore
