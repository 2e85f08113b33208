//go:build unix

package main_test

import (
	"strings"
	"testing"
)

// Profile, service records and nicknames, from the command line of the one who has
// them and of another.
func TestRegister_commandLine(t *testing.T) {
	t.Parallel()
	ann, bob := newUser(t), newUser(t)
	first := ann.node(t, on("/tcp/0")...)
	bob.node(t, append(on("/tcp/0"), "--bootstrap", first.addr(t, "127.0.0.1"))...)
	me := ann.json(t, "id")[0].str("user")

	ann.json(t, "profile", "set", "--name", "Ann", "--about", "Counts birds")
	got := bob.json(t, "profile", "get", me)[0]
	if profile, ok := got["profile"].(map[string]any); !ok || profile["name"] != "Ann" {
		t.Errorf("bob sees the profile %v", got)
	}
	ann.json(t, "put", "address", "one", "--expect", "0")
	ann.json(t, "put", "address", "two")
	if got := bob.json(t, "get", me, "address")[0]; got.str("text") != "two" || !strings.HasSuffix(got.str("key"), "/address") {
		t.Errorf("bob reads %v", got)
	}
	ann.want(t, 1, "put", "address", "three", "--expect", "0")
	if list := ann.json(t, "history", "me", "address"); len(list) != 2 || list[0].str("text") != "two" || list[0]["missing"] != false {
		t.Errorf("history %v", list)
	}
	for _, u := range []user{ann, bob} {
		u.json(t, "name", "claim", "sparrow")
	}
	if found := bob.json(t, "name", "find", "Sparrow"); len(found) != 2 || found[0].str("shown") == found[1].str("shown") {
		t.Errorf("sparrows: %v", found)
	}
	ann.json(t, "put", "--delete", "address")
	bob.want(t, 1, "get", me, "address")
}
