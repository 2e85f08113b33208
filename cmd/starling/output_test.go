//go:build unix

package main_test

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// Help and version are for people who have nothing yet.
func TestOutput_help(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	for _, args := range [][]string{{}, {"--help"}, {"help"}, {"run", "--help"}, {"help", "timeline"}} {
		if r := u.want(t, 0, args...); !strings.Contains(r.out, "starling") {
			t.Errorf("%v: %s", args, r.out)
		}
	}
	version := u.json(t, "version")[0]
	wantKeys(t, version, "version", "commit", "go", "platform")
	if r := u.want(t, 0, "version"); !strings.HasPrefix(r.out, "starling "+version.str("version")) {
		t.Errorf("version %s", r.out)
	}
}

// Who reads only the beginning, as head does, has seen enough: no failure, no word.
func TestOutput_readerGone(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	var errs bytes.Buffer
	c := u.command(t.Context(), "version", "--json")
	c.Stdout, c.Stderr = w, &errs
	if err := c.Run(); err != nil || errs.Len() > 0 {
		t.Errorf("closed pipe: %v: %s", err, &errs)
	}
}

// A whole network in one process tells its figures in one line of JSON, and what
// people want to know on standard error.
func TestOutput_testnet(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	r := u.run(t, "testnet", "--nodes", "3", "--neighbourhood", "2", "--limit", "20")
	all := lines(t, r.out)
	if r.code != 0 || len(all) != 1 {
		t.Fatalf("ended with %d: %s%s", r.code, r.out, r.errors)
	}
	wantKeys(t, all[0], "nodes", "posts", "published", "read_back", "missing", "live_expected", "live_delivered", "posts_per_s",
		"publish_p50_ms", "publish_p99_ms", "timeline_p50_ms", "timeline_p99_ms", "live_p50_ms", "live_p99_ms", "rss_mb")
	if all[0]["missing"] != 0.0 || all[0]["posts"] != 20.0 || all[0]["live_delivered"] != all[0]["live_expected"] {
		t.Errorf("figures %v", all[0])
	}
	if !strings.Contains(r.errors, "read back") || strings.Contains(r.errors, "\x1b") {
		t.Errorf("said %q", r.errors)
	}
	if r := u.want(t, 1, "testnet", "--replay", "/no/such/file"); !strings.Contains(r.errors, "/no/such/file") || r.out != "" {
		t.Errorf("no file: %s%s", r.out, r.errors)
	}
}
