package dht

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// tellTimeout bounds asking nodes for their prefixes.
const tellTimeout = 2 * time.Second

// toldBits asks up to three nodes at once for their prefixes, unless they are known,
// until two say the same: then the third does not matter. Our own stands in for whoever
// is missing or does not tell, or not soon.
func (d *DHT) toldBits(ctx context.Context, s *survey, near []member) [3]int {
	own := d.ruled() // of the neighbourhood, also when we have no room for all of it
	bits, unknown := []int{}, []peer.ID{}
	for _, m := range near {
		if m.id == d.self.id || d.cfg.PrefixOf == nil {
			bits = append(bits, own)
		} else if known, ok := s.told.get(m.id, d.cfg.Now()); ok {
			bits = append(bits, known)
		} else {
			unknown = append(unknown, m.id)
		}
	}
	bits = d.ask(ctx, s, bits, unknown)
	return [3]int(append(bits, own, own, own)[:3])
}

// A telling is a prefix that a node told.
type telling struct {
	from peer.ID
	bits int
	err  error
}

// ask adds to bits what nodes tell, until two are alike or all who tell soon have.
// What they tell is remembered for a while; also, by our own in its place, that they
// told nothing of use.
func (d *DHT) ask(ctx context.Context, s *survey, bits []int, nodes []peer.ID) []int {
	asking, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	told := make(chan telling, len(nodes))
	soon := time.Duration(0)
	for _, p := range nodes {
		soon = max(soon, 2*d.timings.patience(p, d.connected(p), hasty)) // it may have to open a stream first
		go func() {
			n, err := d.cfg.PrefixOf(asking, p)
			told <- telling{p, n, err}
		}()
	}
	timer := time.NewTimer(soon)
	defer timer.Stop()
	enough := false
	for left := len(nodes); left > 0; left-- {
		if !enough && twoAlike(bits) {
			enough = true
			cancel()
		}
		select {
		case t := <-told:
			if t.err != nil || t.bits < 0 || t.bits > maxPrefix {
				d.cfg.Log.Debug("prefix not told", "peer_id", t.from, "bits", t.bits, "err", t.err)
				t.bits = d.ruled()
			}
			if !enough && ctx.Err() == nil {
				bits = append(bits, t.bits)
				s.told.set(t.from, t.bits, d.cfg.Now())
			}
		case <-timer.C:
			cancel() // they say so at once
			left++
		}
	}
	return bits
}

// twoAlike tells whether the median of three is certain.
func twoAlike(bits []int) bool {
	return len(bits) > 1 && (bits[0] == bits[1] || len(bits) > 2 && (bits[0] == bits[2] || bits[1] == bits[2]))
}

func (d *DHT) connected(p peer.ID) bool {
	w := d.running()
	return w != nil && w.connected(p)
}
