package reconcile_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/records/reconcile"
)

// Answers to a session about everything. A digest and a mark are eight bytes.
var (
	oneListed   = []byte{2, 1, 1, 2, 3, 4, 5, 6, 7, 8}                 // they have one, with this digest
	halfDiffers = []byte{1<<4 | 1, 0x80, 3, 1, 2, 3, 4, 5, 6, 7, 8, 0} // three in the lower half, and the same in the upper
	nothingMore = []byte{0}                                            // to be said of all
	noneLacked  = []byte{4, 0, 0}                                      // of a list, and none had that is not in it
	lacked201st = []byte{4, 1, 0xc8, 1, 0}                             // of a list
)

func sessionOf(set reconcile.Set) *reconcile.Session {
	return reconcile.NewSession(set, reconcile.Salt{}, reconcile.Start, reconcile.End, wide)
}

// A record that they listed and no longer have when asked for it is none of theirs;
// that they lack ours is still so.
func TestSession_listedAndGone(t *testing.T) {
	set := setOf(nil)
	s := sessionOf(set)
	if _, _, err := s.Step(nil); err != nil {
		t.Fatal(err)
	}
	*set = *setOf(random(rand.New(rand.NewPCG(31, 32)), 3))
	var found []reconcile.Difference
	for _, answer := range [][]byte{oneListed, nothingMore} {
		more, _, err := s.Step(answer)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, more...)
	}
	if ours, theirs := sides(found); !s.Done() || !slices.Equal(ours, set.elements) || len(theirs) != 0 {
		t.Errorf("done %t; they lack %v and have %v", s.Done(), ours, theirs)
	}
}

// What is no answer to what was asked is refused, however well formed it is. A session
// lists what it has of 20, and asks for the sums of parts of 300.
func TestSession_refusesOffTopic(t *testing.T) {
	all := random(rand.New(rand.NewPCG(33, 34)), 300)
	for _, c := range []struct {
		has    int
		answer []byte
		want   string
	}{
		{300, noneLacked, "it answers what was not asked"},
		{20, oneListed, "it is no answer to what was asked"},
		{20, lacked201st, "index 200 of 20"},
		{20, []byte{}, "it says nothing"},
	} {
		s := sessionOf(setOf(all[:c.has]))
		if _, _, err := s.Step(nil); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Step(c.answer); !errors.Is(err, reconcile.ErrMessage) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%x: %v, want %q", c.answer, err, c.want)
		}
	}
}

// failing is a set whose store breaks in the middle of a conversation.
type failing struct {
	*memory
	err error
}

func (f *failing) Fingerprint(from, to reconcile.Bound) (records.Fingerprint, error) {
	sum, err := f.memory.Fingerprint(from, to)
	return sum, errors.Join(err, f.err)
}

func (f *failing) List(from, to reconcile.Bound, limit int) ([]reconcile.Element, error) {
	all, err := f.memory.List(from, to, limit)
	return all, errors.Join(err, f.err)
}

// That our own store fails is no fault of who answered.
func TestSession_brokenStore(t *testing.T) {
	broken := errors.New("the disk is gone")
	for _, answer := range [][]byte{oneListed, halfDiffers} {
		set := &failing{memory: setOf(nil)}
		s := sessionOf(set)
		if _, _, err := s.Step(nil); err != nil {
			t.Fatal(err)
		}
		set.err = broken
		if _, _, err := s.Step(answer); !errors.Is(err, broken) || errors.Is(err, reconcile.ErrMessage) {
			t.Errorf("after %x: %v", answer, err)
		}
	}
}

// A set that grows beyond what can be listed while it is compared is compared to its
// end all the same.
func TestSession_grows(t *testing.T) {
	all := random(rand.New(rand.NewPCG(37, 38)), 5_000)
	ours, theirs := setOf(all[:200]), setOf(all[:10])
	answer := honest(t, theirs, wide)
	talk, err := converse(sessionOf(ours), func(message []byte) []byte {
		*ours = *setOf(all)
		return answer(message)
	}, 100)
	if err != nil {
		t.Fatal(err)
	}
	lacked, _ := sides(talk.found)
	if n := len(difference(ours, theirs)); len(lacked) != n || len(difference(setOf(lacked), ours)) > 0 {
		t.Errorf("they lack %d, told were %d", n, len(lacked))
	}
}
