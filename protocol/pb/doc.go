// Package pb is the messages of the exchange protocol as Go types, made from
// exchange.proto by scripts/generate.
//
// It owns no rule: limits stand in package protocol, and what a message means in
// package protocol/exchange.
package pb
