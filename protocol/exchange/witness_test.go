package exchange_test

import (
	"testing"

	"github.com/starling-social/starling/records"
)

// A place may have a newer version of what belongs below as a witness: whoever
// puts an older one learns of it, and that it belongs below all the same.
func TestPut_newerWitness(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		c, _, _ := w.pairUp(t)
		r := posts(t, 1, 1)[0]
		newer := edit(t, r, 1)
		root := month(r).Root()
		for _, step := range []struct {
			put  *records.Record
			held *records.Record
		}{{r, nil}, {newer, nil}, {r, newer}} {
			o := mustPut(t, c, w.id(1), records.Put{Place: root, Record: step.put})[0].Outcome
			if o.Status != records.Below || (o.Held == nil) != (step.held == nil) || (o.Held != nil && o.Held.ID() != step.held.ID()) {
				t.Errorf("%s at the root: %+v, want held %v", step.put.ID(), o, step.held)
			}
		}
	})
}
