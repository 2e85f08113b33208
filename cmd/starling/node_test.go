//go:build unix

package main_test

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// One person, one node: everything a newcomer does in the first five minutes.
func TestNode_alone(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	n := u.node(t, on("/tcp/0")...)
	wantKeys(t, n.ready, "event", "peer_id", "addrs", "api", "data", "network")
	if n.ready.str("event") != "ready" || n.ready.str("network") != networkOf(t) || n.ready.str("data") != u.data {
		t.Errorf("ready %v", n.ready)
	}
	for _, a := range n.ready["addrs"].([]any) {
		if s, _ := a.(string); !strings.HasPrefix(s, "/ip") {
			t.Errorf("nobody can dial %s", s)
		}
	}
	if a := n.addr(t, "/tcp/"); strings.Contains(a, "/tcp/0/") || !strings.HasSuffix(a, "/p2p/"+n.ready.str("peer_id")) {
		t.Errorf("address %s", a)
	}
	wantMode(t, u.data, 0o700)
	for _, file := range []string{"person.key", "node.key", "api.json"} {
		wantMode(t, filepath.Join(u.data, file), 0o600)
	}

	id := u.json(t, "id")[0]
	wantKeys(t, id, "user", "peer_id", "data")
	if id.str("peer_id") != n.ready.str("peer_id") || !strings.HasPrefix(id.str("user"), "did:key:z6Mk") {
		t.Errorf("id %v", id)
	}
	status := u.json(t, "status")[0]
	for _, name := range []string{"peer_id", "network", "network_id", "peers", "prefix", "members", "records", "store_bytes", "cached", "cached_bytes", "hot", "hot_copies", "planted", "uptime_s"} {
		if _, ok := status[name]; !ok {
			t.Errorf("status lacks %s: %v", name, status)
		}
	}
	if status["members"] != 1.0 || status["peers"] != 0.0 || status.str("network") != networkOf(t) || !strings.HasPrefix(status.str("network_id"), networkOf(t)+".") {
		t.Errorf("status %v", status)
	}
	if peers := u.json(t, "peers"); len(peers) != 0 {
		t.Errorf("peers %v", peers)
	}

	text := "hello \x1b[31m\u202e\u009b #Starling\nsecond line\x07"
	posted := u.json(t, "post", text, "--tag", "#More", "--mention", "me")[0]
	wantKeys(t, posted, "id", "author", "created", "places")
	places, _ := posted["places"].([]any)
	if len(places) != 4 { // author, two tags, one mention
		t.Errorf("places %v", places)
	}
	for _, p := range places {
		place := object(p.(map[string]any))
		wantKeys(t, place, "kind", "base", "level", "stored", "wanted")
		if place["stored"] != 1.0 || place["wanted"] != 1.0 {
			t.Errorf("place %v", place)
		}
	}
	reply := u.says("from a pipe\n").json(t, "post", "-", "--reply-to", posted.str("id"))[0]

	for _, source := range []string{"#starling", "#MORE", "me", id.str("user"), posted.str("id")} {
		posts := u.json(t, "timeline", source)
		got := posts[len(posts)-1]
		if len(posts) == 2 && source == posted.str("id") {
			got = posts[0] // a thread begins with its first post
		}
		wantKeys(t, got, "id", "author", "created", "text", "tags", "mentions", "reply_to", "rev", "deleted", "cursor")
		if got.str("id") != posted.str("id") || got.str("text") != text || got["reply_to"] != nil || got["deleted"] != false {
			t.Errorf("timeline %s: %v", source, got)
		}
	}
	thread := u.json(t, "timeline", reply.str("id"))
	if len(thread) != 2 || thread[1].str("text") != "from a pipe" || thread[1].str("reply_to") != posted.str("id") || len(thread[1]["tags"].([]any)) != 0 {
		t.Errorf("thread %v", thread)
	}
	if first := u.json(t, "timeline", reply.str("id"), "--limit", "1"); len(first) != 1 || first[0].str("id") != posted.str("id") {
		t.Errorf("first of thread %v", first)
	} else if rest := u.json(t, "timeline", reply.str("id"), "--before", first[0].str("cursor")); len(rest) != 1 || rest[0].str("id") != reply.str("id") {
		t.Errorf("rest of thread %v", rest)
	}
	if shown := u.want(t, 0, "timeline", "#starling").out; strings.ContainsAny(shown, "\x1b\u202e\u009b\x07") || !strings.Contains(shown, `\x1b[31m\u202e\x9b #Starling`) {
		t.Errorf("text shown: %q", shown)
	}

	u.json(t, "edit", posted.str("id"), "better")
	if got := u.json(t, "timeline", "#starling")[0]; got.str("text") != "better" || got.str("id") != posted.str("id") {
		t.Errorf("edited: %v", got)
	}
	u.json(t, "delete", posted.str("id"))
	if got := u.json(t, "timeline", "#starling")[0]; got["deleted"] != true || got.str("text") != "" {
		t.Errorf("deleted: %v", got)
	}
	if r := u.want(t, 1, "edit", posted.str("id"), "too late"); !strings.Contains(r.errors, "deleted") {
		t.Errorf("edit of a deleted post: %s", r.errors)
	}
	if got := u.json(t, "timeline", "#nobodysaysthis"); len(got) != 0 {
		t.Errorf("empty timeline %v", got)
	}
	watched := u.json(t, "watch", "me", "--limit", "1")
	if len(watched) != 1 || watched[0]["live"] != false {
		t.Errorf("watch %v", watched)
	}

	n.interrupt(t)
	if _, err := os.Stat(filepath.Join(u.data, "api.json")); !os.IsNotExist(err) {
		t.Errorf("api.json is still there: %v", err)
	}
	if again := u.json(t, "id")[0]; again.str("user") != id.str("user") {
		t.Errorf("id without a node: %v", again)
	}
	u.want(t, 3, "status")

	u.node(t, on("/tcp/0")...)
	if got := u.json(t, "timeline", "me"); len(got) != 2 {
		t.Errorf("after a restart: %v", got)
	}
}

