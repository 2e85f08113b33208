// Package dht knows who is responsible for a place: go-libp2p-kad-dht, made to
// answer one question, [DHT.Members].
//
// A neighbourhood is all nodes whose coordinates share the first p bits; it holds
// every place whose coordinate has those bits. Each node finds its own p by the
// rule of prefix.go, from an estimate of the network's size and from the members
// that it knows. Others take the median p of the three members nearest to a place
// and find its members with one search, whose result is kept for minutes.
//
// The library brings the routing table, the server that answers others, and the
// streams. It runs under our protocol prefix, so networks never mix, and with our
// filters: an id that does not solve the network's puzzle is never in a table, in
// an answer that we believe, or in a neighbourhood. Searches are ours (frontier.go
// and paths.go decide, search.go asks): the library's own return nodes that did not answer and
// wait ten seconds for one that hangs. So is the upkeep of the table (keep.go): the
// library's own leaves dead nodes in it for hours. And so is who enters it (table.go,
// usher.go, groups.go): who answers is never displaced, nor can one operator fill it.
//
// Whoever makes ids for a place, or lies to those who look for its members, gains
// little: regions that are new to us are searched over disjoint paths (paths.go), what
// nodes tell of prefixes is believed only as far as the size of the network allows
// ([Believable]), and the size itself comes from lookups of random keys (size.go), in
// which the ids of one operator count for a few (crowds.go). An
// alarm that nothing depends on tells of places that look planted (planted.go).
//
// Registers are values of kad-dht too: validator.go says what may stand under a key,
// and values.go has the library keep it in the store of the node, so that what a stock
// client puts is held, healed and expired like everything else.
//
// # Owns
//
// The library's instance and its stream handler, the routing table, the size
// estimate, our own prefix, and the members of regions asked for lately. It does
// not own the host, its connections or the datastore, and holds no records.
//
// # Goroutines
//
// [New] starts nothing. Everything runs inside [DHT.Run]: the library, one
// goroutine that listens to the host's events, two that let nodes into the table, and
// one that keeps the table and our prefix true. Members asks in goroutines that are
// gone when it returns. When Run has returned nothing of ours runs and no request is
// answered any more; questions that the library itself had under way are cancelled and
// end a moment later.
//
// # Errors
//
// [ErrNoAnswer] means that nodes are known but none answered: we are probably
// offline. [ErrClosed] means that Run has ended. Other errors are those of the
// context, wrapped.
package dht
