package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/starling-social/starling/node/api"
	"github.com/starling-social/starling/records"
)

func newDelete(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "delete POST",
		Short: "Delete one of your posts",
		Long: `Delete one of your posts. Every honest node then shows it as deleted, and an old
copy that turns up does not bring it back. A dishonest node cannot be made to forget.`,
		Example: `  starling delete pM7MFQ…`,
		Args:    arguments(1, 1, "the id of one post"),
		RunE: func(c *cobra.Command, args []string) error {
			if _, err := records.ParseRef(args[0]); err != nil {
				return usage("%w", err)
			}
			return a.publish(c.Context(), "deleted", func(ctx context.Context, n *api.Client) (api.Receipt, error) {
				return n.Delete(ctx, args[0])
			})
		},
	}
}
