package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/api"
	"github.com/starling-social/starling/records"
)

const oneFollowed = "one hashtag in quotes, user or @user"

func newFollow(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "follow '#TAG' | USER | @USER",
		Short: "Follow a hashtag or a user",
		Long: `Have your node follow a hashtag, a user, or what mentions a user (@me: what mentions
you). It keeps copies of the newest posts, hears what arrives as long as it runs, and
shows everything together: see 'timeline --home' and 'watch --home'. The list stays on
your node; a member of a place sees that you ask it, nobody sees the list. Threads
cannot be followed: watch them. Quote hashtags: to a shell, # begins a comment.`,
		Example: `  starling follow '#starling'
  starling follow did:key:z6Mk…
  starling follow @me`,
		Args:              arguments(1, 1, oneFollowed),
		ValidArgsFunction: one(a.sources),
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkFollowed(args[0]); err != nil {
				return err
			}
			return a.withNode(func(n *api.Client) error {
				f, err := n.Follow(c.Context(), args[0])
				if err != nil {
					return err
				}
				return a.followed(f)
			})
		},
	}
}

func newUnfollow(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "unfollow '#TAG' | USER | @USER",
		Short: "Follow a hashtag or a user no longer",
		Long: `Take something off the list of what your node follows, and drop the copies that it
kept for that alone. What is not on the list is off it already.`,
		Example: `  starling unfollow '#starling'`,
		Args:    arguments(1, 1, oneFollowed),

		ValidArgsFunction: one(a.sources),
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkFollowed(args[0]); err != nil {
				return err
			}
			return a.withNode(func(n *api.Client) error { return n.Unfollow(c.Context(), args[0]) })
		},
	}
}

func newFollowing(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "following",
		Short: "Show what your node follows",
		Long:  `Show what your node follows and since when, the longest followed first.`,
		Example: `  starling following
  starling following --json`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withNode(func(n *api.Client) error { return a.following(c.Context(), n) })
		},
	}
}

func (a *app) following(ctx context.Context, n *api.Client) error {
	list, err := n.Following(ctx)
	if err != nil {
		return err
	}
	for _, f := range list.Following {
		if err := a.followed(f); err != nil {
			return err
		}
	}
	if len(list.Following) == 0 && !a.json {
		fmt.Fprintln(os.Stderr, nobodyFollowed)
	}
	return nil
}

// nobodyFollowed is what whoever is new at home is told.
const nobodyFollowed = "you follow nobody yet; see 'starling follow --help'"

func checkFollowed(name string) error {
	s, err := node.ParseSource(name, records.User{})
	if err == nil {
		err = s.Followable()
	}
	if err != nil {
		return usage("%w", err)
	}
	return nil
}

func (a *app) followed(f api.Followed) error {
	if a.json {
		return a.out.object(f)
	}
	return a.out.line("%s  since %s", f.Source, time.UnixMilli(f.Since).Local().Format("2006-01-02"))
}
