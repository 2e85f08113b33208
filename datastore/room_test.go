package datastore_test

import (
	"errors"
	"testing"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/records"
)

func limited(t *testing.T, owner records.User, l datastore.Limits) *datastore.Store {
	t.Helper()
	s := datastore.OpenMemoryWith(datastore.Config{Network: network(t), Owner: owner, Limits: l})
	return closing(t, s)
}

// Puts of ten times the quota leave the store within it, what was taken in is there,
// what was not is refused as full and by name; the owner's posts, deletions of what
// is here and the node's own state still go in.
func TestLimits_quota(t *testing.T) {
	const quota = 100 << 10
	owner := author(9)
	s := limited(t, owner.User(), datastore.Limits{Quota: quota})
	w := newWriter(t, network(t))
	rs := w.posts(500)
	puts := putsAt(levelHour, rs...)
	out, err := s.Merge(bg, puts)
	if !errors.Is(err, datastore.ErrQuota) || !errors.Is(err, datastore.ErrFull) || errors.Is(err, datastore.ErrFloor) {
		t.Fatalf("got %v, want ErrQuota", err)
	}
	if got := s.Stats().Bytes; got > quota || got < quota*9/10 {
		t.Fatalf("%d bytes, of %d", got, quota)
	}
	taken := 0
	for i, o := range out {
		if o.Status == records.Stored {
			taken++
			if _, err := s.Record(puts[i].Record.ItemKey()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if taken < 50 {
		t.Fatalf("%d of %d taken in", taken, len(puts))
	}
	if _, err := s.Merge(bg, puts[:taken/2]); err != nil {
		t.Fatalf("what is here already: %v", err)
	}
	mergeAll(t, s, putsAt(levelHour, w.remove(author(1), rs[0])))
	mergeAll(t, s, putsAt(levelHour, w.post(owner, epoch, "still my own")))
	if err := s.Datastore().Put(bg, dsKey, []byte("bookkeeping")); err != nil {
		t.Fatal(err)
	}
	if err := datastore.Audit(s); err != nil {
		t.Fatal(err)
	}
}

// A class has a limit of its own, and the others do not notice.
func TestLimits_class(t *testing.T) {
	s := limited(t, records.User{}, datastore.Limits{Cached: 20 << 10})
	puts := putsAt(levelHour, newWriter(t, network(t)).posts(100)...)
	if _, err := s.MergeAs(bg, datastore.Cached, puts); !errors.Is(err, datastore.ErrFull) {
		t.Fatalf("got %v, want ErrFull", err)
	}
	if got := s.Stats().Class[datastore.Cached].Bytes; got > 20<<10 {
		t.Fatalf("%d bytes cached", got)
	}
	select {
	case <-s.Pressed():
	default:
		t.Fatal("nobody is told to make room")
	}
	if c, bytes := s.Excess(); c != datastore.Cached || bytes <= 0 {
		t.Fatalf("%d bytes of %s to remove", bytes, c)
	}
	if _, err := s.MergeAs(bg, datastore.Followed, puts); err != nil {
		t.Fatal(err)
	}
	if err := datastore.Audit(s); err != nil {
		t.Fatal(err)
	}
}

// Below the floor strangers are refused, below three tenths of it the owner too, and
// deletions never; when there is room again, all go on.
func TestLimits_floor(t *testing.T) {
	const floor = 1 << 20
	owner := author(9)
	disk := &smallDisk{}
	disk.free.Store(2 << 20)
	s, err := datastore.OpenOnWith(disk.under(datastore.NewMemoryKV()), datastore.Config{
		Network: network(t), Owner: owner.User(), Limits: datastore.Limits{Floor: floor},
	})
	if err != nil {
		t.Fatal(err)
	}
	closing(t, s)
	w := newWriter(t, network(t))
	strangers, mine := w.posts(4), []*records.Record{w.post(owner, epoch, "a"), w.post(owner, epoch+1, "b")}
	try := func(want error, r *records.Record) {
		t.Helper()
		if _, err := s.Merge(bg, putsAt(levelHour, r)); !errors.Is(err, want) {
			t.Fatalf("got %v, want %v", err, want)
		}
	}
	try(nil, strangers[0])
	disk.free.Store(floor)
	try(datastore.ErrFloor, strangers[1])
	try(nil, mine[0])
	disk.free.Store(floor / 4)
	try(datastore.ErrFloor, mine[1])
	try(nil, w.remove(author(1), strangers[0]))
	disk.free.Store(2 << 20)
	try(nil, strangers[1])
	try(nil, mine[1])
}

// What more can be kept for others is the least that any limit leaves, as if no copies
// were there.
func TestRoom(t *testing.T) {
	const floor = 1 << 20
	disk := &smallDisk{}
	disk.free.Store(1 << 40)
	s, err := datastore.OpenOnWith(disk.under(datastore.NewMemoryKV()), datastore.Config{
		Network: network(t), Limits: datastore.Limits{Quota: 100 << 10, Floor: floor},
	})
	if err != nil {
		t.Fatal(err)
	}
	closing(t, s)
	room := func() datastore.Room {
		t.Helper()
		r, err := s.Room()
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	empty := room()
	if empty.Short || empty.Of != datastore.Quota || empty.Bytes > 90<<10 || empty.Bytes < 85<<10 {
		t.Errorf("nothing is here, and the room is %+v", empty)
	}
	posts := newWriter(t, network(t)).posts(500)
	if _, err := s.MergeAs(bg, datastore.Followed, putsAt(levelHour, posts[:50]...)); err != nil {
		t.Fatal(err)
	}
	if r := room(); r.Short || r.Bytes < empty.Bytes*9/10 {
		t.Errorf("copies alone are here, and the room is %+v", r)
	}
	if err := s.Drop(bg, places(putsAt(levelHour, posts[:50]...))); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Merge(bg, putsAt(levelHour, posts...)); !errors.Is(err, datastore.ErrFull) {
		t.Fatalf("got %v, want ErrFull", err)
	}
	if r := room(); !r.Short || r.Bytes >= 0 || r.Bytes < -10<<10 {
		t.Errorf("it is full, and the room is %+v", r)
	}
	for _, c := range []struct {
		free  int64
		room  int64
		short bool
	}{{floor + floor/8, -floor / 8, false}, {floor, -floor / 4, true}} {
		disk.free.Store(c.free)
		if r := room(); r != (datastore.Room{Bytes: c.room, Short: c.short, Of: datastore.Disk}) {
			t.Errorf("%d bytes of disk are free, and the room is %+v", c.free, r)
		}
	}
}

func places(puts []records.Put) (out []records.Place) {
	for _, p := range puts {
		out = append(out, p.Place)
	}
	return out
}
