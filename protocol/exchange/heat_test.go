package exchange_test

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"pgregory.net/rapid"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/records"
)

// reader is the id of one of many peers; no stream is opened to it.
func reader(i int) peer.ID {
	return peer.ID(binary.BigEndian.AppendUint32([]byte("reader "), uint32(i)))
}

func tagPlace(i int) records.Place {
	return records.TagPlace(records.Tag(fmt.Sprintf("tag%d", i)))
}

// readBy has so many peers read a place, and tells whether it is hot then.
func readBy(h exchange.Heat, p records.Place, from, to int) (hot bool) {
	for i := from; i < to; i++ {
		hot = h.Read(p, reader(i))
	}
	return hot
}

// Peers make a place hot, not reads; and it cools when they stop.
func TestHeat_readers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, p := exchange.NewHeat(), tagPlace(1)
		for range 100_000 {
			if h.Read(p, reader(1)) {
				t.Fatal("one peer alone made it hot")
			}
		}
		if readBy(h, p, 0, protocol.HotReaders/2) {
			t.Error("half of them made it hot")
		}
		// A few hash alike.
		if !readBy(h, p, 0, protocol.HotReaders*3/2) {
			t.Error("it is not hot")
		}
		if w := h.Warm(); w != (exchange.Warm{Hot: 1}) {
			t.Errorf("warm: %+v", w)
		}
		elapse(protocol.HotWindow / 2)
		if !h.Read(p, reader(1)) {
			t.Error("it cooled at once")
		}
		elapse(2 * protocol.HotWindow)
		if h.Read(p, reader(1)) || h.Warm() != (exchange.Warm{}) {
			t.Error("it stays hot")
		}
	})
}

// A place that is read at a steady rate somewhat below what makes it hot stays hot
// once it is; and one that never was does not become it.
func TestHeat_hysteresis(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, was, never := exchange.NewHeat(), tagPlace(1), tagPlace(2)
		readBy(h, was, 0, 2*protocol.HotReaders)
		rate := protocol.HotReaders * 3 / 4
		for i := range 10 * rate {
			elapse(protocol.HotWindow / time.Duration(rate))
			if !h.Read(was, reader(1000+i)) {
				t.Fatalf("it cooled after %d readers", i)
			}
			if h.Read(never, reader(1000+i)) {
				t.Fatalf("it became hot after %d readers", i)
			}
		}
	})
}

// A node is named for as long as its lease lasts, to others alone, and as many as
// the readers are worth.
func TestHeat_offers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, p := exchange.NewHeat(), tagPlace(1)
		if l := h.Offer(reader(1), []byte("one"), p); l[0] != 0 {
			t.Errorf("a place that nobody reads: %s", l[0])
		}
		readBy(h, p, 100, 100+protocol.HotReaders/2)
		if l := h.Offer(reader(1), []byte("one"), p); l[0] != 0 {
			t.Errorf("a place that is not hot: %s", l[0])
		}
		readBy(h, p, 100, 100+2*protocol.HotReaders)
		if l := h.Offer(reader(1), []byte("one"), p, tagPlace(2)); l[0] != protocol.CopyLease || l[1] != 0 {
			t.Errorf("offered: %v", l)
		}
		if got := h.Named(p, reader(1)); len(got) != 0 {
			t.Errorf("told of itself: %q", got)
		}
		if got := h.Named(p, reader(2)); len(got) != 1 || string(got[0]) != "one" {
			t.Errorf("named: %q", got)
		}
		taken := 1
		for i := range 2 * protocol.MaxCopies {
			if h.Offer(reader(2+i), []byte{byte(i)}, p)[0] > 0 {
				taken++
			}
		}
		if most := 2 * protocol.MinCopies; taken > most || taken < most/2 {
			t.Errorf("%d copies for %d readers", taken, 2*protocol.HotReaders)
		}
		if got := h.Named(p, reader(999)); len(got) != protocol.MaxCopiesNamed {
			t.Errorf("%d named at once", len(got))
		}
		elapse(protocol.CopyLease * 2 / 3)
		readBy(h, p, 100, 100+4*protocol.HotReaders)
		if l := h.Offer(reader(1), []byte("one again"), p); l[0] != protocol.CopyLease {
			t.Errorf("renewed: %v", l)
		}
		elapse(protocol.CopyLease * 2 / 3)
		readBy(h, p, 100, 100+4*protocol.HotReaders)
		if got := h.Named(p, reader(999)); len(got) != 1 || string(got[0]) != "one again" {
			t.Errorf("after the others' leases: %q", got)
		}
		elapse(protocol.CopyLease)
		readBy(h, p, 100, 100+4*protocol.HotReaders)
		if got := h.Named(p, reader(999)); len(got) != 0 {
			t.Errorf("after all leases: %q", got)
		}
		if _, offerers, leases, err := h.Sizes(); offerers+leases != 0 || err != nil {
			t.Errorf("left: %d nodes with %d leases, %v", offerers, leases, err)
		}
	})
}

