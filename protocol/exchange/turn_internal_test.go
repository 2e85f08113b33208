package exchange

import (
	"testing"
	"time"

	"github.com/starling-social/starling/protocol"
)

// A peer rests from what a reconciliation cost the processor or the link, whichever is
// more; beyond the whole of what there is counts what time has not made up for.
func TestAccount_table(t *testing.T) {
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	const whole = 1000
	tenth := protocol.ReconcileAnew / 10
	type step struct {
		after  time.Duration // the step before
		cost   cost
		rest   time.Duration
		beyond int
	}
	second := protocol.ReconcileRate // bytes
	for name, steps := range map[string][]step{
		"little":                {{0, cost{sent: 100}, at(100, second), 0}},
		"work":                  {{0, cost{took: time.Second}, protocol.ReconcileRest * time.Second, 0}},
		"work, and more bytes":  {{0, cost{took: time.Second, sent: 5 * second}, 5 * time.Second, 5*second - whole}},
		"as much as there is":   {{0, cost{sent: whole}, at(whole, second), 0}},
		"more":                  {{0, cost{sent: whole + 1}, at(whole+1, second), 1}},
		"more again":            {{0, cost{sent: 900}, at(900, second), 0}, {0, cost{sent: 300}, at(300, second), 200}, {0, cost{sent: 300}, at(300, second), 300}},
		"time makes up for it":  {{0, cost{sent: 1000}, at(1000, second), 0}, {3 * tenth, cost{sent: 300}, at(300, second), 0}, {0, cost{sent: 1}, at(1, second), 1}},
		"and for no more of it": {{0, cost{sent: 1000}, at(1000, second), 0}, {100 * tenth, cost{sent: 1001}, at(1001, second), 1}},
	} {
		var a account
		now := noon
		for i, s := range steps {
			now = now.Add(s.after)
			beyond := a.charge(s.cost, now, whole)
			if rest := a.rests.Sub(now); beyond != s.beyond || rest != s.rest {
				t.Errorf("%s, step %d: beyond by %d and a rest of %s, want %d and %s", name, i, beyond, rest, s.beyond, s.rest)
			}
		}
	}
}
