package dht

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/records"
)

const (
	// maxSurveyTurns bounds how often the members of a place are looked for with
	// another prefix: the first is our own, the second is what its members say.
	maxSurveyTurns = 4
	// nearGlimpse is by how many bits more than our prefix a glimpse begins nearer to a
	// place, whose members may have a longer one.
	nearGlimpse = 2
)

// Neighbourhood is who is responsible for a place.
type Neighbourhood struct {
	Bits  int       // how many bits its members share with the place
	Peers []peer.ID // nearest to the place first; ourselves among them when we are one
}

// Members finds the neighbourhood of c: all nodes that share as many bits with it
// as the three nearest tell in the median, at least K and at most 4K of them. All
// places of a region share one search, whose result is kept for minutes. Until we
// have joined the network it waits, so that a node that has just started does not
// take itself for the only one; if later nobody answers any more, we are.
func (d *DHT) Members(ctx context.Context, c records.Coordinate) (Neighbourhood, error) {
	w, inner, leave, err := d.enter(ctx)
	if err != nil {
		return Neighbourhood{}, fmt.Errorf("members of %.8s: %w", c, err)
	}
	defer leave()
	n, err := d.members(inner, w, c)
	if err != nil && inner.Err() != nil && ctx.Err() == nil {
		err = ErrClosed
	}
	if err != nil {
		return Neighbourhood{}, fmt.Errorf("members of %.8s: %w", c, err)
	}
	return n, nil
}

// Glimpse finds a few nodes that lie near c while [DHT.Members] still looks for all who
// are responsible: those known, or else those that answer first. It is for who needs
// anybody that holds something, and goes by what that one shows.
func (d *DHT) Glimpse(ctx context.Context, c records.Coordinate) ([]peer.ID, error) {
	w, inner, leave, err := d.enter(ctx)
	if err != nil {
		return nil, fmt.Errorf("glimpse of %.8s: %w", c, err)
	}
	defer leave()
	bits := d.ruled()
	if known := d.surveys.known(c, bits); known != nil {
		return idsOf(nearest(known.members, c, 2*lead), func(m member) peer.ID { return m.id }), nil
	}
	key := keyIn(regionOf(c, min(bits+nearGlimpse, maxPrefix)))
	found, err := w.search(inner, key, bits, bucketSize(d.k), eager)
	if err != nil {
		return nil, fmt.Errorf("glimpse of %.8s: %w", c, err)
	}
	return idsOf(found.all(), func(m contact) peer.ID { return m.id }), nil
}

func idsOf[T any](of []T, id func(T) peer.ID) []peer.ID {
	ids := make([]peer.ID, len(of))
	for i, x := range of {
		ids[i] = id(x)
	}
	return ids
}

func (d *DHT) members(ctx context.Context, w *wire, c records.Coordinate) (Neighbourhood, error) {
	bits, most := d.ruled(), maxPrefix
	var thin *survey // of c's part of the region, where there are too few
	for turn := 1; ; turn++ {
		s, err := d.surveys.get(ctx, c, bits, func(ctx context.Context, r region) (*survey, error) {
			return d.survey(ctx, w, r)
		})
		if errors.Is(err, ErrNoAnswer) && d.Holds(c) {
			return Neighbourhood{Bits: d.Prefix(), Peers: []peer.ID{d.self.id}}, nil // alone is alone
		}
		if err != nil {
			return Neighbourhood{}, err
		}
		bits = min(d.agreedBits(ctx, s, c), most)
		if bits < s.region.bits {
			most, thin = bits, s // deeper there are too few, however many are in all of it
		}
		covered := bits == s.region.bits || bits > s.region.bits && s.complete
		if covered || turn == maxSurveyTurns {
			all := s.with(thin)
			return d.neighbourhood(all, c, d.deepened(all, c, max(bits, s.region.bits))), nil
		}
	}
}

// survey searches a region: over disjoint paths when we know little of it or have
// reason for doubt, else over one that begins with those who were found before. They
// name what is new, and liars cannot hide whom we know.
func (d *DHT) survey(ctx context.Context, w *wire, r region) (*survey, error) {
	var (
		found result
		err   error
	)
	if known := d.surveys.trusted(r); len(known) >= d.k {
		found, err = w.search(ctx, keyIn(r), r.bits, bucketSize(d.k), hasty, known...)
	} else {
		found, err = w.explore(ctx, r, bucketSize(d.k), hasty)
	}
	switch {
	case err != nil:
		return nil, err
	case found.silent():
		return nil, fmt.Errorf("search %s: %w: %w", r, ErrNoAnswer, found.err)
	case found.replies == 0:
		return nil, fmt.Errorf("search %s: %w", r, ErrNoAnswer)
	}
	return d.surveys.fresh(r, found, d.member()), nil
}

// member is ourselves when we may be a member, else nobody.
func (d *DHT) member() []contact {
	if d.server {
		return []contact{d.self}
	}
	return nil
}

