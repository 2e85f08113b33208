package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/starling-social/starling/node/api"
	"github.com/starling-social/starling/records"
)

func newEdit(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "edit POST [TEXT | -]",
		Short: "Replace the text of one of your posts",
		Long: `Replace the text of one of your posts, as an argument or on standard input. Where
the post stands does not change: hashtags and mentions that are new in the text are
plain words.`,
		Example: `  starling edit pM7MFQ… 'Hello again, #starling'`,
		Args:    oneText(1),
		RunE: func(c *cobra.Command, args []string) error {
			if _, err := records.ParseRef(args[0]); err != nil {
				return usage("%w", err)
			}
			s, err := text(args[1:])
			if err != nil {
				return err
			}
			return a.publish(c.Context(), "edited", func(ctx context.Context, n *api.Client) (api.Receipt, error) {
				return n.Edit(ctx, args[0], s)
			})
		},
	}
}
