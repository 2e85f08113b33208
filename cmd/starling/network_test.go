//go:build unix

package main_test

import "testing"

// Three nodes of three people: the one that the others join by, one that can be
// reached over WebSocket alone, one over QUIC alone. What one says the others read
// and hear, also when the first is gone.
func TestNetwork_threeProcesses(t *testing.T) {
	t.Parallel()
	ann, bob, eve := newUser(t), newUser(t), newUser(t)
	first := ann.node(t, on("/tcp/0")...)
	join := []string{"--bootstrap", first.addr(t, "127.0.0.1")}
	ws := bob.node(t, append(on("/tcp/0/ws"), join...)...)
	quic := eve.node(t, append(on("/udp/0/quic-v1"), join...)...)
	ws.addr(t, "/ws/p2p/")
	quic.addr(t, "/quic-v1/p2p/")

	hear(t, bob, "#first", ann, eve)
	hear(t, ann, "me", eve, bob)

	reply := eve.json(t, "post", "seen", "--reply-to", bob.json(t, "timeline", "#first")[0].str("id"))[0]
	if thread := ann.json(t, "timeline", reply.str("id")); len(thread) != 2 || thread[1].str("id") != reply.str("id") {
		t.Errorf("thread at the third node: %v", thread)
	}

	first.interrupt(t)
	hear(t, eve, "#second", bob)
	hear(t, bob, "me", eve)
	if posts := eve.json(t, "timeline", "#first"); len(posts) != 2 {
		t.Errorf("what was said before the first node went: %v", posts)
	}

	again := ann.node(t, append(on("/tcp/0"), "--bootstrap", ws.addr(t, "/ws/"))...)
	if posts := ann.json(t, "timeline", "#second"); len(posts) != 2 {
		t.Errorf("what was said while the first node was gone: %v", posts)
	}
	again.interrupt(t)
}

// hear has somebody post to a hashtag, or to themselves, while others watch: each
// must see it live, and find it in the timeline afterwards.
func hear(t *testing.T, who user, source string, others ...user) {
	t.Helper()
	text, watched := "hear me", source
	if source == "me" {
		watched = who.json(t, "id")[0].str("user")
	} else {
		text += " " + source
	}
	probe := who.json(t, "post", "before "+text)[0]
	var watches []*process
	for _, u := range others {
		w := u.start(t, "watch", watched, "--json")
		watches = append(watches, w)
		if got := w.next(t); got["live"] != false || got.str("id") != probe.str("id") {
			t.Errorf("the past of %s: %v", source, got)
		}
	}
	posted := who.json(t, "post", text)[0]
	for _, w := range watches {
		got := w.next(t)
		for got["live"] == false { // the rest of the past
			got = w.next(t)
		}
		if got["live"] != true || got.str("id") != posted.str("id") || got.str("text") != text {
			t.Errorf("live in %s: %v", source, got)
		}
		w.interrupt(t)
	}
	for _, u := range others {
		if posts := u.json(t, "timeline", watched); posts[0].str("id") != posted.str("id") {
			t.Errorf("timeline %s: %v", source, posts)
		}
	}
}
