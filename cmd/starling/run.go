package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/api"
	"github.com/starling-social/starling/records"
)

// maxCache is more MiB of copies than a node ever makes.
const maxCache = 1 << 20

type runFlags struct {
	network   string
	listen    []string
	bootstrap []string
	api       string
	cache     int64
}

func newRun(a *app) *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   "run",
		Short: "Start a node and keep it running",
		Long: `Start a node: it joins the network, keeps its share of everybody's posts and
serves you. Needs no configuration: keys are made at the first start, data stands
in your data directory, addresses are printed. Stop it with ctrl-C.

The node listens on port 4001 with TCP, WebSocket, QUIC, WebTransport and WebRTC,
or on any free port when that one is taken; --listen replaces these addresses. The
network "main" is the public one; every other name is a test network, without
proof of work.`,
		Example: `  starling run
  starling run --network mine --bootstrap /ip4/192.0.2.7/tcp/4001/p2p/12D3KooW…
  starling run --data /tmp/second --listen /ip4/127.0.0.1/udp/0/quic-v1 --api 127.0.0.1:0`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return run(c.Context(), a, f) },
	}
	flags := c.Flags()
	flags.StringVar(&f.network, "network", records.MainName, "`name` of the network")
	flags.StringArrayVar(&f.listen, "listen", nil, "`multiaddr` to listen on; port 0 is any free one; may be repeated")
	flags.StringArrayVar(&f.bootstrap, "bootstrap", nil, "`multiaddr` of a node to join by, ending in /p2p/…; may be repeated")
	flags.StringVar(&f.api, "api", "", "loopback `host:port` for the other commands (default "+api.DefaultAddr+" if it is free)")
	flags.Int64Var(&f.cache, "cache", node.Default().Cache>>20, "`MiB` of places that many read to keep copies of for others; 0 keeps none")
	return c
}

