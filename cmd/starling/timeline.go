package main

import (
	"context"
	"fmt"
	"iter"
	"os"

	"github.com/spf13/cobra"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/api"
	"github.com/starling-social/starling/records"
)

func newTimeline(a *app) *cobra.Command {
	limit, before, home := 50, "", false
	c := &cobra.Command{
		Use:   "timeline '#TAG' | USER | @USER | POST | +POST | --home",
		Short: "Read a timeline, newest first",
		Long: `Read what was posted with a hashtag, by a user, what mentions a user (@me: what
mentions you), the thread of a post (which begins with its first post), what its own
author added to a post (+ and the post), or with --home everything that you follow.
Newest first. Quote hashtags: to a shell, # begins a comment. The cursor of the last
post shown (see --json) says where to go on.`,
		Example: `  starling timeline '#starling'
  starling timeline me --limit 10
  starling timeline @me
  starling timeline --home
  starling timeline '#starling' --json --before AAABkZ…`,
		ValidArgsFunction: one(a.sources),
		Args:              unlessHome(&home, arguments(1, 1, "one hashtag in quotes, user, @user or post, or --home")),
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
			return a.withNode(func(n *api.Client) error {
				if home {
					return a.home(c.Context(), n, limit, before)
				}
				shown, err := a.posts(n.Timeline(c.Context(), args[0], limit, before))
				if err == nil && shown == 0 && !a.json {
					fmt.Fprintln(os.Stderr, nothingHere)
				}
				return err
			})
		},
	}
	c.Flags().IntVar(&limit, "limit", limit, "`posts` at most")
	c.Flags().StringVar(&before, "before", "", "`cursor` to go on from")
	c.Flags().BoolVar(&home, "home", false, "everything that you follow")
	return c
}

const nothingHere = "nothing here yet"

// home prints the home timeline, and when nothing is there, why.
func (a *app) home(ctx context.Context, n *api.Client, limit int, before string) error {
	shown, err := a.posts(n.Home(ctx, limit, before))
	if err != nil || shown > 0 || a.json {
		return err
	}
	list, err := n.Following(ctx)
	if err != nil {
		return err
	}
	if len(list.Following) == 0 {
		fmt.Fprintln(os.Stderr, nobodyFollowed)
		return nil
	}
	fmt.Fprintln(os.Stderr, nothingHere)
	return nil
}

// posts prints posts and counts them.
func (a *app) posts(posts iter.Seq2[api.Post, error]) (shown int, err error) {
	for post, err := range posts {
		if err != nil {
			return shown, err
		}
		if err := a.post(post); err != nil {
			return shown, err
		}
		shown++
	}
	return shown, nil
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
