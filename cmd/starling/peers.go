package main

import (
	"github.com/spf13/cobra"

	"github.com/starling-social/starling/node/api"
)

func newPeers(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "peers",
		Short: "Show whom your node is connected to",
		Long: `Show the nodes that yours is connected to. Those marked with * keep the same part of
the network as yours.`,
		Example: `  starling peers
  starling peers --json`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withNode(func(n *api.Client) error {
				list, err := n.Peers(c.Context())
				if err != nil {
					return err
				}
				for _, p := range list.Peers {
					if err := a.peer(p); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
}

func (a *app) peer(p api.Peer) error {
	if a.json {
		return a.out.object(p)
	}
	mark := " "
	if p.Member {
		mark = "*"
	}
	rtt := 0.0
	if p.RTT != nil {
		rtt = *p.RTT
	}
	return a.out.line("%s %-14s %7.1f ms  %s  %s", mark, p.Transport, rtt, p.PeerID, printable(p.Addr))
}
