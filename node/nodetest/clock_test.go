package nodetest_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	starling "github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
)

// wrongClocks are what people's clocks show: a flat battery, a wrong time zone, a slip
// of the hand.
func wrongClocks() []time.Duration {
	const day = 24 * time.Hour
	now := time.Now() // a bubble begins in 2000
	return []time.Duration{
		10 * time.Minute, -10 * time.Minute, day, -day,
		time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC).Sub(now), time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC).Sub(now),
	}
}

// A third of the members of every place have wrong clocks. What they post out of the
// future nobody takes before its time; what they post out of the past is old and
// taken; what others posted, expiring or not, they neither delete nor keep alive, and
// when their clocks are set right they hold what everybody holds.
func TestClock_wrong(t *testing.T) {
	c := nodetest.Config{Nodes: 18, Links: nodetest.LinksConfig{Seed: 11}, Tune: healing(time.Minute)}
	crowd(t, c, func(ctx context.Context, net *nodetest.Network) {
		skewed := net.Third()
		honest := without(net, skewed...)
		for i, offset := range wrongClocks() {
			skewed[i].Clock.Set(offset)
		}
		want := []string{"stays #sky", "expires #sky"}
		rs := []*records.Record{publish(ctx, t, honest[0], "stays #sky")}
		receipt, err := honest[1].Publish(ctx, starling.Draft{Text: "expires #sky", Expires: records.MillisOf(time.Now().Add(time.Hour))})
		if err != nil {
			t.Fatal(err)
		}
		rs = append(rs, receipt.Record)
		for i, offset := range wrongClocks() {
			text := "by a clock that is off by " + offset.String() + " #sky"
			receipt, err := skewed[i].Publish(ctx, starling.Draft{Text: text})
			switch {
			case offset > 0 && !errors.Is(err, starling.ErrNoQuorum):
				t.Errorf("a post %s ahead is stored: %v", offset, err)
			case offset < 0 && err != nil:
				t.Errorf("a post %s late is not stored: %v", offset, err)
			case offset < 0:
				want = append(want, text)
				rs = append(rs, receipt.Record)
			}
		}
		net.Pass(2 * time.Minute) // comparisons with them and by them
		mustShow(ctx, t, honest, "sky", want...)
		for _, x := range skewed {
			x.Clock.Set(0)
		}
		net.Pass(4 * time.Minute)
		mustShow(ctx, t, net.Running(), "sky", want...)
		mustHold(t, net, rs)
	})
}

// A clock that jumps back and forth under a running node, by minutes and by years,
// costs that node time and nobody anything: while it jumps the others store and read,
// and when it stops the node holds what it should.
func TestClock_steps(t *testing.T) {
	c := nodetest.Config{Nodes: 8, Links: nodetest.LinksConfig{Seed: 12}, Tune: healing(2 * time.Minute)}
	crowd(t, c, func(ctx context.Context, net *nodetest.Network) {
		jumpy := net.Nodes[3]
		honest := without(net, jumpy)
		var rs []*records.Record
		var want []string
		offsets := append(slices.Repeat([]time.Duration{0, -time.Hour, 3 * time.Minute}, 2), wrongClocks()...)
		for i, offset := range offsets {
			jumpy.Clock.Set(offset)
			net.Pass(20 * time.Second)
			want = append(want, "while it was off by "+offset.String()+" "+string(rune('a'+i))+" #sky")
			rs = append(rs, publish(ctx, t, honest[i%len(honest)], want[i]))
			_, _ = shown(ctx, t, jumpy, "sky") // whatever it makes of it
		}
		mustShow(ctx, t, honest, "sky", want...)
		jumpy.Clock.Set(0)
		net.Pass(6 * time.Minute)
		mustShow(ctx, t, net.Running(), "sky", want...)
		mustHold(t, net, rs)
	})
}
