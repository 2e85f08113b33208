package datastore_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/records"
)

// With a directory in the environment the test binary is another process that has it
// open, until its standard input ends or it is killed.
const envHold = "STARLING_HOLD_DIR"

func hold(dir string) error {
	n, err := records.TestNetwork("datastore")
	if err != nil {
		return err
	}
	s, err := datastore.Open(datastore.Config{Dir: dir, Network: n})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(os.Stdout, "open")
	if err == nil {
		_, err = io.Copy(io.Discard, os.Stdin)
	}
	return errors.Join(err, s.Close())
}

// A directory that another process has open is refused, and left alone; once that
// process is gone, however it went, it is not.
func TestOpen_anotherProcess(t *testing.T) {
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, killed := range []bool{false, true} {
		other := exec.CommandContext(t.Context(), self)
		other.Env = append(os.Environ(), envHold+"="+dir)
		in, err := other.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := other.StdoutPipe()
		if err == nil {
			err = other.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(out).ReadString('\n'); line != "open\n" {
			t.Fatalf("the other says %q, %v", line, err)
		}
		for range 2 {
			if _, err := datastore.Open(datastore.Config{Dir: dir, Network: network(t)}); !errors.Is(err, datastore.ErrLocked) {
				t.Fatalf("got %v, want ErrLocked", err)
			}
		}
		if killed {
			err = other.Process.Kill()
		} else {
			err = in.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := other.Wait(); (err != nil) != killed {
			t.Fatalf("the other ended with %v", err)
		}
		if err := openDir(t, dir, network(t)).Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A database of a version that is yet to come is refused and left as it is.
func TestOpen_newerDatabase(t *testing.T) {
	dir := t.TempDir()
	if err := openDir(t, dir, network(t)).Close(); err != nil {
		t.Fatal(err)
	}
	newer := fmt.Sprintf("%s/marker.format-version.999999.%03d", dir, pebble.FormatNewest+1)
	if err := os.WriteFile(newer, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	before := list(t, dir)
	if _, err := datastore.Open(datastore.Config{Dir: dir, Network: network(t)}); !errors.Is(err, datastore.ErrNewer) {
		t.Fatalf("got %v, want ErrNewer", err)
	}
	if after := list(t, dir); after != before {
		t.Fatalf("there was\n%s\nand is now\n%s", before, after)
	}
}

func list(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, "\n")
}
