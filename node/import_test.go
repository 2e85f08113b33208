package node_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/records/archive"
)

// An archive that is cut or damaged anywhere gives what comes before, says where, and
// the whole one afterwards goes on from there.
func TestImport_damaged(t *testing.T) {
	shelf := newShelf(t)
	rapid.Check(t, func(t *rapid.T) {
		from, source := shelf.store(t, shelf.owner)
		shelf.fill(t, from)
		settle(t, from)
		b := export(t, source, node.Selection{})
		at := rapid.IntRange(19, len(b)-1).Draw(t, "at")
		hurt := bytes.Clone(b)
		hurt[at] ^= 1
		if rapid.Bool().Draw(t, "cut") {
			hurt = hurt[:at]
		}
		to, target := shelf.store(t, shelf.owner)
		done, err := target.Import(context.Background(), bytes.NewReader(hurt), nil)
		var damage *archive.DamageError
		if !errors.As(err, &damage) || damage.Offset > int64(at) || done.New != damage.After || done.Refused > 0 {
			t.Fatalf("damaged at %d: %+v, %v", at, done, err)
		}
		if got := to.Stats().Records; got != done.New {
			t.Fatalf("%d records in the store, %+v imported", got, done)
		}
		if _, err := target.Import(context.Background(), bytes.NewReader(b), nil); err != nil {
			t.Fatalf("the whole one afterwards: %v", err)
		}
		wantSame(t, from, to)
	})
}

// What is broken off goes on where it was, and nothing comes twice.
func TestImport_interrupted(t *testing.T) {
	shelf := newShelf(t)
	from, source := shelf.store(t, shelf.owner)
	rapid.Check(t, func(t *rapid.T) { shelf.fill(t, from) })
	b := export(t, source, node.Selection{})
	cable := errors.New("the cable is out")
	to, target := shelf.store(t, shelf.owner)
	done, err := target.Import(t.Context(), io.MultiReader(bytes.NewReader(b[:len(b)/2]), iotest.ErrReader(cable)), nil)
	if !errors.Is(err, cable) || done.New == 0 {
		t.Fatalf("half of it: %+v, %v", done, err)
	}
	first := done.New
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if done, err = target.Import(ended, bytes.NewReader(b), nil); !errors.Is(err, context.Canceled) || done.Records() != 0 {
		t.Fatalf("ended before it began: %+v, %v", done, err)
	}
	var told node.Imported
	done, err = target.Import(t.Context(), bytes.NewReader(b), func(i node.Imported) { told = i })
	if err != nil || done.Had != first || done.New != from.Stats().Records-first || told.Records() != done.Records() {
		t.Fatalf("the rest: %+v, %v, told %+v; had %d of %d", done, err, told, first, from.Stats().Records)
	}
	if err := to.Verify(); err != nil {
		t.Fatal(err)
	}
}

