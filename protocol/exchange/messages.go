package exchange

import (
	"fmt"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/pb"
	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/records/wire"
)

// How much structure a frame may have. A request of the most entries and records
// has five fields an entry; a reply of 1 MiB holds 5,000 of the smallest records.
var (
	requestLimits = wire.Limits{Fields: 5 * protocol.MaxPutEntries, Depth: 4}
	replyLimits   = wire.Limits{Fields: 10_000, Depth: 4}
)

// maxPrefix is the length of a coordinate in bits.
const maxPrefix = 8 * len(records.Coordinate{})

// Status is what a node says of itself.
type Status struct {
	Version string  // of the program
	Network string  // wire id
	Prefix  int     // how many bits of a coordinate its neighbourhood shares
	Load    float64 // requests in work, as a share of what it takes on
	Records int64
	Bytes   int64
	Whole   int // bits: of what shares fewer with its place it still gathers what it lacks; told with reconciliations alone
	Limits  Limits
}

// Limits are what a node takes on at once; see package protocol for ours.
type Limits struct {
	RequestBytes, ReplyBytes int
	PutRecords, PutEntries   int
	Queries, QueryRecords    int
	Roots                    int
	InFlight                 int
}

func ownLimits() Limits {
	return Limits{
		RequestBytes: protocol.MaxRequest, ReplyBytes: protocol.MaxReply,
		PutRecords: protocol.MaxPutRecords, PutEntries: protocol.MaxPutEntries,
		Queries: protocol.MaxQueries, QueryRecords: protocol.MaxQueryRecords,
		Roots: protocol.MaxRoots, InFlight: protocol.MaxInFlight,
	}
}

func (l Limits) message() *pb.Limits {
	return &pb.Limits{
		RequestBytes: uint32(l.RequestBytes), ReplyBytes: uint32(l.ReplyBytes),
		PutRecords: uint32(l.PutRecords), PutEntries: uint32(l.PutEntries),
		Queries: uint32(l.Queries), QueryRecords: uint32(l.QueryRecords),
		Roots: uint32(l.Roots), InFlight: uint32(l.InFlight),
	}
}

func limitsOf(m *pb.Limits) Limits {
	return Limits{
		RequestBytes: int(m.GetRequestBytes()), ReplyBytes: int(m.GetReplyBytes()),
		PutRecords: int(m.GetPutRecords()), PutEntries: int(m.GetPutEntries()),
		Queries: int(m.GetQueries()), QueryRecords: int(m.GetQueryRecords()),
		Roots: int(m.GetRoots()), InFlight: int(m.GetInFlight()),
	}
}

// decodeRequest reads a frame's bytes, of which it keeps nothing.
func decodeRequest(b []byte) (*pb.Request, error) {
	m := &pb.Request{}
	if err := wire.Unmarshal(b, m, requestLimits); err != nil {
		return nil, fmt.Errorf("decode request: %w", err)
	}
	if m.GetId() == 0 {
		return nil, fmt.Errorf("decode request: %w: no id", wire.ErrWire)
	}
	return m, nil
}

// decodeReply reads a frame's bytes, of which it keeps nothing.
func decodeReply(b []byte) (*pb.Reply, error) {
	m := &pb.Reply{}
	if err := wire.Unmarshal(b, m, replyLimits); err != nil {
		return nil, fmt.Errorf("%w: decode reply: %w", ErrProtocol, err)
	}
	if m.GetId() == 0 || m.GetPrefix() > uint32(maxPrefix) {
		return nil, fmt.Errorf("%w: reply to request %d from a prefix of %d bits", ErrProtocol, m.GetId(), m.GetPrefix())
	}
	return m, nil
}

// positionMessage is p on the wire, where absent is what zero is here.
func positionMessage(p, zero records.Position) *pb.Position {
	if p == zero {
		return nil
	}
	return &pb.Position{Created: uint64(p.Created), Key: p.Key[:]}
}

// positionOf is the opposite of positionMessage.
func positionOf(m *pb.Position, zero records.Position) (records.Position, error) {
	if m == nil {
		return zero, nil
	}
	if len(m.GetKey()) != len(records.ItemKey{}) || m.GetCreated() > uint64(records.MaxMillis) {
		return records.Position{}, fmt.Errorf("%w: position", wire.ErrWire)
	}
	return records.Position{Created: records.Millis(m.GetCreated()), Key: records.ItemKey(m.GetKey())}, nil
}

func fingerprintMessage(f records.Fingerprint) *pb.Fingerprint {
	if f == (records.Fingerprint{}) {
		return nil
	}
	return &pb.Fingerprint{Count: f.Count, Sum: f.Sum[:]}
}

func fingerprintOf(m *pb.Fingerprint) (records.Fingerprint, error) {
	if m == nil {
		return records.Fingerprint{}, nil
	}
	if len(m.GetSum()) != len(records.Fingerprint{}.Sum) {
		return records.Fingerprint{}, fmt.Errorf("%w: fingerprint", wire.ErrWire)
	}
	return records.Fingerprint{Count: m.GetCount(), Sum: [32]byte(m.GetSum())}, nil
}

// queryMessage is q on the wire.
func queryMessage(q records.Query) *pb.Query {
	return &pb.Query{
		Place: q.Place.Bytes(), Before: positionMessage(q.Before, records.Newest),
		Limit: uint32(min(max(q.Limit, 0), protocol.MaxQueryRecords)), Print: q.Print,
	}
}

// queryOf reads what a stranger asks.
func queryOf(m *pb.Query) (records.Query, error) {
	place, err := records.ParsePlace(m.GetPlace())
	if err != nil {
		return records.Query{}, err
	}
	before, err := positionOf(m.GetBefore(), records.Newest)
	if err != nil {
		return records.Query{}, &Refusal{Malformed, err.Error()}
	}
	limit := min(m.GetLimit(), protocol.MaxQueryRecords)
	return records.Query{Place: place, Before: before, Limit: int(limit), Print: m.GetPrint()}, nil
}

// bytesOf are the envelopes of rs.
func bytesOf(rs []*records.Record) [][]byte {
	if len(rs) == 0 {
		return nil
	}
	bs := make([][]byte, len(rs))
	for i, r := range rs {
		bs[i] = r.Bytes()
	}
	return bs
}
