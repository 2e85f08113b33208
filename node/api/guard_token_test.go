package api_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/starling-social/starling/node/api"
)

// A token file is made where there is none, and is the same the next time.
func TestTokenFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	made, err := api.TokenFile(file)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 || len(made) != 64 {
		t.Errorf("made %q, mode %v, %v", made, info.Mode(), err)
	}
	if again, err := api.TokenFile(file); err != nil || again != made {
		t.Errorf("then %q, %v", again, err)
	}
	if one, other := api.NewToken(), api.NewToken(); one == other || len(one) != 64 {
		t.Errorf("tokens %q and %q", one, other)
	}
}

// What is shorter than 128 bits, plainly not random, or can be read by others is no
// token.
func TestTokenFile_refused(t *testing.T) {
	for content, good := range map[string]bool{
		"9f86d081884c7d659a2feaa0c55ad015":           true,
		"9f86d081884c7d659a2feaa0c55ad015\n":         true,
		"kXo3Jd8_Zt0pQyR5vW2mNg":                     true,
		"9f86d081884c7d659a2feaa0c55ad01":            false,
		"kXo3Jd8_Zt0pQyR5vW2mN":                      false,
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": false,
		"":                                       false,
		"password":                               false,
		"two words that are long enough to be":   false,
		strings.Repeat("9f86d081884c7d65", 1000): false,
		"9f86d081884c7d659a2feaa0c55ad015\nsecond":   false,
		"9f86d081884c7d659a2f\x00eaa0c55ad015abcdef": false,
	} {
		file := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := api.TokenFile(file); (err == nil) != good || err != nil && !errors.Is(err, api.ErrToken) {
			t.Errorf("%.50q: %q, %v", content, got, err)
		}
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o660, 0o644} {
		file := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(file, []byte(token), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := api.TokenFile(file); !errors.Is(err, api.ErrToken) {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	if _, err := api.TokenFile(t.TempDir()); !errors.Is(err, api.ErrToken) {
		t.Errorf("a directory: %v", err)
	}
}

// said is a log that is looked at.
type said struct {
	mu  sync.Mutex // protects all
	all bytes.Buffer
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.Write(b)
}

// Whatever is asked and however it fails, no token, code or cookie stands in the log, at
// any level, or in an answer to a request without it.
func TestGuard_secretsStaySecret(t *testing.T) {
	l, err := api.Listen("127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	log := &said{}
	s := serveOn(t, l, func(c *api.ServerConfig) {
		c.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug - 4}))
	})
	b := s.signIn(t)
	code := s.code(t)
	_, cookie, _ := strings.Cut(b.cookie, "=")
	for _, route := range s.routes() {
		if route.method == http.MethodDelete && strings.HasSuffix(route.path, "/session") {
			continue
		}
		s.ask(t, route.method, route.path, route.body)
		b.do(t, route.method, route.path, route.body)
		for _, header := range []string{"Authorization: Bearer " + token + "0", "Authorization:\r\nCookie: " + b.cookie + "0"} {
			got := s.ask(t, route.method, route.path, route.body, header)
			for _, secret := range []string{token, cookie, code} {
				if strings.Contains(got.body, secret) || strings.Contains(strings.Join(got.header.Values("Set-Cookie"), " "), secret) {
					t.Errorf("%s tells a secret to whoever does not know it", route)
				}
			}
		}
	}
	s.raw(t, "GET /v1/status\x00 HTTP/1.1\r\nAuthorization: Bearer "+token+"\r\n\r\n")
	s.stop()
	for name, secret := range map[string]string{"token": token, "cookie": cookie, "code": code} {
		if strings.Contains(log.all.String(), secret) {
			t.Errorf("the %s is in the log", name)
		}
	}
}
