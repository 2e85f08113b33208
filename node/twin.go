package node

import (
	"context"
	"time"
)

// A backup that is started while the original runs makes two nodes of one identity.
// Neither sees the other, but whom both ask does, and says so.
const (
	twinWitnesses = 2             // that have to say it: one may lie
	twinLook      = time.Minute   // how often we look whether they do
	twinAgain     = 6 * time.Hour // how often the log repeats it
)

// twin tells whether another node runs with our identity.
func (n *Node) twin() bool { return twinned(n.client.Twins(), len(n.host.Network().Peers())) }

// twinned decides by how many told us, of so many whom we could have asked.
func twinned(told, peers int) bool { return told >= min(twinWitnesses, max(peers, 1)) }

// tellTwin has the log say that we have a twin, until ctx ends.
func (n *Node) tellTwin(ctx context.Context) error {
	look := time.NewTicker(twinLook)
	defer look.Stop()
	var told time.Time
	for {
		select {
		case now := <-look.C:
			if (told.IsZero() || now.Sub(told) >= twinAgain) && n.twin() {
				told = now
				n.log.Error("another node runs with this node's key: give one of them a key of its own", "peer_id", n.host.ID())
			}
		case <-ctx.Done():
			return nil
		}
	}
}
