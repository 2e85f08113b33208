package records_test

import (
	"testing"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/starling-social/starling/records"
)

type textVector struct {
	Description string `json:"description"`
	Input       string `json:"input"`
}

type tagVector struct {
	Description string `json:"description"`
	Input       string `json:"input"`
	Tag         string `json:"tag"`
}

// The expected tags are those of another implementation of toNFKC_Casefold, Python's.
func TestVectors_tags(t *testing.T) {
	for _, v := range readVectors[[]tagVector](t, "valid/tags.json") {
		got, err := records.NormalizeTag(v.Input)
		if err != nil || string(got) != v.Tag {
			t.Errorf("%s: %q became %q, %v; want %q", v.Description, v.Input, got, err, v.Tag)
		}
		if again, err := records.NormalizeTag(v.Tag); err != nil || again != got {
			t.Errorf("%s: %q again became %q, %v", v.Description, v.Tag, again, err)
		}
		if _, err := records.ParsePlace(records.TagPlace(got).Bytes()); err != nil {
			t.Errorf("%s: %v", v.Description, err)
		}
	}
}

// Which tags are valid depends on the version of Unicode, so a newer one is a
// decision and not an update.
func TestVectors_unicodeVersion(t *testing.T) {
	const want = "15.0.0"
	if unicode.Version != want || norm.Version != want || cases.UnicodeVersion != want {
		t.Errorf("Unicode %s, %s, %s; want %s", unicode.Version, norm.Version, cases.UnicodeVersion, want)
	}
}

func TestVectors_textInvalid(t *testing.T) {
	for name, parse := range map[string]func(string) error{
		"tags":     func(s string) error { _, err := records.NormalizeTag(s); return err },
		"users":    func(s string) error { _, err := records.ParseUser(s); return err },
		"post_ids": func(s string) error { _, err := records.ParseRef(s); return err },
		"cursors":  func(s string) error { _, err := records.ParseCursor(s); return err },
		"networks": func(s string) error { _, err := records.TestNetwork(s); return err },
	} {
		for _, v := range readVectors[[]textVector](t, "invalid/"+name+".json") {
			if err := parse(v.Input); err == nil {
				t.Errorf("%s: %s: %q was taken", name, v.Description, v.Input)
			}
		}
	}
}

func TestVectors_links(t *testing.T) {
	for _, v := range readVectors[[]textVector](t, "valid/links.json") {
		if !records.ValidLink(v.Input) {
			t.Errorf("%s: %q was refused", v.Description, v.Input)
		}
	}
	for _, v := range readVectors[[]textVector](t, "invalid/links.json") {
		if records.ValidLink(v.Input) {
			t.Errorf("%s: %q was taken", v.Description, v.Input)
		}
	}
}
