package datastore_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"github.com/starling-social/starling/datastore"
)

// backEnds are the ordered maps that must behave alike.
var backEnds = map[string]func(t *testing.T) datastore.KV{
	"memory": func(*testing.T) datastore.KV { return datastore.NewMemoryKV() },
	"disk": func(t *testing.T) datastore.KV {
		m, err := datastore.OpenDiskKV(t.TempDir(), vfs.Default)
		if err != nil {
			t.Fatal(err)
		}
		return m
	},
}

// onEach runs one case over every back end.
func onEach(t *testing.T, test func(t *testing.T, m datastore.KV)) {
	for name, open := range backEnds {
		t.Run(name, func(t *testing.T) {
			m := open(t)
			t.Cleanup(func() {
				if err := datastore.CloseKV(m); err != nil {
					t.Error(err)
				}
			})
			test(t, m)
		})
	}
}

func TestKV_getsWhatWasSet(t *testing.T) {
	onEach(t, func(t *testing.T, m datastore.KV) {
		write(t, m, set("a", "1"), set("b", ""), set("a", "2"))
		wantKV(t, m, map[string]string{"a": "2", "b": ""})
		write(t, m, remove("a"), remove("never there"))
		wantKV(t, m, map[string]string{"b": ""})
		write(t, m, remove("b"), set("b", "last write wins"))
		wantKV(t, m, map[string]string{"b": "last write wins"})
	})
}

func TestKV_emptyBatch(t *testing.T) {
	onEach(t, func(t *testing.T, m datastore.KV) {
		write(t, m)
		wantKV(t, m, map[string]string{})
	})
}

// The caller may reuse the buffers it wrote from and change what it was given.
func TestKV_copies(t *testing.T) {
	onEach(t, func(t *testing.T, m datastore.KV) {
		key, value := []byte("key"), []byte("value")
		var b datastore.Batch
		b.Set(key, value)
		key[0], value[0] = 'x', 'x'
		apply(t, m, &b)
		b.Reset()
		b.Set([]byte("KEY"), []byte("VALUE"))
		b.Reset()
		s := snapshot(t, m)
		defer datastore.CloseSnapshot(s)
		got, err := datastore.Get(s, []byte("key"))
		if err != nil || string(got) != "value" {
			t.Fatalf("got %q, %v", got, err)
		}
		got[0] = 'x'
		if again, err := datastore.Get(s, []byte("key")); err != nil || string(again) != "value" {
			t.Fatalf("a reader changed the store: %q, %v", again, err)
		}
	})
}

func TestKV_snapshotStaysAsItWas(t *testing.T) {
	onEach(t, func(t *testing.T, m datastore.KV) {
		write(t, m, set("a", "1"), set("b", "1"))
		before := snapshot(t, m)
		defer datastore.CloseSnapshot(before)
		write(t, m, set("a", "2"), remove("b"), set("c", "2"))
		wantPairs(t, before, datastore.NewSpan([]byte("a"), []byte("z"), false), []string{"a=1", "b=1"})
		wantKV(t, m, map[string]string{"a": "2", "c": "2"})
	})
}

// A batch written during a scan does not show in it.
func TestKV_writeDuringScan(t *testing.T) {
	onEach(t, func(t *testing.T, m datastore.KV) {
		for i := range 100 {
			write(t, m, set(fmt.Sprintf("%03d", i), "old"))
		}
		s := snapshot(t, m)
		defer datastore.CloseSnapshot(s)
		n := 0
		err := datastore.Scan(s, datastore.NewSpan([]byte("0"), []byte("1"), false), func(_, v []byte) bool {
			if n == 10 {
				write(t, m, set("050", "new"), set("0505", "new"), remove("060"))
			}
			if n++; string(v) != "old" {
				t.Errorf("saw %q", v)
			}
			return true
		})
		if err != nil || n != 100 {
			t.Fatalf("saw %d keys, %v", n, err)
		}
	})
}

func TestKV_scanBounds(t *testing.T) {
	onEach(t, func(t *testing.T, m datastore.KV) {
		write(t, m, set("a", ""), set("b", ""), set("ba", ""), set("b\xff", ""), set("b\xff\xff", ""), set("c", ""))
		s := snapshot(t, m)
		defer datastore.CloseSnapshot(s)
		for _, c := range []struct {
			span datastore.Span
			want []string
		}{
			{datastore.NewSpan([]byte("a"), []byte("b"), false), []string{"a="}},
			{datastore.NewSpan([]byte("a"), []byte("b"), true), []string{"a="}},
			{datastore.NewSpan([]byte("b"), []byte("c"), true), []string{"b\xff\xff=", "b\xff=", "ba=", "b="}},
			{datastore.NewSpan([]byte("b"), []byte("b"), false), nil},
			{datastore.NewSpan([]byte("b"), []byte("b"), true), nil},
			{datastore.NewSpan([]byte("d"), []byte("e"), true), nil},
			{datastore.Under([]byte("b")), []string{"b=", "ba=", "b\xff=", "b\xff\xff="}},
			{datastore.Under([]byte("b\xff")), []string{"b\xff=", "b\xff\xff="}},
		} {
			wantPairs(t, s, c.span, c.want)
		}
	})
}

