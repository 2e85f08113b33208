package exchange_test

import (
	"testing"

	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/records"
)

// Every put and every bucket that was asked about is counted once, by what came of
// it.
func TestServer_stats(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		c, s, _ := w.pairUp(t)
		a, b := post(t, 1, 1), post(t, 1, 2)
		mustPut(t, c, w.id(1), records.Put{Place: month(a), Record: a}, records.Put{Place: month(b), Record: b})
		mustPut(t, c, w.id(1), records.Put{Place: month(a), Record: a})
		misplaced, err := c.Put(t.Context(), w.id(1), []records.Put{{Place: records.TagPlace("else"), Record: a}})
		if err != nil || misplaced[0].Err == nil {
			t.Fatalf("a record was taken where it does not belong: %v", err)
		}
		mustFetch(t, c, w.id(1), newest(month(a), 10))
		if _, err := c.Status(t.Context(), w.id(1)); err != nil {
			t.Fatal(err)
		}
		want := exchange.Stats{Puts: 3, Fetches: 1, Questions: 1, Stored: 2, Held: 1, Buckets: 1, Streams: 1}
		want.Refused[exchange.Misplaced] = 1
		got := s.Stats()
		got.Load = 0
		if got != want {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
	})
}