// run is the life of a node: keys, node, API, word that it is ready, and the same
// backwards.
func run(ctx context.Context, a *app, f runFlags) error {
	dir, err := a.dir()
	if err != nil {
		return err
	}
	network, err := records.NamedNetwork(f.network)
	if err != nil {
		return usage("--network: %w", err)
	}
	if err := api.CheckAddr(f.api); err != nil {
		return usage("--api: %w", err)
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
	n, err := open(ctx, dir, network, f, log)
	if err != nil {
		return err
	}
	l, err := api.Listen(f.api)
	if err != nil {
		return errors.Join(err, n.Close())
	}
	e := api.Endpoint{API: l.Addr().String(), Token: api.NewToken(), PID: os.Getpid(), Version: node.Version}
	if err := e.Write(dir); err != nil {
		return errors.Join(err, l.Close(), n.Close())
	}
	srv := api.NewServer(api.ServerConfig{Listener: l, Node: n, Store: n.Store(), Token: e.Token, Log: log.With("part", "api")})
	return errors.Join(live(ctx, n, srv, func(ctx context.Context) error {
		return a.announce(ctx, n, e, dir, network, log)
	}), e.Remove(dir))
}

// open makes the node, with keys if it is the first time.
func open(ctx context.Context, dir string, network records.Network, f runFlags, log *slog.Logger) (*node.Node, error) {
	c := node.Default()
	c.DataDir, c.Network, c.Bootstrap, c.Log = dir, network, f.bootstrap, log
	if f.cache < 0 || f.cache > maxCache {
		return nil, usage("--cache: %d MiB, want 0 to %d", f.cache, maxCache)
	}
	c.Cache = f.cache << 20
	if len(f.listen) > 0 {
		c.Listen = f.listen
	}
	if err := c.CheckAddrs(); err != nil { // before anything is made on disk
		return nil, err
	}
	bar := &puzzle{}
	keys, err := node.LoadKeys(ctx, dir, network, bar.tried)
	bar.found()
	if err != nil {
		return nil, err
	}
	c.Identity, c.Person = keys.Node, keys.Person
	n, err := node.New(c)
	if errors.Is(err, node.ErrListen) && len(f.listen) == 0 {
		log.Warn("listening on free ports instead", "err", err)
		c.Listen = node.DefaultListen(0)
		n, err = node.New(c)
	}
	switch {
	case errors.Is(err, node.ErrLocked):
		return nil, fmt.Errorf("%w: is a node running on %s? stop it, or choose another directory with --data", err, dir)
	case errors.Is(err, node.ErrForeign):
		return nil, fmt.Errorf("%w: name that one with --network, or choose another directory with --data", err)
	}
	return n, err
}

// live runs node and server until ctx ends or one of them does. The server ends
// first, so that what it was asked is done.
func live(ctx context.Context, n *node.Node, srv *api.Server, ready func(context.Context) error) error {
	serving, stopServing := context.WithCancel(ctx)
	running, stopRunning := context.WithCancel(context.WithoutCancel(ctx))
	var parts sync.WaitGroup
	var nodeErr, readyErr error
	parts.Go(func() {
		defer stopServing()
		nodeErr = n.Run(running)
	})
	parts.Go(func() {
		if readyErr = ready(serving); readyErr != nil {
			stopServing()
		}
	})
	err := srv.Run(serving)
	stopServing()
	stopRunning()
	parts.Wait()
	return errors.Join(err, nodeErr, readyErr)
}

// readyBound is how long the node may look for the network before it says that it
// is ready all the same.
const readyBound = 10 * time.Second

// announce says that the node is ready, when it is.
func (a *app) announce(ctx context.Context, n *node.Node, e api.Endpoint, dir string, network records.Network, log *slog.Logger) error {
	late := time.NewTimer(readyBound)
	defer late.Stop()
	select {
	case <-n.Ready():
	case <-late.C:
		log.Warn("nobody of the network answers yet; still trying", "after", readyBound)
	case <-ctx.Done():
		return nil
	}
	err := a.welcome(n, e, dir, network)
	if errors.Is(err, errReaderGone) {
		return nil // the node is for those who ask, not for who reads this line
	}
	return err
}

func (a *app) welcome(n *node.Node, e api.Endpoint, dir string, network records.Network) error {
	addrs := n.Addrs()
	if a.json {
		return a.out.object(struct {
			Event   string   `json:"event"`
			PeerID  string   `json:"peer_id"`
			Addrs   []string `json:"addrs"`
			API     string   `json:"api"`
			Data    string   `json:"data"`
			Network string   `json:"network"`
		}{"ready", n.PeerID().String(), addrs, e.API, dir, network.Name})
	}
	return a.out.line(`%s

  you        %s
  node       %s
  data       %s
  API        http://%s
  addresses  %s

Next, in another terminal:

  starling post%s 'Hello, #starling'
  starling timeline%s '#starling'

Others join with one of these addresses: starling run%s --bootstrap ADDRESS
Stop with ctrl-C.`,
		a.out.styled(bold, "Starling "+node.Version+" is ready on network "+network.Name+"."),
		n.User(), n.PeerID(), printable(dir), e.API, strings.Join(short(addrs), "\n             "),
		a.dataFlag(), a.dataFlag(), networkFlag(network))
}

// short leaves out addresses that nobody copies by hand: those with certificates in
// them, unless there are no others, and the loopback ones behind real ones.
func short(addrs []string) []string {
	const most = 4
	plain := slices.DeleteFunc(slices.Clone(addrs), func(a string) bool { return strings.Contains(a, "/certhash/") })
	if len(plain) == 0 {
		plain = addrs
	}
	if rest := len(addrs) - most; len(plain) > most {
		return append(plain[:most:most], fmt.Sprintf("and %d more, see --json", rest))
	}
	return plain
}

// dataFlag is what other commands need to find the same directory.
func (a *app) dataFlag() string {
	if a.data == "" {
		return ""
	}
	return " --data '" + printable(a.data) + "'"
}

func networkFlag(n records.Network) string {
	if n.Name == records.MainName {
		return ""
	}
	return " --network " + n.Name
}
