package node

import (
	"log/slog"
	"testing"
	"time"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/records"
)

// What the disk damaged is compared soon: a place alone, or everything, for which the
// node then answers no more until that is done.
func TestHarmed_comparesAgain(t *testing.T) {
	root, now := records.TagPlace("sky"), time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for name, harm := range map[string]datastore.Harm{"a place": {Places: []records.Place{root}}, "everything": {Everything: true}} {
		t.Run(name, func(t *testing.T) {
			n := &Node{healer: newHealer(true), copies: newCopies(), voices: newVoices(slog.New(slog.DiscardHandler))}
			n.copies.follow(root)
			n.copies.heard(root, now)
			n.copies.compare(root, now)
			n.healer.answerFor(n.healer.view(records.Coordinate{}, 0, nil), now)
			if !n.copies.fresh(t.Context(), root, now) || !n.healer.answers(0) {
				t.Fatal("neither fresh nor answered for before: the test shows nothing")
			}
			n.harmed(harm)
			if n.copies.fresh(t.Context(), root, now) {
				t.Error("a copy that was harmed counts as whole")
			}
			if n.healer.answers(0) == harm.Everything {
				t.Errorf("answers: %t", n.healer.answers(0))
			}
			select {
			case <-n.healer.doubt:
			default:
				t.Error("nobody is compared with before it is time")
			}
		})
	}
}
