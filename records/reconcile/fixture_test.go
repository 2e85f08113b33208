package reconcile_test

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/records/reconcile"
)

// The package starts no goroutine.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wide are limits that hardly ever end a message early.
var wide = reconcile.Limits{Bytes: 256 << 10, Items: 1 << 17}

// memory is a set in order, with the sum of the elements before each.
type memory struct {
	elements []reconcile.Element
	before   []records.Fingerprint
	read     int // elements listed
	sums     int // fingerprints told
}

func setOf(elements []reconcile.Element) *memory {
	m := &memory{elements: slices.Clone(elements), before: make([]records.Fingerprint, len(elements)+1)}
	slices.SortFunc(m.elements, reconcile.Element.Compare)
	m.elements = slices.Compact(m.elements)
	for i, e := range m.elements {
		m.before[i+1] = m.before[i].Plus(e.Fingerprint())
	}
	return m
}

func (m *memory) search(b reconcile.Bound) int {
	n, _ := slices.BinarySearchFunc(m.elements, b, func(e reconcile.Element, b reconcile.Bound) int {
		if e.Before(b) {
			return -1
		}
		return 1
	})
	return n
}

func (m *memory) Fingerprint(from, to reconcile.Bound) (records.Fingerprint, error) {
	m.sums++
	return m.before[m.search(to)].Minus(m.before[m.search(from)]), nil
}

func (m *memory) List(from, to reconcile.Bound, limit int) ([]reconcile.Element, error) {
	i, j := m.search(from), m.search(to)
	m.read += min(j, i+limit) - i
	return slices.Clone(m.elements[i:min(j, i+limit)]), nil
}

func (m *memory) has(e reconcile.Element) bool {
	_, found := slices.BinarySearchFunc(m.elements, e, reconcile.Element.Compare)
	return found
}

// random are n elements at random coordinates, some of them sharing one.
func random(r *rand.Rand, n int) []reconcile.Element {
	out := make([]reconcile.Element, n)
	for i := range out {
		out[i] = reconcile.Element{At: bytes32(r), Key: bytes32(r), ID: bytes32(r)}
		if i > 0 && r.IntN(2) == 0 {
			out[i].At = out[i-1].At
		}
	}
	return out
}

func bytes32(r *rand.Rand) (b [32]byte) {
	for i := 0; i < len(b); i += 8 {
		binary.BigEndian.PutUint64(b[i:], r.Uint64())
	}
	return b
}

// A talk is how a conversation went.
type talk struct {
	found    []reconcile.Difference
	messages int
	sent     int // bytes of messages
	received int // bytes of answers
	largest  int // message or answer
	told     int // differences at a time, at most
}

// errEndless is a conversation that goes on and on.
var errEndless = errors.New("the conversation does not end")

// converse carries a session through with answers as a peer gives them.
func converse(s *reconcile.Session, peer func(message []byte) []byte, most int) (t talk, err error) {
	var answer []byte
	for !s.Done() {
		found, message, err := s.Step(answer)
		if err != nil {
			return t, err
		}
		t.found = append(t.found, found...)
		t.told = max(t.told, len(found))
		answer = nil
		if message == nil {
			continue
		}
		if t.messages++; t.messages > most {
			return t, errEndless
		}
		answer = peer(message)
		t.sent += len(message)
		t.received += len(answer)
		t.largest = max(t.largest, len(message), len(answer))
	}
	return t, nil
}

// honest answers from a set.
func honest(tb testing.TB, set reconcile.Set, l reconcile.Limits) func([]byte) []byte {
	tb.Helper()
	return func(message []byte) []byte {
		answer, err := reconcile.Respond(set, reconcile.Start, reconcile.End, message, l)
		if err != nil {
			tb.Fatal(err)
		}
		return answer
	}
}

// between is how two sets differ, element by element.
func between(tb testing.TB, ours, theirs *memory, l reconcile.Limits) talk {
	tb.Helper()
	t, err := converse(reconcile.NewSession(ours, reconcile.Salt{1}, reconcile.Start, reconcile.End, l), honest(tb, theirs, l), 10_000)
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

// sides are the elements that differences name, of either side.
func sides(found []reconcile.Difference) (ours, theirs []reconcile.Element) {
	for _, d := range found {
		if d.Ours != (records.ID{}) {
			ours = append(ours, reconcile.Element{At: d.At, Key: d.Key, ID: d.Ours})
		}
		if d.Theirs != (records.ID{}) {
			theirs = append(theirs, reconcile.Element{At: d.At, Key: d.Key, ID: d.Theirs})
		}
	}
	return ours, theirs
}

// difference is what of a is not in b.
func difference(a, b *memory) []reconcile.Element {
	return slices.DeleteFunc(slices.Clone(a.elements), b.has)
}
