package dht

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
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
	// doubtAge is how long they are when one of them did not answer: it may have
	// been only slow.
	doubtAge = 30 * time.Second
	// toldAge is how long a member is not asked for its prefix again. It is short
	// because whom we ask remembers what members said with their last answer.
	toldAge = 10 * time.Second
	// surveyLoss is the share of its members that a survey may lose to failures
	// before it is taken anew.
	surveyLoss = 0.25
)

// A survey is who was found in a region. It is not changed once it is kept:
// changes make a new one, so readers need no lock.
type survey struct {
	region   region
	members  []member // ourselves among them when we are one
	complete bool     // there were no others, but for such as crowd
	doubted  bool     // and by now we are not sure of them
	lost     int      // members that failed since
	taken    time.Time
	expires  time.Time
	told     *told // shared by all versions of the survey
}

// count is how many of the members lie in r, but for those that crowd.
func (v *survey) count(r region) (n int) {
	for _, m := range v.members {
		if r.holds(m.at) && !m.crowds {
			n++
		}
	}
	return n
}

// with are the members and those of a survey of a part of the region, if there is
// one. A survey that is not complete holds those who are nearest to some key, perhaps
// none in that part.
func (v *survey) with(part *survey) []member {
	if part == nil || v.complete {
		return v.members
	}
	all := slices.Clone(v.members)
	for _, m := range part.members {
		if !slices.ContainsFunc(v.members, func(o member) bool { return o.id == m.id }) {
			all = append(all, m)
		}
	}
	return all
}

// A member is a node of a region and since when it is known to be.
type member struct {
	contact
	since  time.Time
	groups []netip.Prefix // none where there are no limits
	crowds bool           // a few of its groups were there before
}

// told is which prefixes members told, and when.
type told struct {
	mu   sync.Mutex // protects bits
	bits map[peer.ID]toldBits
}

type toldBits struct {
	bits int
	at   time.Time
}

// get is what p told, unless that is longer ago than toldAge.
func (t *told) get(p peer.ID, now time.Time) (bits int, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	b, ok := t.bits[p]
	return b.bits, ok && now.Sub(b.at) < toldAge
}

func (t *told) drop(p peer.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.bits, p)
}

func (t *told) set(p peer.ID, bits int, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bits[p] = toldBits{bits, now}
}

// surveys keeps what was found, for a while, and lets one search serve all who
// ask for the same region at the same time.
type surveys struct {
	now    func() time.Time
	crowds crowds

	mu      sync.Mutex // protects kept and flights
	kept    *simplelru.LRU[region, *survey]
	flights map[region]*flight // searches under way
}

// A flight is a search under way.
type flight struct {
	over chan struct{} // closed at the end
	err  error         // why it brought nothing; read after over
	met  []met         // nodes that came meanwhile, where it may have looked already; protected by the mutex of surveys
}

// A met node joins a survey up to a limit.
type met struct {
	member
	limit int
}

func newSurveys(now func() time.Time, crowds crowds) *surveys {
	kept, err := simplelru.NewLRU[region, *survey](maxSurveys, nil)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &surveys{now: now, crowds: crowds, kept: kept, flights: map[region]*flight{}}
}

// get returns a survey that covers c: one that is kept, of the region of the given
// bits or complete and larger, else the one that take makes. Only one caller takes
// it and all who wait share what comes of it; should the caller's own context end,
// another one tries.
func (s *surveys) get(ctx context.Context, c records.Coordinate, bits int, take func(context.Context, region) (*survey, error)) (*survey, error) {
	r := regionOf(c, bits)
	for {
		found, f, mine := s.findOrFly(c, r)
		switch {
		case found != nil:
			return found, nil
		case mine:
			return s.land(r, f, func() (*survey, error) { return take(ctx, r) })
		}
		select {
		case <-f.over:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if f.err != nil && !errors.Is(f.err, context.Canceled) && !errors.Is(f.err, context.DeadlineExceeded) {
			return nil, f.err
		}
	}
}

// findOrFly returns a kept survey, or else the flight that will bring it and
// whether the caller has to fly it.
func (s *surveys) findOrFly(c records.Coordinate, r region) (found *survey, f *flight, mine bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.findLocked(c, r.bits); found != nil {
		return found, nil, false
	}
	if f, ok := s.flights[r]; ok {
		return nil, f, false
	}
	f = &flight{over: make(chan struct{})}
	s.flights[r] = f
	return nil, f, true
}

// land makes a flight, keeps what it brings and lets the waiting ones go on.
func (s *surveys) land(r region, f *flight, take func() (*survey, error)) (*survey, error) {
	taken, err := take()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		for _, m := range f.met {
			taken.join(m.member, m.limit, s.crowds)
		}
		s.putLocked(taken)
	}
	delete(s.flights, r)
	f.err = err
	close(f.over)
	return taken, err
}

