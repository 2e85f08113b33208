package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/records"
)

// A writer makes posts by many authors with many hashtags, so that no bucket is
// ever full: each stands at its author's month and at that of its hashtag.
type writer struct {
	network records.Network
	keys    []records.Key
	made    int
}

const (
	authors   = 20_000
	postText  = "what people say is not random bytes; "
	firstPost = records.Millis(1_600_000_000_000)
	atOnce    = 8 // goroutines that seal and merge
	batch     = 256
)

func newWriter(r *rand.Rand) (*writer, error) {
	n, err := records.TestNetwork("reconcile")
	if err != nil {
		return nil, err
	}
	w := &writer{network: n, keys: make([]records.Key, authors)}
	for i := range w.keys {
		var seed [32]byte
		for j := 0; j < len(seed); j += 8 {
			binary.BigEndian.PutUint64(seed[j:], r.Uint64())
		}
		w.keys[i] = records.KeyFromSeed(seed)
	}
	return w, nil
}

// puts are the i-th post, everywhere it stands.
func (w *writer) puts(ctx context.Context, i int) ([]records.Put, error) {
	var salt [8]byte
	binary.BigEndian.PutUint64(salt[:], uint64(i))
	tag := records.Tag(fmt.Sprintf("tag%d", (i/authors*7919+i)%authors))
	d, err := records.NewPost(firstPost+records.Millis(i), salt, records.PostHead{Tags: []records.Tag{tag}}, records.PostBody{Text: fmt.Sprint(strings.Repeat(postText, 12), i)})
	if err != nil {
		return nil, err
	}
	r, err := records.Seal(ctx, w.network, records.AuthorSigner(w.keys[i%authors]), d)
	if err != nil {
		return nil, err
	}
	var puts []records.Put
	for _, root := range r.Roots() {
		puts = append(puts, records.Put{Place: root.At(records.LevelMonth, r), Record: r})
	}
	return puts, nil
}

// write puts the next n posts into a store and returns what they take as records.
func (w *writer) write(ctx context.Context, s *datastore.Store, n int) (size int, err error) {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	sizes := make([]int, (n+batch-1)/batch)
	for b := range sizes {
		first := w.made + b*batch
		last := min(first+batch, w.made+n)
		g.Go(func() error {
			var all []records.Put
			for i := first; i < last; i++ {
				puts, err := w.puts(ctx, i)
				if err != nil {
					return err
				}
				all = append(all, puts...)
				sizes[b] += len(puts[0].Record.Bytes())
			}
			_, err := s.Merge(ctx, all)
			return err
		})
	}
	err = g.Wait()
	w.made += n
	for _, s := range sizes {
		size += s
	}
	return size, err
}

// twins are two stores with the same n records: one and its copy.
func twins(ctx context.Context, dir string, w *writer, n int) (stores [2]*datastore.Store, err error) {
	first, second := filepath.Join(dir, "first"), filepath.Join(dir, "second")
	s, err := datastore.Open(datastore.Config{Dir: first, Network: w.network})
	if err != nil {
		return stores, err
	}
	_, err = w.write(ctx, s, n)
	if closeErr := s.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.CopyFS(second, os.DirFS(first))
	}
	for i, dir := range []string{first, second} {
		if err == nil {
			stores[i], err = datastore.Open(datastore.Config{Dir: dir, Network: w.network})
		}
	}
	return stores, err
}

// dirSize is what the files in a directory take.
func dirSize(dir string) (size int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if info, err := d.Info(); err == nil {
			size += info.Size()
		}
		return nil
	})
	return size
}
