// Command page drives the page of real nodes in Chromium: read, write, by keys, offline, and with what strangers may write.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/starling-social/starling/scripts/internal/campaign"
)

func main() {
	var o options
	campaign.Main("page", func(ctx context.Context, c *campaign.Campaign) error { return run(ctx, c, o) }, func(f *flag.FlagSet) {
		f.StringVar(&o.shots, "shots", "", "`folder` for pictures of every view; none are taken without one")
		f.StringVar(&o.chromium, "chromium", "chromium", "`program` that is the browser; Debian's is installed when it is missing and one is root")
	})
}

type options struct {
	shots    string
	chromium string
}

// nodes is how many there are: two to write and read, the others to make a network of it.
const nodes = 4

func run(ctx context.Context, c *campaign.Campaign, o options) (err error) {
	chromium, err := tools(ctx, o.chromium)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "starling-page-")
	if err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if o.shots != "" {
		if o.shots, err = filepath.Abs(o.shots); err != nil {
			return fmt.Errorf("folder for pictures: %w", err)
		}
		if err := os.MkdirAll(o.shots, 0o750); err != nil {
			return fmt.Errorf("folder for pictures: %w", err)
		}
	}
	js, binary := filepath.Join(dir, "js"), filepath.Join(dir, "starling")
	prepare, within := errgroup.WithContext(ctx)
	prepare.Go(func() error { return install(within, js) })
	prepare.Go(func() error { return build(within, binary) })
	if err := prepare.Wait(); err != nil {
		return err
	}
	net, err := startNetwork(ctx, dir, binary, nodes)
	if err != nil {
		return err
	}
	defer net.stop()
	return drive(ctx, c, net, js, plan{Nodes: net.nodes, Chromium: chromium, Quick: c.Quick, Shots: o.shots})
}
