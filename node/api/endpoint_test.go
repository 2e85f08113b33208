package api_test

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/starling-social/starling/node/api"
)

func TestEndpoint_mode(t *testing.T) {
	dir := t.TempDir()
	if err := (api.Endpoint{API: "127.0.0.1:1", Token: token}).Write(dir); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, api.EndpointFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("files %v, %v", files, err)
	}
}

// A file that nobody wrote like this is not followed, least of all to another
// machine.
func TestReadEndpoint_damaged(t *testing.T) {
	for _, content := range []string{
		"", "{", "[]", `{"api":"127.0.0.1:1"}`, `{"api":"example.org:80","token":"x"}`,
		`{"api":"0.0.0.0:80","token":"x"}`, `{"api":"127.0.0.1","token":"x"}`, strings.Repeat(" ", 1<<20),
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, api.EndpointFile), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := api.Dial(dir); err == nil || errors.Is(err, api.ErrNotRunning) || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%.40q: %v", content, err)
		}
	}
}

// After a crash the file is still there: nobody answers, or another program does
// that took the port, or another node that has another token.
func TestClient_staleEndpoint(t *testing.T) {
	l, err := api.Listen("127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	gone := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	stranger := httptest.NewServer(http.NotFoundHandler())
	defer stranger.Close()
	other := serve(t)
	for answers, addr := range map[string]string{
		"nobody answers": gone, "another program answers": stranger.Listener.Addr().String(), "does not know the token": other.addr,
	} {
		t.Run(answers, func(t *testing.T) {
			dir := t.TempDir()
			if err := (api.Endpoint{API: addr, Token: "stale"}).Write(dir); err != nil {
				t.Fatal(err)
			}
			c, err := api.Dial(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := c.Status(t.Context()); !errors.Is(err, api.ErrNotRunning) || !strings.Contains(err.Error(), answers) {
				t.Errorf("status: %v", err)
			}
			for _, err := range c.Watch(t.Context(), []string{"me"}, 0) {
				if !errors.Is(err, api.ErrNotRunning) {
					t.Errorf("watch: %v", err)
				}
			}
		})
	}
}

func TestListen(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", "[::]:0", ":0", "192.0.2.1:80", "example.org:80", "127.0.0.1", "localhost.:0", "127.0.0.1.evil:0"} {
		if l, err := api.Listen(addr, false); !errors.Is(err, api.ErrNotLoopback) {
			t.Errorf("%q: %v", addr, err)
			if err == nil {
				_ = l.Close()
			}
		}
	}
	for _, addr := range []string{"127.0.0.1:0", "localhost:0", "127.9.9.9:0"} {
		l, err := api.Listen(addr, false)
		if err != nil {
			t.Errorf("%q: %v", addr, err)
			continue
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A port that was named must be had; the default one gives way.
func TestListen_taken(t *testing.T) {
	first, err := api.Listen("", false) // the default or, if this machine runs a node, another
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = first.Close() }()
	if _, err := api.Listen(first.Addr().String(), false); err == nil || !strings.Contains(err.Error(), "--api") {
		t.Errorf("a port named and taken: %v", err)
	}
	second, err := api.Listen("", false)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = second.Close() }()
	if !second.Addr().(*net.TCPAddr).IP.IsLoopback() {
		t.Errorf("fell back to %s", second.Addr())
	}
}
