package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/starling-social/starling/node/api"
)

func newHealthcheck(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "healthcheck",
		Short: "Say whether your node can do its work, for containers and monitors",
		Long: `Say whether the node that runs on the data directory can do its work. A node that
is idle, alone in its network or full up to its quota can; one that is starting or
ending, whose disk is full or whose store takes no writes or was damaged cannot.

Exit status: 0 it can, 1 it cannot or does not answer, 3 no node running.`,
		Example: `  starling healthcheck
  starling healthcheck --json
  docker inspect --format '{{.State.Health.Status}}' starling`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withNode(func(n *api.Client) error {
				r, err := n.Ready(c.Context())
				if err != nil {
					return err
				}
				return a.readiness(r)
			})
		},
	}
}

// errNotReady is a node that runs and cannot do its work.
var errNotReady = errors.New("not ready")

func (a *app) readiness(r api.Readiness) error {
	var err error
	if !r.Ready {
		err = errNotReady
	}
	if a.json {
		return errors.Join(a.out.object(r), err)
	}
	if r.Ready {
		return a.out.line("ready")
	}
	var why []string
	for _, reason := range r.Reasons {
		why = append(why, reason.Code+": "+printable(reason.Detail))
	}
	return errors.Join(a.out.line("not ready: %s", strings.Join(why, "; ")), err)
}
