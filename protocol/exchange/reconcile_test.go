package exchange_test

import (
	"bytes"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/records/reconcile"
)

// holdings are puts, as a set to reconcile.
type holdings struct {
	listed func() // called before a list, if set

	mu       sync.Mutex // protects what follows
	elements []reconcile.Element
	puts     map[reconcile.Element]records.Put // by element without id
}

func newHoldings(puts ...records.Put) *holdings {
	h := &holdings{puts: map[reconcile.Element]records.Put{}}
	h.add(puts...)
	return h
}

func elementOf(p records.Put) reconcile.Element {
	return reconcile.Element{At: p.Place.Coordinate(), Key: p.Record.ItemKey(), ID: p.Record.ID()}
}

// add puts records; the newest version of a thing counts.
func (h *holdings) add(puts ...records.Put) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range puts {
		e := elementOf(p)
		e.ID = records.ID{}
		if was, there := h.puts[e]; !there || p.Record.Wins(was.Record) {
			h.puts[e] = p
		}
	}
	h.elements = h.elements[:0]
	for _, p := range h.puts {
		h.elements = append(h.elements, elementOf(p))
	}
	slices.SortFunc(h.elements, reconcile.Element.Compare)
}

func (h *holdings) Fingerprint(from, to reconcile.Bound) (sum records.Fingerprint, err error) {
	for _, e := range h.within(from, to) {
		sum = sum.Plus(e.Fingerprint())
	}
	return sum, nil
}

func (h *holdings) List(from, to reconcile.Bound, limit int) ([]reconcile.Element, error) {
	if h.listed != nil {
		h.listed()
	}
	all := h.within(from, to)
	return all[:min(limit, len(all))], nil
}

func (h *holdings) within(from, to reconcile.Bound) []reconcile.Element {
	h.mu.Lock()
	defer h.mu.Unlock()
	before := func(b reconcile.Bound) int {
		n, _ := slices.BinarySearchFunc(h.elements, b, func(e reconcile.Element, b reconcile.Bound) int {
			if e.Before(b) {
				return -1
			}
			return 1
		})
		return n
	}
	return slices.Clone(h.elements[before(from):max(before(from), before(to))])
}

func (h *holdings) Standing(key records.ItemKey, at []records.Coordinate) (puts []records.Put, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for e, p := range h.puts {
		if e.Key == key && slices.Contains(at, e.At) {
			puts = append(puts, p)
		}
	}
	if len(puts) == 0 {
		return nil, errors.New("not here")
	}
	return puts, nil
}

// serveHoldings runs a server on host i that reconciles.
func (w *world) serveHoldings(tb testing.TB, i int, h exchange.Holdings, r exchange.Region) {
	tb.Helper()
	w.run(tb, i, exchange.NewServer(exchange.ServerConfig{
		Host: w.hosts[i], Door: newDoor(tb), Store: newMemory(tb), Holdings: h, Region: r,
		Status: func() exchange.Status { return exchange.Status{} },
	}))
}

// everything is all of the ring.
var everything = exchange.Common{}

// mustReconcile is how what peer i has differs from h under what both hold.
func mustReconcile(tb testing.TB, c *exchange.Client, w *world, i int, what exchange.Common, h *holdings) (found []reconcile.Difference) {
	tb.Helper()
	end, err := c.Reconcile(tb.Context(), w.id(i), what, h, reconcile.Start, func(some exchange.Found) error {
		found = append(found, some.Differences...)
		return nil
	})
	if err != nil || end.Rest != reconcile.End {
		tb.Fatalf("reconciled up to %x: %v", end.Rest, err)
	}
	return found
}

// allPuts are puts of posts everywhere they belong.
func allPuts(rs ...*records.Record) (puts []records.Put) {
	for _, r := range rs {
		puts = append(puts, everywhere(r)...)
	}
	return puts
}