// Copies compare what they keep with the members all the time. That alone does
// not keep a place hot.
func TestHeat_copiesAreNoReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, p := exchange.NewHeat(), tagPlace(1)
		readBy(h, p, 1000, 2000)
		for round := range 60 {
			for i := range 2 * protocol.MaxCopies { // half of them are named by other members
				if round%3 == 0 {
					h.Offer(reader(i), []byte{1}, p)
				}
				h.Read(p, reader(i))
			}
			elapse(20 * time.Second)
		}
		if w := h.Warm(); w.Hot != 0 {
			t.Errorf("still hot: %+v", w)
		}
	})
}

// Whatever peers do, and in whatever order leases end, what is kept agrees with
// itself and is bounded.
func TestHeat_consistent(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		synctest.Test(t, func(*testing.T) {
			h := exchange.NewHeat()
			for range rapid.IntRange(1, 60).Draw(rt, "steps") {
				p := tagPlace(rapid.IntRange(0, 5).Draw(rt, "place"))
				switch rapid.IntRange(0, 4).Draw(rt, "step") {
				case 0:
					elapse(time.Duration(rapid.IntRange(1, 150).Draw(rt, "seconds")) * time.Second)
				case 1, 2:
					readBy(h, p, 0, rapid.IntRange(0, 200).Draw(rt, "readers"))
				case 3:
					by := reader(rapid.IntRange(0, 40).Draw(rt, "offerer"))
					for i, lease := range h.Offer(by, []byte("x"), p, tagPlace(0)) {
						if lease != 0 && lease != protocol.CopyLease {
							rt.Fatalf("lease %d of %s", i, lease)
						}
					}
				case 4:
					if n := len(h.Named(p, reader(1))); n > protocol.MaxCopiesNamed {
						rt.Fatalf("%d named", n)
					}
				}
				if _, _, _, err := h.Sizes(); err != nil {
					rt.Fatal(err)
				}
			}
		})
	})
}

// The memory that strangers can make a server hold for hot places is bounded: by
// more places than are kept, all hot, and more nodes that offer copies of them.
func TestHeat_bounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		readers := 160 // about as many as make MaxCopies useful
		if testing.Short() {
			readers = 40 // each place wants fewer copies, so half as many nodes have all leases
		}
		before := heapInUse()
		h := exchange.NewHeat()
		for i := range protocol.MaxHeat + 1000 {
			readBy(h, tagPlace(i), 0, readers)
		}
		for i := range protocol.MaxOfferers + 200 {
			var all []records.Place
			for k := range protocol.MaxOfferPlaces {
				all = append(all, tagPlace(1000+(i*protocol.MaxOfferPlaces+k)%protocol.MaxHeat))
			}
			h.Offer(reader(i), make([]byte, protocol.MaxCopyBytes), all...)
			h.Offer(reader(i), make([]byte, protocol.MaxCopyBytes), tagPlace(1000+i), tagPlace(5000-i))
		}
		places, offerers, leases, err := h.Sizes()
		if places != protocol.MaxHeat || offerers > protocol.MaxOfferers || offerers < protocol.MaxOfferers/2 || leases > offerers*protocol.MaxOfferPlaces || err != nil {
			t.Errorf("%d places, %d nodes with %d leases, %v", places, offerers, leases, err)
		}
		t.Logf("%d places, %d nodes with %d leases: %d KiB", places, offerers, leases, (heapInUse()-before)>>10)
		if used := heapInUse() - before; used > 12<<20 {
			t.Errorf("%d bytes", used)
		}
		elapse(2 * protocol.CopyLease)
		readBy(h, tagPlace(4000), 0, 160)
		if l := h.Offer(reader(99_999), []byte("late"), tagPlace(4000)); l[0] == 0 {
			t.Error("nodes whose leases have ended keep others out")
		}
		runtime.KeepAlive(h)
	})
}

func heapInUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
