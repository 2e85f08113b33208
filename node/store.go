package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/records"
)

// Store is what a node keeps, for its owner to save, to bring back and to look
// after: that of a running node ([Node.Store]) or of one that does not run
// ([OpenStore]). It is safe for concurrent use.
type Store struct {
	db      *datastore.Store
	dir     string // of the database; empty in memory
	network records.Network
	owner   records.User
	open    func(b []byte, now time.Time) (*records.Record, error)
	now     func() time.Time
	changed func() // told after an import
}

// Store is what the node keeps. It ends with the node.
func (n *Node) Store() *Store {
	s := &Store{db: n.store, network: n.config.Network, owner: n.User(), open: n.door.Open, now: n.now, changed: n.imported}
	if n.config.Store == nil {
		s.dir = storeDir(n.config.DataDir)
	}
	return s
}

// imported sees to what an import asks for: what displaced something is carried
// down, and what is others' to hold is handed over to them.
func (n *Node) imported() {
	n.holder.note()
	n.healer.endLeases()
}

// endLeases notes that the store may hold what never was ours, and that the next round
// should not wait.
func (h *healer) endLeases() {
	h.mu.Lock()
	h.leases.End()
	h.mu.Unlock()
	select {
	case h.moved <- struct{}{}:
	default:
	}
}

// OpenStore opens the store in the data directory of a node that does not run, with
// its limits: [ErrLocked] if it does, [ErrNoStore] where none is yet. With the id of a
// network one is made then; where there is one, it is of its own network whatever the
// id. The directory must have its person's key, [ErrNoKeys] if it has not, so that
// what is theirs is known for it; nothing else of c is looked at. Close ends the store.
func OpenStore(c Config, network string) (*Store, error) {
	dir := c.DataDir
	person, err := readKey(filepath.Join(dir, personFile))
	if err != nil {
		return nil, err
	}
	if network == "" {
		network = records.MainNetwork().ID()
		if _, err := os.Stat(storeDir(dir)); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: %w", dir, ErrNoStore)
		}
	}
	c.Person = records.KeyFromSeed([32]byte(person.Seed()))
	db, err := openAs(&c, network)
	var foreign *datastore.ForeignError
	if errors.As(err, &foreign) {
		db, err = openAs(&c, foreign.Network)
	}
	if err != nil {
		return nil, err
	}
	return &Store{
		db: db, dir: storeDir(dir), network: c.Network, owner: c.Person.User(), now: time.Now, changed: func() {},
		open: func(b []byte, now time.Time) (*records.Record, error) { return records.Open(b, c.Network, now) },
	}, nil
}

// openAs opens the store of a configuration as one of the network with an id.
func openAs(c *Config, id string) (_ *datastore.Store, err error) {
	name, _, _ := strings.Cut(id, ".")
	if c.Network, err = records.NamedNetwork(name); err != nil {
		return nil, err
	}
	if c.Network.ID() != id {
		return nil, fmt.Errorf("%w: %s has other parameters than network %s here", ErrForeign, id, name)
	}
	return openStore(*c)
}

// Close ends a store that [OpenStore] opened.
func (s *Store) Close() error { return s.db.Close() }

// Network is the one whose records the store holds.
func (s *Store) Network() records.Network { return s.network }

// Owner is the person whose node this is.
func (s *Store) Owner() records.User { return s.owner }

// Use is what is kept for one reason.
type Use struct{ Records, Bytes int64 }

// StoreStats is what a store holds. Bytes are those of keys and values; what files
// take is known for a store on disk.
type StoreStats struct {
	Network   string // its id
	Records   int64
	Places    int64
	Entries   int64 // records in buckets and as witnesses, over all places
	Displaced int64 // records on their way down, over all places
	Damaged   int64 // records that the disk damaged, and which are to be fetched again
	Bytes     int64
	Files     int64

	Own, Held, Followed, Cached Use
}

// Stats is what the store holds.
func (s *Store) Stats() (StoreStats, error) {
	st := s.db.Stats()
	use := func(c datastore.Class) Use { return Use{st.Class[c].Records, st.Class[c].Bytes} }
	files, err := sizeOf(s.dir)
	return StoreStats{
		Network: s.network.ID(), Records: st.Records, Places: st.Places, Entries: st.Entries, Displaced: st.Displaced,
		Damaged: st.Damaged, Bytes: st.Bytes, Files: files,
		Own: use(datastore.Own), Held: use(datastore.Held), Followed: use(datastore.Followed), Cached: use(datastore.Cached),
	}, err
}

// sizeOf is how many bytes the files of a directory take. Those that go meanwhile
// take none.
func sizeOf(dir string) (size int64, err error) {
	if dir == "" {
		return 0, nil
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return 0, fmt.Errorf("look at store: %w", err)
	}
	for _, f := range files {
		info, err := f.Info()
		switch {
		case err == nil:
			size += info.Size()
		case !errors.Is(err, fs.ErrNotExist):
			return 0, fmt.Errorf("look at store: %w", err)
		}
	}
	return size, nil
}

// Verify reads everything and works out anew all that the store keeps up to date.
// It is for a store of which nobody else makes use: what is written meanwhile would
// look like damage.
func (s *Store) Verify() error { return s.db.Verify() }

// Compact has the database take no more room than it needs, as far as it can at
// once; the rest follows when the store is closed.
func (s *Store) Compact(ctx context.Context) error { return s.db.Compact(ctx) }
