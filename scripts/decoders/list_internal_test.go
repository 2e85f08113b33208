package main

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

// Every fuzz target of the repository is in the list, and everything in the list is in
// the repository.
func TestList_complete(t *testing.T) {
	packages, err := parse(list)
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := disagreements(os.DirFS("../.."), packages)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range wrong {
		t.Error(w)
	}
}

func TestList_disagreements(t *testing.T) {
	tree := fstest.MapFS{
		"a/a.go":      {Data: []byte("package a\n\nfunc parse() {}\n\nfunc (t *T) read() {}\n")},
		"a/a_test.go": {Data: []byte("package a\n\nfunc FuzzParse(f *testing.F) {}\n\nfunc FuzzNew(f *testing.F) {}\n")},
	}
	for text, want := range map[string]string{
		"a .\n\tFuzzParse: parse\n\tFuzzNew: T.read":                "",
		"a .\n\tFuzzParse: parse T.read":                            "a.FuzzNew is not in the list, with the decoders that it is for",
		"a .\n\tFuzzParse: parse read\n\tFuzzNew: T.read":           "a has no function read",
		"a .\n\tFuzzParse: parse\n\tFuzzNew: parse\n\tFuzzX: parse": "a.FuzzX is no fuzz target",
	} {
		packages, err := parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if wrong, err := disagreements(tree, packages); err != nil || strings.Join(wrong, "; ") != want {
			t.Errorf("%q: %q, %v; want %q", text, wrong, err, want)
		}
	}
	for _, text := range []string{"a", "\tFuzzParse: parse", "a .\n\tFuzzParse parse", "a .\n\tFuzzParse:"} {
		if _, err := parse(text); err == nil {
			t.Errorf("%q is read", text)
		}
	}
}

func TestProfile_of(t *testing.T) {
	f := extent{"x.go", position{10, 1}, position{20, 2}}
	p := profile{
		"x.go": {
			{StartLine: 10, StartCol: 14, EndLine: 12, EndCol: 3, NumStmt: 3, Count: 2},
			{StartLine: 12, StartCol: 3, EndLine: 14, EndCol: 3, NumStmt: 1},
			{StartLine: 21, StartCol: 1, EndLine: 22, EndCol: 3, NumStmt: 9},
		},
		"y.go": {{StartLine: 12, StartCol: 3, EndLine: 14, EndCol: 3, NumStmt: 9}},
	}
	if got := p.of(f); got != (coverage{4, 3}) {
		t.Errorf("%+v", got)
	}
}
