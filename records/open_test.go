package records_test

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/records/pb"
)

// What was sealed opens as the same record.
func TestOpen_everyKind(t *testing.T) {
	for _, s := range samples(t) {
		sealed := seal(t, testNet, person(0), s.draft)
		opened, err := records.Open(sealed.Bytes(), testNet, noon.Add(records.MaxAhead))
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		sameRecord(t, s.name, opened, sealed)
		if !reflect.DeepEqual(opened.Head(), s.draft.Head) || !bytes.Equal(opened.Body(), s.draft.Body) || opened.Deleted() != (s.draft.Body == nil) {
			t.Errorf("%s: head %+v, body %x", s.name, opened.Head(), opened.Body())
		}
		restored, err := records.Restore(sealed.Bytes(), sealed.Digest(), testNet)
		if err != nil {
			t.Errorf("%s: restore: %v", s.name, err)
			continue
		}
		sameRecord(t, s.name+" restored", restored, sealed)
	}
}

func sameRecord(t *testing.T, name string, got, want *records.Record) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %+v, want %+v", name, got, want)
	}
}

// A post says what its author wrote.
func TestOpen_post(t *testing.T) {
	want := fullPost()
	r, err := records.Open(seal(t, testNet, person(0), samples(t)[2].draft).Bytes(), testNet, noon)
	if err != nil {
		t.Fatal(err)
	}
	head, body, ok := r.Post()
	if !ok || !reflect.DeepEqual(head, want.head) || !reflect.DeepEqual(body, want.body) {
		t.Errorf("%+v %+v %t", head, body, ok)
	}
}

// One flipped bit, one byte more or less, anywhere: nothing opens.
func TestOpen_damaged(t *testing.T) {
	for _, s := range []int{0, 2, 5, 8} {
		good := seal(t, testNet, person(0), samples(t)[s].draft).Bytes()
		for i := range good {
			for bit := range 8 {
				bad := bytes.Clone(good)
				bad[i] ^= 1 << bit
				mustNotOpen(t, bad)
			}
			mustNotOpen(t, good[:i])
			mustNotOpen(t, slices.Concat(good[:i], good[i+1:]))
			mustNotOpen(t, slices.Concat(good[:i], good[i:i+1], good[i:]))
		}
	}
}

func mustNotOpen(t *testing.T, b []byte) {
	t.Helper()
	if r, err := records.Open(b, testNet, noon); err == nil {
		t.Fatalf("opened %x as %s", b, r.ID())
	}
}

// The cheap checks come first: of several faults the cheapest to see is the
// reason, so that too little work is refused before anything is decoded or
// verified.
func TestOpen_cheapestFirst(t *testing.T) {
	n := workNetwork(t, 10)
	p := plainPayload(t)
	p.Kind, p.Rev = 99, math.MaxUint64
	p.Certificate = &pb.Certificate{Device: make([]byte, 32), Signature: make([]byte, 64)}
	worked := false
	for _, step := range []struct {
		reason error
		mend   func()
	}{
		{records.ErrWork, func() { worked = true }},
		{records.ErrMalformed, func() { p.Kind = pb.Kind_KIND_POST }},
		{records.ErrFuture, func() { p.Rev = uint64(records.RevAt(records.MillisOf(noon))) }},
		{records.ErrCertificate, func() { p.Certificate = nil }},
		{records.ErrSignature, func() {}},
	} {
		payload := append(mustMarshal(t, p), noWork...)
		if worked {
			if err := records.Prove(t.Context(), n, payload, n.WorkBits(len(payload), 1)); err != nil {
				t.Fatal(err)
			}
		}
		b := records.SealPayload(n, person(0), payload)
		b[len(b)-1] ^= 1
		if _, err := records.Open(b, n, noon); !errors.Is(err, step.reason) {
			t.Fatalf("%v, want %v", err, step.reason)
		}
		step.mend()
	}
}

// Refusing costs little memory, whatever is sent.
func TestOpen_refusesWithoutAllocating(t *testing.T) {
	for name, limit := range map[string]float64{"no work": 12, "8193 bytes": 6, "thousand tags": 40, "a length of 2^64-1": 20} {
		i := slices.IndexFunc(refusals(t), func(r refusal) bool { return r.name == name })
		c := refusals(t)[i]
		if n := testing.AllocsPerRun(100, func() { _, _ = records.Open(c.envelope, c.network, c.now) }); n > limit {
			t.Errorf("%s: %v allocations, at most %v", name, n, limit)
		}
	}
}

