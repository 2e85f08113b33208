package datastore_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/records"
)

// wrecked is a file system with a store that nothing says any more how its tables
// belong together, and what is in it.
func wrecked(t *testing.T, posts int) (*vfs.MemFS, []*records.Record) {
	t.Helper()
	mem := vfs.NewCrashableMem()
	s := closing(t, openAt(t, "store", mem))
	w := newWriter(t, network(t))
	rs := w.posts(posts)
	mergeAll(t, s, putsAt(levelHour, rs...))
	s.Tidy()
	for i, r := range rs[:posts/3] {
		rs[i] = w.edit(author(1), r, "edited")
	}
	mergeAll(t, s, putsAt(levelHour, rs[:posts/3]...))
	s.Tidy()
	dropped := putsAt(levelHour, w.post(author(2), epoch, "dropped", "elsewhere"))
	if _, err := s.MergeAs(bg, datastore.Cached, dropped); err != nil {
		t.Fatal(err)
	}
	s.Tidy()
	if err := s.Drop(bg, []records.Place{dropped[0].Place, dropped[1].Place}); err != nil {
		t.Fatal(err)
	}
	followed := putsAt(levelHour, w.post(author(3), epoch, "followed"))
	if _, err := s.MergeAs(bg, datastore.Followed, followed); err != nil {
		t.Fatal(err)
	}
	if err := s.Datastore().Put(bg, dsKey, []byte("the node's own")); err != nil {
		t.Fatal(err)
	}
	mem = clone(mem)
	names, err := mem.List("store")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasPrefix(name, "MANIFEST") {
			if err := mem.Remove("store/" + name); err != nil {
				t.Fatal(err)
			}
		}
	}
	return mem, append(rs, followed[0].Record)
}

// A store is made anew of its tables and logs alone: every record in its newest
// version, at its places and for the reason it was kept for; nothing that was dropped;
// the node's own state; and an account and fingerprints that agree.
func TestOpen_madeAnew(t *testing.T) {
	mem, rs := wrecked(t, 60)
	s := closing(t, openAt(t, "store", mem))
	if err := datastore.Audit(s); err != nil {
		t.Fatal(err)
	}
	for _, r := range rs {
		if got, err := s.Record(r.ItemKey()); err != nil || got.ID() != r.ID() {
			t.Fatalf("got %v, %v", got, err)
		}
	}
	st := s.Stats()
	if st.Records != 61 || st.Class[datastore.Followed].Records != 1 || st.Class[datastore.Cached].Records != 0 {
		t.Fatalf("%+v", st)
	}
	if value, err := s.Datastore().Get(bg, dsKey); err != nil || string(value) != "the node's own" {
		t.Fatalf("got %q, %v", value, err)
	}
	if h := <-s.Harmed(); !h.Everything {
		t.Fatalf("%+v", h)
	}
}

// What is on its way down, and would not be taken in if it came now, is still there
// after a store was made anew.
func TestOpen_madeAnewOnItsWayDown(t *testing.T) {
	n := smallNetwork(t)
	mem := vfs.NewCrashableMem()
	s, err := datastore.Open(datastore.Config{Dir: "store", Network: n, FS: mem})
	if err != nil {
		t.Fatal(err)
	}
	w := newWriter(t, n)
	var rs []*records.Record
	for i := range 12 { // each earlier than the one before, and so displacing
		rs = append(rs, w.post(author(1), epoch+3_000_000-records.Millis(i)*1000, "post"))
	}
	mergeAll(t, s, putsAt(levelHour-1, rs...))
	before := s.Stats()
	if err := s.Close(); err != nil || before.Displaced == 0 {
		t.Fatalf("%v, %+v", err, before)
	}
	if err := mem.Remove("store/" + marker(t, mem)); err != nil {
		t.Fatal(err)
	}
	s, err = datastore.Open(datastore.Config{Dir: "store", Network: n, FS: mem})
	if err != nil {
		t.Fatal(err)
	}
	closing(t, s)
	if err := datastore.Audit(s); err != nil {
		t.Fatal(err)
	}
	after := s.Stats()
	if after.Records != before.Records || after.Entries != before.Entries || after.Displaced < before.Displaced {
		t.Fatalf("%+v, was %+v", after, before)
	}
}

