package journal_test

import (
	"testing"

	"github.com/starling-social/starling/node/journal"
)

// Whatever is read as levels is written in a form that is read as the same.
func FuzzLevels(f *testing.F) {
	for _, text := range []string{"info", "WARN", "heal=debug", "error, store=info ,dht=warn", "", "loud", "info,=debug", "info,debug", "heal="} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var l, again journal.Levels
		if l.UnmarshalText([]byte(text)) != nil {
			return
		}
		if err := again.UnmarshalText([]byte(l.String())); err != nil || again.String() != l.String() {
			t.Fatalf("%q is written as %q, and read as %q, %v", text, l, again, err)
		}
	})
}