// known is a survey that is kept and covers c; nil for none.
func (s *surveys) known(c records.Coordinate, bits int) *survey {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.findLocked(c, bits)
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

// put keeps a survey.
func (s *surveys) put(v *survey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.putLocked(v)
}

// putLocked keeps v, in which members that were known before stay known since then.
func (s *surveys) putLocked(v *survey) {
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
}

// fresh makes a survey of what a search of r found now, and of ourselves if we lie
// in it. When nobody answered it is not to be believed any longer: we may be
// offline.
func (s *surveys) fresh(r region, found result, ourselves []contact) *survey {
	now := s.now()
	v := &survey{region: r, taken: now, complete: found.complete, told: &told{bits: map[peer.ID]toldBits{}}}
	v.expires = now.Add(believed(r, found))
	for _, c := range found.contacts {
		v.members = append(v.members, member{contact: c, since: now, groups: s.crowds.groups(c.id)})
	}
	for _, c := range found.crowd {
		v.members = append(v.members, member{contact: c, since: now, groups: s.crowds.groups(c.id), crowds: true})
	}
	for _, c := range ourselves {
		if r.holds(c.at) {
			v.members = append(v.members, member{contact: c}) // known since ever
		}
	}
	return v
}

// believed is how long to believe what a search of r found.
func believed(r region, found result) time.Duration {
	switch {
	case found.replies == 0:
		return 0
	case slices.ContainsFunc(found.dead, func(p peer.ID) bool { return r.holds(coordinateOf(p)) }):
		return doubtAge
	default:
		spread := surveyJitter * (2*rand.Float64() - 1)
		return time.Duration(float64(surveyAge) * (1 + spread))
	}
}

// add notes that a node was met: it joins the surveys of all regions it lies in. None
// grows beyond limit for it.
// What a search under way brings it joins too: else whoever comes while others are asked
// would be left out for as long as that is believed.
func (s *surveys) add(c contact, limit int) {
	newcomer := member{contact: c, since: s.now(), groups: s.crowds.groups(c.id)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changeLocked(c, func(v *survey) { v.join(newcomer, limit, s.crowds) })
	for r, f := range s.flights {
		if r.holds(c.at) && len(f.met) < limit {
			f.met = append(f.met, met{newcomer, limit})
		}
	}
}

// join adds a node that v does not have. If v has as many as it may, one that crowds
// makes room, or else there are others now than those: it is no longer complete, and
// taken anew when it is next asked for.
func (v *survey) join(c member, limit int, crowds crowds) {
	seen := census{}
	for _, m := range v.members {
		if m.id == c.id {
			return
		}
		if !m.crowds {
			seen.add(m.groups)
		}
	}
	c.crowds = !crowds.admits(c.groups, seen)
	crowded := slices.IndexFunc(v.members, func(m member) bool { return m.crowds })
	switch {
	case len(v.members) < limit:
		v.members = append(v.members[:len(v.members):len(v.members)], c)
	case c.crowds:
	case crowded >= 0:
		v.members = slices.Clone(v.members)
		v.members[crowded] = c
	case v.complete:
		v.complete, v.expires = false, time.Time{}
	}
}

// drop removes a node that failed, from what searches under way will bring, too. A survey
// that lost many is taken anew when it is next asked for.
func (s *surveys) drop(c contact) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changeLocked(c, func(v *survey) {
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
	for _, f := range s.flights {
		f.met = slices.DeleteFunc(f.met, func(m met) bool { return m.id == c.id })
	}
}

// moved forgets which prefix a node told.
func (s *surveys) moved(c contact) {
	s.change(c, func(v *survey) { v.told.drop(c.id) })
}

// trusted is who was found in r when it was last looked at; nobody
// if that is in doubt.
func (s *surveys) trusted(r region) (ids []peer.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.kept.Peek(r)
	if !ok || v.doubted {
		return nil
	}
	for _, m := range v.members {
		ids = append(ids, m.id)
	}
	return ids
}

// doubt has the members of all regions that c lies in found anew.
func (s *surveys) doubt(c records.Coordinate) {
	s.change(contact{at: c}, func(v *survey) { v.doubted, v.expires = true, time.Time{} })
}

// renew has the members of all regions that c lies in found anew, but for those that were
// found moments ago, and tells whether there are any.
func (s *surveys) renew(c records.Coordinate) (some bool) {
	now := s.now()
	s.change(contact{at: c}, func(v *survey) {
		if now.Before(v.expires) && now.Sub(v.taken) >= doubtAge {
			v.expires, some = time.Time{}, true
		}
	})
	return some
}

// change replaces every kept survey of a region that c lies in by one that alter
// changed.
func (s *surveys) change(c contact, alter func(*survey)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changeLocked(c, alter)
}

func (s *surveys) changeLocked(c contact, alter func(*survey)) {
	for bits := range maxPrefix + 1 {
		if v, ok := s.kept.Peek(regionOf(c.at, bits)); ok {
			changed := *v
			alter(&changed)
			s.kept.Add(v.region, &changed)
		}
	}
}