// A node finds out how another differs, collects what it lacks, each record once
// however many places it stands at, and has it verified; of two versions of one
// thing it is told both.
func TestReconcile_findsAndCollects(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		rs := posts(t, 1, 300, "cats")
		newer := edit(t, rs[5], 1)
		ours, theirs := newHoldings(allPuts(rs[:290]...)...), newHoldings(allPuts(rs[10:]...)...)
		ours.add(allPuts(rs[5])...)
		theirs.add(allPuts(newer)...)
		w.serveHoldings(t, 1, theirs, region{})
		c := w.client(t, 0)
		found := mustReconcile(t, c, w, 1, everything, ours)
		puts, err := c.Collect(t.Context(), w.id(1), everything, found)
		if err != nil {
			t.Fatal(err)
		}
		want := map[reconcile.Element]bool{}
		for _, p := range allPuts(append(rs[290:300:300], newer)...) {
			want[elementOf(p)] = true
		}
		for _, p := range puts {
			if e := elementOf(p); !want[e] {
				t.Errorf("%s at %s: not lacked, or twice", p.Record.ID(), p.Place)
			} else {
				delete(want, e)
			}
		}
		if len(want) > 0 {
			t.Errorf("%d puts did not come", len(want))
		}
		versions, offers := 0, 0
		for _, d := range found {
			switch {
			case d.Ours == rs[5].ID() && d.Theirs == newer.ID():
				versions++
			case d.Theirs == (records.ID{}):
				offers++
			}
		}
		if n := len(everywhere(newer)); versions != n || offers != 9*n {
			t.Errorf("%d differences of versions and %d that they lack, want %d and %d", versions, offers, n, 9*n)
		}
		ours.add(puts...)
		theirs.add(allPuts(rs[:10]...)...)
		if left := mustReconcile(t, c, w, 1, everything, ours); len(left) > 0 {
			t.Errorf("%d differences are left", len(left))
		}
	})
}

// What a peer lacks is put to it, each record once on the wire, and not what it was
// found to have.
func TestSupply_whatIsLacked(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		rs := posts(t, 1, 400, "cats")
		newer := edit(t, rs[300], 1)
		ours := newHoldings(allPuts(append(rs[:300:300], newer)...)...)
		m := newMemory(t)
		w.serve(t, 1, m, region{})
		var lacked []reconcile.Difference
		for _, p := range allPuts(rs[:301]...) {
			e := elementOf(p)
			d := reconcile.Difference{At: e.At, Key: e.Key, Ours: e.ID}
			if p.Record == rs[300] {
				d.Theirs = newer.ID() // and what we had was replaced by it meanwhile
			}
			lacked = append(lacked, d)
		}
		lacked = append(lacked, reconcile.Difference{Key: rs[350].ItemKey(), Ours: rs[350].ID()}) // is gone
		results, err := w.client(t, 0).Supply(t.Context(), w.id(1), ours, lacked)
		if err != nil || len(results) != 300*len(everywhere(rs[0])) {
			t.Errorf("%d results: %v", len(results), err)
		}
		for _, r := range results {
			if r.Err != nil {
				t.Fatal(r.Err)
			}
		}
		if n := int(w.hosts[0].sent.Load()); n > 300*(len(rs[0].Bytes())+400) {
			t.Errorf("%d bytes for 300 records of %d", n, len(rs[0].Bytes()))
		}
	})
}

// Nodes that agree find out with less than a kilobyte on the wire.
func TestReconcile_agreement(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		puts := allPuts(posts(t, 1, 500, "cats")...)
		w.serveHoldings(t, 1, newHoldings(puts...), region{})
		found := mustReconcile(t, w.client(t, 0), w, 1, everything, newHoldings(puts...))
		if n := w.hosts[0].sent.Load() + w.hosts[1].sent.Load(); len(found) > 0 || n > 1<<10 {
			t.Errorf("%d differences, %d bytes", len(found), n)
		}
	})
}

// What a server says to have gathered comes with what is found and with the end.
func TestReconcile_gathering(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		w.run(t, 1, exchange.NewServer(exchange.ServerConfig{
			Host: w.hosts[1], Door: newDoor(t), Store: newMemory(t), Holdings: newHoldings(), Region: region{},
			Status: func() exchange.Status { return exchange.Status{Whole: 257} },
		}))
		found := 0
		end, err := w.client(t, 0).Reconcile(t.Context(), w.id(1), everything, newHoldings(allPuts(posts(t, 1, 3)...)...), reconcile.Start, func(f exchange.Found) error {
			if found += len(f.Differences); f.Whole != 257 {
				t.Errorf("differences come with %d bits", f.Whole)
			}
			return nil
		})
		if err != nil || end != (exchange.Reconciled{Rest: reconcile.End, Whole: 257}) || found == 0 {
			t.Errorf("%d differences, then %+v, %v", found, end, err)
		}
	})
}

