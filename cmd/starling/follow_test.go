//go:build unix

package main_test

import (
	"strings"
	"testing"
)

// What one follows is on the list, makes up home, and is there after a restart.
func TestFollow(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	n := u.node(t, on("/tcp/0")...)
	if r := u.run(t, "timeline", "--home"); r.code != 0 || r.out != "" || !strings.Contains(r.errors, "starling follow --help") {
		t.Errorf("home of who follows nobody: %d %s%s", r.code, r.out, r.errors)
	}
	if got := u.json(t, "timeline", "--home"); len(got) != 0 {
		t.Errorf("home of who follows nobody: %v", got)
	}
	me := u.json(t, "id")[0].str("user")
	for _, c := range [][2]string{{"#Starling", "#starling"}, {"me", me}, {"@me", "@" + me}, {"me", me}} {
		f := u.json(t, "follow", c[0])[0]
		wantKeys(t, f, "source", "since")
		if f.str("source") != c[1] || f["since"].(float64) < 1e12 {
			t.Errorf("follow %s: %v", c[0], f)
		}
	}
	if list := u.json(t, "following"); len(list) != 3 || list[0].str("source") != "#starling" || list[2].str("source") != "@"+me {
		t.Errorf("following %v", list)
	}
	if r := u.want(t, 0, "following"); !strings.HasPrefix(r.out, "#starling  since 20") || strings.Count(r.out, "\n") != 3 {
		t.Errorf("following %s", r.out)
	}

	for _, text := range []string{"one #starling", "two", "three #starling"} {
		u.json(t, "post", text, "--mention", "me")
	}
	first := u.json(t, "timeline", "--home", "--limit", "2")
	if len(first) != 2 || first[0].str("text") != "three #starling" || first[1].str("text") != "two" {
		t.Fatalf("home begins with %v", first)
	}
	rest := u.json(t, "timeline", "--home", "--before", first[1].str("cursor"))
	if len(rest) != 1 || rest[0].str("text") != "one #starling" {
		t.Errorf("home goes on with %v", rest)
	}
	if got := u.json(t, "timeline", "@me", "--limit", "1"); len(got) != 1 || got[0].str("text") != "three #starling" {
		t.Errorf("mentions: %v", got)
	}
	if got := u.json(t, "watch", "--home", "--limit", "3"); len(got) != 3 || got[0]["live"] != false {
		t.Errorf("watched at home: %v", got)
	}

	for _, source := range []string{"me", "me", "@me"} {
		if r := u.want(t, 0, "unfollow", source, "--json"); r.out != "" {
			t.Errorf("unfollow: %s", r.out)
		}
	}
	n.interrupt(t)
	u.node(t, on("/tcp/0")...)
	if list := u.json(t, "following"); len(list) != 1 || list[0].str("source") != "#starling" {
		t.Errorf("after a restart following %v", list)
	}
	if got := u.json(t, "timeline", "--home"); len(got) != 2 || got[0].str("text") != "three #starling" {
		t.Errorf("after a restart home is %v", got)
	}
}

// A reply by a stranger is found under the post and, because it mentions its
// author, among what mentions them; whoever follows that hears of it.
func TestFollow_strangersReply(t *testing.T) {
	t.Parallel()
	ann, bob := newUser(t), newUser(t)
	first := ann.node(t, on("/tcp/0")...)
	bob.node(t, append(on("/tcp/0"), "--bootstrap", first.addr(t, "127.0.0.1"))...)
	me := ann.json(t, "id")[0].str("user")
	ann.json(t, "follow", "@me")
	post := ann.json(t, "post", "anybody?")[0].str("id")
	w := ann.start(t, "watch", "--home", "--json")
	reply := bob.json(t, "post", "here!", "--reply-to", post, "--mention", me)[0].str("id")
	if got := w.next(t); got.str("id") != reply || got.str("reply_to") != post {
		t.Errorf("heard at home: %v", got)
	}
	w.interrupt(t)
	for _, u := range []user{ann, bob} {
		if got := u.json(t, "timeline", "@"+me); len(got) != 1 || got[0].str("id") != reply {
			t.Errorf("mentions: %v", got)
		}
		if got := u.json(t, "timeline", post); len(got) != 2 || got[0].str("id") != post || got[1].str("id") != reply {
			t.Errorf("thread: %v", got)
		}
	}
	if got := ann.json(t, "timeline", "--home"); len(got) != 1 || got[0].str("id") != reply {
		t.Errorf("home: %v", got)
	}
}
