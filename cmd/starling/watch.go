package main

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/starling-social/starling/node/api"
)

func newWatch(a *app) *cobra.Command {
	limit, home := 0, false
	c := &cobra.Command{
		Use:   "watch '#TAG' | USER | @USER | POST ... | --home",
		Short: "Watch timelines as posts arrive",
		Long: `Show the newest 50 posts of some hashtags, users, mentions and threads, or with --home
of everything that you follow, then every post as it arrives, edits and deletions too.
A connection that breaks is made again and goes on where it was; what may be missing is
said. Ends with ctrl-C, with the node, or after --limit posts. Quote hashtags: to a shell, #
begins a comment.`,
		Example: `  starling watch '#starling'
  starling watch '#birds' '#go' did:key:z6Mk… --json
  starling watch --home`,
		ValidArgsFunction: a.sources,
		Args:              unlessHome(&home, arguments(1, -1, "at least one hashtag in quotes, user, @user or post, or --home")),
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkSources(args); err != nil {
				return err
			}
			if limit < 0 || c.Flags().Changed("limit") && limit == 0 {
				return usage("--limit %d: want 1 or more", limit)
			}
			return a.withNode(func(n *api.Client) error {
				if home {
					return a.arrivals(c.Context(), n.WatchHome(c.Context(), limit))
				}
				return a.arrivals(c.Context(), n.Watch(c.Context(), args, limit))
			})
		},
	}
	c.Flags().BoolVar(&home, "home", false, "everything that you follow, also what you begin to follow meanwhile")
	c.Flags().IntVar(&limit, "limit", 0, "`posts` after which to end, old and new together (default no limit)")
	return c
}

// arrivals prints what a watch hears until it ends.
func (a *app) arrivals(ctx context.Context, watched iter.Seq2[api.Arrival, error]) error {
	for arrival, err := range watched {
		switch {
		case ctx.Err() != nil:
			return nil // ctrl-C is how a watch ends
		case err != nil:
			return err
		case arrival.Gap != nil:
			fmt.Fprintln(os.Stderr, "starling: "+missing(*arrival.Gap))
		case arrival.Post != nil:
			if err := a.post(*arrival.Post); err != nil {
				return err
			}
		}
	}
	return nil
}

// missing says what a watch did not hear, and why.
func missing(g api.Gap) string {
	many := "posts may be missing"
	if g.Missed > 0 {
		many = fmt.Sprintf("%d posts or more are missing", g.Missed)
	}
	if g.Since > 0 {
		many += " since " + time.UnixMilli(g.Since).Format(time.TimeOnly)
	}
	why := map[string]string{
		"slow": "they came faster than they were read", "away": "the connection was lost for too long",
		"restarted": "the node was started anew", "network": "they came faster than the node could take them",
	}[g.Reason]
	return many + ": " + cmp.Or(why, "something was not heard") + "; see timeline"
}
