package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/records"
)

// How room is made in the store.
const (
	roomEvery = time.Minute // a disk fills without our doing, too
	roomChunk = 16          // places that are dropped at once
)

// makeRoom removes copies when the store is short of room, cached ones before
// followed ones, until ctx ends. What was written for others or by the owner stays, but
// a node that has no room for all of that holds less for others.
func (n *Node) makeRoom(ctx context.Context) error {
	ticker := time.NewTicker(roomEvery)
	defer ticker.Stop()
	for {
		select {
		case <-n.store.Pressed():
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := errors.Join(n.removeExcess(ctx), n.fit(ctx)); err != nil && ctx.Err() == nil {
			n.voices.store.Warn("cannot make room in the store", "err", err)
		}
	}
}

// removeExcess removes as much of one class after the other as was too much when it
// began with that class: a disk is less full only some time after.
func (n *Node) removeExcess(ctx context.Context) error {
	for range datastore.Held {
		class, bytes := n.store.Excess()
		if bytes == 0 {
			return nil
		}
		goal := n.store.Stats().Class[class].Bytes - bytes
		var chunk []records.Place
		for p, err := range n.store.Removable(class) {
			if err != nil {
				return err
			}
			if chunk = append(chunk, p); len(chunk) < roomChunk {
				continue
			}
			if err := n.removeCopies(ctx, chunk); err != nil {
				return err
			}
			chunk = chunk[:0]
			if n.store.Stats().Class[class].Bytes <= goal {
				break
			}
		}
		if err := n.removeCopies(ctx, chunk); err != nil {
			return err
		}
	}
	return nil
}

// removeCopies drops copies, of which nobody takes one for whole any more.
func (n *Node) removeCopies(ctx context.Context, places []records.Place) error {
	n.copies.writing.Lock()
	defer n.copies.writing.Unlock()
	var ours, copied []records.Place
	for _, p := range places {
		if n.ours(p) { // it became so after it was copied
			ours = append(ours, p)
			continue
		}
		n.copies.spoil(p)
		if err := n.release(ctx, p); err != nil {
			return err
		}
		copied = append(copied, p)
	}
	err := n.store.Reclass(ctx, datastore.Held, ours)
	if err == nil {
		err = n.store.Drop(ctx, copied)
	}
	if err != nil {
		return fmt.Errorf("remove copies: %w", err)
	}
	return nil
}
