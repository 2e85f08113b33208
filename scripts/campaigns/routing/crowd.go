package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	kb "github.com/libp2p/go-libp2p-kbucket"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/protocol/dht"
	"github.com/starling-social/starling/scripts/internal/campaign"
)

// firstPuppet is a number that no honest node has; from it on, nodes share one /16.
const firstPuppet = 1000

// puppets makes nodes that answer as one attacker likes: they name each other alone, or
// nobody, or nodes that do not exist.
func (n *net) puppets(count int) (*nodetest.Troupe, []crypto.PrivKey, error) {
	t := nodetest.NewTroupe(n.links, n.network, nodetest.TroupeConfig{Astray: true})
	n.Cleanup(func() {
		if err := t.Leave(); err != nil {
			n.Errorf("end the crowd: %v", err)
		}
	})
	var keys []crypto.PrivKey
	for i := range count {
		key, err := n.key(firstPuppet + i)
		if err != nil {
			return nil, nil, fmt.Errorf("make key: %w", err)
		}
		keys = append(keys, key)
	}
	return t, keys, nil
}

func infoOf(m *member) peer.AddrInfo {
	return peer.AddrInfo{ID: m.host.ID(), Addrs: m.host.Addrs()}
}

// honestly looks for keys from a node, and is the share of the honest nodes that it
// should find, and of lookups that find any.
func (n *net) honestly(ctx context.Context, c *campaign.Campaign, from *member) (found, some float64, err error) {
	servers := slices.DeleteFunc(slices.Clone(n.members), func(m *member) bool { return m == from })
	count := c.Size(200, 20)
	for i := range count {
		key := string(binary.BigEndian.AppendUint64([]byte("honestly"), uint64(i)))
		s, err := n.look(ctx, from, key, servers)
		if err != nil {
			return found, some, err
		}
		found += s.found / float64(count)
		if s.found > 0 {
			some += 1 / float64(count)
		}
		pass(time.Second)
	}
	return found, some, nil
}

// operator lets one operator with many nodes in one /16 dial a node.
func operator(ctx context.Context, c *campaign.Campaign) error {
	c.Table("one operator", "", "its nodes", "in the table", "of", "most in a bucket", "refused", "honest found")
	honest, crowd := c.Size(60, 16), c.Size(500, 40)
	return both(ctx, c, small, func() nodetest.LinksConfig {
		links := even()
		links.Subnet = func(i int) int { return min(i, firstPuppet) }
		return links
	}, func(ctx context.Context, n *net) error {
		limits := dht.IPGroups{PerBucket: 2, PerTable: 3, PerPlace: 2}
		victim, err := n.add(ctx, true, limits)
		if err != nil {
			return err
		}
		if err := n.fill(ctx, honest, limits, victim); err != nil {
			return err
		}
		troupe, keys, err := n.puppets(crowd)
		if err != nil {
			return err
		}
		if err := troupe.Enter(ctx, firstPuppet, keys, []peer.AddrInfo{infoOf(victim)}); err != nil {
			return err
		}
		pass(3 * time.Minute)
		inTable, most, perBucket := 0, 0, map[int]int{}
		for _, p := range victim.table() {
			if n.byID[p] == nil {
				shared := kb.CommonPrefixLen(kb.ConvertPeerID(p), kb.ConvertPeerID(victim.host.ID()))
				inTable++
				perBucket[shared]++
				most = max(most, perBucket[shared])
			}
		}
		found, _, err := n.honestly(ctx, c, victim)
		if err != nil {
			return err
		}
		refused := any("-")
		if n.kind == ours {
			s := victim.ours.Status()
			refused = s.Refused
			c.AtMost("operator_in_table", float64(inTable), 3)
			c.AtMost("operator_in_bucket", float64(most), 2)
			c.AtLeast("operator_refused", float64(s.Refused), 1)
			c.AtLeast("operator_honest_found", found, 0.995)
		}
		c.Row("", string(n.kind), crowd, inTable, len(victim.table()), most, refused, found)
		return nil
	})
}

// restart starts a node again of whose three bootstrap nodes two are hostile, while a
// crowd of many networks dials it. Ours remembers peers from before; the library remembers
// nobody. K is 20: most nodes are hostile, and a few of the nearest often all are.
func restart(ctx context.Context, c *campaign.Campaign) error {
	c.Table("restart", "", "crowd", "outbound", "of them honest", "lookups with honest nodes", "honest found")
	honest, crowd, remembered := c.Size(100, 24), c.Size(200, 30), 24
	return both(ctx, c, usual, even, func(ctx context.Context, n *net) error {
		if err := n.grow(ctx, honest); err != nil {
			return err
		}
		troupe, keys, err := n.puppets(crowd)
		if err != nil {
			return err
		}
		if err := troupe.Enter(ctx, firstPuppet, keys, nil); err != nil {
			return err
		}
		all := troupe.Infos()
		before := n.members[1 : 1+min(remembered, honest-1)]
		victim, err := n.addBy(ctx, joining{
			server:     true,
			entries:    append([]peer.AddrInfo{infoOf(n.members[0])}, all[:2]...),
			remembered: infosOf(before),
		})
		if err != nil {
			return err
		}
		if err := troupe.Meet(ctx, infoOf(victim)); err != nil {
			return err
		}
		pass(time.Minute)
		out, fair := 0, 0
		for _, conn := range victim.host.Network().Conns() {
			if conn.Stat().Direction == network.DirOutbound {
				out++
				if n.byID[conn.RemotePeer()] != nil {
					fair++
				}
			}
		}
		share := float64(fair) / float64(max(out, 1))
		found, some, err := n.honestly(ctx, c, victim)
		if err != nil {
			return err
		}
		c.Row("", string(n.kind), crowd, out, share, some, found)
		if n.kind == ours {
			c.AtLeast("restart_outbound_honest", share, 0.5)
			c.AtLeast("restart_lookups", some, 0.99)
			c.Figure("restart_honest_found", found)
		}
		return nil
	})
}

func infosOf(members []*member) (out []peer.AddrInfo) {
	for _, m := range members {
		out = append(out, infoOf(m))
	}
	return out
}
