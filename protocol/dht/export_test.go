package dht

import (
	"context"
	"net/netip"
	"slices"
	"time"

	kb "github.com/libp2p/go-libp2p-kbucket"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/peerstore"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/starling-social/starling/records"
)

// What the tests of the pure parts reach for.
type (
	Region       = region
	View         = view
	SizeEstimate = sizeEstimate
	Coordinate   = records.Coordinate
)

const (
	SizeSlack    = sizeSlack
	SizeStep     = sizeStep
	SizeHourly   = sizeHourly
	YoungSamples = youngSamples

	Calm          = calm
	Lead          = lead
	MaxCandidates = maxCandidates
	PendingWidth  = pendingWidth
	ReplacePace   = replacePace
	FreshAge      = freshAge

	FirstPatience = firstPatience
	LeastPatience = leastPatience
	Neutral       = neutral
	BanBelow      = banBelow
	TimeoutFloor  = timeoutFloor
	HalfLife      = reputationHalfLife
	FirstBan      = firstBan
	LongBan       = longBan
	BanMemory     = banMemory
	MaxAccounts   = maxAccounts
	MaxBans       = maxBans
	MaxAddrs      = maxAddrs
	MaxSurveys    = maxSurveys
	SurveyAge     = surveyAge
	DoubtAge      = doubtAge
	AskTimeout    = askTimeout
	RefreshAge    = refreshAge
	SlowPace      = slowPace
	SurveyPaths   = surveyPaths
	PlantedDepth  = plantedDepth
	PlantedOdds   = plantedOdds
)

var (
	RegionOf     = regionOf
	Sibling      = sibling
	Nearer       = nearer
	Fraction     = fraction
	KeyIn        = keyIn
	PrefixLength = prefixLength
	NextPrefix   = nextPrefix
	Median       = median
	SizeOf       = sizeOf
	SizePrefix   = sizePrefix
	CoordinateOf = coordinateOf
	TwoAlike     = twoAlike
	Excess       = excess
	BucketSize   = bucketSize
)

func (r Region) Holds(c Coordinate) bool { return r.holds(c) }
func (r Region) Prefix() Coordinate      { return r.prefix }
func (r Region) Bits() int               { return r.bits }

func NewView(size float64, shared map[int]int, self int) View {
	v := View{size: size, self: self}
	for bits, n := range shared {
		v.shared[min(bits, maxPrefix)] += n
	}
	return v
}

func (e *SizeEstimate) Count(n int, now time.Time)                    { e.count(n, now) }
func (e *SizeEstimate) Sample(size float64, known int, now time.Time) { e.sample(size, known, now) }
func (e *SizeEstimate) Size() float64                                 { return e.size }
func (e *SizeEstimate) Raw() float64                                  { return e.raw() }

// Frontier tells what a test needs of a frontier in terms of node numbers.
type Frontier struct{ f *frontier }

func NewFrontier(target Coordinate, bits, limit int) Frontier {
	return Frontier{newFrontier(target, bits, limit)}
}

func (f Frontier) Add(ids ...peer.ID)            { f.f.add(1, contactsOf(ids)...) }
func (f Frontier) Answer(p peer.ID, n []peer.ID) { f.f.answer(p, contactsOf(n)) }
func (f Frontier) Fail(p peer.ID)                { f.f.fail(p) }
func (f Frontier) Crowded(most, named int, groups func(peer.ID) []netip.Prefix) {
	f.f.crowds = crowds{most, named, groups}
}
func (f Frontier) Late(p peer.ID)                { f.f.late(p) }
func (f Frontier) Progress() (found, behind int) { return f.f.progress() }
func (f Frontier) Hops() int                     { return f.f.hops() }
func (f Frontier) InFlight() int                 { return f.f.inFlight() }
func (f Frontier) Candidates() int               { return len(f.f.order) }

func (f Frontier) Next() (p peer.ID, isPing, ok bool) {
	p, q, ok := f.f.next()
	return p, q == ping, ok
}

func (f Frontier) Found() (ids []peer.ID, complete bool) {
	contacts, crowd, complete := f.f.found()
	for _, c := range slices.Concat(contacts, crowd) {
		ids = append(ids, c.id)
	}
	return ids, complete
}

// Lookout tells what a test needs of the alarm.
type Lookout struct{ l *lookout }

func NewLookout() Lookout { return Lookout{newLookout()} }

