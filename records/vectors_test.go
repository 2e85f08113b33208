package records_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/starling-social/starling/records/golden"
)

// testdata/README.md says what each file of vectors holds.

// hexBytes are bytes, in JSON as hexadecimal digits.
type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// match compares v with a file of vectors, or writes it with -rewrite. It returns
// what the file then says.
func match[T any](t *testing.T, name string, v T) T {
	t.Helper()
	golden.Match(t, name, v)
	return readVectors[T](t, name)
}

// readVectors reads a file of vectors.
func readVectors[T any](t testing.TB, name string) (v T) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}
