package node

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/node/healing"
	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/records/reconcile"
)

// When a region shrinks, what was taken in for the half that is no longer ours may be
// held by nobody in that half: they were on the other side of a partition, or not
// known. We keep it, for as long as its lease, but readers ask them. So once
// after each time a node compares with a few of them what they hold, and gives what
// they lack; among themselves they see to the rest.

const heirs = 3 // members of the other half that are given it

// bequeath gives those whom our region left what it took in for them: nearly always the
// other half of what it was.
func (n *Node) bequeath(ctx context.Context) {
	bits := n.dht.Prefix()
	was, due := n.healer.untold(bits)
	if !due {
		return
	}
	done := true
	for shared := was; shared < bits-1; shared++ { // it left more than a half at once: others than a few hold that
		done = n.concede(ctx, shared, false) && done
	}
	if n.bequeathBeside(ctx, bits) && done && n.dht.Prefix() == bits {
		n.healer.toldDone(bits)
	}
}

// bequeathBeside gives the other half of what our region was what it lacks of its own,
// and tells whether enough of those there have it.
func (n *Node) bequeathBeside(ctx context.Context, bits int) bool {
	beside := healing.Part{Prefix: standsAt(n.host.ID()), Bits: bits}.Other()
	hood, err := n.dht.Members(ctx, beside.Prefix)
	if err != nil {
		n.voices.heal.Debug("find those beside our region", "err", err)
		return false
	}
	them := slices.DeleteFunc(slices.Clone(hood.Peers), func(p peer.ID) bool { return !beside.Holds(standsAt(p)) })
	rand.Shuffle(len(them), func(i, j int) { them[i], them[j] = them[j], them[i] })
	them = them[:min(len(them), heirs)]
	done := n.bequeathAll(ctx, them, bits, gathered)
	if done == 0 { // there may be nobody but us from whom they could gather it
		done = n.bequeathAll(ctx, them, bits, func(f exchange.Found, _ peer.ID) []reconcile.Difference { return f.Differences })
	}
	return len(them) > 0 && done >= min(2, len(them))
}

// bequeathAll gives each of them what due says is theirs to be given, and returns how
// many hold everything then.
func (n *Node) bequeathAll(ctx context.Context, them []peer.ID, bits int, due func(exchange.Found, peer.ID) []reconcile.Difference) (done int) {
	for _, p := range them {
		bounded, cancel := context.WithTimeout(ctx, healTime)
		whole, err := n.bequeathTo(bounded, p, bits, due)
		cancel()
		if err != nil {
			n.voices.heal.Debug("give those beside our region what they lack", "peer_id", p, "err", err)
		}
		if whole {
			done++
		}
	}
	return done
}

// bequeathTo compares with one of them what it holds, and tells whether it has had all
// that it lacks.
func (n *Node) bequeathTo(ctx context.Context, p peer.ID, bits int, due func(exchange.Found, peer.ID) []reconcile.Difference) (whole bool, err error) {
	if theirs, err := n.client.PrefixOf(ctx, p); err == nil {
		bits = max(bits, theirs)
	}
	from, to := reconcile.Under(standsAt(p), bits)
	if ours, err := n.store.Holdings().Fingerprint(from, to); err != nil || ours.Count == 0 {
		return err == nil, err // to compare nothing with all of theirs would have them list it
	}
	s := &comparison{Comparison: healing.Comparison{Peer: p, What: healing.Part{Prefix: standsAt(p), Bits: bits}}, node: n, left: healGive}
	left := 0
	end, err := n.client.Reconcile(ctx, p, exchange.Common(s.What), n.store.Holdings(), reconcile.Start, func(f exchange.Found) error {
		all := len(f.Differences)
		give := due(f, p)
		left += all - len(give)
		return s.bequeath(ctx, give)
	})
	n.healer.bequeathed(s.given)
	if s.given > 0 {
		n.voices.heal.Info("gave those beside our region what they lacked", "peer_id", p, "given", s.given)
	}
	return err == nil && end.Rest == reconcile.End && s.left > 0 && left == 0, err
}

// bequeath gives what is lacked. Unlike neighbours, who take it when they compare, those
// beside our region have nobody else to learn it from: it is given at once, also to who is still
// gathering, at the pace of healing, and again as seldom as anything is.
func (s *comparison) bequeath(ctx context.Context, differences []reconcile.Difference) error {
	n := s.node
	for part := range slices.Chunk(s.lacked(differences, n.repairs.takeAtOnce), healBatch) {
		if err := n.repairs.await(ctx, part); err != nil {
			return err
		}
		results, err := n.put(ctx, s.Peer, part)
		if err != nil {
			return fmt.Errorf("give what %s lacks: %w", s.Peer, err)
		}
		for _, r := range results {
			if r.Err == nil {
				s.given++
			}
		}
	}
	return nil
}

// untold is how many bits the region had outside of which others were given what we had
// of theirs, and whether others have to be now that it has so many.
func (h *healer) untold(bits int) (was int, due bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	due = h.told.due(bits)
	return h.told.bits, due
}

func (h *healer) toldDone(bits int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.told.done(bits)
}

func (h *healer) bequeathed(given int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.status.Given += int64(given)
}
