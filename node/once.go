package node

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	ds "github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"

	"github.com/starling-social/starling/records"
)

// Limits of what is remembered of keys.
const (
	MaxOnceKey = 255            // bytes of a key
	MaxOnce    = 1024           // keys remembered; the oldest gives way
	OnceTime   = 24 * time.Hour // that a key is remembered at most
)

// ErrKeyReused means that a key was used for another draft within [OnceTime].
var ErrKeyReused = errors.New("this key was used for another post: take a new one")

// PublishOnce publishes a draft under a key that its caller made up. The same key with
// the same draft is the same post, however often it is asked for, also when the node
// was started anew between: what makes it this post and no other, its time and salt,
// is on disk before the network hears of it. repeated tells whether the key was known.
//
// A post that was stored is not published again while the node runs: its receipt is
// the first one. Without a majority, asking again tries again. The same key with
// another draft is [ErrKeyReused].
func (n *Node) PublishOnce(ctx context.Context, key string, d Draft) (r Receipt, repeated bool, err error) {
	digest, err := d.digest()
	if err != nil {
		return Receipt{}, false, err
	}
	p, repeated, err := n.promises.of(ctx, key, digest, n.now())
	if err != nil {
		return Receipt{}, repeated, err
	}
	select { // one at a time; who asks meanwhile gets the same receipt
	case p.working <- struct{}{}:
		defer func() { <-p.working }()
	case <-ctx.Done():
		return Receipt{}, repeated, context.Cause(ctx)
	}
	if p.receipt != nil {
		return *p.receipt, repeated, nil
	}
	r, err = n.publishAs(ctx, d, p.created, p.salt)
	if err == nil {
		p.receipt = &r
	}
	return r, repeated, err
}

// digest tells drafts apart.
func (d Draft) digest() (out [32]byte, err error) {
	b, err := json.Marshal(d)
	if err != nil {
		return out, fmt.Errorf("look at draft: %w", err)
	}
	return sha256.Sum256(b), nil
}

// promise is what a key stands for.
type promise struct {
	id      ds.Key   // made of the key
	draft   [32]byte // its digest
	created records.Millis
	salt    [8]byte

	working chan struct{} // holds a token while the post is being published
	receipt *Receipt      // of the post once it is stored; whoever has the token may look
}

// promises are those of all keys.
type promises struct {
	store ds.Batching

	mu  sync.Mutex          // protects all below, until what is new is on disk
	all map[ds.Key]*promise // by id
}

var promisesKey = ds.NewKey("/node/once")

func idOf(key string) ds.Key {
	sum := sha256.Sum256([]byte(key))
	return promisesKey.ChildString(hex.EncodeToString(sum[:]))
}

// openPromises reads what was promised before the node was started. What cannot be
// read promises nothing.
func openPromises(ctx context.Context, store ds.Batching) (*promises, error) {
	p := &promises{store: store, all: map[ds.Key]*promise{}}
	found, err := store.Query(ctx, query.Query{Prefix: promisesKey.String()})
	if err != nil {
		return nil, fmt.Errorf("read keys of posts: %w", err)
	}
	defer func() { _ = found.Close() }() // nothing was written
	for e := range found.Next() {
		if e.Error != nil {
			return nil, fmt.Errorf("read keys of posts: %w", e.Error)
		}
		if known, ok := parsePromise(ds.RawKey(e.Key), e.Value); ok {
			p.all[known.id] = known
		}
	}
	return p, nil
}

const promiseSize = 32 + 8 + 8

func (e *promise) encode() []byte {
	b := binary.BigEndian.AppendUint64(slices.Clone(e.draft[:]), uint64(e.created))
	return append(b, e.salt[:]...)
}

func parsePromise(id ds.Key, b []byte) (*promise, bool) {
	if len(b) != promiseSize {
		return nil, false
	}
	return &promise{
		id: id, draft: [32]byte(b), created: records.Millis(binary.BigEndian.Uint64(b[32:])), salt: [8]byte(b[40:]),
		working: make(chan struct{}, 1),
	}, true
}

// of is what a key stands for, from now on if it is new.
func (p *promises) of(ctx context.Context, key string, draft [32]byte, now time.Time) (*promise, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	id := idOf(key)
	if e := p.all[id]; e != nil && now.Sub(e.created.Time()) <= OnceTime {
		if e.draft != draft {
			return nil, true, ErrKeyReused
		}
		return e, true, nil
	}
	e := &promise{id: id, draft: draft, created: records.MillisOf(now), working: make(chan struct{}, 1)}
	_, _ = rand.Read(e.salt[:]) // never fails: see crypto/rand
	old := p.over(now)
	if err := p.write(ctx, e, old); err != nil {
		return nil, false, fmt.Errorf("remember key of post: %w", err)
	}
	for _, gone := range old {
		delete(p.all, gone)
	}
	p.all[id] = e
	return e, false, nil
}

// over is what is to be forgotten: what is too old, and the oldest if there are too
// many for one more.
func (p *promises) over(now time.Time) (out []ds.Key) {
	byAge := slices.SortedFunc(maps.Values(p.all), func(a, b *promise) int { return cmp.Compare(a.created, b.created) })
	for i, e := range byAge {
		if now.Sub(e.created.Time()) <= OnceTime && len(byAge)-i < MaxOnce {
			break
		}
		out = append(out, e.id)
	}
	return out
}

// write has it on disk that a promise is made, and that old ones are forgotten.
func (p *promises) write(ctx context.Context, e *promise, old []ds.Key) error {
	b, err := p.store.Batch(ctx)
	if err != nil {
		return err
	}
	for _, gone := range old {
		if err := b.Delete(ctx, gone); err != nil {
			return err
		}
	}
	if err := b.Put(ctx, e.id, e.encode()); err != nil {
		return err
	}
	return b.Commit(ctx)
}
