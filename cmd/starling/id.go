package main

import (
	"github.com/spf13/cobra"

	"github.com/starling-social/starling/node"
)

func newID(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "id",
		Short: "Show who you are and which node is yours",
		Long: `Show your name in the network, your node's, and the data directory. It reads the
keys there, whether the node runs or not.`,
		Example: `  starling id
  starling id --json`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			dir, err := a.dir()
			if err != nil {
				return err
			}
			keys, err := node.ReadKeys(dir)
			if err != nil {
				return err
			}
			peer, err := keys.PeerID()
			if err != nil {
				return err
			}
			if a.json {
				return a.out.object(struct {
					User   string `json:"user"`
					PeerID string `json:"peer_id"`
					Data   string `json:"data"`
				}{keys.Person.User().String(), peer.String(), dir})
			}
			return a.out.line("you   %s\nnode  %s\ndata  %s", keys.Person.User(), peer, printable(dir))
		},
	}
}
