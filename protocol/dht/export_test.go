package dht

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p-kbucket/peerdiversity"
	"github.com/libp2p/go-libp2p/core/peer"

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
	MaxPrefix = maxPrefix
	SizeSlack = sizeSlack
	SizeStep  = sizeStep

	Calm          = calm
	Lead          = lead
	MaxCandidates = maxCandidates
	MaxSurveys    = maxSurveys
	SurveyAge     = surveyAge
	AskTimeout    = askTimeout
)

var (
	RegionOf     = regionOf
	Sibling      = sibling
	SharedBits   = sharedBits
	Nearer       = nearer
	Fraction     = fraction
	KeyIn        = keyIn
	PrefixLength = prefixLength
	NextPrefix   = nextPrefix
	Median       = median
	FitSize      = fitSize
	CoordinateOf = coordinateOf
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

func (e *SizeEstimate) Count(n int)        { e.count(n) }
func (e *SizeEstimate) Sample(d []float64) { e.sample(d) }
func (e *SizeEstimate) Size() float64      { return e.size }

// Frontier tells what a test needs of a frontier in terms of node numbers.
type Frontier struct{ f *frontier }

func NewFrontier(target Coordinate, bits, limit int) Frontier {
	return Frontier{newFrontier(target, bits, limit)}
}

func (f Frontier) Add(ids ...peer.ID)            { f.f.add(contactsOf(ids)...) }
func (f Frontier) Answer(p peer.ID, n []peer.ID) { f.f.answer(p, contactsOf(n)) }
func (f Frontier) Fail(p peer.ID)                { f.f.fail(p) }
func (f Frontier) InFlight() int                 { return f.f.inFlight() }
func (f Frontier) Candidates() int               { return len(f.f.order) }

func (f Frontier) Next() (p peer.ID, isPing, ok bool) {
	p, q, ok := f.f.next()
	return p, q == ping, ok
}

func (f Frontier) Found() (ids []peer.ID, complete bool) {
	contacts, complete := f.f.found()
	for _, c := range contacts {
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

func NewSurveys(now func() time.Time) Surveys { return Surveys{newSurveys(now)} }

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
// given moments.
func Preferred(ids []peer.ID, since []time.Time, limit int) (kept []peer.ID) {
	var members []rankedMember
	for i, id := range ids {
		members = append(members, rankedMember{member: &member{contact: contactOf(id), since: since[i]}})
	}
	for _, m := range preferred(members, limit) {
		kept = append(kept, m.id)
	}
	return kept
}

// NewIPGroups is the filter that the routing table is given.
func NewIPGroups(limits IPGroups) peerdiversity.PeerIPGroupFilter { return newIPGroups(limits, nil) }
