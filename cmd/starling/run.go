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

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/api"
	"github.com/starling-social/starling/records"
)

func newRun(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "run",
		Short: "Start a node and keep it running",
		Long: `Start a node: it joins the network, keeps its share of everybody's posts and
serves you. Needs no configuration: keys are made at the first start, data stands
in your data directory, addresses are printed. Stop it with ctrl-C.

The node listens on port 4001 with TCP, WebSocket, QUIC, WebTransport and WebRTC,
or on any free port when that one is taken; --listen replaces these addresses. The
network "main" is the public one; every other name is a test network, without
proof of work. 'starling config --help' tells of everything else that can be set.`,
		Example: `  starling run
  starling run --network mine --bootstrap /ip4/192.0.2.7/tcp/4001/p2p/12D3KooW…
  starling run --profile server --announce /dns4/node.example.org/tcp/4001
  starling run --data /tmp/second --listen /ip4/127.0.0.1/udp/0/quic-v1 --api 127.0.0.1:0`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return run(c.Context(), a) },
	}
	flags := c.Flags()
	for _, f := range []settingFlag{
		{"profile", "profile", "`name` of what the settings begin with: default, server, local or lowpower"},
		{"network", "network.name", "`name` of the network (default main)"},
		{"api", "api.listen", "`host:port` for the other commands (default " + api.DefaultAddr + " if it is free)"},
		{"cache", "store.cache", "`size` of copies of places that many read, kept for others, such as 16MiB; 0 keeps none"},
		{"log-level", "log.level", "`level` of what is logged: debug, info, warn or error; or by part, such as info,heal=debug"},
	} {
		flags.Func(f.name, f.help, a.sets(f))
	}
	for _, f := range []settingFlag{
		{"listen", "network.listen", "`multiaddr` to listen on; port 0 is any free one; may be repeated"},
		{"announce", "network.announce", "`multiaddr` to announce instead of what is observed; may be repeated"},
		{"bootstrap", "network.bootstrap", "`multiaddr` of a node to join by, ending in /p2p/…; may be repeated"},
	} {
		flags.Func(f.name, f.help, a.appends(f))
	}
	flags.Func("set", "`key=value` of any other setting, such as store.quota=20GiB; may be repeated", func(text string) error {
		key, value, ok := strings.Cut(text, "=")
		if !ok {
			return errors.New("want key=value")
		}
		a.flags = append(a.flags, source{key, value, "--set " + key})
		return nil
	})
	return c
}

// A settingFlag is a flag for a setting that many need.
type settingFlag struct{ name, key, help string }

func (a *app) sets(f settingFlag) func(string) error {
	return func(value string) error {
		a.flags = append(a.flags, source{f.key, value, "--" + f.name})
		return nil
	}
}

// appends makes a list of what a repeated flag says.
func (a *app) appends(f settingFlag) func(string) error {
	return func(value string) error {
		for i := range a.flags {
			if a.flags[i].origin == "--"+f.name {
				a.flags[i].value += "," + value
				return nil
			}
		}
		return a.sets(f)(value)
	}
}

// run is the life of a node: keys, node, API, word that it is ready, and the same
// backwards.
func run(ctx context.Context, a *app) error {
	c, err := a.configured()
	if err != nil {
		return err
	}
	if err := c.check(); err != nil { // before anything is made on disk
		return err
	}
	dir, err := c.dir()
	if err != nil {
		return err
	}
	network, err := records.NamedNetwork(c.Network.Name)
	if err != nil {
		return usage("network.name: %w", err)
	}
	j := c.Log.journal(os.Stderr)
	defer j.Close()
	log := j.Logger()
	adoptLibraries(log)
	defer context.AfterFunc(ctx, func() { log.Info("stopping; told again, it ends at once", "within", stopBound) })()
	serving, err := c.serving()
	if err != nil {
		return err
	}
	metrics := c.metrics(&serving, log)
	traces, endTraces, err := c.tracing(ctx, os.Getenv, log)
	if err != nil {
		return err
	}
	defer endTraces()
	n, err := open(ctx, dir, network, c, observers{metrics, traces}, log)
	if err != nil {
		return err
	}
	srv, e, err := c.serve(serving, n, dir, log)
	if err != nil {
		return errors.Join(err, n.Close())
	}
	return errors.Join(live(ctx, n, srv, func(ctx context.Context) error {
		if err := a.announce(ctx, n, e, dir, network, log); err != nil {
			return err
		}
		if c.Network.Addresses != "" && ctx.Err() == nil {
			if err := writeAddresses(c.Network.Addresses, n); err != nil {
				return err
			}
		}
		supervisorOf(os.Getenv, log).attend(ctx, n)
		return nil
	}), e.Remove(dir))
}

// observers are told what the node does; nil ones are not.
type observers struct {
	metrics *prometheus.Registry
	traces  *trace.TracerProvider
}

func (o observers) by(c *node.Config) {
	if o.metrics != nil {
		c.Metrics = o.metrics
	}
	if o.traces != nil {
		c.Traces = o.traces
	}
}

// open makes the node, with keys if it is the first time.
func open(ctx context.Context, dir string, network records.Network, set *configured, seen observers, log *slog.Logger) (*node.Node, error) {
	c := node.Default()
	set.apply(&c)
	c.DataDir, c.Network, c.Log = dir, network, log
	seen.by(&c)
	bar := &puzzle{}
	keys, err := node.LoadKeys(ctx, dir, network, bar.tried)
	bar.end(err)
	if err != nil && ctx.Err() != nil {
		return nil, errors.New("interrupted before there was a node key; the next start looks for one again")
	}
	if err != nil {
		return nil, err
	}
	c.Identity, c.Person = keys.Node, keys.Person
	if c.Bootstrap, err = set.bootstraps(); err != nil {
		return nil, usage("network.bootstrap: %w", err)
	}
	n, err := node.New(c)
	if errors.Is(err, node.ErrListen) && set.originOf("network.listen") == originDefault {
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
  starling web%s

Others join with one of these addresses: starling run%s --bootstrap ADDRESS
Stop with ctrl-C.`,
		a.out.styled(bold, "Starling "+node.Version+" is ready on network "+network.Name+"."),
		n.User(), n.PeerID(), printable(dir), e.API, strings.Join(short(addrs), "\n             "),
		a.dataFlag(), a.dataFlag(), a.dataFlag(), networkFlag(network))
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
