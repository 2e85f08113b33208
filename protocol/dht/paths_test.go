package dht_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/starling-social/starling/protocol/dht"
)

const (
	largeNodes  = 5000
	largeK      = 16
	largeBucket = 4 * largeK
	largeBits   = 8 // of 5,000 nodes 16 and more share so many
)

// However many paths there are: nobody is asked twice, and each path asks only whom
// the table or somebody on that path named.
func TestPaths_disjoint(t *testing.T) {
	t.Parallel()
	n := newLargeNet(1, 600, largeBucket, 0.3)
	rng := rand.New(rand.NewPCG(1, 1))
	for paths := 1; paths <= 8; paths++ {
		for range 10 {
			if got := n.survey(n.honest(), randomCoordinate(rng), rng.IntN(6), paths); got.twice > 0 || got.strange > 0 {
				t.Fatalf("%d paths: %d asked twice, %d asked on a path where nobody named them", paths, got.twice, got.strange)
			}
		}
	}
}

// Where all are honest several paths find what one does: all members of a region,
// and that there are no others; and of a region that has too many, as many as wanted.
func TestPaths_findTheRegion(t *testing.T) {
	t.Parallel()
	n := newLargeNet(2, 1000, largeBucket, 0)
	rng := rand.New(rand.NewPCG(2, 1))
	for range 50 {
		from, c, bits := n.honest(), randomCoordinate(rng), 2+rng.IntN(6)
		want := n.members(from, c, bits)
		got := n.survey(from, c, bits, dht.SurveyPaths)
		if len(got.found) != min(want, largeBucket) || got.complete != (want < largeBucket) {
			t.Errorf("region of %d bits: found %d of %d, complete: %t", bits, len(got.found), want, got.complete)
		}
	}
}

// S/Kademlia's promise, among 5,000 nodes of whom many lie together and name their
// own alone: a search reaches somebody honest who holds the place. What is allowed is
// what one run in a million needs; the benchmark has the shares.
func TestPaths_reachSomebodyHonest(t *testing.T) {
	t.Parallel()
	searches := 120
	if testing.Short() {
		searches = 40
	}
	for liars, most := range map[float64]int{0.3: 1, 0.5: 2} {
		n := newLargeNet(3, largeNodes, largeBucket, liars)
		rng := rand.New(rand.NewPCG(3, 1))
		missed := 0
		for range searches {
			from, c := n.honest(), randomCoordinate(rng)
			if n.members(from, c, largeBits) > 0 && n.survey(from, c, largeBits, dht.SurveyPaths).honest == 0 {
				missed++
			}
		}
		if missed > most {
			t.Errorf("%.0f %% liars: %d of %d searches reach nobody honest, want at most %d", 100*liars, missed, searches, most)
		}
	}
}

// Twice as many ids as a neighbourhood has at least, all nearer to a place than
// anybody honest: its region is found whole none the less, and is no larger than a
// neighbourhood may be.
func TestPaths_crowdedPlace(t *testing.T) {
	t.Parallel()
	places := 6
	if testing.Short() {
		places = 3
	}
	rng := rand.New(rand.NewPCG(4, 1))
	for range places {
		n := newLargeNet(rng.Uint64(), largeNodes, largeBucket, 0)
		c := randomCoordinate(rng)
		n.crowd(c, 2*largeK)
		from := n.honest()
		want := n.members(from, c, largeBits)
		got := n.survey(from, c, largeBits, dht.SurveyPaths)
		if got.honest < want-1 || len(got.found) > largeBucket {
			t.Errorf("found %d honest members of %d, %d nodes in all", got.honest, want, len(got.found))
		}
	}
}

// Where all whom a node knows in a region lie, as after they have dialled it, it takes
// honest nodes from elsewhere to reach the others: one of the two that are asked is enough.
func TestPaths_strangers(t *testing.T) {
	t.Parallel()
	const bits, places = 3, 40
	n := newLargeNet(6, 3000, largeBucket, 0.6)
	rng := rand.New(rand.NewPCG(6, 1))
	alone, asking := 0, 0 // surveys that reach somebody honest
	for range places {
		from, c := n.honest(), randomCoordinate(rng)
		for from.at.SharedBits(c) != bits-1 { // else it knows hardly anybody there
			c = randomCoordinate(rng)
		}
		whole := n.table(from)
		n.tables[from] = slices.DeleteFunc(slices.Clone(whole), func(x *largeNode) bool {
			return !x.lies && x.at.SharedBits(c) >= bits
		})
		n.strangers = nil
		if n.survey(from, c, bits, dht.SurveyPaths).honest > 0 {
			alone++
		}
		for _, x := range n.table(from) {
			if honest := len(n.strangers) < 2; x.at.SharedBits(c) < bits && x.lies != honest && len(n.strangers) < dht.SurveyPaths {
				n.strangers = append(n.strangers, x.id)
			}
		}
		got := n.survey(from, c, bits, dht.SurveyPaths)
		if got.honest > 0 {
			asking++
		}
		if got.twice > 0 || got.strange > 0 {
			t.Fatalf("%d asked twice, %d strangers to their paths", got.twice, got.strange)
		}
		n.tables[from] = whole
	}
	t.Logf("of %d surveys %d reach somebody honest alone, %d by asking elsewhere", places, alone, asking)
	if alone > places/4 || asking < places*3/4 {
		t.Errorf("of %d surveys %d reach somebody honest alone, %d by asking elsewhere", places, alone, asking)
	}
}

// What paths are worth and what they cost:
//
//	go test ./protocol/dht -run xxx -bench Paths -benchtime 2000x
func BenchmarkPaths(b *testing.B) {
	for _, liars := range []float64{0, 0.2, 0.3, 0.4, 0.5, 0.6} {
		n := newLargeNet(5, largeNodes, largeBucket, liars)
		for _, paths := range []int{1, 2, 4, 6, 8} {
			b.Run(fmt.Sprintf("liars=%.1f/paths=%d", liars, paths), func(b *testing.B) {
				rng := rand.New(rand.NewPCG(5, 1))
				var searches, reached, found, members, finds, pings, rounds float64
				for b.Loop() {
					from, c := n.honest(), randomCoordinate(rng)
					all := n.members(from, c, largeBits)
					if all == 0 {
						continue
					}
					got := n.survey(from, c, largeBits, paths)
					searches++
					if got.honest > 0 {
						reached++
					}
					found, members = found+float64(got.honest), members+float64(all)
					finds, pings, rounds = finds+float64(got.finds), pings+float64(got.pings), rounds+float64(got.rounds)
				}
				b.ReportMetric(100*reached/searches, "%reached")
				b.ReportMetric(100*found/members, "%members")
				b.ReportMetric(finds/searches, "finds")
				b.ReportMetric(pings/searches, "pings")
				b.ReportMetric(rounds/searches, "rounds")
				b.ReportMetric(0, "ns/op") // nothing here takes the time that it would
			})
		}
	}
}