func marker(t *testing.T, mem *vfs.MemFS) string {
	t.Helper()
	names, err := mem.List("store")
	if err != nil {
		t.Fatal(err)
	}
	return names[slices.IndexFunc(names, func(name string) bool { return strings.HasPrefix(name, "marker.manifest") })]
}

// Power that goes at any moment while a store is made anew loses nothing: the next
// opening goes on, or begins again.
func TestOpen_madeAnewAndInterrupted(t *testing.T) {
	mem, rs := wrecked(t, 6)
	step := 3
	if testing.Short() {
		step = 12
	}
	for at := rand.IntN(step); ; at += step {
		p := &powerCut{mem: clone(mem), at: at}
		s := openAt(t, "store", errorfs.Wrap(p.mem, errorfs.InjectorFunc(p.inject)))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if p.left == nil {
			return
		}
		s = openAt(t, "store", p.left)
		wantRecords(t, s, rs)
		if err := datastore.Audit(s); err != nil {
			t.Fatalf("operation %d: %v", at, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// powerCut keeps what the loss of power at some operation leaves.
type powerCut struct {
	mem *vfs.MemFS
	at  int

	mu    sync.Mutex // protects what follows
	count int
	left  *vfs.MemFS
}

func (p *powerCut) inject(op errorfs.Op) error {
	if !slices.Contains(writing, op.Kind) && !slices.Contains(syncing, op.Kind) && op.Kind != errorfs.OpRemove && op.Kind != errorfs.OpRemoveAll {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.count == p.at {
		p.left = p.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rand.New(rand.NewPCG(uint64(p.at), 0))})
	}
	p.count++
	return nil
}

// A store of another network is told as such even when it is damaged.
func TestOpen_madeAnewOfAnotherNetwork(t *testing.T) {
	mem, _ := wrecked(t, 6)
	_, err := datastore.Open(datastore.Config{Dir: "store", Network: records.MainNetwork(), FS: mem})
	if !errors.Is(err, datastore.ErrForeign) {
		t.Fatalf("got %v, want ErrForeign", err)
	}
	closing(t, openAt(t, "store", mem))
}

// A bit flipped anywhere in a log of several blocks, save in what was written last, is
// noticed: what follows it was written, and is not taken for never written.
func TestOpen_flippedLog(t *testing.T) {
	mem := vfs.NewCrashableMem()
	s := closing(t, openAt(t, "store", mem))
	w := newWriter(t, network(t))
	var rs []*records.Record
	for i := range 60 {
		rs = append(rs, w.post(author(1), epoch+records.Millis(i)*60_000, strings.Repeat("so that there are blocks ", 100)))
		mergeAll(t, s, putsAt(levelHour, rs[i]))
	}
	if err := s.Datastore().Put(bg, dsKey, []byte("last")); err != nil {
		t.Fatal(err)
	}
	mem = clone(mem)
	names, err := mem.List("store")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	logs := slices.DeleteFunc(names, func(name string) bool { return !strings.HasSuffix(name, ".log") })
	noticed := 0
	for tenth := range int64(10) {
		damaged := clone(mem)
		flip(t, damaged, "store/"+logs[len(logs)-1], func(size int64) int64 { return size * tenth / 10 })
		s := openAt(t, "store", damaged)
		select {
		case <-s.Harmed():
			noticed++
		default:
			wantRecords(t, s, rs)
		}
		if err := datastore.Audit(s); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if noticed < 8 {
		t.Fatalf("%d of 10 noticed: the test shows little", noticed)
	}
}
