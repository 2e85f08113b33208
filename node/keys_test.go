package node_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/records"
)

func testNetwork(t *testing.T, params records.Params) records.Network {
	t.Helper()
	n, err := records.NewNetwork("keys", params)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// The first start makes both keys, readable by their owner alone, and a node key
// that solves the puzzle; every later one finds the same.
func TestLoadKeys_firstStart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "data")
	network := testNetwork(t, records.Params{PuzzleBits: 8, Neighbourhood: 4, Capacity: 64})
	if _, err := node.ReadKeys(dir); !errors.Is(err, node.ErrNoKeys) {
		t.Fatalf("reading before the first start gives %v, want ErrNoKeys", err)
	}
	first, err := node.LoadKeys(t.Context(), dir, network, nil)
	if err != nil {
		t.Fatal(err)
	}
	id, err := first.PeerID()
	if err != nil || !protocol.Solves(network, id) {
		t.Errorf("node key does not solve the puzzle: %v", err)
	}
	again, err := node.LoadKeys(t.Context(), dir, network, nil)
	if err != nil || again.Person.User() != first.Person.User() || !again.Node.Equals(first.Node) {
		t.Errorf("second start has other keys: %v", err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 2 {
		t.Fatalf("directory holds %v, %v, want two keys", files, err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil || info.Mode() != 0o600 {
			t.Errorf("%s has mode %v, %v, want 0600", f.Name(), info.Mode(), err)
		}
	}
}

// Starting twice at once ends with one identity.
func TestLoadKeys_race(t *testing.T) {
	dir := t.TempDir()
	network := testNetwork(t, records.Params{Neighbourhood: 4, Capacity: 64})
	var wg sync.WaitGroup
	users := make([]records.User, 8)
	for i := range users {
		wg.Go(func() {
			keys, err := node.LoadKeys(context.Background(), dir, network, nil)
			if err != nil {
				t.Error(err)
				return
			}
			users[i] = keys.Person.User()
		})
	}
	wg.Wait()
	for _, u := range users {
		if u != users[0] {
			t.Fatalf("two identities: %s and %s", u, users[0])
		}
	}
}

// A damaged or exposed key is refused with what to do, and left as it is.
func TestReadKeys_badFiles(t *testing.T) {
	network := testNetwork(t, records.Params{Neighbourhood: 4, Capacity: 64})
	for _, c := range []struct {
		name  string
		spoil func(path string) error
		want  string
	}{
		{"empty", func(p string) error { return os.WriteFile(p, nil, 0o600) }, "backup"},
		{"cut short", func(p string) error { return os.Truncate(p, 60) }, "backup"},
		{"rubbish in PEM", func(p string) error {
			return os.WriteFile(p, []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), 0o600)
		}, "damaged"},
		{"huge", func(p string) error { return os.Truncate(p, 1<<30) }, "backup"},
		{"open to all", func(p string) error { return os.Chmod(p, 0o644) }, "chmod 600"},
		{"directory", func(p string) error { return errors.Join(os.Remove(p), os.Mkdir(p, 0o700)) }, "not a file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if _, err := node.LoadKeys(t.Context(), dir, network, nil); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "person.key")
			if c.name == "huge" {
				// Only its first bytes are looked at, and they are no key.
				if err := os.WriteFile(path, []byte(strings.Repeat("x", 64)), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.spoil(path); err != nil {
				t.Fatal(err)
			}
			before, _ := os.Stat(path)
			_, err := node.LoadKeys(t.Context(), dir, network, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error that says %q", err, c.want)
			}
			if after, err := os.Stat(path); err != nil || after.Size() != before.Size() || after.Mode() != before.Mode() {
				t.Errorf("the file was changed: %v, %v", after, err)
			}
		})
	}
}
