package dht

import (
	"sync/atomic"

	kadpb "github.com/libp2p/go-libp2p-kad-dht/pb"
)

// Served is how many questions of others were let in, by kind: what a node does for the
// network whether or not anybody uses it.
type Served struct {
	Pings uint64 // are you there
	Finds uint64 // who is nearest to a key
	Gets  uint64 // what stands under a key
	Puts  uint64 // keep this under a key; what became of it is in Status.ValuesKept and ValuesRefused
}

// servedCounts is what a [Served] is made of.
type servedCounts struct{ pings, finds, gets, puts atomic.Uint64 }

// count counts a question.
func (c *servedCounts) count(kind kadpb.Message_MessageType) {
	switch kind {
	case kadpb.Message_PING:
		c.pings.Add(1)
	case kadpb.Message_FIND_NODE:
		c.finds.Add(1)
	case kadpb.Message_GET_VALUE:
		c.gets.Add(1)
	case kadpb.Message_PUT_VALUE:
		c.puts.Add(1)
	case kadpb.Message_ADD_PROVIDER, kadpb.Message_GET_PROVIDERS: // nobody answers these in our networks
	}
}

func (c *servedCounts) now() Served {
	return Served{Pings: c.pings.Load(), Finds: c.finds.Load(), Gets: c.gets.Load(), Puts: c.puts.Load()}
}
