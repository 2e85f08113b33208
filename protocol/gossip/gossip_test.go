package gossip_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
)

// Forty nodes, each connected to about six others; posts by ten of them reach everybody, each exactly once.
func TestGossip_everybodyHearsOnce(t *testing.T) {
	inWorld(t, nodetest.LinksConfig{Seed: 1}, func(w *world) {
		w.relays = only(40, birds)
		w.add(40)
		w.weave(2)
		var ears []*ear
		for _, m := range w.members {
			ears = append(ears, w.listen(m, birds))
		}
		var posts []*records.Record
		for i, m := range w.members[:10] {
			posts = append(posts, w.announce(m, fmt.Sprint(i), birds))
		}
		elapse(5 * time.Second)
		wantOnce(w, ears, posts)
	})
}
