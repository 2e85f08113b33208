package exchange

import (
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/sync/semaphore"

	"github.com/starling-social/starling/protocol"
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