func (l Lookout) Planted(size float64, distances []uint64) bool {
	_, planted := l.l.look(size, distances)
	return planted
}

func (l Lookout) Limit(n int) float64                   { return l.l.crowds[n] }
func (l Lookout) Note(c Coordinate, now time.Time) bool { return l.l.note(c, now) }

// Paths tells what a test needs of disjoint paths.
type Paths struct{ s *paths }

func NewPaths(keys []string, bits, limit int) Paths {
	return Paths{newPaths(keys, bits, limit, crowds{})}
}

// KeysIn are keys of the region of so many bits around c.
func KeysIn(c Coordinate, bits, n int) []string { return keysIn(regionOf(c, bits), n) }

// Seed begins all paths: table gives the nodes known that are nearest to a key.
func (p Paths) Seed(table func(key string) []peer.ID) {
	for _, f := range p.s.each {
		f.add(1, contactsOf(table(f.key))...)
	}
}

// Consult has the i-th path ask a node from elsewhere, and returns what for.
func (p Paths) Consult(i int, id peer.ID) (key string) {
	p.s.each[i].consult(contactOf(id))
	return p.s.each[i].key
}

func (p Paths) Next() (id peer.ID, isPing bool, key string, ok bool) {
	id, q, key, ok := p.s.next()
	return id, q == ping, key, ok
}

func (p Paths) Answer(id peer.ID, named []peer.ID) { p.s.answer(id, contactsOf(named)) }
func (p Paths) Fail(id peer.ID)                    { p.s.fail(id) }
func (p Paths) InFlight() int                      { return p.s.inFlight() }

func (p Paths) Found() (ids []peer.ID, complete bool) {
	contacts, crowd, complete := p.s.found()
	for _, c := range slices.Concat(contacts, crowd) {
		ids = append(ids, c.id)
	}
	return ids, complete
}

func contactsOf(ids []peer.ID) []contact {
	contacts := make([]contact, len(ids))
	for i, id := range ids {
		contacts[i] = contactOf(id)
	}
	return contacts
}

// Surveys tells what a test needs of the kept surveys.
type Surveys struct{ s *surveys }

func NewSurveys(now func() time.Time) Surveys { return Surveys{newSurveys(now, crowds{})} }

func (s Surveys) Get(ctx context.Context, c Coordinate, bits int, take func(ctx context.Context, r Region) (ids []peer.ID, complete bool, err error)) (Survey, error) {
	v, err := s.s.get(ctx, c, bits, func(ctx context.Context, r region) (*survey, error) {
		ids, complete, err := take(ctx, r)
		if err != nil {
			return nil, err
		}
		return s.s.fresh(r, result{contacts: contactsOf(ids), complete: complete, replies: len(ids)}, nil), nil
	})
	return Survey{v}, err
}

func (s Surveys) Add(p peer.ID, limit int) { s.s.add(contactOf(p), limit) }
func (s Surveys) Drop(p peer.ID)           { s.s.drop(contactOf(p)) }
func (s Surveys) Renew(c Coordinate) bool  { return s.s.renew(c) }
func (s Surveys) Kept() int                { return s.s.kept.Len() }

type Survey struct{ v *survey }

func (v Survey) Region() Region { return v.v.region }

func (v Survey) Members() (ids []peer.ID) {
	for _, m := range v.v.members {
		ids = append(ids, m.id)
	}
	return ids
}

func (v Survey) Since(p peer.ID) time.Time {
	for _, m := range v.v.members {
		if m.id == p {
			return m.since
		}
	}
	return time.Time{}
}

// Preferred picks limit of ids, which are sorted nearest first, known since the
// given moments. Those in crowd are more than a few of one operator.
func Preferred(ids []peer.ID, since []time.Time, limit int, crowd map[peer.ID]bool) (kept []peer.ID) {
	var members []rankedMember
	for i, id := range ids {
		members = append(members, rankedMember{member: &member{contact: contactOf(id), since: since[i]}})
	}
	for _, m := range preferred(members, limit, func([]rankedMember) map[peer.ID]bool { return crowd }) {
		kept = append(kept, m.id)
	}
	return kept
}

// Table is a routing table without a network around it.
type Table struct{ t *table }

