package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/starling-social/starling/node/journal"
	"github.com/starling-social/starling/node/testnet"
)

var errMissing = errors.New("something is missing: see above")

func newTestnet(a *app) *cobra.Command {
	var c testnet.Config
	cmd := &cobra.Command{
		Use:   "testnet",
		Short: "Run a whole network in this process and check that it works",
		Long: `Start complete nodes in this process, on loopback over every transport, each with its
own store on disk. Publish a stream of posts through them, 64 at a time, while
watchers on other nodes listen to the busiest hashtags and authors; then read every
post back, under its author and each of its hashtags, from a node that did not
publish it. Prints figures, and last of all a line of JSON. Ends with 1 if anything
is missing. What the nodes kept is removed.

Without --replay the posts are made up. A file has one JSON object a line, gzipped
or not: {"id","time","author","text","tags","mentions","reply_to"}, where authors
are numbers and reply_to is the id of an earlier line. A post stands in at most 8
places: of a line with more, tags come before mentions, and the rest is left out.`,
		Example: `  starling testnet
  starling testnet --nodes 20 --replay posts.jsonl.gz --limit 5000`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("limit") && c.Limit == 0 {
				return usage("--limit 0: want 1 or more")
			}
			if a.data != "" {
				if err := os.MkdirAll(a.data, 0o700); err != nil {
					return fmt.Errorf("make data directory: %w", err)
				}
				c.Dir = a.data
			}
			j := logSettings{Level: journal.At(slog.LevelWarn), Format: logText}.journal(os.Stderr)
			defer j.Close()
			c.Log = j.Logger()
			adoptLibraries(c.Log)
			bars := &bars{}
			c.Progress = bars
			r, err := testnet.Run(cmd.Context(), c)
			bars.end()
			if cmd.Context().Err() != nil {
				return errors.New("interrupted")
			}
			if err != nil {
				return err
			}
			tell(r)
			if err := a.out.object(r); err != nil {
				return err
			}
			if !r.Complete() {
				return errMissing
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&c.Nodes, "nodes", testnet.DefaultNodes, "`nodes` to start")
	flags.IntVar(&c.Neighbourhood, "neighbourhood", testnet.DefaultNeighbourhood, "least number of `nodes` that keep a post")
	flags.StringVar(&c.Replay, "replay", "", "`file` of posts to publish")
	flags.IntVar(&c.Limit, "limit", 0, fmt.Sprintf("`posts` at most (default the whole file, or %d made up)", testnet.DemoPosts))
	return cmd
}

// tell prints what was found for people.
func tell(r testnet.Result) {
	var b strings.Builder
	row := func(what string, n, of int, rate string, p50, p99 float64) {
		fmt.Fprintf(&b, "%-11s %6d of %-6d %9s %9.1f ms %9.1f ms\n", what, n, of, rate, p50, p99)
	}
	fmt.Fprintf(&b, "%-27s %9s %12s %12s\n", "", "", "median", "99 %")
	row("published", r.Published, r.Posts, fmt.Sprintf("%.0f/s", r.PostsPerS), r.PublishP50, r.PublishP99)
	row("read back", r.ReadBack, r.ReadBack+r.Missing, "", r.TimelineP50, r.TimelineP99)
	row("heard live", r.LiveDelivered, r.LiveExpected, "", r.LiveP50, r.LiveP99)
	fmt.Fprintf(os.Stderr, "%s%d nodes in %.0f MiB\n", &b, r.Nodes, r.RSS)
}