func TestKV_scanStops(t *testing.T) {
	onEach(t, func(t *testing.T, m datastore.KV) {
		write(t, m, set("a", ""), set("b", ""), set("c", ""))
		s := snapshot(t, m)
		defer datastore.CloseSnapshot(s)
		for _, backward := range []bool{false, true} {
			n := 0
			err := datastore.Scan(s, datastore.NewSpan([]byte("a"), []byte("z"), backward), func(_, _ []byte) bool { n++; return n < 2 })
			if err != nil || n != 2 {
				t.Fatalf("visited %d, %v", n, err)
			}
		}
	})
}

// Any sequence of batches leaves a back end as it leaves a plain map.
func TestKV_likeAMap(t *testing.T) {
	onEach(t, func(t *testing.T, m datastore.KV) {
		model := map[string]string{}
		rapid.Check(t, func(rt *rapid.T) {
			key := rapid.StringMatching(`[abc]{1,3}`)
			var b datastore.Batch
			for range rapid.IntRange(0, 8).Draw(rt, "writes") {
				k := key.Draw(rt, "key")
				if rapid.Bool().Draw(rt, "remove") {
					b.Remove([]byte(k))
					delete(model, k)
					continue
				}
				v := rapid.String().Draw(rt, "value")
				b.Set([]byte(k), []byte(v))
				model[k] = v
			}
			apply(rt, m, &b)
			low, high := key.Draw(rt, "low"), key.Draw(rt, "high")
			if low > high {
				low, high = high, low
			}
			backward := rapid.Bool().Draw(rt, "backward")
			var want []string
			for _, k := range slices.Sorted(maps.Keys(model)) {
				if low <= k && k < high {
					want = append(want, k+"="+model[k])
				}
			}
			if backward {
				slices.Reverse(want)
			}
			s := snapshot(rt, m)
			defer datastore.CloseSnapshot(s)
			wantPairs(rt, s, datastore.NewSpan([]byte(low), []byte(high), backward), want)
		})
	})
}

// The B-tree serves several virtual-time bubbles in one process.
func TestKV_memoryInBubbles(t *testing.T) {
	for i := range 3 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := datastore.NewMemoryKV()
				done := make(chan struct{})
				go func() {
					defer close(done)
					s := snapshot(t, m)
					defer datastore.CloseSnapshot(s)
					wantPairs(t, s, datastore.NewSpan([]byte("a"), []byte("z"), false), nil)
				}()
				<-done
				write(t, m, set("a", "1"))
				wantKV(t, m, map[string]string{"a": "1"})
			})
		})
	}
}

type edit func(b *datastore.Batch)

func set(key, value string) edit {
	return func(b *datastore.Batch) { b.Set([]byte(key), []byte(value)) }
}
func remove(key string) edit { return func(b *datastore.Batch) { b.Remove([]byte(key)) } }

// fataler is a test or a property check.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func write(t fataler, m datastore.KV, edits ...edit) {
	t.Helper()
	var b datastore.Batch
	for _, e := range edits {
		e(&b)
	}
	apply(t, m, &b)
}

func snapshot(t fataler, m datastore.KV) datastore.Snapshot {
	t.Helper()
	s, err := datastore.TakeSnapshot(m)
	if err != nil {
		t.Fatalf("snapshot: %v", err)
	}
	return s
}

func apply(t fataler, m datastore.KV, b *datastore.Batch) {
	t.Helper()
	durable, err := datastore.Apply(m, b)
	if err == nil {
		err = durable()
	}
	if err != nil {
		t.Fatalf("apply: %v", err)
	}
}

// wantKV checks that the map holds want and nothing else.
func wantKV(t fataler, m datastore.KV, want map[string]string) {
	t.Helper()
	s := snapshot(t, m)
	defer datastore.CloseSnapshot(s)
	var pairs []string
	for _, k := range slices.Sorted(maps.Keys(want)) {
		pairs = append(pairs, k+"="+want[k])
		if v, err := datastore.Get(s, []byte(k)); err != nil || string(v) != want[k] {
			t.Fatalf("get %q: got %q, %v; want %q", k, v, err, want[k])
		}
	}
	if _, err := datastore.Get(s, []byte("absent")); !errors.Is(err, datastore.ErrNoKey) {
		t.Fatalf("get of an absent key: %v", err)
	}
	wantPairs(t, s, datastore.NewSpan([]byte{0}, bytes.Repeat([]byte{0xff}, 8), false), pairs)
}

func wantPairs(t fataler, s datastore.Snapshot, sp datastore.Span, want []string) {
	t.Helper()
	var got []string
	if err := datastore.Scan(s, sp, func(k, v []byte) bool { got = append(got, string(k)+"="+string(v)); return true }); err != nil {
		t.Fatalf("scan: %v", err)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("scan: got %q, want %q", got, want)
	}
}
