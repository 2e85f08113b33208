package crash

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sync/errgroup"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/records"
)

// A load writes to a store of this process, on whatever file system, and remembers
// what was acknowledged.
type load struct {
	network records.Network

	mu             sync.Mutex // protects what follows
	acknowledged   map[records.ItemKey]*records.Record
	refused        int
	onAcknowledged func(total int) // called while nothing else is acknowledged
}

func newLoad() (*load, error) {
	n, err := Network()
	return &load{network: n, acknowledged: map[records.ItemKey]*records.Record{}}, err
}

// dir is where stores are on file systems in memory.
const dir = "store"

func (l *load) open(files vfs.FS, at string) (*datastore.Store, error) {
	return datastore.Open(datastore.Config{Dir: at, Network: l.network, FS: files, Limits: datastore.Limits{Floor: -1}})
}

// run has some authors post, edit and delete, several at a time, posts of some length.
func (l *load) run(ctx context.Context, s *datastore.Store, from, to, length int) error {
	g, ctx := errgroup.WithContext(ctx)
	for i := from; i < to; i++ {
		g.Go(func() error {
			key := records.KeyFromSeed([32]byte{0: byte(i), 1: byte(i >> 8), 2: byte(i >> 16), 3: 2})
			for post := range 5 {
				if err := l.post(ctx, s, key, post, length); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

func (l *load) post(ctx context.Context, s *datastore.Store, key records.Key, i, length int) error {
	var salt [8]byte
	seed := key.Seed()
	binary.BigEndian.PutUint64(salt[:], uint64(i))
	text, random := make([]byte, length), rand.New(rand.NewPCG(binary.BigEndian.Uint64(seed[:]), uint64(i)))
	for at := range text { // that no compression shortens much
		text[at] = byte('0' + random.IntN(75))
	}
	d, err := records.NewPost(firstPost+interval*records.Millis(i), salt, records.PostHead{Tags: []records.Tag{"crash"}}, records.PostBody{Text: string(text)})
	if err != nil {
		return err
	}
	r, err := l.merge(ctx, s, key, d)
	if err == nil && r != nil && i%2 == 0 {
		if d, err = records.EditPost(r, r.Rev().Millis()+1, records.PostBody{Text: "edited"}); err == nil {
			r, err = l.merge(ctx, s, key, d)
		}
	}
	if err == nil && r != nil && i%4 == 0 {
		_, err = l.merge(ctx, s, key, records.Tombstone(r, r.Rev().Millis()+1))
	}
	return err
}

// merge puts a record to its author's and its tag's hour. What the store refuses for
// the disk's sake is counted, and there is no record then.
func (l *load) merge(ctx context.Context, s *datastore.Store, key records.Key, d records.Draft) (*records.Record, error) {
	r, err := records.Seal(ctx, l.network, records.AuthorSigner(key), d)
	if err != nil {
		return nil, err
	}
	var puts []records.Put
	for _, root := range r.Roots() {
		puts = append(puts, records.Put{Place: root.At(levelHour, r), Record: r})
	}
	_, err = s.Merge(ctx, puts)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		l.acknowledged[r.ItemKey()] = r
		if l.onAcknowledged != nil {
			l.onAcknowledged(len(l.acknowledged))
		}
		return r, nil
	case errors.Is(err, datastore.ErrFull), errors.Is(err, datastore.ErrBroken), errors.Is(err, datastore.ErrReadOnly):
		l.refused++
		return nil, nil
	default:
		return nil, fmt.Errorf("merge: %w", err)
	}
}

// missing is how many of some records are not there, in that version or a newer one.
func missing(s *datastore.Store, want map[records.ItemKey]*records.Record) (n int) {
	for key, r := range want {
		if got, err := s.Record(key); err != nil || got.Rev() < r.Rev() || got.Rev() == r.Rev() && got.ID() != r.ID() {
			n++
		}
	}
	return n
}
