package dht_test

import (
	"math"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"pgregory.net/rapid"

	"github.com/starling-social/starling/protocol/dht"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// What nodes do and what becomes of them.
func TestReputation_table(t *testing.T) {
	t.Parallel()
	type did struct {
		what  dht.Evidence
		times int
	}
	for name, c := range map[string]struct {
		did        []did
		least      float64
		most       float64
		banned     bool
		honestyHas float64 // at least
	}{
		"nothing":                       {nil, 0.5, 0.5, false, 0.5},
		"honest":                        {[]did{{dht.Answered, 50}, {dht.ValidRecord, 50}}, 0.85, 1, false, 0.5},
		"answers half of the time":      {[]did{{dht.Answered, 20}, {dht.TimedOut, 20}}, 0.25, 0.5, false, 0.5},
		"gone for a day":                {[]did{{dht.Answered, 1}, {dht.TimedOut, 500}}, 0.25, 0.25, false, 0.5},
		"never answered":                {[]did{{dht.TimedOut, 500}}, 0.5, 0.5, false, 0.5},
		"one broken record":             {[]did{{dht.InvalidRecord, 1}}, 0.2, 0.4, false, 0.2},
		"two from a stranger":           {[]did{{dht.InvalidRecord, 2}}, 0, 0, true, 0},
		"one after a long honest life":  {[]did{{dht.ValidRecord, 500}, {dht.InvalidRecord, 1}}, 0.7, 1, false, 0.5},
		"many after a long honest life": {[]did{{dht.ValidRecord, 500}, {dht.InvalidRecord, 18}}, 0, 0, true, 0},
		"answers well and gives rubbish": {
			[]did{{dht.Answered, 500}, {dht.InvalidRecord, 2}}, 0, 0, true, 0,
		},
	} {
		r := dht.NewReputation()
		for _, d := range c.did {
			for range d.times {
				r.Note("p", d.what, noon)
			}
		}
		if got := r.Score("p", noon); got < c.least || got > c.most {
			t.Errorf("%s: score %.2f, want %.2f to %.2f", name, got, c.least, c.most)
		}
		if got := r.Banned("p", noon); got != c.banned {
			t.Errorf("%s: banned %v", name, got)
		}
		if got := r.Honesty("p", noon); got < c.honestyHas {
			t.Errorf("%s: honesty %.2f, want at least %.2f", name, got, c.honestyHas)
		}
	}
}

// Who names nodes that are not there sinks until it is banned, one search after the
// other; who names as many as everybody does not.
func TestReputation_namers(t *testing.T) {
	t.Parallel()
	r := dht.NewReputation()
	for i := range 12 {
		for p, over := range dht.Excess(map[peer.ID]float64{"liar": 1, "a": 0.3, "b": 0.25, "c": 0.35, "d": 0.3}) {
			if r.Named(p, over, noon.Add(time.Duration(i)*time.Second)) && p != "liar" {
				t.Fatalf("%s is banned", p)
			}
		}
	}
	if !r.Banned("liar", noon) {
		t.Errorf("a liar is not banned, but at %.2f", r.Score("liar", noon))
	}
	for _, p := range []peer.ID{"a", "b", "c", "d"} {
		if s := r.Score(p, noon); s < 0.8 {
			t.Errorf("%s is at %.2f", p, s)
		}
	}
}

// When nine of ten nodes are gone, everybody names such, and nobody is held to it; nor
// where there is nothing to compare with.
func TestExcess_outage(t *testing.T) {
	t.Parallel()
	for p, over := range dht.Excess(map[peer.ID]float64{"a": 0.9, "b": 0.95, "c": 0.85, "d": 0.93}) {
		if over > 0.6 {
			t.Errorf("%s is blamed for %.2f", p, over)
		}
	}
	if got := dht.Excess(map[peer.ID]float64{"a": 1, "b": 0}); len(got) != 0 {
		t.Errorf("two are compared: %v", got)
	}
}

// Whatever is seen, scores stay between 0 and 1, evidence moves them the right way and
// no further than time-outs may, and all decays to neutral; the good of one kind does
// not wash off the bad of another.
func TestReputation_properties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := dht.NewReputation()
		now := noon
		lied := false
		for range rapid.IntRange(0, 200).Draw(t, "steps") {
			e := dht.Evidence(rapid.IntRange(0, 3).Draw(t, "evidence"))
			now = now.Add(time.Duration(rapid.IntRange(0, 600).Draw(t, "seconds")) * time.Second)
			lied = lied || e == dht.InvalidRecord
			before, wasBanned := r.Score("p", now), r.Banned("p", now)
			r.Note("p", e, now)
			after := r.Score("p", now)
			good := e == dht.Answered || e == dht.ValidRecord
			switch {
			case after < 0 || after > 1 || math.IsNaN(after):
				t.Fatalf("score %v", after)
			case good && after < before-1e-9, !good && after > before+1e-9:
				t.Fatalf("evidence %d moved the score from %.4f to %.4f", e, before, after)
			case !lied && (after < dht.TimeoutFloor || r.Banned("p", now)):
				t.Fatalf("an honest node is at %.2f, banned %v", after, r.Banned("p", now))
			case good && !wasBanned && r.Banned("p", now):
				t.Fatal("banned for a good deed")
			}
		}
		now = now.Add(dht.LongBan + 20*dht.HalfLife)
		if s := r.Score("p", now); math.Abs(s-dht.Neutral) > 0.01 {
			t.Fatalf("long after, the score is %.3f", s)
		}
	})
}

