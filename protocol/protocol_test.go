package protocol_test

import (
	"testing"
	"time"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/records"
)

// The names by which nodes find each other are part of the protocol.
func TestNames_golden(t *testing.T) {
	n, err := records.TestNetwork("golden")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ got, want string }{
		{string(protocol.KadPrefix(n)), "/starling/" + n.ID()},
		{string(protocol.ExchangeID(n)), "/starling/" + n.ID() + "/exchange/1.0.0"},
		{protocol.Topic(n, 0), "/starling/" + n.ID() + "/live/00"},
		{protocol.Topic(n, 255), "/starling/" + n.ID() + "/live/ff"},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}

// So is the shard of a tag, and where its relays are.
func TestShard_golden(t *testing.T) {
	for tag, want := range map[records.Tag]byte{"starling": 0xb0, "日本": 0x23, "a": 0x0e} {
		if got := protocol.ShardOf(tag); got != want {
			t.Errorf("shard of %s is %02x, want %02x", tag, got, want)
		}
	}
	const want = "89c5646b346346c695491b1b4b6cd773a5c067b1c4ededf2346f0baa6497d0f1"
	if got := protocol.ShardCoordinate(records.MainNetwork(), 0x2a).String(); got != want {
		t.Errorf("coordinate of shard 2a is %s, want %s", got, want)
	}
}

// Tags spread over all shards, and shards over the ring, differently in every network.
func TestShard_spread(t *testing.T) {
	met := map[byte]bool{}
	for i := range 4000 {
		met[protocol.ShardOf(records.Tag(time.Unix(int64(i), 0).Format(time.RFC3339)))] = true
	}
	if len(met) != protocol.Shards {
		t.Errorf("4000 tags are on %d shards", len(met))
	}
	test, err := records.TestNetwork("test")
	if err != nil {
		t.Fatal(err)
	}
	at := map[records.Coordinate]bool{}
	for i := range protocol.Shards {
		at[protocol.ShardCoordinate(records.MainNetwork(), byte(i))] = true
		at[protocol.ShardCoordinate(test, byte(i))] = true
	}
	if len(at) != 2*protocol.Shards {
		t.Errorf("%d coordinates for the shards of two networks", len(at))
	}
}

// Slow peers are gone within half a minute, whatever they send.
func TestFrameTime_bounded(t *testing.T) {
	if d := protocol.FrameTime(protocol.MaxRequest); d > 30*time.Second {
		t.Errorf("a request may take %s", d)
	}
}
