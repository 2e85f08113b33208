//go:build unix

package main_test

import (
	"path/filepath"
	"strings"
	"testing"

	starling "github.com/starling-social/starling/cmd/starling"
)

// Every command with --json prints lines of JSON and nothing else, or nothing.
func TestJSON_everyCommand(t *testing.T) {
	t.Parallel()
	u, stopped := newUser(t), newUser(t)
	stopped.node(t, on("/tcp/0")...).interrupt(t)
	n := u.node(t, on("/tcp/0")...)
	newUser(t).node(t, append(on("/tcp/0"), "--bootstrap", n.addr(t, "/tcp/"))...)
	id := u.json(t, "post", "first")[0].str("id")
	u.json(t, "put", "a", "b")
	u.json(t, "profile", "set", "--name", "Ada")
	archive := filepath.Join(t.TempDir(), "archive")
	silent := map[string]bool{"unfollow": true}
	elsewhere := map[string]user{"db verify": stopped, "db compact": stopped}
	with := map[string][]string{
		"id": nil, "peers": nil, "status": nil, "healthcheck": nil, "following": nil, "version": nil, "db stats": nil, "db verify": nil, "db compact": nil,
		"post": {"hello #json"}, "edit": {id, "better"}, "timeline": {"me"}, "watch": {"me", "--limit", "1"},
		"follow": {"#json"}, "unfollow": {"#json"}, "profile set": {"--name", "Ada"}, "profile get": nil, "put": {"a", "b"}, "get": {"me", "a"},
		"history": {"me", "a"}, "consent": {"me", "a", "x"}, "name claim": {"ada"}, "name find": {"ada"}, "name unclaim": {"ada"},
		"export": {archive}, "import": {archive}, "config init": {filepath.Join(t.TempDir(), "c.toml")}, "config show": {"--effective"}, "config validate": nil,
		"testnet": {"--nodes", "2", "--neighbourhood", "2", "--limit", "2"}, "man": {filepath.Join(t.TempDir(), "man")}, "completion": {"bash"},
		"delete": {id}, "doctor": nil, "top": nil, "web": {"--print"},
		"run": nil, // started above: what it prints is read by every test
	}
	var printed []string
	for _, path := range starling.Runnable() {
		name := strings.TrimPrefix(path, "starling ")
		_, ok := with[name]
		if !ok {
			t.Errorf("%s: not tried", name)
		}
		if ok && name != "run" && name != "delete" {
			printed = append(printed, name)
		}
	}
	for _, name := range append(printed, "delete") { // last, because others want the post
		who, ok := elsewhere[name]
		if !ok {
			who = u
		}
		r := who.run(t, append(append(strings.Fields(name), with[name]...), "--json")...)
		unwell := name == "doctor" && r.code == 1 // which is the machine's to say
		if r.code != 0 && !unwell || (r.out == "") != silent[name] {
			t.Errorf("%s --json ended with %d: %q %s", name, r.code, r.out, r.errors)
		}
		lines(t, r.out)
	}
}
