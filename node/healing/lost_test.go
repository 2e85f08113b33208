package healing_test

import (
	"testing"
	"time"

	"github.com/starling-social/starling/node/healing"
	"github.com/starling-social/starling/records/reconcile"
)

// What was compared before everything may have been lost counts no more, even if it
// ends only after that.
func TestLedger_lost(t *testing.T) {
	l, now := healing.NewLedger(), time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	self := at("ourselves")
	ps := neighboursOf(self, 0, 2, 2)
	compare := func() {
		for _, p := range ps {
			c := l.Begin(p)
			c.Rest = reconcile.End
			l.Note(c, now, nil)
		}
		v := l.View(self, 0, ps)
		v.At, v.Random = at, still
		l.AnswerFor(v)
	}
	compare()
	if !l.Answers(0) {
		t.Fatal("answers for nothing after comparing with all")
	}
	late := l.Begin(ps[0])
	late.Rest = reconcile.End
	l.Lost()
	if l.Answers(0) || l.Answers(8) || l.Complete(ps[0]) {
		t.Fatal("answers for what it may have lost")
	}
	if l.Note(late, now, nil) {
		t.Fatal("a comparison from before counts")
	}
	compare()
	if !l.Answers(0) {
		t.Fatal("answers for nothing after comparing with all again")
	}
}
