package datastore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/starling-social/starling/records"
)

// Config is what a store on disk needs.
type Config struct {
	Dir     string          // made if it is not there; nobody else may have it open
	Network records.Network // a store holds the records of one network for good
	Owner   records.User    // whose records are kept come what may; zero for nobody's
	Limits  Limits          // the zero value keeps a tenth of the disk free and has no other bounds
	Recent  int             // records that were read lately and are kept decoded, at most 9 KiB each; 0 keeps none
	Log     *slog.Logger    // nil for none
	FS      vfs.FS          // nil for the operating system's; campaigns put a faulty one here
}

// Format is the number of the layout described in doc.go.
const Format = 2

// maxShelves is how many places the committer keeps at hand, at up to 9 KiB a
// full one.
const maxShelves = 1024

// Store keeps records in the places they were put to. All its methods may be
// called at the same time.
type Store struct {
	network records.Network
	owner   records.User
	limits  Limits
	home    *home // nil for a map that is not opened anew
	log     *slog.Logger

	queue    chan *request
	flights  chan flight   // from the committer to acknowledge
	landed   chan struct{} // and back, once for each; at most one is under way
	pressed  chan struct{} // holds a token when room should be made
	alarmed  chan struct{} // holds a token when the map may have failed
	harmed   chan Harm
	closing  chan struct{} // closed when Close begins
	stopped  chan struct{} // closed when the committer has answered everybody it will
	closeOne sync.Once
	closeErr error

	life   sync.RWMutex // held for reading while kv is read; for writing by Close, and by the committer to exchange kv
	kv     kv           // protected by life; the committer alone exchanges it, and needs no lock to use it
	closed bool         // protected by life

	sums   *sums
	stats  atomic.Pointer[Stats]
	recent recent

	// Of the committer alone.
	flying  bool // a group is on its way to the disk
	revival revival
	shelves *simplelru.LRU[records.Coordinate, *shelf]
	aside   map[records.ItemKey]int // what is put aside, with its size
	batch   batch
}

// Open opens the store in a directory, or makes one. It starts two goroutines,
// the committer and the one that waits for the disk; Close ends them.
//
// A database that is damaged is put aside, in a directory within this one that has
// "damaged" and the time in its name, and a new one is made of what can be read of
// it; [Store.Harmed] tells of that. On a full disk the store opens for reading, and
// for writing once there is room. What else keeps it from being opened is one of the
// errors of this package.
func Open(cfg Config) (*Store, error) {
	s, err := newStore(cfg)
	if err != nil {
		return nil, err
	}
	if s.home, err = openHome(cfg.Dir, cfg.FS, s.log); err != nil {
		return nil, fmt.Errorf("open store in %s: %w", cfg.Dir, err)
	}
	if err := s.bring(); err != nil {
		return nil, errors.Join(fmt.Errorf("open store in %s: %w", cfg.Dir, err), s.home.close())
	}
	s.start()
	return s, nil
}

// OpenMemory makes a store that ends with the process, for simulations. It too
// must be closed. Nothing limits it.
func OpenMemory(n records.Network) *Store { return OpenMemoryWith(Config{Network: n}) }

// OpenMemoryWith is OpenMemory with an owner and limits.
func OpenMemoryWith(cfg Config) *Store {
	cfg.Log = nil
	s, err := open(newMemory(), cfg)
	if err != nil {
		panic(err) // an empty map in memory has nothing that could be wrong
	}
	return s
}

// open makes a store of a map, which it closes in the end.
func open(m kv, cfg Config) (*Store, error) {
	s, err := newStore(cfg)
	if err == nil {
		err = s.adopt(m)
	}
	if err != nil {
		return nil, err
	}
	s.start()
	return s, nil
}

func newStore(cfg Config) (*Store, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	shelves, err := simplelru.NewLRU[records.Coordinate, *shelf](maxShelves, nil)
	if err != nil {
		return nil, err
	}
	lately, err := newRecent(cfg.Recent)
	if err != nil {
		return nil, err
	}
	s := &Store{
		recent:  lately,
		network: cfg.Network,
		owner:   cfg.Owner,
		limits:  cfg.Limits,
		log:     cfg.Log,
		queue:   make(chan *request, maxQueue),
		flights: make(chan flight),
		landed:  make(chan struct{}, 1),
		pressed: make(chan struct{}, 1),
		alarmed: make(chan struct{}, 1),
		harmed:  make(chan Harm, 1),
		closing: make(chan struct{}),
		stopped: make(chan struct{}),
		sums:    &sums{fine: fineEntries},
		shelves: shelves,
	}
	s.revival.every.Store(int64(reviveEvery))
	return s, nil
}

