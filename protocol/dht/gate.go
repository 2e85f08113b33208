package dht

import (
	"errors"
	"slices"
	"sync"

	kadpb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/records"
)

// A gate stands between strangers and the library's handler, as exchange has one: it
// bounds their streams and the size of their questions, counts the records that no
// honest node puts, and lets nobody in for a while who put too many. The library itself
// resets a stream for a bad value, and takes the next.
type gate struct {
	offences *protocol.Offences
	offended func(peer.ID)
	// check tells why a value is not to be had, before anything is looked up for it;
	// nil where no values are taken.
	check  func(key string, value []byte) error
	counts *valueCounts
	served *servedCounts

	mu      sync.Mutex // protects what follows
	streams map[peer.ID]int
	all     int
}

func newGate(d *DHT) *gate {
	g := &gate{
		offences: d.cfg.Offences,
		offended: func(p peer.ID) { d.Report(p, InvalidRecord) },
		counts:   &d.values,
		served:   &d.served,
		streams:  map[peer.ID]int{},
	}
	if d.cfg.Registers != nil {
		g.check = NewValidator(d.cfg.Door, d.cfg.Now).Validate
	}
	return g
}

// before is a handler that lets in what may be asked, one question of a stream after the other.
func (g *gate) before(handler network.StreamHandler) network.StreamHandler {
	return func(s network.Stream) {
		p := s.Conn().RemotePeer()
		if !g.enter(p) {
			_ = s.ResetWithError(network.StreamResourceLimitExceeded)
			return
		}
		go func() { // on a stack that has not grown: see questions
			defer g.leave(p)
			newQuestions(s, func(m []byte) error { return g.admit(p, m) }).serve(handler)
		}()
	}
}

// enter lets a stream of p in. Leave must follow if it does.
func (g *gate) enter(p peer.ID) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.all >= protocol.MaxKadStreams || g.streams[p] >= protocol.MaxKadStreamsPer || g.offences.Many(p) {
		return false
	}
	g.streams[p]++
	g.all++
	return true
}

func (g *gate) leave(p peer.ID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.streams[p]--; g.streams[p] == 0 {
		delete(g.streams, p)
	}
	g.all--
}

// errOffender ends the stream of a peer that has put what no honest node does.
var errOffender = errors.New("too many bad records within a minute")

// admit tells why the library is not to see a message. What it could not read, or is no
// put, is its own business.
func (g *gate) admit(p peer.ID, message []byte) error {
	if g.offences.Many(p) {
		return errOffender
	}
	var m kadpb.Message
	if proto.Unmarshal(message, &m) != nil {
		return nil
	}
	g.served.count(m.GetType())
	if g.check == nil || m.GetType() != kadpb.Message_PUT_VALUE {
		return nil
	}
	err := g.check(string(m.GetKey()), m.GetRecord().GetValue())
	if err != nil {
		g.counts.refused.Add(1)
	}
	if isOffence(err) {
		g.offended(p)
		g.offences.Count(p, 1)
	}
	return err
}

// isOffence tells whether no honest node puts what is refused for this. One whose clock
// is fast does, and one that mistakes the key.
func isOffence(err error) bool {
	return slices.ContainsFunc([]error{
		records.ErrMalformed, records.ErrWrongNetwork, records.ErrSignature, records.ErrCertificate, records.ErrWork, records.ErrTooLarge,
	}, func(offence error) bool { return errors.Is(err, offence) })
}