// Each record passes the door by itself: one that does not is refused and hides no
// other.
func TestImport_door(t *testing.T) {
	shelf := newShelf(t)
	other, err := records.TestNetwork("other")
	if err != nil {
		t.Fatal(err)
	}
	forged := bytes.Clone(shelf.records[0].Bytes())
	forged[len(forged)-1] ^= 1
	key := records.KeyFromSeed([32]byte{1})
	seal := func(n records.Network, created records.Millis) []byte {
		d, err := records.NewPost(created, [8]byte{9}, records.PostHead{}, records.PostBody{Text: "x"})
		if err != nil {
			t.Fatal(err)
		}
		r, err := records.Seal(t.Context(), n, records.AuthorSigner(key), d)
		if err != nil {
			t.Fatal(err)
		}
		return r.Bytes()
	}
	now := records.MillisOf(archiveNow)
	at := []archive.Standing{{Level: records.LevelMonth, Class: archive.Held}}
	var b bytes.Buffer
	w, err := archive.NewWriter(&b, archive.Header{Network: shelf.network.ID(), Made: now})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []archive.Entry{
		{Bytes: forged, Standings: at},
		{Bytes: seal(other, now), Standings: at},
		{Bytes: seal(shelf.network, now+600_000), Standings: at},
		{Bytes: shelf.records[0].Bytes(), Standings: []archive.Standing{{Root: 7}}},
		{Bytes: []byte("hello"), Standings: at},
		{Bytes: shelf.records[1].Bytes(), Standings: at},
	} {
		if err := w.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Close(0); err != nil {
		t.Fatal(err)
	}
	db, target := shelf.store(t, shelf.owner)
	done, err := target.Import(t.Context(), &b, nil)
	if err != nil || done.Refused != 5 || done.New != 1 || len(done.Reasons) != 3 || db.Stats().Records != 1 {
		t.Fatalf("%+v, %v, %d records", done, err, db.Stats().Records)
	}
}

// An archive of another network is refused as a whole; and whose own a record is, no
// archive says.
func TestImport_others(t *testing.T) {
	shelf := newShelf(t)
	r := shelf.records[slices.IndexFunc(shelf.records, func(r *records.Record) bool { return r.Author() != shelf.owner })]
	write := func(network string) io.Reader {
		var b bytes.Buffer
		w, err := archive.NewWriter(&b, archive.Header{Network: network})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(archive.Entry{Bytes: r.Bytes(), Standings: []archive.Standing{{Level: records.LevelMonth, Class: archive.Own}}}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Close(0); err != nil {
			t.Fatal(err)
		}
		return &b
	}
	db, target := shelf.store(t, shelf.owner)
	if done, err := target.Import(t.Context(), write("other.00000000"), nil); !errors.Is(err, node.ErrOtherNetwork) || done.Records() != 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	if _, err := target.Import(t.Context(), write(shelf.network.ID()), nil); err != nil || db.Stats().Class[datastore.Held].Records != 1 {
		t.Fatalf("%v, %+v", err, db.Stats())
	}
}

// A store without room says so, keeps what it took, and goes on when there is room.
func TestImport_full(t *testing.T) {
	shelf := newShelf(t)
	from, source := shelf.store(t, shelf.owner)
	rapid.Check(t, func(t *rapid.T) { shelf.fill(t, from) })
	b := export(t, source, node.Selection{})
	small := datastore.OpenMemoryWith(datastore.Config{Network: shelf.network, Limits: datastore.Limits{Quota: 8 << 10}})
	defer small.Close()
	target := node.StoreOf(small, records.User{}, func() time.Time { return archiveNow })
	if _, err := target.Import(t.Context(), bytes.NewReader(b), nil); !errors.Is(err, node.ErrFull) {
		t.Fatalf("%v, want it full", err)
	}
	if err := small.Verify(); err != nil || small.Stats().Records == 0 {
		t.Fatalf("%v, %d records", err, small.Stats().Records)
	}
}

// What a whole network lost comes back to every member of its places when one node
// imports it, and unread.
func TestImport_givesBack(t *testing.T) {
	network := shallow(t, 4, 8)
	const every = 3 * time.Minute
	simulate(t, nodetest.Config{Nodes: 7, Network: network, Links: nodetest.LinksConfig{Seed: 44}, Tune: healing(every)}, func(ctx context.Context, net *nodetest.Network) {
		rs := library(t, network, 40)
		net.Plant(ctx, rs)
		var saved bytes.Buffer
		if _, err := net.Nodes[0].Store().Export(ctx, &saved, node.Selection{Tags: []records.Tag{"tag1"}}, nil); err != nil {
			t.Fatal(err)
		}
		for _, x := range net.Nodes {
			if n, err := x.Lose(ctx, records.TagPlace("tag1")); n == 0 || err != nil {
				t.Fatalf("node %d lost %d places, %v", x.Index, n, err)
			}
		}
		if got := texts(ctx, t, net.Nodes[3], node.TagSource("tag1"), 50); len(got) != 0 {
			t.Fatalf("%d posts are left", len(got))
		}
		if done, err := net.Nodes[5].Store().Import(ctx, &saved, nil); err != nil || done.Records() == 0 || done.Refused > 0 {
			t.Fatalf("%+v, %v", done, err)
		}
		net.Pass(2*every + time.Minute)
		mustHold(t, net, rs)
	})
}