func (s *Store) start() {
	go s.commit()
	go s.acknowledge()
}

// adopt makes a map the store's, with all that is kept of it in memory. Nobody else
// may be using the store.
func (s *Store) adopt(m kv) error {
	if err := initialise(m, s.network); err != nil {
		return err
	}
	t, err := readTotals(m)
	if err != nil {
		return err
	}
	s.kv = m
	s.stats.Store(&t.stats)
	s.sums.replace(t.sums)
	s.aside = t.aside
	s.shelves.Purge()
	return nil
}

// initialise marks an empty map as a store of this format and network, and
// checks that any other is one.
func initialise(m kv, n records.Network) error {
	v, err := m.snapshot()
	if err != nil {
		return err
	}
	defer v.close()
	format, err := v.get(keyFormat)
	if errors.Is(err, errNoKey) {
		return create(m, v, n)
	}
	if err != nil {
		return fmt.Errorf("read format: %w", err)
	}
	number, w := binary.Uvarint(format)
	if w != len(format) || number == 0 {
		return fmt.Errorf("%w: format %x", ErrNotStore, format)
	} else if number > Format {
		return fmt.Errorf("%w: format %d, this version knows up to %d", ErrNewer, number, Format)
	}
	network, err := v.get(keyNetwork)
	if errors.Is(err, errNoKey) {
		err = fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if err != nil {
		return fmt.Errorf("read network: %w", err)
	}
	if string(network) != n.ID() {
		return &ForeignError{Network: string(network), Wanted: n.ID()}
	}
	return migrate(m, number, Format, migrations)
}

func create(m kv, v snapshot, n records.Network) error {
	empty := true
	if err := v.scan(everything, func(_, _ []byte) bool { empty = false; return false }); err != nil {
		return fmt.Errorf("look for what is there: %w", err)
	}
	if !empty {
		return ErrNotStore
	}
	var b batch
	b.set(keyFormat, binary.AppendUvarint(nil, Format))
	b.set(keyNetwork, []byte(n.ID()))
	b.set(keyStats, Stats{}.value())
	durable, err := m.apply(&b)
	if err == nil {
		err = durable()
	}
	if err != nil {
		return fmt.Errorf("create store: %w", err)
	}
	return nil
}

// totals are what is kept up to date in memory.
type totals struct {
	stats Stats
	sums  *sums
	aside map[records.ItemKey]int
}

func readTotals(m kv) (totals, error) {
	t := totals{aside: map[records.ItemKey]int{}}
	v, err := m.snapshot()
	if err != nil {
		return t, err
	}
	defer v.close()
	value, err := v.get(keyStats)
	if err == nil {
		t.stats, err = parseStats(value)
	}
	if errors.Is(err, errNoKey) || errors.Is(err, errValue) {
		err = fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if err != nil {
		return t, fmt.Errorf("read statistics: %w", err)
	}
	if t.sums, err = loadSums(v); err != nil {
		return t, err
	}
	err = v.scan(under([]byte{sectionDamaged}), func(key, value []byte) bool {
		if len(key) == recordKeySize {
			t.aside[records.ItemKey(key[1:])] = len(key) + len(value)
		}
		return true
	})
	if err != nil {
		return t, fmt.Errorf("read what was put aside: %w", err)
	}
	return t, nil
}

// Network is the network whose records the store holds.
func (s *Store) Network() records.Network { return s.network }

// Close ends the store. What was submitted before is carried out or ends with
// ErrClosed, and so does every later call; once Close has returned, nothing of
// the store touches the disk. It may be called again.
func (s *Store) Close() error {
	s.closeOne.Do(func() {
		close(s.closing)
		<-s.stopped
		s.life.Lock()
		defer s.life.Unlock()
		s.closed = true
		err := s.kv.close()
		if s.home != nil {
			err = errors.Join(err, s.home.close())
		}
		if err != nil {
			s.closeErr = fmt.Errorf("close store: %w", err)
		}
	})
	return s.closeErr
}

// read runs f on the store as it is now, and keeps Close waiting meanwhile.
func (s *Store) read(f func(snapshot) error) error {
	s.life.RLock()
	defer s.life.RUnlock()
	if s.closed {
		return ErrClosed
	}
	v, err := s.kv.snapshot()
	if err != nil {
		return err
	}
	defer v.close()
	return f(v)
}
