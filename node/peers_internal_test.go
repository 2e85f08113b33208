package node

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/starling-social/starling/protocol/dht"
)

var anEvening = time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC)

func groupOfInfo(i peer.AddrInfo) netip.Prefix { return dht.GroupOf(i.Addrs) }

// acquaintance is a peer in a /16 of its own, known for some days.
func acquaintance(number, group, days int) knownPeer {
	return knownPeer{
		AddrInfo: peer.AddrInfo{
			ID:    peer.ID(fmt.Sprintf("peer %04d", number)),
			Addrs: []ma.Multiaddr{ma.StringCast(fmt.Sprintf("/ip4/44.%d.1.%d/tcp/4001", group, number%250))},
		},
		Since: anEvening.AddDate(0, 0, -days), Good: anEvening,
	}
}

// Two hundred newcomers, in one network or in many, displace nobody who was good for
// longer, and the oldest stay the anchors.
func TestWorthKnowing_flood(t *testing.T) {
	t.Parallel()
	var known []knownPeer
	for i := range 24 {
		known = append(known, acquaintance(i, i, 24-i))
	}
	for name, group := range map[string]func(int) int{"one network": func(int) int { return 200 }, "many networks": func(i int) int { return 30 + i%200 }} {
		good := slices.Clone(known[:4]) // met again
		for i := range good {
			good[i].Since = anEvening
		}
		for i := range 200 {
			good = append(good, acquaintance(1000+i, group(i), 0))
		}
		kept := worthKnowing(known, good, anEvening, groupOfInfo)
		if len(kept) != rememberPeers {
			t.Errorf("%s: kept %d, want %d", name, len(kept), rememberPeers)
		}
		for i, k := range kept[:24] {
			if k.ID != known[i].ID || !k.Since.Equal(known[i].Since) {
				t.Fatalf("%s: place %d is not with who has it for longest", name, i)
			}
		}
	}
}

// Of one network there are few as long as there are others; who was not seen for a week
// is forgotten.
func TestWorthKnowing_groupsAndAge(t *testing.T) {
	t.Parallel()
	var known []knownPeer
	for i := range 6 {
		known = append(known, acquaintance(i, 7, 9))
	}
	known = append(known, acquaintance(100, 8, 1), acquaintance(101, 9, 1))
	kept := worthKnowing(known, nil, anEvening, groupOfInfo)
	var ids []string
	for _, k := range kept {
		ids = append(ids, string(k.ID))
	}
	want := []string{"peer 0000", "peer 0001", "peer 0100", "peer 0101", "peer 0002", "peer 0003", "peer 0004", "peer 0005"}
	if !slices.Equal(ids, want) {
		t.Errorf("kept %v, want %v", ids, want)
	}
	if kept := worthKnowing(known, nil, anEvening.Add(rememberFor+time.Hour), groupOfInfo); len(kept) != 0 {
		t.Errorf("%d are remembered after a week", len(kept))
	}
}

// What is written can be read, as can what earlier versions wrote.
func TestKnownPeer_json(t *testing.T) {
	t.Parallel()
	id, err := peer.Decode("12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X")
	if err != nil {
		t.Fatal(err)
	}
	k := acquaintance(1, 1, 3)
	k.ID = id
	b, err := json.Marshal([]knownPeer{k})
	if err != nil {
		t.Fatal(err)
	}
	var back []knownPeer
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if len(back) != 1 || back[0].ID != id || !back[0].Since.Equal(k.Since) || !back[0].Good.Equal(k.Good) || !back[0].Addrs[0].Equal(k.Addrs[0]) {
		t.Errorf("read %+v of %s", back, b)
	}
	old, err := json.Marshal([]peer.AddrInfo{k.AddrInfo})
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(old, &back); err != nil || back[0].ID != id || len(back[0].Addrs) != 1 {
		t.Errorf("read %+v of %s: %v", back, old, err)
	}
	for _, damaged := range []string{`[{}]`, `[null]`, `[{"ID":""}]`, `[{"ID":"x"}]`, `[{"since":"2026-11-21T20:00:00Z"}]`} {
		if err := json.Unmarshal([]byte(damaged), &back); err == nil {
			t.Errorf("%s is read as %+v", damaged, back)
		}
	}
}
