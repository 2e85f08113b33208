// Package starling_test holds the promise that the repository makes about its
// shape. What a rule is for stands beside it; package scripts/star does the
// looking.
package starling_test

import (
	"os"
	"testing"

	"github.com/starling-social/starling/scripts/star"
)

const module = "github.com/starling-social/starling"

// law is the star:
//
//	cmd ──► node ──┬─► protocol/dht ──────┐
//	               ├─► protocol/exchange ─┼──► protocol ──┐
//	               ├─► protocol/gossip ───┘               ├──► records
//	               └─► datastore ─────────────────────────┘
//
// Arrows point right and siblings never meet. Whoever may import a package may
// import what lies to its right too, where that speaks its language.
var law = star.Law{
	Arrows: map[string][]string{
		"cmd":               {"node", "node/api", "node/doctor", "node/journal", "node/testnet", "records", "records/archive", "web"},
		"node/doctor":       {"protocol", "records"},
		"node/journal":      {}, // how lines look is no part's business
		"node/api":          {"node", "records", "records/archive"},
		"node/nodetest":     {"node", "datastore", "protocol", "protocol/exchange", "records", "records/reconcile"}, // simulated nodes keep their store in memory, and lie about it; puppets speak the protocols themselves
		"node/testnet":      {"node", "records"},
		"node/healing":      {"records", "records/reconcile"}, // rules that a model of thousands of nodes runs too
		"node":              {"node/healing", "protocol/dht", "protocol/exchange", "protocol/gossip", "datastore", "protocol", "records", "records/archive", "records/reconcile"},
		"protocol/dht":      {"protocol", "records"},
		"protocol/exchange": {"protocol", "protocol/pb", "records", "records/reconcile", "records/wire"},
		"protocol/gossip":   {"protocol", "records"},
		"protocol":          {"protocol/pb", "records", "records/wire"},
		"protocol/pb":       {},
		"datastore":         {"records", "records/reconcile", "records/wire"},
		"records":           {"records/pb", "records/wire"}, // nobody else decodes a payload: that is the door's work
		"records/pb":        {},
		"records/archive":   {"records"},
		"records/golden":    {}, // for tests
		"records/reconcile": {"records"},
		"records/wire":      {},
		"web":               {},
		"scripts":           {"cmd", "node", "node/api", "node/healing", "node/nodetest", "node/testnet", "protocol", "protocol/dht", "protocol/exchange", "protocol/gossip", "datastore", "records", "records/archive", "records/reconcile"},
		"":                  {"scripts"},
	},
	TestArrows: []string{"node/nodetest", "records/golden"}, // simulated links and pinned bytes serve every layer

	Imports: []star.Ban{
		{
			What: append([]string{
				"os/...", "io/fs", "embed", "syscall/...", "net", "net/http/...",
				"log/...", "crypto/rand", "math/rand/...", "testing/...",
			}, networks...),
			In:     []string{"records/..."},
			Except: []string{"records/golden"}, // it compares tests with files
			Why:    quiet,
		},
		{
			What:   []string{"github.com/cockroachdb/...", "github.com/google/btree"},
			In:     []string{"..."},
			Except: []string{"datastore", "scripts/..."},
			Why:    "the database can be exchanged as long as datastore alone knows which one it is",
		},
		{
			What: append([]string{"net", "net/http/..."}, networks[:1]...),
			In:   []string{"datastore"},
			Why:  "the store keeps; who asks and who carries is not its business",
		},
		{
			What:   []string{"github.com/spf13/...", "github.com/schollz/...", "github.com/charmbracelet/...", "golang.org/x/term"},
			In:     []string{"..."},
			Except: []string{"cmd/...", "scripts/..."},
			Why:    "flags and terminals belong to the command line; below it there are only values",
		},
		{
			What:   []string{"github.com/danielgtaylor/huma/..."},
			In:     []string{"..."},
			Except: []string{"node/api"},
			Why:    "how HTTP is described and dispatched is the API's own business; others have the client and the types",
		},
		{
			What:   []string{"testing/..."},
			In:     []string{"..."},
			Except: []string{"node/nodetest", "scripts/internal/campaign"}, // virtual time is had from there alone
			Why:    "a hook for tests in shipped code is a second behaviour that nobody tests",
		},
	},
	Reaches: []star.Ban{
		{
			What: append([]string{"net", "net/http/...", "github.com/cockroachdb/..."}, networks...),
			In:   []string{"records/..."},
			Why:  quiet,
		},
		{
			What: []string{"github.com/cockroachdb/...", module + "/datastore/..."},
			In:   []string{"protocol/..."},
			Why:  "protocols are handed what they store into, so that a browser or a simulation can hand them something else",
		},
	},
	Uses: []star.Ban{
		{
			What: append([]string{"go"}, clocks...),
			In:   []string{"records/..."},
			Why:  quiet,
		},
		{
			What:   clocks,
			In:     []string{"datastore"},
			Beside: []string{"datastore/patience.go"}, // how long a disk is waited for
			Why:    "what is stored must not depend on when; whoever needs the present passes it in",
		},
		{
			What:   []string{"records.Restore"},
			In:     []string{"..."},
			Except: []string{"datastore", "records"},
			Tests:  true,
			Why: "it skips the signature, which is right for bytes that this node verified before it wrote them and for " +
				"nothing else; a second door is how an unverified post gets in",
		},
		{
			What: []string{"func init"},
			In:   []string{"..."},
			Why:  "what happens before main happens to everybody who imports the package; construct it where it is needed",
		},
	},
	Names: []star.Ban{{
		What:  []string{"util", "utils", "common", "types", "interfaces", "mocks", "config", "log", "helpers", "misc", "shared", "lib", "pkg"},
		In:    []string{"..."},
		Tests: true,
		Why:   "a package is named for the one thing it is about; a drawer for everything has no reader and no owner",
	}},
	Lines: 400,
	Depth: 2,
	Deep:  []string{"scripts/..."},
}

const quiet = "records are values: the present, randomness and bytes are arguments, so a browser runs the same code, " +
	"any order of arrival can be replayed, and no test has to wait"

var (
	clocks = []string{
		"time.Now", "time.Since", "time.Until", "time.Sleep", "time.After", "time.AfterFunc",
		"time.Tick", "time.NewTimer", "time.NewTicker",
	}
	networks = []string{"github.com/libp2p/...", "github.com/ipfs/...", "github.com/multiformats/..."}
)

func TestStar(t *testing.T) {
	tree, err := star.Read(os.DirFS("."), module)
	if err != nil {
		t.Fatal(err)
	}
	if tree.Imports, err = star.List(t.Context(), "."); err != nil {
		t.Fatal(err)
	}
	for _, fault := range law.Judge(tree) {
		t.Error(fault)
	}
}
