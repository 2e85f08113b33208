package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/starling-social/starling/records"
)

// routes are all that the server answers to, one request each.
func (s *served) routes() (out []route) {
	id := s.add(me, "x", records.PostHead{}, 1).Ref().String()
	return []route{
		{http.MethodGet, "/healthz", "", true},
		{http.MethodGet, "/v1/status", "", false},
		{http.MethodGet, "/v1/peers", "", false},
		{http.MethodPost, "/v1/posts", `{"text":"x"}`, false},
		{http.MethodGet, "/v1/posts/" + id, "", false},
		{http.MethodPut, "/v1/posts/" + id, `{"text":"y"}`, false},
		{http.MethodDelete, "/v1/posts/" + id, "", false},
		{http.MethodGet, "/v1/timeline?source=me", "", false},
		{http.MethodGet, "/v1/watch?source=me", "", false},
		{http.MethodGet, "/no/such/route", "", false},
		{http.MethodOptions, "/v1/posts", "", false},
	}
}

type route struct {
	method, path, body string
	open               bool // needs no token
}

// A page whose name was made to point here is not us, whatever it asks for.
func TestGuard_hosts(t *testing.T) {
	s := serve(t)
	port := s.addr[strings.LastIndex(s.addr, ":"):]
	for _, route := range s.routes() {
		for _, host := range []string{
			"evil.example", "evil.example" + port, "0.0.0.0" + port, "127.0.0.1.evil.example" + port, "localhost." + port,
			"127.0.0.1", "127.0.0.1:1", "127.1" + port, "2130706433" + port, "[::]" + port, "[::ffff:127.0.0.1]" + port, "xn--lcalhost-4xa" + port, "",
		} {
			if got := s.ask(t, route.method, route.path, route.body, "Host: "+host); got.status != http.StatusForbidden && got.status != http.StatusBadRequest {
				t.Errorf("%s %s with Host %q: status %d", route.method, route.path, host, got.status)
			}
		}
		if got := s.ask(t, route.method, route.path, route.body, "Host: "+s.addr, "Host: evil.example"); got.status != http.StatusBadRequest {
			t.Errorf("%s %s with two Hosts: status %d", route.method, route.path, got.status)
		}
	}
	for _, host := range []string{"localhost" + port, "LOCALHOST" + port, "127.0.0.1" + port, "[::1]" + port} {
		if got := s.ask(t, http.MethodGet, "/v1/status", "", "Host: "+host); got.status != http.StatusOK {
			t.Errorf("Host %q: status %d", host, got.status)
		}
	}
	if got := s.ask(t, http.MethodGet, "http://evil.example/v1/status", ""); got.status != http.StatusForbidden {
		t.Errorf("absolute URL: status %d", got.status)
	}
	if got := s.raw(t, "GET /v1/status HTTP/1.0\r\nAuthorization: Bearer "+token+"\r\n\r\n"); got.status != http.StatusForbidden {
		t.Errorf("no Host: status %d", got.status)
	}
	if len(s.drafts) != 0 {
		t.Errorf("%d posts were published", len(s.drafts))
	}
}

// A browser says which page asks. Only our own may, even with the token.
func TestGuard_origins(t *testing.T) {
	s := serve(t)
	for _, route := range s.routes() {
		for _, header := range []string{
			"Origin: null", "Origin: https://evil.example", "Origin: https://" + s.addr, "Origin: http://" + s.addr + ".evil.example", "Origin: ",
			"Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Sec-Fetch-Site: ",
			"Origin: http://" + s.addr + "\r\nOrigin: null",
		} {
			got := s.ask(t, route.method, route.path, route.body, header)
			if got.status != http.StatusForbidden {
				t.Errorf("%s %s with %q: status %d", route.method, route.path, header, got.status)
			}
			for name := range got.header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s %s lets other pages read: %s", route.method, route.path, name)
				}
			}
		}
	}
	if len(s.drafts) != 0 {
		t.Errorf("%d posts were published", len(s.drafts))
	}
	if got := s.ask(t, http.MethodGet, "/v1/status", "", "Origin: http://"+s.addr, "Sec-Fetch-Site: same-origin"); got.status != http.StatusOK {
		t.Errorf("our own page: status %d", got.status)
	}
}

// Everything but the sign of life needs the token, in the header alone.
func TestGuard_token(t *testing.T) {
	s := serve(t)
	for _, route := range s.routes() {
		for _, header := range []string{
			"Authorization:", "Authorization: Bearer", "Authorization: Bearer ", "Authorization: Bearer " + token[:63], "Authorization: Bearer " + token + "0",
			"Authorization: Basic " + token, "Authorization: " + token, "Authorization: Bearer\r\nX-Token: " + token, "Authorization:\r\nCookie: token=" + token,
		} {
			got := s.ask(t, route.method, route.path, route.body, header)
			if want := route.open; (got.status == http.StatusOK) != want || !want && got.status != http.StatusUnauthorized {
				t.Errorf("%s %s with %q: status %d", route.method, route.path, header, got.status)
			}
			if strings.Contains(got.body, token) {
				t.Errorf("%s %s tells the token", route.method, route.path)
			}
		}
		if got := s.ask(t, route.method, route.path+"?token="+token, route.body, "Authorization:"); !route.open && got.status != http.StatusUnauthorized {
			t.Errorf("%s %s with the token in the URL: status %d", route.method, route.path, got.status)
		}
	}
	if len(s.drafts) != 0 {
		t.Errorf("%d posts were published", len(s.drafts))
	}
	if got := s.ask(t, http.MethodGet, "/v1/status", "", "Authorization: bearer "+token); got.status != http.StatusOK {
		t.Errorf("scheme in lower case: status %d", got.status)
	}
}