// Bans are short, longer for who does not learn, and as new after a good day.
func TestReputation_bansEnd(t *testing.T) {
	t.Parallel()
	r, now := dht.NewReputation(), noon
	var lengths []time.Duration
	for range 8 {
		for !r.Note("p", dht.InvalidRecord, now) {
		}
		length := time.Duration(0)
		for ; r.Banned("p", now); length += time.Minute {
			now = now.Add(time.Minute)
		}
		lengths = append(lengths, length)
	}
	for i, got := range lengths {
		if want := min(dht.FirstBan<<i, dht.LongBan); got != want {
			t.Errorf("ban %d lasts %s, want %s", i, got, want)
		}
	}
	now = now.Add(dht.BanMemory + time.Hour)
	for !r.Note("p", dht.InvalidRecord, now) {
	}
	if r.Banned("p", now.Add(dht.FirstBan)) {
		t.Error("a ban from long ago is remembered")
	}
}

// However many there are, memory is bounded, and fresh ids do not flush bans.
func TestReputation_bounded(t *testing.T) {
	t.Parallel()
	r := dht.NewReputation()
	for !r.Note("liar", dht.InvalidRecord, noon) {
	}
	for i := range 3 * dht.MaxAccounts {
		r.Note(numbered(i), dht.Answered, noon)
	}
	if !r.Banned("liar", noon) {
		t.Error("a flood of ids has lifted a ban")
	}
	for i := range 2 * dht.MaxBans {
		for !r.Note(numbered(i), dht.InvalidRecord, noon.Add(time.Minute)) {
		}
	}
	if r.Accounts() > dht.MaxAccounts || r.Bans() > dht.MaxBans {
		t.Errorf("remembers %d accounts and %d bans", r.Accounts(), r.Bans())
	}
}

// Bans can be written down and read again; what is damaged, or from a clock that was
// wrong, bans nobody for long.
func TestReputation_keepsBans(t *testing.T) {
	t.Parallel()
	r := dht.NewReputation()
	liar, err := peer.IDFromPrivateKey(keyOf(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	for !r.Note(liar, dht.InvalidRecord, noon) {
	}
	b, changed, err := r.Encode(noon)
	if err != nil || !changed {
		t.Fatalf("changed %v, %v", changed, err)
	}
	if _, changed, _ := r.Encode(noon); changed {
		t.Error("the same bans are news again")
	}
	next := dht.NewReputation()
	if err := next.Decode(b, noon.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if !next.Banned(liar, noon.Add(time.Minute)) || next.Banned(liar, noon.Add(dht.FirstBan)) || next.BanCount(noon) != 1 {
		t.Error("the ban is not what it was")
	}
	past := dht.NewReputation()
	if err := past.Decode(b, noon.AddDate(-3, 0, 0)); err != nil || past.Banned(liar, noon.AddDate(-3, 0, 0).Add(dht.LongBan)) {
		t.Errorf("a ban from the future lasts for years: %v", err)
	}
	for _, damaged := range []string{"", "{", "null", `[{"peer":"x"}]`, `[{"until":"x"}]`} {
		_ = next.Decode([]byte(damaged), noon)
	}
	if err := next.Decode(make([]byte, 1<<20), noon); err == nil {
		t.Error("a megabyte of bans is read")
	}
}

func FuzzReputation_decode(f *testing.F) {
	f.Add([]byte(`[{"peer":"12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X","until":"2026-11-21T12:10:00Z","times":1}]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := dht.NewReputation()
		if r.Decode(b, noon) != nil {
			return
		}
		if r.Bans() > dht.MaxBans {
			t.Fatalf("%d bans", r.Bans())
		}
		if r.BanCount(noon.Add(dht.LongBan)) > 0 {
			t.Fatal("somebody is banned for too long")
		}
	})
}
