package exchange

import (
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/sync/semaphore"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/pb"
	"github.com/starling-social/starling/records"
)

// ReplyBytes is how much waits for a peer to read it.
func (s *Server) ReplyBytes(p peer.ID) int64 {
	s.gate.mu.Lock()
	defer s.gate.mu.Unlock()
	if v := s.gate.peers[p]; v != nil {
		return taken(v.replies, protocol.MaxReplyBytesPeer)
	}
	return 0
}

// ReplyBytesOfAll is how much waits for all peers, small replies not counted.
func (s *Server) ReplyBytesOfAll() int64 {
	return taken(s.gate.replies, protocol.MaxReplyBytesServer)
}

// taken is how much of a room of the given size is taken: what cannot be had.
func taken(room *semaphore.Weighted, size int64) int64 {
	low, high := int64(0), size
	for low < high {
		mid := (low + high + 1) / 2
		if room.TryAcquire(mid) {
			room.Release(mid)
			low = mid
		} else {
			high = mid - 1
		}
	}
	return size - low
}

// Board is the board of a server, without the server.
type Board struct{ b *board }

// BoardFollower is a follower on a Board.
type BoardFollower struct {
	b  *board
	f  *follower
	at []Mark
}

func NewBoard() Board { return Board{newBoard()} }

func (b Board) Arrive(root records.Place, r *records.Record) { b.b.arrive(root, r) }

func (b Board) Follow(from ...Mark) *BoardFollower {
	return &BoardFollower{b.b, b.b.follow(from), slices.Clone(from)}
}

func (f *BoardFollower) Unfollow() { f.b.unfollow(f.f) }

// Next is what the follower hears next, of at most so many bytes of records.
func (f *BoardFollower) Next(bytes int) []Arrival {
	marks, read := f.b.next(f.f, bytes)
	return arrivals(f.at, marks, read)
}

// Sizes are the arrivals, their bytes and the roots that the board remembers.
func (b Board) Sizes() (arrivals, bytes, roots int) {
	b.b.mu.Lock()
	defer b.b.mu.Unlock()
	return b.b.all.Len(), b.b.bytes, len(b.b.rings)
}

// DecodeReply reads a reply as the client does.
func DecodeReply(b []byte) (*pb.Reply, error) { return decodeReply(b) }

// Heat is what a server knows of hot places, without the server.
type Heat struct{ h *heat }

func NewHeat() Heat { return Heat{newHeat(protocol.HotReaders)} }

func (h Heat) Read(p records.Place, by peer.ID) bool { return h.h.read(p, by, time.Now()) }

func (h Heat) Named(p records.Place, asks peer.ID) [][]byte { return h.h.named(p, asks, time.Now()) }

func (h Heat) Offer(by peer.ID, record []byte, places ...records.Place) []time.Duration {
	return h.h.offer(by, record, places, time.Now())
}

func (h Heat) Warm() Warm { return h.h.warm(time.Now()) }

// Sizes are the places, the nodes that offer and their leases; and tells what is
// wrong with them.
func (h Heat) Sizes() (places, offerers, leases int, err error) {
	h.h.mu.Lock()
	defer h.h.mu.Unlock()
	for id, o := range h.h.offerers {
		leases += len(o.until)
		if len(o.until) == 0 || len(o.until) > protocol.MaxOfferPlaces {
			err = fmt.Errorf("%s has %d leases", id, len(o.until))
		}
		for p := range o.until {
			if w, known := h.h.places.Peek(p); !known || !slices.Contains(w.copies, id) {
				err = fmt.Errorf("%s has a lease for %s, of which the place knows nothing", id, p)
			}
		}
	}
	for _, p := range h.h.places.Keys() {
		if w, _ := h.h.places.Peek(p); len(w.copies) > protocol.MaxCopies {
			err = fmt.Errorf("%s has %d copies", p, len(w.copies))
		}
	}
	return h.h.places.Len(), len(h.h.offerers), leases, err
}
