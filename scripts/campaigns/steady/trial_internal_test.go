package main

import (
	"slices"
	"strings"
	"testing"
)

// What fails is counted once, with what it and its subtests said: a test, or a package
// none of whose tests is to blame. What passed is forgotten.
func TestRead_events(t *testing.T) {
	const pkg = `"Package":"github.com/starling-social/starling/node"`
	got, err := read(strings.NewReader(strings.Join([]string{
		`{"Action":"start",` + pkg + `}`,
		`{"Action":"output",` + pkg + `,"Test":"TestGood","Output":"all well\n"}`,
		`{"Action":"pass",` + pkg + `,"Test":"TestGood/one"}`,
		`{"Action":"pass",` + pkg + `,"Test":"TestGood"}`,
		`{"Action":"output",` + pkg + `,"Test":"TestBad/two","Output":"WARNING: DATA RACE\n"}`,
		`{"Action":"output",` + pkg + `,"Test":"TestBad","Output":"seed 7\n"}`,
		`{"Action":"fail",` + pkg + `,"Test":"TestBad/two"}`,
		`{"Action":"fail",` + pkg + `,"Test":"TestBad"}`,
		`{"Action":"output",` + pkg + `,"Output":"FAIL\n"}`,
		`{"Action":"fail",` + pkg + `}`,
		`{"Action":"output","Package":"leaky","Output":"found unexpected goroutines\n"}`,
		`{"Action":"fail","Package":"leaky"}`,
	}, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	want := []failure{
		{name: "node.TestBad", said: "WARNING: DATA RACE\nseed 7\n"},
		{name: "leaky", said: "found unexpected goroutines\n"},
	}
	if got.passed != 1 || got.races != 1 || !slices.Equal(got.failed, want) {
		t.Errorf("got %+v, want one passed, one race, %+v", got, want)
	}
	if _, err := read(strings.NewReader("no json")); err == nil {
		t.Error("nonsense is read")
	}
}

// The gate says which tests it leaves out.
func TestLeftOut_ofTheGate(t *testing.T) {
	left, err := leftOut("../../check")
	if err != nil || !strings.HasPrefix(left, "^Test(") {
		t.Errorf("%q, %v", left, err)
	}
}
