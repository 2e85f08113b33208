package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starling-social/starling/node/api"
)

// browser is a page of the server's own, with the cookies that it was given.
type browser struct {
	*served
	cookie string
}

// do asks as a page does that our server gave: with its origin, cookies, no token.
func (b *browser) do(t *testing.T, method, path, body string, header ...string) answer {
	t.Helper()
	header = append(header, "Authorization:", "Origin: http://"+b.addr, "Sec-Fetch-Site: same-origin")
	if b.cookie != "" {
		header = append(header, "Cookie: "+b.cookie)
	}
	return b.ask(t, method, path, body, header...)
}

// code is one that the owner's program asked for.
func (s *served) code(t *testing.T) string {
	t.Helper()
	got := s.ask(t, http.MethodPost, "/v1/session/code", "")
	var in api.SignInCode
	if err := json.Unmarshal([]byte(got.body), &in); err != nil || got.status != http.StatusCreated || in.Seconds != 60 {
		t.Fatalf("code: %d %s", got.status, got.body)
	}
	return in.Code
}

// signIn signs a page in, and keeps its cookie.
func (s *served) signIn(t *testing.T) *browser {
	t.Helper()
	b := &browser{served: s}
	got := b.do(t, http.MethodPost, "/v1/session", `{"code":"`+s.code(t)+`"}`)
	if got.status != http.StatusCreated {
		t.Fatalf("sign in: %d %s", got.status, got.body)
	}
	set := got.header.Get("Set-Cookie")
	for _, want := range []string{"; HttpOnly", "; SameSite=Strict", "; Path=/;"} {
		if !strings.Contains(set, want) {
			t.Errorf("cookie %q has no %s", set, want)
		}
	}
	b.cookie, _, _ = strings.Cut(set, ";")
	if _, value, _ := strings.Cut(b.cookie, "="); len(value) < 22 {
		t.Errorf("cookie %q has less than 128 bits", b.cookie)
	}
	return b
}

// A page gets a session for a code, does what its owner may, and is nobody when it has
// signed out.
func TestSession(t *testing.T) {
	s := serve(t)
	b := s.signIn(t)
	if got := b.do(t, http.MethodGet, "/v1/session", ""); !strings.Contains(got.body, `"signed_in":true`) || !strings.Contains(got.body, me.User().String()) {
		t.Errorf("who: %s", got.body)
	}
	if got := b.do(t, http.MethodPost, "/v1/posts", `{"text":"hello"}`); got.status != http.StatusCreated {
		t.Errorf("post: %d %s", got.status, got.body)
	}
	if got := b.do(t, http.MethodPost, "/v1/session/code", ""); got.status != http.StatusForbidden {
		t.Errorf("a session lets others in: %d %s", got.status, got.body)
	}
	if got := b.do(t, http.MethodDelete, "/v1/session", ""); got.status != http.StatusNoContent {
		t.Errorf("sign out: %d %s", got.status, got.body)
	}
	if got := b.do(t, http.MethodGet, "/v1/status", ""); got.status != http.StatusUnauthorized {
		t.Errorf("signed out: %d %s", got.status, got.body)
	}
	if got := b.do(t, http.MethodGet, "/v1/session", ""); !strings.Contains(got.body, `"signed_in":false,"user":null`) {
		t.Errorf("who: %s", got.body)
	}
}