// Under a prefix nothing else is compared or handed over.
func TestReconcile_underAPrefix(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		puts := allPuts(posts(t, 1, 200, "cats")...)
		at := puts[0].Place.Coordinate()
		w.serveHoldings(t, 1, newHoldings(puts...), region{bits: 1, of: at})
		c := w.client(t, 0)
		for _, bits := range []int{1, 2, 7, 8, 9, 256} {
			what := exchange.Common{Prefix: at, Bits: bits}
			found := mustReconcile(t, c, w, 1, what, newHoldings())
			got, err := c.Collect(t.Context(), w.id(1), what, found)
			want := 0
			for _, p := range puts {
				if (region{bits: bits, of: at}).Holds(p.Place.Coordinate()) {
					want++
				}
			}
			if err != nil || len(got) != want {
				t.Errorf("%d bits: %d puts, want %d: %v", bits, len(got), want, err)
			}
		}
	})
}

// Who is told of differences and fails goes on from where it was, and misses none.
func TestReconcile_resumes(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		puts := allPuts(posts(t, 1, 2000)...)
		w.serveHoldings(t, 1, newHoldings(puts...), region{})
		c := w.client(t, 0)
		broken := errors.New("broken off")
		found := map[reconcile.Difference]bool{}
		calls := 0
		for from := reconcile.Start; from != reconcile.End; {
			end, err := c.Reconcile(t.Context(), w.id(1), everything, newHoldings(), from, func(some exchange.Found) error {
				if calls++; calls%2 == 0 {
					return broken
				}
				for _, d := range some.Differences {
					found[d] = true
				}
				return nil
			})
			if err != nil && !errors.Is(err, broken) || end.Rest < from {
				t.Fatalf("from %x to %x: %v", from, end.Rest, err)
			}
			from = end.Rest
		}
		if len(found) != len(puts) {
			t.Errorf("%d differences, want %d", len(found), len(puts))
		}
	})
}

// More than one reply holds comes in several, and what is no longer there is left out.
func TestCollect_inSeveralReplies(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		rs := largePosts(t, 1, 300)
		theirs := newHoldings(allPuts(rs...)...)
		w.serveHoldings(t, 1, theirs, region{})
		var lacked []reconcile.Difference
		for _, p := range allPuts(append(rs, post(t, 2, 1))...) {
			e := elementOf(p)
			lacked = append(lacked, reconcile.Difference{At: e.At, Key: e.Key, Theirs: e.ID})
		}
		puts, err := w.client(t, 0).Collect(t.Context(), w.id(1), everything, lacked)
		if err != nil || len(puts) != 2*len(rs) {
			t.Errorf("%d puts, want %d: %v", len(puts), 2*len(rs), err)
		}
		if n := w.hosts[1].sent.Load(); n < protocol.MaxReply || n > 300*5000 {
			t.Errorf("%d bytes for 300 records", n)
		}
	})
}

// Who is asked about more than it holds says so, and how much that is.
func TestReconcile_membersOnly(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		at := records.Coordinate{0xa0}
		w.serveHoldings(t, 1, newHoldings(), region{bits: 3, of: at})
		c := w.client(t, 0)
		for _, what := range []exchange.Common{{}, {Prefix: at, Bits: 2}, {Prefix: records.Coordinate{0x20}, Bits: 3}} {
			var r *exchange.Refusal
			_, err := c.Reconcile(t.Context(), w.id(1), what, newHoldings(), reconcile.Start, nil)
			if !errors.As(err, &r) || r.Code != exchange.NotAMember {
				t.Errorf("%+v: %v", what, err)
			}
		}
		if bits, ok := c.KnownPrefix(w.id(1)); !ok || bits != 3 {
			t.Errorf("its prefix is not known: %d bits", bits)
		}
		mustReconcile(t, c, w, 1, exchange.Common{Prefix: at, Bits: 3}, newHoldings())
		if !bytes.Equal([]byte{0xa0}, at[:1]) {
			t.Fatal("the prefix was changed")
		}
	})
}

// A record that was read anew for each of its places travels once all the same.
func TestPut_readAnew(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		c, _, _ := w.pairUp(t)
		var puts []records.Put
		for _, p := range everywhere(post(t, 1, 1, "cats", "dogs")) {
			r, err := records.Open(p.Record.Bytes(), net(t), noon.Time().Add(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			puts = append(puts, records.Put{Place: p.Place, Record: r})
		}
		mustPut(t, c, w.id(1), puts...)
		if n := int(w.hosts[0].sent.Load()); n > 2*len(puts[0].Record.Bytes()) {
			t.Errorf("%d bytes for one record of %d at %d places", n, len(puts[0].Record.Bytes()), len(puts))
		}
	})
}
