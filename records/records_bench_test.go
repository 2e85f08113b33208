package records_test

import (
	"context"
	"crypto/ed25519"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/starling-social/starling/records"
)

// usualPost is a post of about 300 bytes of payload: 140 characters, two tags and a mention.
func usualPost(b *testing.B, i int) records.Draft {
	b.Helper()
	d, err := records.NewPost(records.MillisOf(noon), salt(i),
		records.PostHead{Tags: []records.Tag{"go", "libp2p"}, Mentions: []records.User{person(1).User()}},
		records.PostBody{Text: strings.Repeat("text with a meaning ", 7)})
	if err != nil {
		b.Fatal(err)
	}
	return d
}

// against runs f, and reports how many times what the bare operation takes it
// takes: the median of many turns in which both are timed one after the other,
// so that a busy machine slows both.
func against(b *testing.B, unit string, bare, f func()) {
	b.Helper()
	const turn, every = 10, 100
	timed := func(f func()) float64 {
		began := time.Now()
		for range turn {
			f()
		}
		return float64(time.Since(began))
	}
	var ratios []float64
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if n%every == 0 {
			b.StopTimer()
			ratios = append(ratios, timed(f)/timed(bare))
			b.StartTimer()
		}
		f()
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], unit)
}

// Opening a post, beside the signature check that it cannot do without.
func BenchmarkOpen(b *testing.B) {
	r := seal(b, testNet, person(0), usualPost(b, 0))
	message := payloadOf(r.Bytes())
	signature := ed25519.Sign(ed25519.NewKeyFromSeed(make([]byte, 32)), message)
	key := ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey)
	against(b, "x_verify", func() {
		if !ed25519.Verify(key, message, signature) {
			b.Fatal("does not verify")
		}
	}, func() {
		if _, err := records.Open(r.Bytes(), testNet, noon); err != nil {
			b.Fatal(err)
		}
	})
}

// Refusing junk, beside the signature check that it is spared.
func BenchmarkOpen_refused(b *testing.B) {
	n := records.MainNetwork()
	good := seal(b, testNet, person(0), usualPost(b, 0)).Bytes()
	message, key := payloadOf(good), ed25519.NewKeyFromSeed(make([]byte, 32))
	signature, public := ed25519.Sign(key, message), key.Public().(ed25519.PublicKey)
	for name, envelope := range map[string][]byte{
		"work": records.SealPayload(n, person(0), message), "network": good, "size": make([]byte, records.MaxRecord+1),
	} {
		b.Run(name, func(b *testing.B) {
			against(b, "x_verify", func() { ed25519.Verify(public, message, signature) }, func() {
				if _, err := records.Open(envelope, n, noon); err == nil {
					b.Fatal("opened")
				}
			})
		})
	}
}

// What was opened before, beside opening it.
func BenchmarkDoor_known(b *testing.B) {
	door := records.NewDoor(testNet, 8)
	r := seal(b, testNet, person(0), usualPost(b, 0))
	against(b, "x_open", func() { _, _ = records.Open(r.Bytes(), testNet, noon) }, func() {
		if _, err := door.Open(r.Bytes(), noon); err != nil {
			b.Fatal(err)
		}
	})
}

// The way back from the disk, beside opening.
func BenchmarkRestore(b *testing.B) {
	r := seal(b, testNet, person(0), usualPost(b, 0))
	against(b, "x_open", func() { _, _ = records.Open(r.Bytes(), testNet, noon) }, func() {
		if _, err := records.Restore(r.Bytes(), r.Digest(), testNet); err != nil {
			b.Fatal(err)
		}
	})
}

// Sealing without work, beside the signature.
func BenchmarkSeal(b *testing.B) {
	d := usualPost(b, 0)
	author := person(0)
	message, key := payloadOf(seal(b, testNet, author, d).Bytes()), ed25519.NewKeyFromSeed(make([]byte, 32))
	against(b, "x_sign", func() { ed25519.Sign(key, message) }, func() {
		if _, err := records.Seal(context.Background(), testNet, records.AuthorSigner(author), d); err != nil {
			b.Fatal(err)
		}
	})
}

// Hashes a second of proving work: 2^20 of them is the smallest post's on the
// public network.
func BenchmarkWork(b *testing.B) {
	payload := payloadOf(seal(b, testNet, person(0), usualPost(b, 0)).Bytes())
	const bits = 12
	hashes := 0
	for i := 0; b.Loop(); i++ {
		payload[len(payload)-10] = byte(i)
		if err := records.Prove(context.Background(), testNet, payload, bits); err != nil {
			b.Fatal(err)
		}
		hashes += 1 << bits // expected
	}
	b.ReportMetric(float64(hashes)/b.Elapsed().Seconds(), "hashes/s")
}

// Merging into the state of a full bucket.
func BenchmarkState_merge(b *testing.B) {
	const n = 1 << 10
	author := person(0).User()
	rs := make([]*records.Record, n)
	for i := range rs {
		rs[i] = forge(b, testNet, author, draftPost(b, i, records.MillisOf(noon)+records.Millis(i*i%977), records.PostHead{}))
	}
	month := records.UserPlace(author).At(records.LevelMonth, rs[0])
	b.ReportAllocs()
	s := records.NewState(testNet, month)
	for i := 0; b.Loop(); i++ {
		if i%n == 0 {
			s = records.NewState(testNet, month)
		}
		s.Merge(rs[i%n])
	}
}

// Working out where a post belongs, down to the minute, as a writer does.
func BenchmarkPlace_coordinate(b *testing.B) {
	r := seal(b, testNet, person(0), usualPost(b, 0))
	b.ReportAllocs()
	for b.Loop() {
		for _, root := range r.Roots() {
			_ = root.At(records.LevelMonth, r).Coordinate()
		}
	}
}

// A page of 50 posts of dense traffic, every bucket at hand.
func BenchmarkWalk_page(b *testing.B) {
	now := records.MillisOf(noon)
	s := newStream(b, spaced(now-4*day, now, 8000))
	s.until(now)
	b.ReportAllocs()
	for b.Loop() {
		if out := s.read(s.root, records.Newest, now, 50); len(out.page.Records) != 50 {
			b.Fatal("not a page")
		}
	}
}

func BenchmarkNormalizeTag(b *testing.B) {
	for name, tag := range map[string]string{"ascii": "golang", "folded": "Straße", "other": "日本語"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := records.NormalizeTag(tag); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