// A code is good once, for a page of ours alone, and a cookie is nobody else's.
func TestSession_refused(t *testing.T) {
	s := serve(t)
	code := s.code(t)
	for name, header := range map[string]string{
		"other page":   "Origin: http://evil.example",
		"other port":   "Sec-Fetch-Site: same-site",
		"form":         "Content-Type: text/plain",
		"another Host": "Host: evil.example",
	} {
		got := s.ask(t, http.MethodPost, "/v1/session", `{"code":"`+code+`"}`, "Authorization:", header)
		if got.status < 400 || got.header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d, cookie %q", name, got.status, got.header.Get("Set-Cookie"))
		}
	}
	b := &browser{served: s}
	for _, wrong := range []string{"", code + "0", strings.Repeat("A", 43)} {
		if got := b.do(t, http.MethodPost, "/v1/session", `{"code":"`+wrong+`"}`); got.status != http.StatusUnauthorized {
			t.Errorf("code %q: %d", wrong, got.status)
		}
	}
	for i, want := range []int{http.StatusCreated, http.StatusUnauthorized} {
		if got := b.do(t, http.MethodPost, "/v1/session", `{"code":"`+code+`"}`); got.status != want {
			t.Errorf("time %d: %d %s", i+1, got.status, got.body)
		}
	}
	b = s.signIn(t)
	for _, cookie := range []string{b.cookie + "0", strings.Replace(b.cookie, "starling_", "starling", 1), "x=" + token} {
		if got := b.ask(t, http.MethodGet, "/v1/status", "", "Authorization:", "Cookie: "+cookie); got.status != http.StatusUnauthorized {
			t.Errorf("cookie %q: %d", cookie, got.status)
		}
	}
}

// A change by a cookie has to say that it comes from our page, and be what no form can
// send.
func TestSession_changes(t *testing.T) {
	s := serve(t)
	b := s.signIn(t)
	for name, header := range map[string][]string{
		"no word of where from": {"Authorization:", "Cookie: " + b.cookie},
		"the address bar":       {"Authorization:", "Cookie: " + b.cookie, "Sec-Fetch-Site: none"},
		"another port's page":   {"Authorization:", "Cookie: " + b.cookie, "Sec-Fetch-Site: same-site"},
		"another page":          {"Authorization:", "Cookie: " + b.cookie, "Origin: null"},
		"a form":                {"Authorization:", "Cookie: " + b.cookie, "Origin: http://" + s.addr, "Content-Type: text/plain"},
	} {
		if got := s.ask(t, http.MethodPost, "/v1/posts", `{"text":"x"}`, header...); got.status != http.StatusForbidden {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	if len(s.drafts) > 0 {
		t.Errorf("%d posts were published", len(s.drafts))
	}
	if got := s.ask(t, http.MethodGet, "/v1/status", "", "Authorization:", "Cookie: "+b.cookie); got.status != http.StatusOK {
		t.Errorf("reading: %d %s", got.status, got.body)
	}
}

// Codes last a minute, sessions a month after their last use.
func TestSession_ages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		s := serveOn(t, l)
		post := func(body string) answer {
			return readAnswer(t, l.dial(t, "POST /v1/session HTTP/1.1\r\nHost: 127.0.0.1:7827\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: "+
				length(body)+"\r\n\r\n"+body))
		}
		code := func() string {
			var in api.SignInCode
			got := readAnswer(t, l.dial(t, "POST /v1/session/code HTTP/1.1\r\nConnection: close\r\n"+head+"\r\n"))
			if err := json.Unmarshal([]byte(got.body), &in); err != nil {
				t.Fatal(err)
			}
			return `{"code":"` + in.Code + `"}`
		}
		late := code()
		pass(61 * time.Second)
		if got := post(late); got.status != http.StatusUnauthorized {
			t.Errorf("old code: %d", got.status)
		}
		cookie, _, _ := strings.Cut(post(code()).header.Get("Set-Cookie"), ";")
		status := func() int {
			return readAnswer(t, l.dial(t, "GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1:7827\r\nConnection: close\r\nCookie: "+cookie+"\r\n\r\n")).status
		}
		for i, want := range []int{http.StatusOK, http.StatusOK, http.StatusUnauthorized} {
			if got := status(); got != want {
				t.Errorf("use %d: %d", i+1, got)
			}
			pass([]time.Duration{29 * 24 * time.Hour, 31 * 24 * time.Hour, 0}[i])
		}
		s.stop()
	})
}
