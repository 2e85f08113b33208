package dht_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"pgregory.net/rapid"

	"github.com/starling-social/starling/protocol/dht"
)

const tableBucket = 20 // nodes a bucket takes

// newTable is a table whose farthest bucket is full, with those in it, who came one a
// second, and with count newcomers for the same bucket.
func newTable(tb rapid.TB, count int) (table dht.Table, in, newcomers []peer.ID) {
	tb.Helper()
	self := numbered(0)
	table, err := dht.NewTable(self, tableBucket)
	if err != nil {
		tb.Fatal(err)
	}
	var far []peer.ID
	for i := 1; len(far) < tableBucket+count; i++ {
		if p := numbered(i); table.BucketOf(p) == 0 {
			far = append(far, p)
		}
	}
	near := 1
	for ; table.BucketOf(numbered(near)) == 0; near++ {
	}
	table.Admit(numbered(near)) // else the far bucket is the last, which takes all
	for _, p := range far[:tableBucket] {
		table.Admit(p)
		<-time.After(time.Second)
	}
	return table, far[:tableBucket], far[tableBucket:]
}

// A thousand newcomers that all answer take the place of nobody who answers, however
// long they try; few of them are remembered.
func TestTable_floodEvictsNobodyAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, in, flood := newTable(t, 1000)
		for i, p := range flood {
			table.Admit(p)
			if i%10 == 0 {
				<-time.After(dht.ReplacePace)
				table.Tick(t.Context(), func(peer.ID) bool { return true })
			}
		}
		for _, p := range in {
			if !table.Has(p) {
				t.Fatal("a node that answers has lost its place")
			}
		}
		if n := table.Pending(); n != dht.PendingWidth {
			t.Errorf("%d wait for a place, want %d", n, dht.PendingWidth)
		}
	})
}

// Of a full bucket the node that was quiet for longest is asked. Dead, its place goes
// to the newest who waits and lives, within one tick; alive, it counts as the latest
// heard of, and the next is asked when its turn comes.
func TestTable_oldestIsAskedBeforeItIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, in, waiting := newTable(t, 3)
		for _, p := range waiting {
			table.Admit(p)
		}
		var asked []peer.ID
		dead := map[peer.ID]bool{}
		lives := func(p peer.ID) bool {
			asked = append(asked, p)
			return !dead[p]
		}
		table.Tick(t.Context(), lives)
		if len(asked) != 0 {
			t.Fatalf("asked %d nodes that were heard of a moment ago", len(asked))
		}
		<-time.After(dht.FreshAge)
		table.Tick(t.Context(), lives)
		if !slices.Equal(asked, in[:1]) || !table.Has(in[0]) {
			t.Fatalf("asked %d nodes, want the quietest alone, which keeps its place: %v", len(asked), table.Has(in[0]))
		}
		dead[in[1]], dead[waiting[2]] = true, true
		table.Tick(t.Context(), lives)
		if table.Has(in[1]) {
			t.Error("a dead node keeps its place")
		}
		if !table.Has(waiting[1]) || table.Has(waiting[2]) || table.Has(waiting[0]) {
			t.Error("the place is not with the newest who lives")
		}
		if n := table.Pending(); n != 1 {
			t.Errorf("%d wait, want 1", n)
		}
	})
}

// Whatever comes, goes and dies: nobody loses its place but by death or by being
// removed, buckets stay within their size, and no more wait than may.
func TestTable_properties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.IntRange(0, 99), 1, 120).Draw(rt, "steps")
		synctest.Test(t, func(t *testing.T) {
			table, in, others := newTable(rt, 100-tableBucket)
			all := slices.Concat(in, others)
			dead, gone := map[peer.ID]bool{}, map[peer.ID]bool{}
			for i, n := range steps {
				p := all[n]
				before := table.Peers()
				switch i % 4 {
				case 0, 1:
					if !dead[p] {
						table.Admit(p)
						delete(gone, p)
					}
				case 2:
					dead[p] = true
				case 3:
					<-time.After(time.Duration(n) * time.Second)
					table.Tick(t.Context(), func(p peer.ID) bool { return !dead[p] })
					if n%3 == 0 {
						table.Remove(p)
						gone[p] = true
					}
				}
				for _, q := range before {
					if !table.Has(q) && !dead[q] && !gone[q] {
						rt.Fatalf("step %d: a node that lives has lost its place", i)
					}
				}
				if len(table.Peers()) > tableBucket+1 || table.Pending() > dht.PendingWidth {
					rt.Fatalf("step %d: %d nodes, %d wait", i, len(table.Peers()), table.Pending())
				}
			}
		})
	})
}

// Who comes while there is no room waits; who is in the table or finds room does not.
func TestTable_waits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, in, others := newTable(t, 1)
		if table.Waits(in[0]) {
			t.Error("a node of the table waits for a place")
		}
		if !table.Waits(others[0]) {
			t.Error("a node waits although its bucket is full")
		}
		table.Remove(in[3])
		table.Tick(t.Context(), func(peer.ID) bool { return true })
		if !table.Has(others[0]) || table.Pending() != 0 {
			t.Error("the place of a node that left stays empty")
		}
	})
}
