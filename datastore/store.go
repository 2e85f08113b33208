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
	Log     *slog.Logger    // nil for none
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
	kv      kv
	log     *slog.Logger

	queue    chan *request
	flights  chan flight   // from the committer to acknowledge
	landed   chan struct{} // and back, once for each; at most one is under way
	pressed  chan struct{} // holds a token when room should be made
	closing  chan struct{} // closed when Close begins
	stopped  chan struct{} // closed when the committer has answered everybody it will
	closeOne sync.Once
	closeErr error

	life   sync.RWMutex // held for reading while kv is read; Close alone holds it for writing
	closed bool         // protected by life

	sums  *sums
	stats atomic.Pointer[Stats]

	// Of the committer alone.
	flying  bool // a group is on its way to the disk
	shelves *simplelru.LRU[records.Coordinate, *shelf]
	aside   map[records.ItemKey]int // what is put aside, with its size
	batch   batch
}

// Open opens the store in a directory, or makes one. It starts two goroutines,
// the committer and the one that waits for the disk; Close ends them.
func Open(cfg Config) (*Store, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	d, err := openDisk(cfg.Dir, vfs.Default, cfg.Log)
	if err != nil {
		return nil, err
	}
	s, err := open(d, cfg)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open store in %s: %w", cfg.Dir, err), d.close())
	}
	return s, nil
}

// OpenMemory makes a store that ends with the process, for simulations. It too
// must be closed. Nothing limits it.
func OpenMemory(n records.Network) *Store { return OpenMemoryWith(Config{Network: n}) }

// OpenMemoryWith is OpenMemory with an owner and limits.
func OpenMemoryWith(cfg Config) *Store {
	cfg.Log = slog.New(slog.DiscardHandler)
	s, err := open(newMemory(), cfg)
	if err != nil {
		panic(err) // an empty map in memory has nothing that could be wrong
	}
	return s
}

func open(m kv, cfg Config) (*Store, error) {
	if err := initialise(m, cfg.Network); err != nil {
		return nil, err
	}
	shelves, err := simplelru.NewLRU[records.Coordinate, *shelf](maxShelves, nil)
	if err != nil {
		return nil, err
	}
	s := &Store{
		network: cfg.Network,
		owner:   cfg.Owner,
		limits:  cfg.Limits,
		kv:      m,
		log:     cfg.Log,
		queue:   make(chan *request, maxQueue),
		flights: make(chan flight),
		landed:  make(chan struct{}, 1),
		pressed: make(chan struct{}, 1),
		closing: make(chan struct{}),
		stopped: make(chan struct{}),
		shelves: shelves,
	}
	if err := s.restoreTotals(); err != nil {
		return nil, err
	}
	go s.commit()
	go s.acknowledge()
	return s, nil
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

// restoreTotals reads what is kept up to date in memory.
func (s *Store) restoreTotals() error {
	v, err := s.kv.snapshot()
	if err != nil {
		return err
	}
	defer v.close()
	value, err := v.get(keyStats)
	if err != nil {
		return fmt.Errorf("read statistics: %w", err)
	}
	stats, err := parseStats(value)
	if err != nil {
		return fmt.Errorf("read statistics: %w", err)
	}
	s.stats.Store(&stats)
	if s.sums, err = loadSums(v); err != nil {
		return err
	}
	s.aside = map[records.ItemKey]int{}
	err = v.scan(under([]byte{sectionDamaged}), func(key, value []byte) bool {
		if len(key) == recordKeySize {
			s.aside[records.ItemKey(key[1:])] = len(key) + len(value)
		}
		return true
	})
	if err != nil {
		return fmt.Errorf("read what was put aside: %w", err)
	}
	return nil
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
		if err := s.kv.close(); err != nil {
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
