// Package archive is the form in which records leave a store and come into
// another: for backups, for moving, for giving a network back what it lost.
//
// It owns the bytes (docs/spec.md, Archives): the exact bytes of each record, with
// the places where it stood and for whom it was kept, and a chain of hashes by
// which a reader knows how far an archive is whole, and that it is complete. It
// does not own whether a record is good: what [Reader.Next] returns is bytes, and
// passes the door like all others.
//
// Writer and Reader hold one entry at a time, and start no goroutine. What is wrong
// with an archive is a [*DamageError], which says where.
package archive
