// Package healing decides with which neighbours a node compares what it holds, and
// for what it may answer after that: the rules without clock, network or store.
//
// A [View] is what is known at one moment, and whom to compare with and whether
// enough was compared follow from it. A [Ledger] is what is remembered from one
// moment to the next. Whoever compares, a node over its streams or a model of
// thousands of nodes, runs these and no others. What is moved, and how fast, is the
// caller's.
//
// It starts no goroutine, and has no errors: every view has an answer.
package healing