func wantMode(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != mode {
		t.Errorf("%s: mode %v, want %v, %v", path, info.Mode().Perm(), mode, err)
	}
}

// The API says that it is alive to anybody, and nothing else.
func TestNode_api(t *testing.T) {
	t.Parallel()
	n := newUser(t).node(t, on("/tcp/0")...)
	for path, want := range map[string]int{"/healthz": http.StatusOK, "/v1/status": http.StatusUnauthorized} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+n.ready.str("api")+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil || resp.StatusCode != want {
			t.Errorf("%s: status %d, %v", path, resp.StatusCode, err)
		}
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

// Who has the data directory keeps it; the second node says who has it and leaves
// the first one's API file alone.
func TestNode_twoOnOneDirectory(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.node(t, on("/tcp/0")...)
	r := u.want(t, 4, append([]string{"run", "--network", networkOf(t), "--api", "127.0.0.1:0"}, on("/tcp/0")...)...)
	if !strings.Contains(r.errors, u.data) || !strings.Contains(r.errors, "--data") || r.out != "" {
		t.Errorf("locked: %s%s", r.out, r.errors)
	}
	u.json(t, "status")
}

// A data directory belongs to one network, and says to which.
func TestNode_otherNetwork(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.node(t, on("/tcp/0")...).interrupt(t)
	r := u.want(t, 1, append([]string{"run", "--network", "another", "--api", "127.0.0.1:0"}, on("/tcp/0")...)...)
	if !strings.Contains(r.errors, networkOf(t)+".") || !strings.Contains(r.errors, "--network") {
		t.Errorf("another network: %s", r.errors)
	}
}

// A node that was killed leaves its API file; the commands find out at once that
// nobody is there.
func TestNode_killed(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	n := u.node(t, on("/tcp/0")...)
	posted := u.json(t, "post", "kept")[0]
	n.signal(t, syscall.SIGKILL)
	began := time.Now()
	if r := u.want(t, 3, "status", "--json"); !strings.Contains(r.errors, "starling run") || r.out != "" {
		t.Errorf("after a crash: %s%s", r.out, r.errors)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s to find out", took)
	}
	u.node(t, on("/tcp/0")...)
	if got := u.json(t, "timeline", "me"); len(got) != 1 || got[0].str("id") != posted.str("id") {
		t.Errorf("after the crash %v", got)
	}
}

// Every way to stop a node is a clean end: SIGTERM, ctrl-C while somebody watches,
// and twice ctrl-C.
func TestNode_ends(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	n := u.node(t, on("/tcp/0")...)
	if code, took := n.signal(t, syscall.SIGTERM); code != 0 || took > 10*time.Second {
		t.Errorf("SIGTERM: ended with %d after %s", code, took)
	}
	n = u.node(t, on("/tcp/0")...)
	u.json(t, "post", "x")
	w, own := u.start(t, "watch", "me", "--json"), u.start(t, "watch", "me", "--json")
	w.next(t)
	own.next(t)
	own.interrupt(t) // a watch ends with ctrl-C
	n.interrupt(t)
	<-w.ended
	if code := w.ProcessState.ExitCode(); code != 3 {
		t.Errorf("the watcher of a node that stopped ended with %d: %s", code, w.errs)
	}
	n = u.node(t, on("/tcp/0")...)
	if err := n.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_, _ = n.signal(t, syscall.SIGINT) // it ended, or ends at once
}

// A command that hangs where nothing interrupts it is ended by the second ctrl-C, and
// says so.
func TestNode_secondInterrupt(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	p := newUser(t).start(t, "import", pipe)
	w, err := os.OpenFile(pipe, os.O_WRONLY, 0) // once it reads, where it waits for an archive
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	again := time.NewTicker(20 * time.Millisecond) // two that follow at once may arrive as one
	defer again.Stop()
	for ended := false; !ended; {
		select {
		case <-again.C:
			_ = p.Process.Signal(syscall.SIGINT) // fails once it is gone
		case <-p.ended:
			ended = true
		}
	}
	if code := p.ProcessState.ExitCode(); code != 1 || !strings.Contains(p.errs.String(), "ending at once") {
		t.Errorf("ended with %d: %s", code, p.errs)
	}
}

// Nobody but root ever needs to run a node.
func TestNode_unprivileged(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	if os.Getuid() == 0 {
		const nobody = 65534
		dir := t.TempDir()
		if err := os.Chown(dir, nobody, nobody); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil { // test directories let nobody else in
			t.Fatal(err)
		}
		u.data = filepath.Join(dir, "data")
		u.uid = nobody
	}
	n := u.node(t, on("/udp/0/quic-v1")...)
	u.json(t, "post", "by nobody")
	n.interrupt(t)
}

// Ports that are taken are named, with what to do; the API's default gives way.
func TestNode_portsTaken(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	run := []string{"run", "--network", networkOf(t)}
	if r := u.want(t, 1, append(run, "--api", "127.0.0.1:0", "--listen", "/ip4/127.0.0.1/tcp/"+port)...); !strings.Contains(r.errors, "--listen") {
		t.Errorf("port taken: %s", r.errors)
	}
	if r := u.want(t, 1, append(run, "--listen", "/ip4/127.0.0.1/tcp/0", "--api", l.Addr().String())...); !strings.Contains(r.errors, "--api") {
		t.Errorf("API port taken: %s", r.errors)
	}
	first := u.start(t, append(run, "--json", "--listen", "/ip4/127.0.0.1/tcp/0")...)
	other := newUser(t)
	second := other.start(t, append(run, "--json", "--listen", "/ip4/127.0.0.1/tcp/0")...)
	if a, b := first.next(t).str("api"), second.next(t).str("api"); a == b || a == "" {
		t.Errorf("two nodes answer at %s and %s", a, b)
	}
	u.json(t, "status")
	other.json(t, "status")
}
