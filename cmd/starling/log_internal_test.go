package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	golog "github.com/ipfs/go-log/v2"

	"github.com/starling-social/starling/node/journal"
)

// Every part that speaks can be named in log.level, and there is none beside them.
func TestLogParts_complete(t *testing.T) {
	known := map[string]bool{partLibp2p: true, "go": true} // see adoptLibraries
	named := regexp.MustCompile(`With\((?:"part"|journal\.PartKey), "(\w+)"\)|\bof\("(\w+)"\)`)
	for _, dir := range []string{".", "../../node", "../../node/api"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range named.FindAllSubmatch(source, -1) {
				known[string(m[1])+string(m[2])] = true
			}
		}
	}
	delete(known, "")
	for _, p := range logParts {
		if !known[p.name] {
			t.Errorf("nobody speaks of %s", p.name)
		}
		delete(known, p.name)
	}
	if len(known) > 0 {
		t.Errorf("not in logParts: %v", known)
	}
}

// What libraries write comes out as our lines, errors alone unless they are named.
func TestAdoptLibraries(t *testing.T) {
	var out bytes.Buffer
	j := journal.New(journal.Config{Writer: &out, JSON: true, Levels: journal.At(slog.LevelDebug).With(partLibp2p, slog.LevelError)})
	adoptLibraries(j.Logger())
	kad := golog.Logger("dht/test")
	kad.Warnw("a peer misbehaves")
	kad.Errorw("table is broken", "peer_id", "12D3")
	j.Close()
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil || line["part"] != partLibp2p || line["logger"] != "dht/test" || line["peer_id"] != "12D3" {
		t.Errorf("wrote %s, %v", &out, err)
	}
}

// A file and a pipe get JSON, and no priorities: those are for journald alone.
func TestJournal_format(t *testing.T) {
	t.Setenv("JOURNAL_STREAM", "1:2")
	f, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for format, want := range map[logFormat]string{logAuto: `{"time":`, logJSON: `{"time":`, logText: ` info  `} {
		if err := f.Truncate(0); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Seek(0, 0); err != nil {
			t.Fatal(err)
		}
		j := logSettings{Format: format}.journal(f)
		j.Logger().Info("said\u202e")
		j.Close()
		b, err := os.ReadFile(f.Name())
		if err != nil || !strings.Contains(string(b), want) || strings.ContainsAny(string(b), "\x1b\u202e") || strings.HasPrefix(string(b), "<") {
			t.Errorf("%s: %q, %v", format, b, err)
		}
	}
}
