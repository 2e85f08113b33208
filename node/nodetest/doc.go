// Package nodetest runs whole networks of libp2p hosts in one process and in virtual time.
//
// [Links] is the fabric: an in-memory libp2p transport that joins numbered nodes by links with latency, jitter,
// bandwidth and loss, and can be partitioned, cut one way, and made to lose or freeze nodes.
// Everything above the transport is the real thing: swarm, identify, kad-dht, GossipSub and our own protocols.
//
//	synctest.Test(t, func(t *testing.T) {
//		links := nodetest.NewLinks(nodetest.LinksConfig{Seed: 7})
//		a, err := links.Host(0, keyA)
//		b, err := links.Host(1, keyB)
//		defer a.Close()
//		defer b.Close()
//		err = a.Connect(t.Context(), peer.AddrInfo{ID: b.ID(), Addrs: b.Addrs()})
//		links.Partition([]int{0}, []int{1})
//	})
//
// [Network] puts whole nodes on it. Each of them can be made a liar at any time: a [Lie] is what a node answers others from
// instead of its store, one file for each way to deceive. [Network.Third] picks so many that of the members of every place
// about a third lie.
//
// A [Scenario] is a story about such a network, told in commands and what they print: see testdata/scenarios.
// An [Adversary] is a part that a node plays in it. Each node has a [Clock] and a disk of its own.
//
// # Owns
//
// The delivery of bytes between nodes, their addresses, every fault of a link or a node, and the counters of what
// crossed. It does not own the hosts: who made a host closes it. There is no encryption; a dialled peer id is compared
// with the listener's, so a wrong one is refused as a security handshake would.
//
// # Model
//
// A connection is one TCP connection under yamux. Nothing that one end does is known to the other before a segment
// has crossed the link: opening a stream, data, window updates, half closes, resets and the closing of the connection
// all take its latency and keep their order, over all streams of the connection.
//
//   - Dialling takes two round trips. The dialler is done half a round trip before the listener,
//     so a dialler that the listener's gater refuses sees a connection that closes at once.
//   - A stream has a window. A writer that has filled it blocks until the reader has read half of it and the window
//     update has come back, so a slow reader and a long link are both felt. A stream that was closed for reading
//     takes no more than its window: the writer stalls and is told nothing, as with yamux. Only a reset tells it.
//   - A lost packet is sent again after a round trip and 200 ms, then after twice as long, and so on; what comes behind it waits.
//     That is Linux's timeout for the last packet of a burst, and our messages are mostly shorter than a burst; so loss
//     shows as delay and never as corruption. A lost SYN is sent again after 1 s, 3 s and so on, until the dial times out.
//   - Across a cut nothing arrives. The sender tries again at ever longer intervals, so a mended link carries again
//     only at the next attempt: the longer the outage, the later, up to about as long again.
//     Dials go unanswered and time out. A connection that cannot carry both ways for [LinksConfig].Timeout
//     dies at both ends: acknowledgements and keep-alives need both ways.
//   - A killed node says no goodbye: its connections never carry again, and the others notice after the timeout.
//   - A paused node is frozen as seen by others: nothing leaves it or reaches it, and what was sent meanwhile arrives
//     after it resumes. Its own goroutines and timers cannot be stopped and go on.
//
// Virtual time is exact, and outcomes repeat with the seed. The order of events at one instant is up to the scheduler:
// assert on outcomes and never on the order of messages.
//
// # Goroutines
//
// None is started and kept. Deliveries, deadlines and timeouts run on timers. All waiting is on condition variables and timers,
// which block durably, so a [Links] works inside a testing/synctest bubble; make it in the bubble that uses it.
// Once every connection is closed at both ends no timer is left.
//
// # Errors
//
// Those that libp2p's own transports return: [network.StreamError] and [network.ConnError] with their codes, os.ErrDeadlineExceeded,
// syscall.ECONNREFUSED, syscall.ETIMEDOUT and [sec.ErrPeerIDMismatch].
// Asking for a node without an address is a mistake of the test and panics.
package nodetest
