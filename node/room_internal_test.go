package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/records"
)

// A full store is full to those who ask over the wire, and its owner's log names the
// setting that leaves no room.
func TestHolder_full(t *testing.T) {
	for setting, reason := range map[string]error{
		"store.quota":      datastore.ErrQuota,
		"store.free_space": datastore.ErrFloor,
	} {
		var said strings.Builder
		h := newHolder(fullStore{reason: reason}, func(records.Place) bool { return false }, nil, slog.New(slog.NewTextHandler(&said, nil)))
		_, err := h.Merge(context.Background(), nil)
		if !errors.Is(err, exchange.ErrFull) || !errors.Is(err, datastore.ErrFull) {
			t.Fatalf("%s: got %v", setting, err)
		}
		if !strings.Contains(said.String(), "level=WARN") || !strings.Contains(said.String(), "setting="+setting+" ") {
			t.Errorf("%s: said %q", setting, said.String())
		}
	}
}

// A place is offered when a record comes that is smaller than all before, and not
// again before that has been done.
func TestHolder_offersTheSmallest(t *testing.T) {
	h := newHolder(fullStore{reason: datastore.ErrQuota}, func(records.Place) bool { return true }, time.Now, slog.New(slog.DiscardHandler))
	p := records.TagPlace("sky")
	at := func(ms records.Millis) records.Position { return records.Position{Created: ms} }
	waiting := func() int { return len(h.used) }
	for _, c := range []struct {
		created records.Millis
		offered bool // before it comes
		want    int
	}{
		{50, false, 1}, // the first
		{60, false, 0}, // later
		{40, false, 0}, // smaller, but the place waits to be offered anyway
		{30, true, 1},  // after that
		{30, true, 0},  // the same
	} {
		if c.offered {
			h.offering(p)
		}
		h.use(p, at(c.created))
		if got := waiting(); got != c.want {
			t.Fatalf("%d: %d offers wait, want %d", c.created, got, c.want)
		}
		for waiting() > 0 {
			<-h.used
		}
	}
}

// A fullStore has no room, for a reason.
type fullStore struct {
	ServedStore

	reason error
}

func (s fullStore) Merge(context.Context, []records.Put) ([]records.Outcome, error) {
	return nil, fmt.Errorf("merge: %w", s.reason)
}

// A member without room has answered, and is a member: it is not lost.
func TestTally_full(t *testing.T) {
	var c tally
	c.members = 2
	c.add("", exchange.Result{Err: &exchange.Refusal{Code: exchange.Full}})
	c.add("", exchange.Result{Err: fmt.Errorf("merge: %w", exchange.ErrFull)})
	if c.full != 2 || c.lost != 0 || c.answered != 2 || c.members != 2 || c.refused == nil {
		t.Fatalf("%+v", c)
	}
}

// A store in which copies take more than they may is relieved of some of them, and of
// nothing else.
func TestRemoveExcess(t *testing.T) {
	network, err := records.TestNetwork("room")
	if err != nil {
		t.Fatal(err)
	}
	const limit = 64 << 10
	s := datastore.OpenMemoryWith(datastore.Config{Network: network, Limits: datastore.Limits{Followed: limit}})
	defer s.Close()
	n := &Node{config: Config{Client: true, Network: network, Now: time.Now}, store: s, copies: newCopies(), cache: newCache(0), voices: newVoices(slog.New(slog.DiscardHandler))}
	var puts []records.Put
	for i := range 400 {
		puts = append(puts, postOf(t, network, i))
	}
	if _, err := s.Merge(t.Context(), puts[:100]); err != nil {
		t.Fatal(err)
	}
	for range 3 { // a batch leaves a little room
		if _, err := s.MergeAs(t.Context(), datastore.Followed, puts[100:]); !errors.Is(err, datastore.ErrFull) {
			t.Fatalf("got %v, want ErrFull", err)
		}
	}
	held := s.Stats().Class[datastore.Held]
	if err := n.removeExcess(t.Context()); err != nil {
		t.Fatal(err)
	}
	followed := s.Stats().Class[datastore.Followed].Bytes
	if followed > limit*9/10 || followed < limit/2 || s.Stats().Class[datastore.Held] != held {
		t.Fatalf("%d bytes followed, held %+v, were %+v", followed, s.Stats().Class[datastore.Held], held)
	}
	if err := s.Verify(); err != nil {
		t.Fatal(err)
	}
}

// postOf is one of many posts, at a place of its own.
func postOf(t *testing.T, n records.Network, i int) records.Put {
	t.Helper()
	key := records.KeyFromSeed([32]byte{0: byte(i), 1: byte(i >> 8), 2: 1})
	d, err := records.NewPost(1_600_000_000_000, [8]byte{}, records.PostHead{}, records.PostBody{Text: "hello"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := records.Seal(t.Context(), n, records.AuthorSigner(key), d)
	if err != nil {
		t.Fatal(err)
	}
	return records.Put{Place: records.UserPlace(r.Author()).At(records.LevelMonth, r), Record: r}
}
