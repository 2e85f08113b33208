// Package pb is the payload of a record as Go types, made from records.proto by
// scripts/generate.
//
// It owns no rule: what a payload must keep beyond its syntax is checked by the
// door in package records, which alone decodes it.
package pb
