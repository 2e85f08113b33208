// Package golden pins bytes: what a test makes is compared with a file of vectors
// under testdata, and written there instead when the test runs with -rewrite.
//
// Vectors are JSON, so that an implementation in another language can run them.
//
// It is for tests alone, owns the flag, and starts no goroutine. What differs is
// the test's error.
package golden

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
)

var rewrite = flag.Bool("rewrite", false, "write the files of vectors anew, instead of comparing with them")

// T is what is needed of a test.
type T interface {
	Helper()
	Errorf(format string, args ...any)
	Fatal(args ...any)
}

// Match compares v, as indented JSON, with testdata/name.
func Match(t T, name string, v any) {
	t.Helper()
	var got bytes.Buffer
	enc := json.NewEncoder(&got)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", filepath.FromSlash(name))
	if *rewrite {
		if err := write(path, got.Bytes()); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%s: these bytes are part of the protocol, and they changed; got\n%s", path, firstDifference(got.Bytes(), want))
	}
}

func write(path string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o600)
}

func firstDifference(got, want []byte) string {
	g, w := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := range min(len(g), len(w)) {
		if !bytes.Equal(g[i], w[i]) {
			return string(g[i]) + "\nwant\n" + string(w[i])
		}
	}
	return "more or fewer lines"
}