// A revision may lie 2 minutes ahead, to the millisecond.
func TestOpen_futureRevision(t *testing.T) {
	at := func(d time.Duration) error {
		p := plainPayload(t)
		p.Rev = uint64(records.RevAt(records.MillisOf(noon.Add(d))))
		_, err := records.Open(sealMessage(t, p), testNet, noon)
		return err
	}
	for _, d := range []time.Duration{0, time.Minute, 2*time.Minute - time.Millisecond, 2 * time.Minute} {
		if err := at(d); err != nil {
			t.Errorf("%s ahead: %v", d, err)
		}
	}
	for _, d := range []time.Duration{2*time.Minute + time.Millisecond, time.Hour} {
		if err := at(d); !errors.Is(err, records.ErrFuture) {
			t.Errorf("%s ahead: %v", d, err)
		}
	}
}

// There is no lower bound: what is old is simply old.
func TestOpen_oldRevision(t *testing.T) {
	p := plainPayload(t)
	p.Created, p.Rev = 0, 0
	if _, err := records.Open(sealMessage(t, p), testNet, noon); err != nil {
		t.Errorf("a post of 1970: %v", err)
	}
}

// Fields of the future are kept, because the bytes are.
func TestOpen_unknownFields(t *testing.T) {
	p := plainPayload(t)
	p.ProtoReflect().SetUnknown([]byte{10 << 3, 1, 14<<3 | 2, 2, 'h', 'i'})
	b := sealMessage(t, p)
	r, err := records.Open(b, testNet, noon)
	if err != nil || !bytes.Equal(r.Bytes(), b) {
		t.Errorf("%v, bytes %x, want %x", err, r.Bytes(), b)
	}
}

// A record does not change when the bytes it was made from do, and nobody can
// append to what another reads.
func TestOpen_keepsItsOwnBytes(t *testing.T) {
	sealed := seal(t, testNet, person(0), samples(t)[2].draft)
	frame := append(bytes.Clone(sealed.Bytes()), "more of the frame"...)
	b := frame[:len(sealed.Bytes())]
	opened, err := records.Open(b, testNet, noon)
	if err != nil {
		t.Fatal(err)
	}
	restored, err := records.Restore(b, sealed.Digest(), testNet)
	if err != nil {
		t.Fatal(err)
	}
	clear(frame)
	sameRecord(t, "opened", opened, sealed)
	sameRecord(t, "restored", restored, sealed)
	if got := opened.Bytes(); cap(got) != len(got) {
		t.Errorf("room for %d bytes behind the record", cap(got)-len(got))
	}
}

// What the disk changed is not restored.
func TestRestore_damaged(t *testing.T) {
	r := seal(t, testNet, person(0), samples(t)[0].draft)
	for i := range r.Bytes() {
		bad := bytes.Clone(r.Bytes())
		bad[i] ^= 0x10
		if _, err := records.Restore(bad, r.Digest(), testNet); !errors.Is(err, records.ErrCorrupt) {
			t.Fatalf("byte %d: %v", i, err)
		}
	}
	if _, err := records.Restore(r.Bytes(), r.Digest(), mustTestNetwork("other")); !errors.Is(err, records.ErrWrongNetwork) {
		t.Errorf("in another network: %v", err)
	}
	if _, err := records.Restore(nil, records.DigestOf(nil), testNet); !errors.Is(err, records.ErrMalformed) {
		t.Errorf("nothing: %v", err)
	}
}

// The largest post there can be fits a record.
func TestOpen_largestPost(t *testing.T) {
	head := records.PostHead{Root: &records.Ref{Author: person(1).User()}, Parent: &records.Ref{Author: person(1).User()}}
	for i := range 6 {
		head.Tags = append(head.Tags, records.Tag(string(rune('a'+i))+string(bytes.Repeat([]byte("𐐨"), 63))))
	}
	body := records.PostBody{Text: string(bytes.Repeat([]byte("x"), records.MaxText))}
	for i := range records.MaxFacets {
		body.Facets = append(body.Facets, records.Facet{Start: i, End: i + 1, Link: "https://a"})
	}
	d, err := records.NewPost(records.MillisOf(noon), salt(1), head, body)
	if err != nil {
		t.Fatal(err)
	}
	r := seal(t, testNet, person(0), d)
	if _, err := records.Open(r.Bytes(), testNet, noon); err != nil {
		t.Error(err)
	}
}
