package node

import (
	"context"
	"errors"
	"fmt"

	"github.com/starling-social/starling/protocol/dht"
	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/records"
)

// values is the store as kad-dht sees it: registers alone, one version of each, by
// the same rules as for those who ask through the exchange.
type values struct{ node *Node }

var _ dht.Registers = values{}

// Register is the version that is held, of places that this node may be asked about.
func (v values) Register(_ context.Context, p records.Place) (*records.Record, error) {
	b, err := v.node.others.Bucket(registerQuery(p))
	var refused *exchange.Refusal
	if errors.As(err, &refused) {
		return nil, nil // others hold it, or this node is still filling: whoever asks is told of nodes nearer by
	}
	if err != nil {
		return nil, fmt.Errorf("read register: %w", err)
	}
	return only(b), nil
}

// Keep stores a version that a stranger put, or tells why not.
func (v values) Keep(ctx context.Context, put records.Put) error {
	if !v.node.server.Member(put.Place.Coordinate()) {
		return errNotOurs
	}
	if put.Record.Expired(records.MillisOf(v.node.now())) {
		if err := v.late(ctx, put); err != nil {
			return err
		}
	}
	outcomes, err := v.node.others.Merge(ctx, []records.Put{put})
	if err != nil {
		return fmt.Errorf("keep register: %w", err)
	}
	return records.Refusal(put.Record, outcomes[0].Held)
}

// late tells why a version past its time is not to be taken. It is, where an older
// one would otherwise stand.
func (v values) late(ctx context.Context, put records.Put) error {
	held, err := v.Register(ctx, put.Place)
	if err != nil {
		return err
	}
	if held == nil || !put.Record.Wins(held) {
		return records.ErrExpired
	}
	return nil
}
