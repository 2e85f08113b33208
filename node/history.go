package node

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	ds "github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"

	"github.com/starling-social/starling/records"
)

// A register's members keep the version that won and no other, so the network has no
// history. What can honestly be told is which versions this node has written or read;
// each names the version that its author saw before, so that what is missing between
// two of them shows. Nothing else is remembered: what a node holds for others is not
// what it has read.

// Bounds of what is remembered: 32 MiB of the largest records.
const (
	historyVersions  = 16  // of one register, the newest
	historyRegisters = 256 // those noted last
)

// Seen is one version of a register that this node has seen.
type Seen struct {
	Record *records.Record
	// Missing tells that the author had seen another version before this one than
	// the one that follows here: there are versions between, or two that were
	// written at once.
	Missing bool
}

// History is the versions of a register that this node has written or read, the
// newest first, and what stands there now. Without any it fails with [ErrNoRegister].
func (n *Node) History(ctx context.Context, id records.RegisterID) ([]Seen, error) {
	if _, err := n.ReadRegister(ctx, id, false); err != nil && !errors.Is(err, ErrNoRegister) && !errors.Is(err, ErrNoAnswer) {
		return nil, err
	}
	seen, err := n.history.versions(ctx, id.Place())
	if err != nil {
		return nil, fmt.Errorf("history of %s: %w", id.Key(), err)
	}
	if len(seen) == 0 {
		return nil, ErrNoRegister
	}
	out := make([]Seen, len(seen))
	for i, r := range seen {
		out[i].Record = r
		_, body, _ := r.Register() // of a tombstone nothing is known
		switch {
		case r.Deleted():
		case i+1 < len(seen):
			out[i].Missing = body.Replaces != seen[i+1].ID()
		default:
			out[i].Missing = body.Replaces != records.ID{}
		}
	}
	return out, nil
}

// history is the versions of registers that were seen, on disk. It is safe for
// concurrent use.
type history struct {
	store ds.Datastore
	door  *records.Door
	now   func() time.Time
	log   *slog.Logger

	mu    sync.Mutex                                         // held by whoever changes what is kept
	known *simplelru.LRU[string, map[string]*records.Record] // by register and key; nil until first used
}

const historyRoot = "/register/history"

func newHistory(store ds.Datastore, door *records.Door, now func() time.Time, log *slog.Logger) *history {
	return &history{store: store, door: door, now: now, log: log}
}

// historyKey is where a version is kept: keys of one register ascend with the
// revision.
func historyKey(r *records.Record) (register, key string) {
	k, id := r.ItemKey(), r.ID()
	register = hex.EncodeToString(k[:])
	return register, fmt.Sprintf("%s/%s/%016x-%s", historyRoot, register, uint64(r.Rev()), hex.EncodeToString(id[:8]))
}

// note keeps a version that was read or written. Nil is none. What cannot be kept is
// only not remembered.
func (h *history) note(ctx context.Context, r *records.Record) {
	if r == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.noteLocked(ctx, r); err != nil && ctx.Err() == nil {
		h.log.Warn("remember a version of a register", "err", err)
	}
}

func (h *history) noteLocked(ctx context.Context, r *records.Record) error {
	if err := h.load(ctx); err != nil {
		return err
	}
	register, key := historyKey(r)
	kept, _ := h.known.Get(register)
	if kept[key] != nil {
		return nil
	}
	if err := h.store.Put(ctx, ds.NewKey(key), r.Bytes()); err != nil {
		return err
	}
	if kept == nil {
		kept = map[string]*records.Record{}
	}
	kept[key] = r
	var errs []error
	for _, old := range oldest(kept, historyVersions) {
		delete(kept, old)
		errs = append(errs, h.store.Delete(ctx, ds.NewKey(old)))
	}
	if h.known.Len() == historyRegisters && !h.known.Contains(register) {
		_, gone, _ := h.known.RemoveOldest()
		for old := range gone {
			errs = append(errs, h.store.Delete(ctx, ds.NewKey(old)))
		}
	}
	h.known.Add(register, kept)
	return errors.Join(errs...)
}

// oldest are the keys beyond the newest most, which are kept.
func oldest(kept map[string]*records.Record, most int) []string {
	var keys []string
	for k := range kept {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int { return strings.Compare(b, a) })
	return keys[min(most, len(keys)):]
}

// load reads what was kept by an earlier run, once. What does not open any more, or
// is damaged, is left out and in the end replaced.
func (h *history) load(ctx context.Context) error {
	if h.known != nil {
		return nil
	}
	known, err := simplelru.NewLRU[string, map[string]*records.Record](historyRegisters+1, nil)
	if err != nil {
		return err
	}
	found, err := h.store.Query(ctx, query.Query{Prefix: historyRoot})
	if err != nil {
		return err
	}
	defer func() { _ = found.Close() }() // it was read
	for e := range found.Next() {
		if e.Error != nil {
			return e.Error
		}
		r, err := h.door.Open(e.Value, h.now())
		if err != nil {
			h.log.Debug("a remembered version of a register does not open", "key", e.Key, "err", err)
			continue
		}
		register, key := historyKey(r)
		kept, _ := known.Get(register)
		if kept == nil {
			kept = map[string]*records.Record{}
		}
		kept[key] = r
		known.Add(register, kept)
	}
	h.known = known
	return nil
}

// versions are those of a register, newest first.
func (h *history) versions(ctx context.Context, p records.Place) (out []*records.Record, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.load(ctx); err != nil {
		return nil, err
	}
	for _, register := range h.known.Keys() {
		kept, _ := h.known.Peek(register)
		for _, r := range kept {
			if records.Fits(r, p) != nil {
				break // all of one register fit the same place
			}
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b *records.Record) int {
		if a.Wins(b) {
			return -1
		}
		return 1
	})
	return out, nil
}
