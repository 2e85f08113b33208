package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/starling-social/starling/node/api"
)

func newStatus(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show how your node is doing",
		Long: `Show who your node is, how it stands in the network, what it keeps and for whom, and
how well that is known to be what its neighbours hold. See 'top' for the same, live.`,
		Example: `  starling status
  starling status --json`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withNode(func(n *api.Client) error {
				s, err := n.Status(c.Context())
				if err != nil {
					return err
				}
				return a.status(s)
			})
		},
	}
}

func (a *app) status(s api.Status) error {
	if a.json {
		return a.out.object(s)
	}
	state := "joined"
	if !s.Ready {
		state = "looking for the network"
	}
	if s.Twin {
		state = "one of TWO NODES THAT RUN WITH ITS KEY (give one a key of its own), " + state
	}
	return a.out.line(`node      %s, %s for %s
network   %s (%s), about %.0f nodes, %d of them connected
keeps     %d records in %s, with %d others of its neighbourhood (%d bits)%s
store     %s: %s own, %s held, %s followed, %s cached
healing   %s
moved     %s
planted   %s
routing   %d nodes of %d IP groups in the table, %d wait for a place; %d refused for their group, %d banned
copies    of %d places that many read, %s; of %d such places kept here, %d copies by others
user      %s
version   %s`,
		s.PeerID, state, time.Duration(s.Uptime)*time.Second,
		s.Network, s.NetworkID, s.Size, s.Peers,
		s.Records, size(s.StoreBytes), s.Members-1, s.Prefix, narrowed(s),
		quota(s), size(s.Kept.Own), size(s.Kept.Held), size(s.Kept.Followed), size(s.Kept.Cached), healing(s.Healing), moved(s.Healing), planted(s),
		s.Routing.Table, s.Routing.Groups, s.Routing.Pending, s.Routing.Refused, s.Routing.Banned,
		s.Cached, size(s.CacheBytes), s.Hot, s.Copies, s.User, s.Version)
}

// narrowed says how much less a node holds than its neighbours, and what would change that.
func narrowed(s api.Status) string {
	if s.Narrowed == 0 {
		return ""
	}
	return fmt.Sprintf("; 1/%d of what those hold: %s leaves no room for more", 1<<s.Narrowed, s.ShortOf)
}

// healing says with whom what is held was compared.
func healing(h api.Healing) string {
	whole := 0
	for _, p := range h.With {
		if p.Whole {
			whole++
		}
	}
	state := fmt.Sprintf("compared to the end with %d of %d neighbours", whole, h.Neighbours)
	if h.Filling {
		state = "gathering what is to be held here, " + state + " so far"
	}
	if len(h.With) > 0 {
		last := h.With[0]
		state += fmt.Sprintf(", last with %s %s ago", last.PeerID, time.Since(last.At).Round(time.Second))
	}
	return state
}

// moved says what neighbours gave each other.
func moved(h api.Healing) string {
	return fmt.Sprintf("%d entries taken, %s; %d given, %s; %d places handed over; at most %s/s",
		h.Taken, size(h.TakenBytes), h.Given, size(h.GivenBytes), h.Dropped, size(int64(h.Rate)))
}

// planted says whether places looked as if nodes were made to crowd around them.
func planted(s api.Status) string {
	if s.PlantedAt == nil {
		return "no place that this node looked for seemed crowded by nodes made for it"
	}
	return fmt.Sprintf("%d places seemed crowded by nodes made for them, one %s ago; they are read and written all the same",
		s.Planted, time.Since(*s.PlantedAt).Round(time.Second))
}

// quota says how much of the store may be used by others.
func quota(s api.Status) string {
	if s.StoreQuota == 0 {
		return "no quota"
	}
	return fmt.Sprintf("%d%% of %s", 100*s.StoreBytes/s.StoreQuota, size(s.StoreQuota))
}

func size(bytes int64) string {
	switch {
	case bytes < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(bytes)/(1<<10))
	case bytes < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20))
	default:
		return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30))
	}
}
