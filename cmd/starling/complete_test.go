//go:build unix

package main_test

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// completed is what a shell offers after some words.
func (u user) completed(t *testing.T, words ...string) []string {
	t.Helper()
	r := u.run(t, append([]string{"__completeNoDesc"}, words...)...)
	if r.code != 0 {
		t.Fatalf("completing %q ended with %d: %s", words, r.code, r.errors)
	}
	all := strings.Split(strings.TrimSuffix(r.out, "\n"), "\n")
	return all[:len(all)-1] // the last says what the shell is to do with them
}

// A shell is offered commands, flags and values; what is followed only while a node
// runs, and in bash as bash wants it.
func TestCompletion(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	for _, c := range []struct {
		words []string
		want  string
	}{
		{[]string{"tim"}, "timeline"},
		{[]string{"profile", ""}, "set"},
		{[]string{"timeline", "--be"}, "--before"},
		{[]string{"run", "--profile", ""}, "lowpower"},
		{[]string{"run", "--set", "store.q"}, "store.quota="},
		{[]string{"completion", "f"}, "fish"},
		{[]string{"timeline", "m"}, "me"},
	} {
		if got := u.completed(t, c.words...); !slices.Contains(got, c.want) {
			t.Errorf("%q offers %q, want %q among them", c.words, got, c.want)
		}
	}
	began := time.Now()
	if got := u.completed(t, "unfollow", "#"); len(got) > 0 || time.Since(began) > patience/2 {
		t.Errorf("without a node: %q after %s", got, time.Since(began))
	}
	u.node(t, on("/tcp/0")...)
	u.json(t, "follow", "#starling")
	if got := u.completed(t, "unfollow", "#st"); !slices.Equal(got, []string{"#starling"}) {
		t.Errorf("followed: %q", got)
	}
	if got := u.completed(t, "export", "x", "--tag", ""); !slices.Equal(got, []string{"starling"}) {
		t.Errorf("tags: %q", got)
	}
	bash := u
	bash.env = []string{"COMP_SHELL=bash"}
	if got := bash.completed(t, "unfollow", "#st"); !slices.Equal(got, []string{`\#starling`}) {
		t.Errorf("in bash: %q", got)
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if r := u.want(t, 0, "completion", shell); !strings.Contains(r.out, "__complete") || (shell == "bash") != strings.Contains(r.out, "COMP_SHELL=bash ") {
			t.Errorf("%s: %.200s", shell, r.out)
		}
	}
}
