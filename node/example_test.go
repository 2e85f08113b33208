package node_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

// begin starts a node on a directory of its own, and returns it with what stops it.
// The network "example" is a test network: its node keys cost nothing.
func begin(dir string, bootstrap ...string) (n *node.Node, stop func() error, err error) {
	network, err := records.TestNetwork("example")
	if err != nil {
		return nil, nil, err
	}
	keys, err := node.LoadKeys(context.Background(), dir, network, nil) // made at the first start
	if err != nil {
		return nil, nil, err
	}
	c := node.Default()
	c.DataDir, c.Network, c.Identity, c.Person = dir, network, keys.Node, keys.Person
	c.Listen, c.Bootstrap = []string{"/ip4/127.0.0.1/tcp/0"}, bootstrap
	c.PortMap, c.AutoNAT, c.HolePunch, c.RelayService, c.RelayClient = false, false, false, false, false
	c.Log = slog.New(slog.DiscardHandler) // a program's own logger; nothing is written elsewhere
	if n, err = node.New(c); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	<-n.Ready()
	return n, func() error { cancel(); return <-ended }, nil
}

// Two nodes in one process: one publishes, the other reads.
func Example() {
	dir, err := os.MkdirTemp("", "starling-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()

	ann, stopAnn, err := begin(filepath.Join(dir, "ann"))
	if err != nil {
		fmt.Println(err)
		return
	}
	bob, stopBob, err := begin(filepath.Join(dir, "bob"), ann.Addrs()[0])
	if err != nil {
		fmt.Println(err)
		return
	}

	if _, err := ann.Publish(context.Background(), node.Draft{Text: "Hello, #starling"}); err != nil {
		fmt.Println(err)
	}
	for r, err := range bob.Timeline(context.Background(), node.TagSource("starling"), node.Range{Limit: 10}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		_, body, _ := r.Post()
		fmt.Println(body.Text, r.Author() == ann.User())
	}
	fmt.Println(stopBob(), stopAnn())

	// Output:
	// Hello, #starling true
	// <nil> <nil>
}

// A watch shows what is there and then what arrives, until its context ends or it has
// shown as many as it was asked for.
func ExampleNode_Watch() {
	dir, err := os.MkdirTemp("", "starling-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	n, stop, err := begin(dir)
	if err != nil {
		fmt.Println(err)
		return
	}

	ctx := context.Background()
	if _, err := n.Publish(ctx, node.Draft{Text: "before"}); err != nil {
		fmt.Println(err)
	}
	for e, err := range n.Watch(ctx, []node.Source{node.UserSource(n.User())}, 2) {
		if err != nil {
			fmt.Println(err)
			break
		}
		_, body, _ := e.Record.Post()
		fmt.Println(body.Text, e.Live)
		if !e.Live {
			if _, err := n.Publish(ctx, node.Draft{Text: "meanwhile"}); err != nil {
				fmt.Println(err)
			}
		}
	}
	fmt.Println(stop())

	// Output:
	// before false
	// meanwhile true
	// <nil>
}

// Errors that a program can act on are sentinels; all others are to be shown.
func ExampleNew_errors() {
	dir, err := os.MkdirTemp("", "starling-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	n, stop, err := begin(dir)
	if err != nil {
		fmt.Println(err)
		return
	}

	_, _, err = begin(dir)
	fmt.Println("a second node on the directory:", errors.Is(err, node.ErrLocked))
	_, err = n.Publish(context.Background(), node.Draft{Text: strings.Repeat("x", 5000)})
	fmt.Println("a text that is too long:", errors.Is(err, node.ErrTextSize))
	_, err = node.New(node.Default())
	fmt.Println("a configuration without keys:", errors.Is(err, node.ErrConfig))
	fmt.Println(stop())

	// Output:
	// a second node on the directory: true
	// a text that is too long: true
	// a configuration without keys: true
	// <nil>
}
