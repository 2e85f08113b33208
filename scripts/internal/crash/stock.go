package crash

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sync/errgroup"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/records"
)

// Stock fills a store in a directory with posts, so many of each of some authors, who
// have a hashtag each, and returns how many records it holds then.
func Stock(ctx context.Context, dir string, authors, each int) (kept int64, err error) {
	l, err := newLoad()
	if err != nil {
		return 0, err
	}
	s, err := l.open(vfs.Default, dir)
	if err != nil {
		return 0, fmt.Errorf("open store: %w", err)
	}
	g, bounded := errgroup.WithContext(ctx)
	g.SetLimit(2 * runtime.GOMAXPROCS(0))
	for i := range authors {
		g.Go(func() error { return l.stock(bounded, s, i, each) })
	}
	err = g.Wait()
	kept = s.Stats().Records
	return kept, errors.Join(err, s.Close())
}

// stock is the posts of one author, merged at once.
func (l *load) stock(ctx context.Context, s *datastore.Store, author, posts int) error {
	key := records.KeyFromSeed([32]byte{0: byte(author), 1: byte(author >> 8), 3: 3})
	tag := records.Tag(fmt.Sprint("stock", author))
	var puts []records.Put
	for i := range posts {
		var salt [8]byte
		binary.BigEndian.PutUint64(salt[:], uint64(i))
		text := fmt.Sprintf("post %d of %d, which says nothing that anybody would want to know #%s", i, author, tag)
		d, err := records.NewPost(firstPost+interval*records.Millis(i), salt, records.PostHead{Tags: []records.Tag{tag}}, records.PostBody{Text: text})
		if err != nil {
			return err
		}
		r, err := records.Seal(ctx, l.network, records.AuthorSigner(key), d)
		if err != nil {
			return err
		}
		for _, root := range r.Roots() {
			puts = append(puts, records.Put{Place: root.At(levelHour, r), Record: r})
		}
	}
	_, err := s.Merge(ctx, puts)
	return err
}