func NewTable(self peer.ID, bucketSize int) (Table, error) {
	lib, err := kb.NewRoutingTable(bucketSize, kb.ConvertPeerID(self), time.Minute, peerstore.NewMetrics(), time.Hour, nil)
	if err != nil {
		return Table{}, err
	}
	return Table{newTable(lib, contactOf(self), nil, IPGroups{})}, nil
}

func (t Table) Admit(p peer.ID)        { t.t.admit(p) }
func (t Table) Remove(p peer.ID)       { t.t.remove(p) }
func (t Table) Has(p peer.ID) bool     { return t.t.has(p) }
func (t Table) BucketOf(p peer.ID) int { return t.t.bucketOf(p) }
func (t Table) Pending() int           { return t.t.pending.size() }
func (t Table) Peers() []peer.ID       { return t.t.lib.ListPeers() }
func (t Table) Waits(p peer.ID) bool   { return t.t.wait(p) }

// Tick does what is done every ReplacePace.
func (t Table) Tick(ctx context.Context, lives func(peer.ID) bool) {
	alive := func(_ context.Context, p peer.ID) bool { return lives(p) }
	for _, bucket := range t.t.waited() {
		t.t.probe(ctx, bucket, alive)
		t.t.promote(ctx, bucket, alive)
	}
}

// Visits are when buckets were last looked at.
type Visits struct{ v *visits }

func NewVisits() Visits { return Visits{new(visits)} }

func (v Visits) Note(bucket int, now time.Time) { v.v.note(bucket, now) }
func (v Visits) Due(shared map[int]int, size float64, k int, now time.Time) []int {
	return v.v.due(maxPrefix, NewView(size, shared, 1).shared, size, k, now)
}

// Of is the groups of some addresses.
func (g IPGroups) Of(addrs ...ma.Multiaddr) (groups []netip.Prefix, known bool) { return g.of(addrs) }

// RTT is a smoothed round trip.
type RTT = rtt

func (r rtt) With(took time.Duration) RTT { return r.with(took) }
func (r rtt) Patience() time.Duration     { return r.patience() }

// Timings are the round trips of nodes.
type Timings struct{ t *timings }

func NewTimings() Timings { return Timings{newTimings()} }

func (t Timings) Took(p peer.ID, connected bool, d time.Duration) { t.t.took(p, connected, d) }
func (t Timings) Patience(p peer.ID, connected bool) time.Duration {
	return t.t.patience(p, connected, patient)
}
func (t Timings) Expected(p peer.ID, connected bool) time.Duration { return t.t.expected(p, connected) }
func (t Timings) Remembered() int                                  { return t.t.of.Len() }

// Reputation is what is known of nodes.
type Reputation struct{ r *reputation }

func NewReputation() Reputation { return Reputation{newReputation()} }

func (r Reputation) Note(p peer.ID, e Evidence, now time.Time) bool { return r.r.note(p, e, now) }
func (r Reputation) Named(p peer.ID, missing float64, now time.Time) bool {
	return r.r.named(p, missing, now)
}
func (r Reputation) Score(p peer.ID, now time.Time) float64   { return r.r.score(p, now) }
func (r Reputation) Honesty(p peer.ID, now time.Time) float64 { return r.r.honesty(p, now) }
func (r Reputation) Banned(p peer.ID, now time.Time) bool     { return r.r.banned(p, now) }
func (r Reputation) Accounts() int                            { return r.r.accounts.Len() }
func (r Reputation) Bans() int                                { return len(r.r.bans) }
func (r Reputation) BanCount(now time.Time) int               { return r.r.banCount(now) }

func (r Reputation) Encode(now time.Time) (b []byte, changed bool, err error) { return r.r.encode(now) }
func (r Reputation) Decode(b []byte, now time.Time) error                     { return r.r.decode(b, now) }

// Merit is why one node is asked before another.
type Merit = merit

func NewMerit(score float64, rtt time.Duration, since time.Time) Merit {
	return merit{distrust: distrust(score), slow: slowness(rtt), since: since}
}

func (a merit) Compare(b merit) int { return a.compare(b) }

// Prefer gives a frontier an opinion on nodes, before anybody is added.
func (f Frontier) Prefer(of func(peer.ID) Merit) { f.f.merit = of }

// ForgetTable empties the table but for one node.
func (d *DHT) ForgetTable(but peer.ID) {
	w := d.running()
	for _, p := range w.table.lib.ListPeers() {
		if p != but {
			w.table.remove(p)
		}
	}
}
