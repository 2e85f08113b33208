package dht

import (
	"cmp"
	"math/bits"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// A merit is why a search asks one node before another that is about as near. Its
// parts are coarse, so that one counts only where those before it are alike.
type merit struct {
	distrust int       // tenths of a score below neutral
	slow     int       // how often its round trip doubles rttStep
	since    time.Time // when it came into the table; zero: it is not in it
}

// rttStep is what round trips are told apart by: 10, 20, 40 ms and so on.
const rttStep = 10 * time.Millisecond

// compare is negative when a is to be preferred: trusted, then near in time, then
// proven over a long time (Maymounkov and Mazières, 2002: the longer a node has been
// up, the more likely it stays).
func (a merit) compare(b merit) int {
	if c := cmp.Or(cmp.Compare(a.distrust, b.distrust), cmp.Compare(a.slow, b.slow)); c != 0 {
		return c
	}
	if a.since.IsZero() != b.since.IsZero() {
		return cmp.Compare(b.since.Unix(), a.since.Unix()) // who is in the table goes first
	}
	return a.since.Compare(b.since)
}

func slowness(d time.Duration) int { return bits.Len64(uint64(d / rttStep)) }

func distrust(score float64) int { return max(0, int((neutral-score)*10+0.5)) }

// merits is what we know of nodes, as a search begins.
func (w *wire) merits() func(peer.ID) merit {
	since := map[peer.ID]time.Time{}
	for _, i := range w.table.lib.GetPeerInfos() {
		since[i.Id] = i.AddedAt
	}
	now := w.now()
	return func(p peer.ID) merit {
		return merit{
			distrust: distrust(w.reputation.score(p, now)),
			slow:     slowness(w.timings.expected(p, w.connected(p))),
			since:    since[p],
		}
	}
}

// best is whom to ask next: of the wanted ones that were only heard of and are at most
// twice as far from the target as the nearest such (KadRTT), the one with the greatest
// merit; nil for nobody.
func (f *frontier) best() (best *candidate) {
	var reach uint64
	for c := range f.wanted {
		switch {
		case best != nil && f.distance(c)>>1 > reach:
			return best
		case c.state != heard:
		case best == nil:
			best, reach = c, f.distance(c)
		case c.merit.compare(best.merit) < 0:
			best = c
		}
	}
	return best
}

// distance is the first, deciding bits of c's distance.
func (f *frontier) distance(c *candidate) uint64 { return word(f.target, 0) ^ word(c.at, 0) }

// hops is how many nodes had to be asked, one after the other, to hear of and ask the
// nearest that was found; 0 when nobody was.
func (f *frontier) hops() int {
	for _, c := range f.order {
		if c.state == answered && f.region.holds(c.at) {
			return c.depth
		}
	}
	return 0
}

// progress is how many nodes of the region answered, and how many are late.
func (f *frontier) progress() (found, behind int) {
	for _, c := range f.order {
		switch {
		case !f.region.holds(c.at):
		case c.state == answered:
			found++
		case c.state == late:
			behind++
		}
	}
	return found, behind
}
