package dht

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/records"
)

const (
	// maxSurveys bounds what is remembered: at 64 members it is about 8 MiB, and
	// enough for all regions of a network of 20,000 nodes.
	maxSurveys = 1024
	// surveyAge is how long the members of a region are believed, give or take
	// surveyJitter of it so that regions asked for at once do not expire at once.
	surveyAge    = 5 * time.Minute
	surveyJitter = 0.2
	// surveyLoss is the share of its members that a survey may lose to failures
	// before it is taken anew.
	surveyLoss = 0.25
)

// A survey is who was found in a region. It is not changed once it is kept:
// changes make a new one, so readers need no lock.
type survey struct {
	region   region
	members  []member
	complete bool // there were no others
	lost     int  // members that failed since
	expires  time.Time
	told     *told // shared by all versions of the survey
}

// A member is a node of a region and since when it is known to be.
type member struct {
	contact
	since time.Time
}

// told is which prefixes members told.
type told struct {
	mu   sync.Mutex // protects bits
	bits map[peer.ID]int
}

func (t *told) get(p peer.ID) (bits int, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	bits, ok = t.bits[p]
	return bits, ok
}

func (t *told) set(p peer.ID, bits int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bits[p] = bits
}

// surveys keeps what was found, for a while, and lets one search serve all who
// ask for the same region at the same time.
type surveys struct {
	now func() time.Time

	mu      sync.Mutex // protects kept and flights
	kept    *simplelru.LRU[region, *survey]
	flights map[region]chan struct{} // searches under way; closed when over
}

func newSurveys(now func() time.Time) *surveys {
	kept, err := simplelru.NewLRU[region, *survey](maxSurveys, nil)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &surveys{now: now, kept: kept, flights: map[region]chan struct{}{}}
}

// get returns a survey that covers c: one that is kept, of the region of the given
// bits or complete and larger, else the one that take makes. Only one caller takes
// it; should that one fail, a waiting one tries for itself.
func (s *surveys) get(ctx context.Context, c records.Coordinate, bits int, take func(context.Context, region) (*survey, error)) (*survey, error) {
	for {
		found, flight, mine := s.findOrFly(c, bits)
		switch {
		case found != nil:
			return found, nil
		case mine:
			defer s.land(regionOf(c, bits), flight)
			taken, err := take(ctx, regionOf(c, bits))
			if err != nil {
				return nil, err
			}
			return s.put(taken), nil
		}
		select {
		case <-flight:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// findOrFly returns a kept survey, or else the flight that will bring it and
// whether the caller has to fly it.
func (s *surveys) findOrFly(c records.Coordinate, bits int) (found *survey, flight chan struct{}, mine bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.findLocked(c, bits); found != nil {
		return found, nil, false
	}
	r := regionOf(c, bits)
	if flight, ok := s.flights[r]; ok {
		return nil, flight, false
	}
	flight = make(chan struct{})
	s.flights[r] = flight
	return nil, flight, true
}

func (s *surveys) land(r region, flight chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.flights, r)
	close(flight)
}

func (s *surveys) findLocked(c records.Coordinate, bits int) *survey {
	for b := bits; b >= 0; b-- {
		found, ok := s.kept.Get(regionOf(c, b))
		if ok && (b == bits || found.complete) && s.now().Before(found.expires) {
			return found
		}
	}
	return nil
}

// put keeps a survey and returns it as kept: with the time since when its members
// are known carried over from the one it replaces.
func (s *surveys) put(v *survey) *survey {
	s.mu.Lock()
	defer s.mu.Unlock()
	if before, ok := s.kept.Peek(v.region); ok {
		known := make(map[peer.ID]time.Time, len(before.members))
		for _, m := range before.members {
			known[m.id] = m.since
		}
		for i, m := range v.members {
			if since, ok := known[m.id]; ok {
				v.members[i].since = since
			}
		}
	}
	s.kept.Add(v.region, v)
	return v
}

// fresh makes a survey of what a search of r found now.
func (s *surveys) fresh(r region, found []contact, complete bool) *survey {
	now := s.now()
	age := float64(surveyAge) * (1 + surveyJitter*(2*rand.Float64()-1)) //nolint:gosec // spreads load, keeps no secret
	v := &survey{region: r, complete: complete, expires: now.Add(time.Duration(age)), told: &told{bits: map[peer.ID]int{}}}
	for _, c := range found {
		v.members = append(v.members, member{contact: c, since: now})
	}
	return v
}

// add notes that a node was met: it joins the surveys of all regions it lies in.
// A complete survey stays so; none grows beyond limit for it.
func (s *surveys) add(c contact, limit int) {
	s.change(c, func(v *survey) {
		for _, m := range v.members {
			if m.id == c.id {
				return
			}
		}
		if len(v.members) < limit {
			v.members = append(v.members[:len(v.members):len(v.members)], member{contact: c, since: s.now()})
		}
	})
}

// drop removes a node that failed. A survey that lost many is taken anew when it
// is next asked for.
func (s *surveys) drop(c contact) {
	s.change(c, func(v *survey) {
		left := make([]member, 0, len(v.members))
		for _, m := range v.members {
			if m.id != c.id {
				left = append(left, m)
			}
		}
		v.lost += len(v.members) - len(left)
		v.members = left
		if float64(v.lost) > surveyLoss*float64(v.lost+len(left)) {
			v.expires = time.Time{}
		}
	})
}

// change replaces every kept survey of a region that c lies in by one that alter
// changed.
func (s *surveys) change(c contact, alter func(*survey)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for bits := range maxPrefix + 1 {
		if v, ok := s.kept.Peek(regionOf(c.at, bits)); ok {
			changed := *v
			alter(&changed)
			s.kept.Add(v.region, &changed)
		}
	}
}
