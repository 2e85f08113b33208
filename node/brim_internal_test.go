package node

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"golang.org/x/time/rate"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/records"
)

// heard is a log that keeps which settings its lines name.
type heard struct {
	mu       sync.Mutex // protects settings
	settings []string
}

func (h *heard) Enabled(context.Context, slog.Level) bool { return true }
func (h *heard) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h *heard) WithGroup(string) slog.Handler            { return h }

func (h *heard) Handle(_ context.Context, r slog.Record) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "setting" {
			h.settings = append(h.settings, a.Value.String())
		}
		return true
	})
	return nil
}

// take is what was heard since it was last asked.
func (h *heard) take() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := h.settings
	h.settings = nil
	return out
}

// reaching says of each limit how it is reached.
var reaching = [brimCount]func(*testing.T, *Node){
	brimGroups: func(_ *testing.T, n *Node) { n.brims.groups-- }, // as if one node less had been kept out when it was last looked
	brimConns:  func(t *testing.T, n *Node) { n.host.ConnManager().TrimOpenConns(t.Context()) },
	brimPace: func(t *testing.T, n *Node) {
		n.repairs.pace = rate.NewLimiter(1, mendBurst)
		n.repairs.pace.AllowN(time.Now(), mendBurst)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := n.repairs.await(ctx, []records.Put{{Record: brimPost(t, n)}}); err == nil {
			t.Error("it had not to wait")
		}
	},
	brimCache: func(t *testing.T, n *Node) {
		r := brimPost(t, n)
		p := r.Roots()[0]
		n.cache.budget = 1
		n.cache.begin(p, time.Now(), time.Now())
		if err := n.storeCopy(t.Context(), p, records.Bucket{Place: p, Records: []*records.Record{r}}); !errors.Is(err, errNoBudget) {
			t.Errorf("keep a copy: %v", err)
		}
	},
	brimFollowed: func(t *testing.T, n *Node) {
		n.followed.replace(make([]follow, MaxFollowed))
		if err := n.Follow(t.Context(), TagSource("another")); !errors.Is(err, ErrManyFollowed) {
			t.Errorf("follow: %v", err)
		}
	},
	brimPut:   func(t *testing.T, n *Node) { outOfTime(t, n, brimPut) },
	brimFetch: func(t *testing.T, n *Node) { outOfTime(t, n, brimFetch) },
	brimLibp2p: func(t *testing.T, n *Node) {
		m, err := resourceLimits(n.config, n.brims)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = m.Close() }()
		for range 100_000 {
			if _, err := m.OpenStream(n.PeerID(), network.DirInbound); err != nil {
				return
			}
		}
		t.Error("one peer may open any number of streams")
	},
}

func outOfTime(t *testing.T, n *Node, which brim) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	n.brims.late(ctx, which) // somebody left, which is no limit
	ctx, cancel = context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	n.brims.late(ctx, which)
}

func brimPost(t *testing.T, n *Node) *records.Record {
	d, err := records.NewPost(1000, [8]byte{}, records.PostHead{}, records.PostBody{Text: "a post"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := records.Seal(t.Context(), n.config.Network, records.AuthorSigner(n.config.Person), d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Every limit that is reached is told of in one line that names its setting, however
// often it was, and then no more until it is reached again.
func TestBrims_told(t *testing.T) {
	for which, words := range brimWords {
		t.Run(words.setting, func(t *testing.T) {
			n, said := brimNode(t)
			told := n.tellReached(t.Context(), [brimCount]uint64{})
			if lines := said.take(); len(lines) > 0 {
				t.Fatalf("nothing was reached, and the log names %q", lines)
			}
			reaching[which](t, n)
			told = n.tellReached(t.Context(), told)
			if lines := said.take(); !slices.Equal(lines, []string{words.setting}) {
				t.Errorf("the log names %q, want %s once", lines, words.setting)
			}
			n.tellReached(t.Context(), told)
			if lines := said.take(); len(lines) > 0 {
				t.Errorf("the log names %q again", lines)
			}
		})
	}
}

// brimNode is a node that does not run, and what it says.
func brimNode(t *testing.T) (*Node, *heard) {
	t.Helper()
	network, err := records.TestNetwork("brim")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := LoadKeys(t.Context(), t.TempDir(), network, nil)
	if err != nil {
		t.Fatal(err)
	}
	said := &heard{}
	c := Default()
	c.Network, c.Identity, c.Person, c.Log = network, keys.Node, keys.Person, slog.New(said)
	c.Store, c.HostOptions = datastore.OpenMemory(network), []libp2p.Option{libp2p.NoListenAddrs}
	n, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	said.take()
	return n, said
}
