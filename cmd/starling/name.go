package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/starling-social/starling/node/api"
	"github.com/starling-social/starling/records"
)

const oneName = "one name of letters and digits"

func newName(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "name",
		Short: "Claim a nickname, or find who claims one",
		Long: `Nicknames are claimed, not owned: anybody may claim any, nobody can take another's
claim away, and each claimant is shown with a part of the key, as in ada#7Xk2fQpw.`,
		Example: `  starling name claim ada
  starling name find ada`,
	}
	change := func(use, short, long, done string, do func(*api.Client) func(context.Context, string) (api.Receipt, error)) *cobra.Command {
		return &cobra.Command{
			Use: use + " NAME", Short: short, Long: long, Example: "  starling name " + use + " ada", Args: arguments(1, 1, oneName),
			RunE: func(c *cobra.Command, args []string) error {
				if err := checkName(args[0]); err != nil {
					return err
				}
				return a.publish(c.Context(), done, func(ctx context.Context, n *api.Client) (api.Receipt, error) {
					return do(n)(ctx, args[0])
				})
			},
		}
	}
	c.AddCommand(
		change("claim", "Claim a nickname", `Say that you go by a nickname. Others may say so too: see 'name find'.`, "claimed", func(n *api.Client) func(context.Context, string) (api.Receipt, error) { return n.ClaimName }),
		change("unclaim", "Give a nickname up", `Say that you go by a nickname no longer.`, "gave up", func(n *api.Client) func(context.Context, string) (api.Receipt, error) { return n.UnclaimName }),
		newNameFind(a),
	)
	return c
}

func newNameFind(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "find NAME", Short: "Find who claims a nickname", Example: "  starling name find ada",
		Long: `Show everybody who claims a nickname, each with a part of the key that tells them
apart. Exit status 1 when nobody answered for some of the claims.`,
		Args: arguments(1, 1, oneName),
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkName(args[0]); err != nil {
				return err
			}
			return a.withNode(func(n *api.Client) error {
				found, err := n.FindName(c.Context(), args[0])
				if err != nil {
					return err
				}
				for _, f := range found.Claims {
					if err := a.claim(f); err != nil {
						return err
					}
				}
				if found.Problem != nil {
					return found.Problem
				}
				return nil
			})
		},
	}
}

func checkName(s string) error {
	if _, err := records.NormalizeTag(s); err != nil {
		return usage("name %.64q: want 1 to 64 letters and digits", s)
	}
	return nil
}

func (a *app) claim(c api.Claim) error {
	if a.json {
		return a.out.object(c)
	}
	return a.out.line("%s  %s", a.out.styled(bold, c.Shown), c.User)
}