// agreedBits is the prefix of c's neighbourhood: the median of what the three nearest
// tell, as far as that may be believed, but never so long that fewer than K are left.
// One bit less than the survey covers means that even all of it are too few, more bits
// than an incomplete one covers that c's part of the region has to be searched by
// itself.
func (d *DHT) agreedBits(ctx context.Context, s *survey, c records.Coordinate) int {
	told := d.toldBits(ctx, s, nearest(uncrowded(s.members), c, 3))
	for i := range told {
		told[i] = Believable(told[i], d.k, d.Size())
	}
	if !s.complete {
		agreed := median(told[0], told[1], told[2])
		return min(max(agreed, s.region.bits+1), s.region.bits+2, maxPrefix) // a liar cannot send us deep at once
	}
	return Agreed(told, s.region.bits, d.k, func(bits int) int { return s.count(regionOf(c, bits)) })
}

// deepened is the prefix of c's neighbourhood, given what was agreed on and who was found.
func (d *DHT) deepened(members []member, c records.Coordinate, agreed int) int {
	var shared Census
	for _, m := range uncrowded(members) {
		shared[min(c.SharedBits(m.at), maxPrefix)]++
	}
	return Deepened(agreed, d.k, d.Size(), func(bits int) (near int) {
		for _, n := range shared[bits+1:] {
			near += n
		}
		return near
	}, func(bits int) int { return shared[bits] })
}

// neighbourhood picks those of c's region of the given bits from members.
func (d *DHT) neighbourhood(members []member, c records.Coordinate, bits int) Neighbourhood {
	r := regionOf(c, bits)
	ranked := make([]rankedMember, 0, len(members))
	for i := range members {
		if m := &members[i]; r.holds(m.at) {
			ranked = append(ranked, rankedMember{word(c, 0) ^ word(m.at, 0), m})
		}
	}
	slices.SortFunc(ranked, func(a, b rankedMember) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), nearer(c, a.at, b.at))
	})
	d.watch(c, ranked)
	ranked = d.atMost(ranked, regionOf(c, sizePrefix(d.k, d.Size())), 4*d.k)
	n := Neighbourhood{Bits: bits, Peers: make([]peer.ID, len(ranked))}
	for i, m := range ranked {
		n.Peers[i] = m.id
	}
	return n
}

// atMost keeps so many of ranked: all of the core first, if that is not too large alone.
// Those hold the place, whichever prefix is right; the others do if a shorter one is.
func (d *DHT) atMost(ranked []rankedMember, core region, limit int) []rankedMember {
	inner := 0
	for inner < len(ranked) && core.holds(ranked[inner].at) {
		inner++ // they are the nearest
	}
	if len(ranked) <= limit || inner > limit {
		return preferred(ranked, limit, d.crowding)
	}
	return append(ranked[:inner:inner], preferred(ranked[inner:], limit-inner, d.crowding)...)
}

// watch raises the alarm when the members nearest to c look planted.
func (d *DHT) watch(c records.Coordinate, ranked []rankedMember) {
	d.mu.Lock()
	size := d.density
	d.mu.Unlock()
	distances := make([]uint64, 0, len(ranked))
	for _, m := range ranked {
		if !m.crowds { // those that do are not in the size either
			distances = append(distances, m.distance)
		}
	}
	atLeast := float64(len(distances)) // a network is larger than what a node that has just joined takes it for
	crowd, planted := d.lookout.look(max(size, atLeast), distances)
	if !planted || size <= 0 || !d.lookout.note(c, d.cfg.Now()) {
		return
	}
	d.cfg.Log.Warn("the neighbourhood of a place looks planted: more nodes are nearest to it than chance explains",
		"place", fmt.Sprintf("%.8s", c), "nodes", crowd.nodes, "expected", fmt.Sprintf("%.2g", crowd.expected), "network_size", math.Round(size))
}

// A rankedMember is a member and the first, deciding bits of its distance.
type rankedMember struct {
	distance uint64
	*member
}

// nearest is the n of members that are nearest to target, nearest first.
func nearest(members []member, target records.Coordinate, n int) []member {
	near := make([]member, 0, n+1)
	for _, m := range members {
		i := len(near)
		for i > 0 && nearer(target, m.at, near[i-1].at) < 0 {
			i--
		}
		if i < n {
			near = slices.Insert(near, i, m)[:min(len(near)+1, n)]
		}
	}
	return near
}

// Forget notes that p failed: until it is found again it is in no neighbourhood.
// Whether it is gone from the network too is looked into at once.
func (d *DHT) Forget(p peer.ID) {
	d.surveys.drop(contactOf(p))
	d.tell(event{node: p, failed: true})
}

// Doubt notes that something is odd about a place, as when a record that its members
// acknowledged cannot be read back. Its members are found anew when they are next asked
// for, over disjoint paths.
func (d *DHT) Doubt(c records.Coordinate) { d.surveys.doubt(c) }

// Few notes that of those whom [DHT.Members] found for a place fewer hold it than a
// neighbourhood has. Where the network is large enough for one, there are others now:
// they are found anew when they are next asked for, unless that was done moments ago.
// It tells whether they will be.
func (d *DHT) Few(c records.Coordinate) bool {
	return d.Size() >= float64(d.k) && d.surveys.renew(c)
}

// Moved notes that p turned out to hold another region than was believed. It is
// asked for its prefix again when that next matters.
func (d *DHT) Moved(p peer.ID) { d.surveys.moved(contactOf(p)) }
