package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/api"
	"github.com/starling-social/starling/records"
)

func newTimeline(a *app) *cobra.Command {
	limit, before := 50, ""
	c := &cobra.Command{
		Use:   "timeline '#TAG' | USER | POST",
		Short: "Read a timeline, newest first",
		Long: `Read what was posted with a hashtag, by a user, or in the thread of a post (which
begins with its first post). Newest first. Quote hashtags: to a shell, # begins a
comment. The cursor of the last post shown (see --json) says where to go on.`,
		Example: `  starling timeline '#starling'
  starling timeline me --limit 10
  starling timeline '#starling' --json --before AAABkZ…`,
		Args: arguments(1, 1, "one hashtag in quotes, user or post"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkSources(args); err != nil {
				return err
			}
			if limit < 1 {
				return usage("--limit %d: want 1 or more", limit)
			}
			if _, err := records.ParseCursor(before); before != "" && err != nil {
				return usage("--before: %w", err)
			}
			n, err := a.dial()
			if err != nil {
				return err
			}
			defer n.Close()
			shown := 0
			for post, err := range n.Timeline(c.Context(), args[0], limit, before) {
				if err != nil {
					return err
				}
				if err := a.post(post); err != nil {
					return err
				}
				shown++
			}
			if shown == 0 && !a.json {
				fmt.Fprintln(os.Stderr, "nothing here yet")
			}
			return nil
		},
	}
	c.Flags().IntVar(&limit, "limit", limit, "`posts` at most")
	c.Flags().StringVar(&before, "before", "", "`cursor` to go on from")
	return c
}

func (a *app) post(p api.Post) error {
	if a.json {
		return a.out.object(p)
	}
	return a.out.post(p)
}

func checkSources(names []string) error {
	for _, s := range names {
		if _, err := node.ParseSource(s, records.User{}); err != nil {
			return usage("%w", err)
		}
	}
	return nil
}
