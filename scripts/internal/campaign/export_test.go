package campaign

import (
	"context"
	"io"
)

// Conduct runs a campaign as Main does, without the process around it.
func Conduct(ctx context.Context, out io.Writer, quick bool, run Run) error {
	c := &Campaign{name: "sample", out: out, Quick: quick, Seed: 7}
	return c.conduct(ctx, run)
}
