package records

// Put is a record and the place it is offered to.
type Put struct {
	Place  Place
	Record *Record
}

// Status is what became of a put.
type Status uint8

// The outcomes of a put that was not refused.
const (
	Stored Status = iota + 1 // the bucket holds it now
	Have                     // the bucket held it already, or a newer version
	Below                    // it belongs below, and has to be put there: here it is at most a witness
)

func (s Status) String() string {
	switch s {
	case Stored:
		return "stored"
	case Have:
		return "have"
	case Below:
		return "below"
	default:
		return "unknown"
	}
}

// Outcome is what one put did.
type Outcome struct {
	Status    Status
	Held      *Record   // the version that is here, the same or newer: always when Have; when Below, if it is a witness
	Bound     Position  // Below: the bucket's largest position; zero where buckets hold nothing
	Displaced []*Record // now no longer held here by right: they belong to Place.ChildFor
}

// Query asks a bucket for a page of its records.
type Query struct {
	Place  Place
	Before Position // only records before it; [Newest] for all
	Limit  int      // records at most
	Print  bool     // the fingerprint of the answer, and of the answer only what that does not cover
}

// Bucket is what a holder has of a place: the answer to a query.
type Bucket struct {
	Place       Place
	Records     []*Record   // newest first, those before Query.Before
	Witnesses   []*Record   // one for each child that has records, and what is still on its way down
	Count       int         // records in the bucket, whatever was asked
	Full        bool        // Count is the place's capacity: what is later than its bound is below
	More        bool        // records before the last of Records were left out
	Fingerprint Fingerprint // of Records and of the witness of each child: what Sum makes of the answer
}

// Sum is the fingerprint of what b shows: its records, and of the witnesses that
// speak for a child the smallest, which is the one that counts. Holders of the same
// state give answers of the same sum to the same query. So who was shown an answer
// can tell it from what others say of theirs, and nobody can withhold a record and
// claim the fingerprint of those who do not.
func (b Bucket) Sum() Fingerprint {
	at := b.Place.Coordinate()
	var sum Fingerprint
	for _, r := range b.Records {
		sum = sum.Plus(Element(at, r.key, r.id))
	}
	smallest := map[Place]*Record{}
	for _, w := range b.Witnesses {
		child := b.Place.ChildFor(w)
		if s := smallest[child]; s == nil || b.Place.Position(w).Compare(b.Place.Position(s)) < 0 {
			smallest[child] = w
		}
	}
	for _, w := range smallest {
		sum = sum.Plus(Element(at, w.key, w.id))
	}
	return sum
}
