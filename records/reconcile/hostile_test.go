package reconcile_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/starling-social/starling/records/reconcile"
)

// Whatever is done to messages on their way (bytes changed, cut off, added, an
// earlier message or answer in place of this one), the conversation ends within its
// rounds, in an error or in differences, and what it tells of ours is ours. What it
// tells of theirs is a claim that a record has to prove, so whoever acts on it ends
// with a set between its own and the union.
func TestSession_mutatedMessages(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ours, theirs := drawSets(rt)
		var before [][]byte
		mutate := func(label string, m []byte) []byte {
			before = append(before, slices.Clone(m))
			m = slices.Clone(m)
			for range rapid.SampledFrom([]int{0, 0, 0, 1, 3}).Draw(rt, label+" mutations") {
				switch at := rapid.IntRange(0, len(m)).Draw(rt, "at"); rapid.IntRange(0, 3).Draw(rt, "mutation") {
				case 0:
					if at < len(m) {
						m[at] ^= byte(rapid.IntRange(1, 255).Draw(rt, "change"))
					}
				case 1:
					m = m[:at]
				case 2:
					m = slices.Insert(m, at, rapid.SliceOfN(rapid.Byte(), 1, 20).Draw(rt, "addition")...)
				case 3:
					m = slices.Clone(rapid.SampledFrom(before).Draw(rt, "replay"))
				}
			}
			return m
		}
		l := reconcile.Limits{Bytes: reconcile.MinBytes, Items: 10_000, Rounds: 50}
		s := reconcile.NewSession(ours, reconcile.Salt{1}, reconcile.Start, reconcile.End, l)
		talk, err := converse(s, func(message []byte) []byte {
			answer, err := reconcile.Respond(theirs, reconcile.Start, reconcile.End, mutate("message", message), l)
			if err != nil && !errors.Is(err, reconcile.ErrMessage) {
				rt.Fatal(err)
			}
			return mutate("answer", answer)
		}, l.Rounds)
		if err != nil && !errors.Is(err, reconcile.ErrMessage) {
			rt.Fatal(err)
		}
		o, _ := sides(talk.found)
		for _, e := range o {
			if !ours.has(e) {
				rt.Fatal("told to have what we do not have")
			}
		}
	})
}

