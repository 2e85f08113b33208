package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/peer"
	core "github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/records"
)

// joinLimit is how long all addresses together may take; they are tried at once.
const joinLimit = 15 * time.Second

// visitLimit is how long one address may take, so that what came of it is said in time.
const visitLimit = joinLimit - 3*time.Second

// Bootstrap looks at each address to join by: whether its name resolves, whether
// anybody answers there with the id that it names, and whether that is a node of the
// network.
func Bootstrap(n records.Network, addrs []string) Check {
	return Check{Name: "joining", Limit: joinLimit, Look: func(ctx context.Context, say Say) {
		if len(addrs) == 0 {
			say(Warn, "no address to join by is set", "name one with network.bootstrap, unless the node knows others from before or others join by it")
			return
		}
		ctx, cancel := context.WithTimeout(ctx, visitLimit)
		defer cancel()
		found := make(chan Finding)
		for _, a := range addrs {
			go func() { found <- visit(ctx, n, a) }()
		}
		for range addrs {
			f := <-found
			say(f.State, f.Found, f.Do)
		}
	}}
}

// visit dials one address, by a host of its own: another would reach the same node by
// its other addresses. It ends with ctx at the latest.
func visit(ctx context.Context, n records.Network, text string) Finding {
	fail := func(found, do string) Finding { return Finding{State: Fail, Found: text + ": " + found, Do: do} }
	addr, err := ma.NewMultiaddr(text)
	if err != nil {
		return fail(err.Error(), "an address looks like /ip4/192.0.2.7/tcp/4001/p2p/12D3KooW…")
	}
	info, err := peer.AddrInfoFromP2pAddr(addr)
	if err != nil {
		return fail(err.Error(), "an address to join by ends in /p2p/ and the node's id")
	}
	if err := resolves(ctx, addr); err != nil {
		return fail(err.Error(), "look at the name, and at the name servers of this machine")
	}
	h, err := libp2p.New(libp2p.NoListenAddrs, libp2p.DisableMetrics(), libp2p.UserAgent("starling doctor"))
	if err != nil {
		return fail(err.Error(), "this machine cannot dial anybody")
	}
	defer func() { _ = h.Close() }() // nothing was sent that matters
	began := time.Now()
	if err := h.Connect(ctx, *info); err != nil {
		if strings.Contains(err.Error(), "peer id mismatch") {
			return fail("another node than that answers there", "ask its operator for its address as it is now: it has another key")
		}
		return fail("nobody answers", "ask its operator whether it runs; look at firewalls, of "+protocolsOf(addr)+" here and there")
	}
	took := time.Since(began).Round(time.Millisecond)
	spoken, err := h.Peerstore().GetProtocols(info.ID)
	if err != nil {
		return fail(err.Error(), "")
	}
	return speaks(text, n, spoken, took)
}

// speaks tells by the protocols of a node whether it is of the network.
func speaks(text string, n records.Network, spoken []core.ID, took time.Duration) Finding {
	others := ""
	for _, p := range spoken {
		if p == protocol.ExchangeID(n) {
			return Finding{State: OK, Found: fmt.Sprintf("%s: a node of %s, reached within %s", text, n.ID(), took)}
		}
		if id, ours := strings.CutPrefix(string(p), "/starling/"); ours {
			others, _, _ = strings.Cut(id, "/")
		}
	}
	if others != "" {
		return Finding{
			State: Fail, Found: fmt.Sprintf("%s: a node of %s, not of %s", text, others, n.ID()),
			Do: "name that network with network.name, or join by another node; of one name, other parameters or another version",
		}
	}
	return Finding{State: Fail, Found: text + ": somebody answers, but no node that serves others", Do: "join by another node; a client or another program runs there"}
}

// resolves asks for the address of a name, where there is one.
func resolves(ctx context.Context, a ma.Multiaddr) error {
	first, _ := ma.SplitFirst(a)
	if first == nil || !strings.HasPrefix(first.Protocol().Name, "dns") {
		return nil
	}
	found, err := net.DefaultResolver.LookupHost(ctx, first.Value())
	if err == nil && len(found) == 0 {
		err = errors.New("no address")
	}
	if err != nil && first.Protocol().Code != ma.P_DNSADDR { // those are of text records
		return fmt.Errorf("%s does not resolve: %w", first.Value(), err)
	}
	return nil
}

// protocolsOf is what a firewall knows an address by.
func protocolsOf(a ma.Multiaddr) string {
	for _, code := range []int{ma.P_TCP, ma.P_UDP} {
		if port, err := a.ValueForProtocol(code); err == nil {
			return strings.ToUpper(ma.ProtocolWithCode(code).Name) + " port " + port
		}
	}
	return "its port"
}
