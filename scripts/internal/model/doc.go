// Package model is a network of thousands of nodes without any transport: events in
// virtual time, one after the other, all chance from one seed. The same seed is the
// same run, event by event, which [World.Trace] proves.
//
// # What is real
//
// The rules: by which prefix a node finds itself responsible ([dht.Rule]), which
// prefix readers take for a place's ([dht.Agreed]), whom a node compares with, when
// it has filled its region and what it may answer for ([healing.View],
// [healing.Ledger]), how two parts of the ring are cut ([reconcile.Under]).
//
// # What is modelled
//
// A key stands for a full bucket: it is held or not. A death is noticed when
// connections time out, half a minute later; newcomers are met when they have
// joined; rounds, calms, retries and time-outs last as long as in the code. Comparing
// takes a round trip where nothing differs and two more where something does, moving
// takes the time that MendRate gives it, and what is under way when either side dies
// is cut short.
//
// # Where it is kinder than the world
//
// A look at the network sees everybody who is up: searches do not miss. Links lose
// nothing and all have one latency; only the sides' own rate bounds what moves, not
// their lines or disks. A reader asks all members, not eighteen and then those that
// differ. Who starts is met after a second and a half, where a whole node takes some
// seconds. Nobody lies. Nobody publishes meanwhile, and versions do not conflict.
//
// Where it is harsher: nobody who leaves says goodbye, nobody mends by reading, and
// that members of another neighbourhood died is noticed at the next round alone, where
// whole nodes come across it sooner.
//
// It starts no goroutine. A [World] is used by one goroutine.
package model
