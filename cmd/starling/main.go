// Command starling runs a node of a Starling network, and talks to the one that
// runs: it publishes, reads and watches posts.
//
// It owns flags, files, signals and what is printed. What a node does is in package
// node; how the commands reach it is in package node/api.
//
// With --json, standard output holds JSON lines and nothing else; everything for
// people goes to standard error. What the exit status means stands in exits.go.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

func main() {
	signal.Ignore(syscall.SIGPIPE) // a closed pipe is a write that fails, see printer
	os.Exit(execute(interruptible(), os.Args[1:]))
}

// stopBound is how long after the first ctrl-C the process is gone: requests have 3
// seconds, the node needs less than one unless a disk or a peer hangs.
const stopBound = 10 * time.Second

// interruptible ends with the first ctrl-C or SIGTERM. The second one, or stopBound,
// ends the process, and says so.
func interruptible() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		late := time.NewTimer(stopBound)
		select {
		case <-signals:
			fmt.Fprintln(os.Stderr, "starling: told to stop again, ending at once; what was acknowledged is on disk")
		case <-late.C:
			fmt.Fprintf(os.Stderr, "starling: not stopped after %s, giving up\n", stopBound)
		}
		os.Exit(exitFailed)
	}()
	return ctx
}

// execute runs one command line and says how it went.
func execute(ctx context.Context, args []string) int {
	root, started := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil, errors.Is(err, errReaderGone):
		return exitDone
	case !*started: // cobra itself refuses: an unknown command, flag or number of arguments
		err = usage("%w", err)
	}
	fmt.Fprintln(os.Stderr, "starling: "+printable(err.Error()))
	return exitCode(err)
}

// newRoot is the tree of commands; started tells whether one of them was entered.
func newRoot() (root *cobra.Command, started *bool) {
	a := &app{out: newPrinter(os.Stdout)}
	started = new(bool)
	root = &cobra.Command{
		Use:   "starling",
		Short: "A peer-to-peer social network: publish, read and watch posts without a server",
		Long: `Starling is a peer-to-peer social network. Every node is an equal: it keeps its
share of everybody's posts and serves its owner.

  starling run                        start your node, and leave it running
  starling post 'Hello, #starling'    say something, in another terminal
  starling timeline '#starling'       read what was said
  starling watch '#starling'          hear what is being said
  starling follow '#starling'         and have it in your home timeline from now on

'starling help COMMAND' explains each command with examples.`,
		Example: `  starling run
  starling post 'Hello, #starling'
  starling timeline '#starling' --json --limit 10`,
		SilenceErrors: true, SilenceUsage: true,
		PersistentPreRun: func(*cobra.Command, []string) { *started = true },
	}
	flags := root.PersistentFlags()
	flags.StringVar(&a.data, "data", "", "`directory` of keys and posts (default $STARLING_DATA, else the user's data directory)")
	flags.StringVar(&a.config, "config", "", "configuration `file` (default $STARLING_CONFIG, else config.toml in the user's configuration directory)")
	flags.BoolVar(&a.json, "json", false, "print JSON lines instead of text")
	root.AddCommand(
		newRun(a), newID(a), newPost(a), newEdit(a), newDelete(a), newTimeline(a), newWatch(a),
		newFollow(a), newUnfollow(a), newFollowing(a),
		newProfile(a), newPut(a), newGet(a), newHistory(a), newConsent(a), newName(a),
		newExport(a), newImport(a), newDB(a),
		newPeers(a), newStatus(a), newHealthcheck(a), newWeb(a), newConfig(a), newVersion(a), newTestnet(a),
		newMan(a), newCompletion(a),
		newDoctor(a), newTop(a),
	)
	root.AddCommand(newTopics()...)
	shape(root)
	a.completeFlags(root)
	return root, started
}
