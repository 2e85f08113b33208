package datastore_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/records"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(envHold); dir != "" {
		if err := hold(dir); err != nil {
			panic(err)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// bg is for calls that nothing ends.
var bg = context.Background()

var lastCoordinate = records.Coordinate(bytes.Repeat([]byte{0xff}, 32))

// stores are the two kinds of store, which must behave alike.
var stores = map[string]func(testing.TB) *datastore.Store{
	"memory": func(t testing.TB) *datastore.Store { return closing(t, datastore.OpenMemory(network(t))) },
	"disk":   func(t testing.TB) *datastore.Store { return openIn(t, t.TempDir()) },
}

// onBoth runs one case over every kind of store.
func onBoth(t *testing.T, test func(t *testing.T, s *datastore.Store)) {
	for name, open := range stores {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func openIn(t testing.TB, dir string) *datastore.Store {
	t.Helper()
	return closing(t, openDir(t, dir, network(t)))
}

func closing(t testing.TB, s *datastore.Store) *datastore.Store {
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func network(t testing.TB) records.Network {
	t.Helper()
	n, err := records.TestNetwork("datastore")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestOpen_again(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "on", "the", "way")
	puts := putsAt(records.LevelMonth, newWriter(t, network(t)).posts(80)...)
	s := openDir(t, dir, network(t))
	mergeAll(t, s, puts)
	before, stats := entries(t, s), s.Stats()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openIn(t, dir)
	if after := entries(t, s); len(after) != len(before) || s.Stats() != stats {
		t.Fatalf("%d entries and %+v, had %d and %+v", len(after), s.Stats(), len(before), stats)
	}
	if err := datastore.Audit(s); err != nil {
		t.Fatal(err)
	}
}

// The second to come is told, by whatever name it calls the directory, and may
// come again when the first has gone.
func TestOpen_locked(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	s := openIn(t, dir)
	for _, name := range []string{dir, dir + "/.", link} {
		if _, err := datastore.Open(datastore.Config{Dir: name, Network: network(t)}); !errors.Is(err, datastore.ErrLocked) {
			t.Errorf("open %s: %v, want ErrLocked", name, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	openIn(t, dir)
}

func TestOpen_notADirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below")} {
		_, err := datastore.Open(datastore.Config{Dir: dir, Network: network(t)})
		if err == nil || errors.Is(err, datastore.ErrLocked) || !strings.Contains(err.Error(), file) {
			t.Errorf("open %s: %v", dir, err)
		}
	}
}

func TestOpen_anotherNetwork(t *testing.T) {
	dir := t.TempDir()
	if err := openDir(t, dir, network(t)).Close(); err != nil {
		t.Fatal(err)
	}
	_, err := datastore.Open(datastore.Config{Dir: dir, Network: records.MainNetwork()})
	if !errors.Is(err, datastore.ErrForeign) || !strings.Contains(err.Error(), network(t).ID()) {
		t.Fatalf("got %v, want ErrForeign and the network's id", err)
	}
	openIn(t, dir) // and the refusal left nothing locked
}

func TestOpen_formats(t *testing.T) {
	for _, c := range []struct {
		name string
		edit edit
		want error
	}{
		{"newer", set("mformat", "\x03"), datastore.ErrNewer},
		{"much newer", set("mformat", "\xff\xff\x03"), datastore.ErrNewer},
		{"zero", set("mformat", "\x00"), datastore.ErrNotStore},
		{"nonsense", set("mformat", "one"), datastore.ErrNotStore},
		{"another database", func(b *datastore.Batch) { b.Remove([]byte("mformat")) }, datastore.ErrNotStore},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := datastore.NewMemoryKV()
			if err := openOn(t, m, network(t)).Close(); err != nil {
				t.Fatal(err)
			}
			write(t, m, c.edit)
			if _, err := datastore.OpenOn(m, network(t)); !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
		})
	}
}

// After Close every call ends with ErrClosed and nothing reaches the map below.
func TestCloseFencesStore(t *testing.T) {
	onEach(t, func(t *testing.T, m datastore.KV) {
		var fence fence
		s := openOn(t, fence.around(m), network(t))
		puts := putsAt(records.LevelMonth, newWriter(t, network(t)).posts(3)...)
		mergeAll(t, s, puts)
		for range 2 {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		reads := fence.reads.Load()
		key := puts[0].Record.ItemKey()
		for name, call := range map[string]func() error{
			"merge":       func() error { _, err := s.Merge(bg, puts); return err },
			"bucket":      func() error { _, err := s.Bucket(records.Query{Place: puts[0].Place}); return err },
			"record":      func() error { _, err := s.Record(key); return err },
			"fingerprint": func() error { _, err := s.Fingerprint(lastCoordinate, 8); return err },
			"places":      func() error { _, err := s.Fingerprint(lastCoordinate, 200); return err },
			"carried":     func() error { return s.Carried(bg, puts[:1]) },
			"entries":     func() error { return firstError(s.All()) },
			"displaced":   func() error { return firstError(s.Displaced()) },
			"damaged":     func() error { return firstError(s.Damaged()) },
			"put":         func() error { return s.Datastore().Put(bg, dsKey, nil) },
			"get":         func() error { _, err := s.Datastore().Get(bg, dsKey); return err },
			"has":         func() error { _, err := s.Datastore().Has(bg, dsKey); return err },
			"query":       func() error { return queryAll(s) },
		} {
			if err := call(); !errors.Is(err, datastore.ErrClosed) {
				t.Errorf("%s: got %v, want ErrClosed", name, err)
			}
		}
		if n := fence.reads.Load() - reads; n != 0 || fence.late.Load() != 0 {
			t.Errorf("%d reads after Close, %d calls after the map was closed", n, fence.late.Load())
		}
	})
}

// Those who wait when the store is closed get their result or ErrClosed, and all
// that was acknowledged is there.
func TestClose_whileMerging(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir, network(t))
	puts := putsAt(levelHour, newWriter(t, network(t)).posts(400)...)
	var wg sync.WaitGroup
	var mu sync.Mutex // protects acknowledged
	acknowledged := map[records.ItemKey]bool{}
	begun := make(chan struct{}, len(puts))
	for _, p := range puts {
		wg.Go(func() {
			begun <- struct{}{}
			_, err := s.Merge(bg, []records.Put{p})
			switch {
			case err == nil:
				mu.Lock()
				defer mu.Unlock()
				acknowledged[p.Record.ItemKey()] = true
			case !errors.Is(err, datastore.ErrClosed):
				t.Errorf("merge: %v", err)
			}
		})
	}
	for range len(puts) / 2 {
		<-begun
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	s = openIn(t, dir)
	for key := range acknowledged {
		if _, err := s.Record(key); err != nil {
			t.Errorf("acknowledged, and then: %v", err)
		}
	}
	if err := datastore.Audit(s); err != nil {
		t.Fatal(err)
	}
}

// Stores live in as many virtual-time bubbles of one process as there are tests.
func TestOpenMemory_inBubbles(t *testing.T) {
	for range 3 {
		synctest.Test(t, func(t *testing.T) {
			s := datastore.OpenMemory(network(t))
			mergeAll(t, s, putsAt(records.LevelMonth, newWriter(t, network(t)).posts(10)...))
			synctest.Wait()
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