// No salt makes anything look as another does: what two sessions say of the same
// sets has nothing in common but the bounds.
func TestSalt_makesSessionsUnlike(t *testing.T) {
	ours := setOf(random(rand.New(rand.NewPCG(27, 28)), 20))
	theirs := setOf(ours.elements[1:])
	said := func(salt reconcile.Salt) (m []byte) {
		_, err := converse(reconcile.NewSession(ours, salt, reconcile.Start, reconcile.End, wide), func(message []byte) []byte {
			answer := honest(t, theirs, wide)(message)
			m = slices.Concat(m, message[len(salt):], answer)
			return answer
		}, 10)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	a, b := said(reconcile.Salt{1}), said(reconcile.Salt{2})
	for i := 0; i+6 <= len(a); i++ {
		if at := bytes.Index(b, a[i:i+6]); at >= 0 && !bytes.Contains(bytes.Join(full(ours), nil), a[i:i+6]) {
			t.Errorf("%x in both", a[i:i+6])
		}
	}
}

// full are the elements of a set as they are written out.
func full(m *memory) (out [][]byte) {
	for _, e := range m.elements {
		out = append(out, slices.Concat(e.At[:], e.Key[:], e.ID[:]))
	}
	return out
}

// liar answers so that everything always differs, in as many ranges as there may be.
func liar(set reconcile.Set, r *rand.Rand) func(message []byte) []byte {
	return func(message []byte) []byte {
		for i := 0; i < 8 && len(message) > 40; i++ {
			message[len(message)-1-r.IntN(len(message)-20)] ^= 1
		}
		other := setOf(random(r, 2_000))
		answer, err := reconcile.Respond(other, reconcile.Start, reconcile.End, message, wide)
		if err != nil {
			answer, _ = reconcile.Respond(set, reconcile.Start, reconcile.End, message, wide)
		}
		return answer
	}
}

// With a peer that never agrees a session ends after its rounds, having read and
// sent no more than its limits allow.
func TestSession_peerThatNeverAgrees(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	ours := setOf(random(r, 5_000))
	l := reconcile.Limits{Bytes: reconcile.MinBytes, Items: 1_000, Rounds: 40}
	s := reconcile.NewSession(ours, reconcile.Salt{}, reconcile.Start, reconcile.End, l)
	talk, err := converse(s, liar(ours, r), l.Rounds)
	if err != nil && !errors.Is(err, reconcile.ErrMessage) {
		t.Fatal(err)
	}
	if talk.messages > l.Rounds || talk.sent > l.Rounds*reconcile.MinBytes {
		t.Errorf("%d messages of %d bytes", talk.messages, talk.sent)
	}
}

// An answer of nothing but ranges that differ is bounded in what it makes the
// session keep: what is too much is asked again as one range.
func TestSession_keepsABoundedNumberOfRanges(t *testing.T) {
	ours := setOf(random(rand.New(rand.NewPCG(13, 14)), 100))
	s := reconcile.NewSession(ours, reconcile.Salt{}, reconcile.Start, reconcile.End, reconcile.Limits{Bytes: 16 << 10, Items: 1, Rounds: 100})
	_, message, err := s.Step(nil)
	for round := 0; err == nil && message != nil; round++ {
		// Asked about one range, it says of 30,000 parts of it that they differ.
		from := s.Rest()
		var answer []byte
		for i := range 30_000 {
			bound := binary.BigEndian.AppendUint16([]byte(from), uint16(2*i+1))
			answer = append(binary.AppendUvarint(answer, uint64(len(bound))<<4|1), bound...)
			answer = append(answer, 1, 1, 2, 3, 4, 5, 6, 7, 8)
		}
		_, message, err = s.Step(answer)
		if n := s.Open(); n > reconcile.MaxOpen {
			t.Fatalf("%d ranges kept", n)
		}
		if round > 100 {
			t.Fatal("it does not end")
		}
	}
	if err != nil && !errors.Is(err, reconcile.ErrMessage) {
		t.Fatal(err)
	}
}

// One message costs the one who answers no more than the limits allow, whatever is
// asked, and the answer is no larger.
func TestRespond_bounded(t *testing.T) {
	set := setOf(random(rand.New(rand.NewPCG(15, 16)), 100_000))
	var message []byte
	message = append(message, make([]byte, 17)...)
	for i := range 32_000 { // of each of so many ranges it says that it has nothing there
		bound := binary.BigEndian.AppendUint16(nil, uint16(2*i+1))
		message = append(message, 2<<4|1, bound[0], bound[1], 0)
	}
	for _, l := range []reconcile.Limits{{Bytes: 16 << 10, Items: 1 << 20}, {Bytes: 1 << 20, Items: 1_000}, {Bytes: 1 << 20, Items: 1}} {
		set.read = 0
		answer, err := reconcile.Respond(set, reconcile.Start, reconcile.End, message, l)
		if err != nil {
			t.Fatal(err)
		}
		if len(answer) == 0 || len(answer) > l.Bytes || set.read > l.Items+256 {
			t.Errorf("%+v: %d bytes, %d elements read", l, len(answer), set.read)
		}
	}
}

// dishonest are ranges that no honest peer sends.
func dishonest() map[string][]byte {
	element := append([]byte{0}, bytes.Repeat([]byte{0x90}, 96)...) // all of its coordinate, its key, its id
	return map[string][]byte{
		"bound that ends in zero":      {1 << 4, 0},
		"bound of 97 bytes":            append([]byte{0x90, 0x0c}, make([]byte, 97)...),
		"bounds that do not ascend":    {1 << 4, 5, 1 << 4, 5},
		"nothing of a place":           {8},
		"inside a place, ends in zero": {1<<4 | 8, 0},
		"65 bytes inside a place":      append([]byte{0x98, 0x08}, make([]byte, 65)...),
		"range after the last":         {0, 0},
		"unknown mode":                 {7},
		"answer instead of a question": {5, 0},
		"number in two bytes":          {0x80, 0},
		"cut within a mark":            {1, 3, 1, 2},
		"more digests than bytes":      {2, 100, 1},
		"more digests than allowed":    append([]byte{2, 0x81, 0x01}, make([]byte, 129*8)...),
		"index of 2^31":                append([]byte{4, 1}, binary.AppendUvarint(nil, 1<<31)...),
		"33 bytes of a coordinate":     append([]byte{5, 1, 33}, element...),
		"element outside its range":    append([]byte{1<<4 | 5, 0x80, 1}, element...),
		"element twice":                append(append([]byte{5, 2}, element...), element...),
		"more ranges than allowed":     manyRanges(1<<15 + 1),
	}
}

// manyRanges are n ranges of which nothing is said.
func manyRanges(n int) (b []byte) {
	for i := range n {
		b = append(b, 3<<4, byte(i>>8), byte(i), 1)
	}
	return b
}

func TestRespond_refuses(t *testing.T) {
	set := setOf(random(rand.New(rand.NewPCG(17, 18)), 10))
	head := make([]byte, 17)
	for name, ranges := range dishonest() {
		if _, err := reconcile.Respond(set, reconcile.Start, reconcile.End, slices.Concat(head, ranges), wide); !errors.Is(err, reconcile.ErrMessage) {
			t.Errorf("%s: %v", name, err)
		}
	}
	from, to := reconcile.Under([32]byte{0x80}, 1)
	for name, message := range map[string][]byte{
		"empty":               {},
		"only a salt":         make([]byte, 16),
		"about another range": slices.Concat(head, []byte{0}),
	} {
		if _, err := reconcile.Respond(set, from, to, message, wide); !errors.Is(err, reconcile.ErrMessage) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever a stranger asks, the answer keeps to the limits and is one that a
// session understands.
func FuzzRespond(f *testing.F) {
	set := setOf(random(rand.New(rand.NewPCG(19, 20)), 1_000))
	other := setOf(append(random(rand.New(rand.NewPCG(21, 22)), 40), set.elements[:900]...))
	small := reconcile.Limits{Bytes: reconcile.MinBytes, Items: 2_000}
	_, err := converse(reconcile.NewSession(other, reconcile.Salt{}, reconcile.Start, reconcile.End, small), func(m []byte) []byte {
		f.Add(m)
		return honest(f, set, small)(m)
	}, 100)
	if err != nil {
		f.Fatal(err)
	}
	for _, ranges := range dishonest() {
		f.Add(slices.Concat(make([]byte, 17), ranges))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		answer, err := reconcile.Respond(set, reconcile.Start, reconcile.End, message, small)
		if err != nil && !errors.Is(err, reconcile.ErrMessage) {
			t.Fatal(err)
		}
		if len(answer) > small.Bytes {
			t.Fatalf("an answer of %d bytes", len(answer))
		}
	})
}

// Whatever is answered, a session takes it or refuses it, tells nothing of ours
// that is not ours, and what it tells of theirs lies in the range.
func FuzzSession(f *testing.F) {
	set := setOf(random(rand.New(rand.NewPCG(23, 24)), 300))
	other := setOf(append(random(rand.New(rand.NewPCG(25, 26)), 40), set.elements[:280]...))
	var seeds []byte
	_, err := converse(reconcile.NewSession(set, reconcile.Salt{}, reconcile.Start, reconcile.End, wide), func(m []byte) []byte {
		answer := honest(f, other, wide)(m)
		seeds = append(binary.AppendUvarint(seeds, uint64(len(answer))), answer...)
		f.Add(slices.Clone(seeds))
		return answer
	}, 100)
	if err != nil {
		f.Fatal(err)
	}
	for _, ranges := range dishonest() {
		f.Add(append(binary.AppendUvarint(nil, uint64(len(ranges))), ranges...))
	}
	for _, a := range [][]byte{oneListed, halfDiffers, nothingMore, noneLacked, lacked201st} {
		f.Add(append([]byte{byte(len(a))}, a...))
	}
	f.Fuzz(func(t *testing.T, answers []byte) {
		s := reconcile.NewSession(set, reconcile.Salt{}, reconcile.Start, reconcile.End, reconcile.Limits{Items: 1_000, Rounds: 20})
		talk, err := converse(s, func([]byte) []byte {
			n, w := binary.Uvarint(answers)
			if w <= 0 || n > uint64(len(answers)-w) {
				return nil
			}
			answer := answers[w:][:n]
			answers = answers[w:][n:]
			return answer
		}, 20)
		if err != nil && !errors.Is(err, reconcile.ErrMessage) {
			t.Fatal(err)
		}
		ours, _ := sides(talk.found)
		if n := len(difference(setOf(ours), set)); n > 0 {
			t.Fatalf("%d elements told that are not here", n)
		}
	})
}
