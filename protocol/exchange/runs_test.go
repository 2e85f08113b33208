package exchange_test

import (
	"testing"
	"time"

	"github.com/starling-social/starling/protocol/exchange"
)

// Two processes run with one identity and ask the same server: both are told. When one
// of them ends, so does the telling.
func TestClient_twins(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		one, _, _ := w.pairUp(t)
		other := w.client(t, 0)
		ask := func(c *exchange.Client) {
			t.Helper()
			if _, err := c.Status(t.Context(), w.id(1)); err != nil {
				t.Fatal(err)
			}
		}
		ask(one)
		ask(other)
		ask(one) // may still be what was under way when it ended
		if n := one.Twins() + other.Twins(); n != 0 {
			t.Errorf("%d tell of twins at once, want none before a minute is over", n)
		}
		elapse(2 * time.Minute)
		ask(one)
		ask(other)
		if one.Twins() != 1 || other.Twins() != 1 {
			t.Errorf("%d told one of a twin, and %d the other, want 1 and 1", one.Twins(), other.Twins())
		}
		other.Close()
		for range 8 {
			elapse(5 * time.Minute)
			ask(one)
		}
		elapse(11 * time.Minute)
		if n := one.Twins(); n != 0 {
			t.Errorf("%d still tell of a twin 50 minutes after it ended", n)
		}
	})
}

// A node that is started again, and again, is alone.
func TestClient_restarts(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		_, _, _ = w.pairUp(t)
		for range 5 {
			c := w.client(t, 0)
			for range 3 {
				if _, err := c.Status(t.Context(), w.id(1)); err != nil {
					t.Fatal(err)
				}
				elapse(2 * time.Minute)
			}
			if n := c.Twins(); n != 0 {
				t.Fatalf("%d tell of a twin", n)
			}
			c.Close()
		}
	})
}
