package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/api"
	"github.com/starling-social/starling/records/archive"
)

// vault is what a node keeps, whether it runs or not.
type vault interface {
	Export(ctx context.Context, to io.Writer, sel api.Selection, progress func(records int64)) (archive.Totals, error)
	Import(ctx context.Context, from io.Reader, progress func(api.Imported)) (api.Imported, error)
	StoreStats(ctx context.Context) (api.StoreStats, error)
}

// withVault has do work with what is kept in the data directory: through the node if
// one runs there, else by itself. Where nothing is kept yet, a store of the network
// with an id is made; without an id that is an error.
func (a *app) withVault(ctx context.Context, network string, do func(vault) error) error {
	running := false
	err := a.withNode(func(n *api.Client) error {
		if _, err := n.Status(ctx); err != nil {
			return err
		}
		running = true
		return do(n)
	})
	if running || !errors.Is(err, api.ErrNotRunning) {
		return err
	}
	return a.withStore(network, func(s *node.Store) error { return do(stoppedNode{s}) })
}

// withStore has do work with the store of a node that does not run.
func (a *app) withStore(network string, do func(*node.Store) error) error {
	set, err := a.configured()
	if err != nil {
		return err
	}
	dir, err := set.dir()
	if err != nil {
		return err
	}
	c := node.Default()
	set.apply(&c)
	c.DataDir = dir
	s, err := node.OpenStore(c, network)
	if errors.Is(err, node.ErrLocked) {
		return fmt.Errorf("%w: a node runs on %s, or another command; stop it first", err, dir)
	}
	if err != nil {
		return err
	}
	return errors.Join(do(s), s.Close())
}

// stoppedNode is the store of a node that does not run, as a running one tells of it.
type stoppedNode struct{ *node.Store }

func (s stoppedNode) Export(ctx context.Context, to io.Writer, sel api.Selection, progress func(int64)) (archive.Totals, error) {
	names, err := sel.Of(s.Owner())
	if err != nil {
		return archive.Totals{}, usage("%w", err)
	}
	return s.Store.Export(ctx, to, names, progress)
}

func (s stoppedNode) Import(ctx context.Context, from io.Reader, progress func(api.Imported)) (api.Imported, error) {
	done, err := s.Store.Import(ctx, from, func(i node.Imported) { progress(api.ImportedOf(i)) })
	return api.ImportedOf(done), err
}

func (s stoppedNode) StoreStats(context.Context) (api.StoreStats, error) {
	stats, err := s.Stats()
	return api.StoreStatsOf(stats), err
}
