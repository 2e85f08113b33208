package main

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// What would steer a terminal is written out; everything else is as it was.
func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"plain\ttext\n":             "plain\ttext\n",
		"\x1b]0;title\x07":          `\x1b]0;title\x07`,
		"\u009b31m":                 `\x9b31m`,
		"a\rb\x00\x7f":              `a\x0db\x00\x7f`,
		"\u202edlrow\u2066 \u200f":  `\u202edlrow\u2066 \u200f`,
		"line\u2028paragraph\u2029": `line\u2028paragraph\u2029`,
		"\xff":                      "\ufffd",
		"日本語 हिन्दी 👩\u200d🚀 e\u0301": "日本語 हिन्दी 👩\u200d🚀 e\u0301",
	} {
		if got := printable(in); got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
}

// No text steers, and what JSON says is not changed by how it is written.
func TestPrintable_anyText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		if got := printable(s); strings.ContainsFunc(got, steers) {
			t.Fatalf("%q is shown as %q", s, got)
		}
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		line := escape(string(b), jsonEscape)
		var back string
		if err := json.Unmarshal([]byte(line), &back); err != nil || back != s || strings.ContainsFunc(line, steers) {
			t.Fatalf("%q is written as %s and reads as %q, %v", s, line, back, err)
		}
	})
}
