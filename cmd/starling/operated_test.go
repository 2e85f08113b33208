//go:build unix

package main_test

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// What looks after nodes is told what it wants to know: systemd over its socket, a
// container's health check by an exit status, Prometheus over HTTP, and other nodes by
// a file of addresses to join by.
func TestNode_operated(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	dir := t.TempDir()
	systemd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer systemd.Close()
	told := make(chan string, 1024)
	go func() {
		defer close(told)
		for b := make([]byte, 1024); ; {
			n, err := systemd.Read(b)
			if err != nil {
				return
			}
			told <- string(b[:n])
		}
	}()
	heard := func(want string) {
		t.Helper()
		late := time.NewTimer(patience)
		defer late.Stop()
		for {
			select {
			case got := <-told:
				if strings.Contains(got, want) {
					return
				}
			case <-late.C:
				t.Fatalf("systemd was not told %s", want)
			}
		}
	}
	addresses := filepath.Join(dir, "addresses")
	u.want(t, 3, "healthcheck")
	u.env = append(u.env,
		"NOTIFY_SOCKET="+systemd.LocalAddr().String(), "WATCHDOG_USEC=600000",
		"STARLING_ADMIN__LISTEN=127.0.0.1:0", "STARLING_NETWORK__ADDRESS_FILE="+addresses,
	)
	n := u.node(t, on("/tcp/0")...)
	heard("READY=1\nSTATUS=ready: 0 peers, 0 records")
	heard("WATCHDOG=1")

	if r := u.want(t, 0, "healthcheck"); r.out != "ready\n" {
		t.Errorf("healthcheck says %q", r.out)
	}
	if r := u.json(t, "healthcheck")[0]; r["ready"] != true {
		t.Errorf("healthcheck says %v", r)
	}
	admin := regexp.MustCompile(`"addr":"(127[^"]+)"`).FindStringSubmatch(n.errs.String())
	if admin == nil {
		t.Fatalf("the log does not say where metrics are: %s", n.errs)
	}
	for path, want := range map[string]string{"/metrics": "starling_ready 1\n", "/debug/pprof/goroutine?debug=1": "goroutine profile", "/readyz": `"ready":true`, "/healthz": "ok"} {
		if got := page(t, "http://"+admin[1]+path); !strings.Contains(got, want) {
			t.Errorf("%s is %.300q", path, got)
		}
	}
	second := newUser(t)
	second.node(t, append(on("/tcp/0"), "--bootstrap", "@"+addresses)...)
	if peers := second.json(t, "peers"); len(peers) != 1 || peers[0].str("peer_id") != n.ready.str("peer_id") {
		t.Errorf("who joins by the file has peers %v", peers)
	}
	n.interrupt(t)
	heard("STOPPING=1")
	u.want(t, 3, "healthcheck")
}

// A file of addresses that is not there, or has none, is told as what it is.
func TestRun_addressFiles(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("# nothing\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{"/no/such/file": "no such file", empty: "no address in"} {
		r := u.want(t, 2, "run", "--network", networkOf(t), "--bootstrap", "@"+file)
		if !strings.Contains(r.errors, want) || !strings.Contains(r.errors, "network.bootstrap") {
			t.Errorf("@%s: %s", file, r.errors)
		}
	}
	if _, err := os.Stat(u.data); err == nil {
		t.Error("keys were made before that was found")
	}
}

func page(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
