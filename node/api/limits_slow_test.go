package api_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starling-social/starling/node/api"
)

// onPipes is a server with all its listeners, in virtual time.
func onPipes(t *testing.T, change ...func(*api.ServerConfig)) (s *served, owner, public *pipes) {
	t.Helper()
	owner, public = newPipes(), newPipes()
	s = serveOn(t, owner, append(change, func(c *api.ServerConfig) { c.Public.Listener = public })...)
	return s, owner, public
}

// asked is a request as it is on the wire.
func (r route) asked(header string) string {
	return fmt.Sprintf("%s %s HTTP/1.1\r\n%sContent-Length: %d\r\n\r\n%s", r.method, r.path, header, len(r.body), r.body)
}

// trickle writes a byte a second until the other side is gone, and tells when that was.
func trickle(c net.Conn, text string) time.Duration {
	began := time.Now()
	for i := 0; ; i++ {
		pass(time.Second)
		if _, err := io.WriteString(c, text[i%len(text):][:1]); err != nil {
			return time.Since(began)
		}
	}
}

// Who sends a byte a second is gone after half a minute, on every route and in every
// part of a request, and nothing is left of it.
func TestSlow_writers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, owner, public := onPipes(t)
		for _, route := range s.routes() {
			for name, l := range map[string]*pipes{"owner": owner, "public": public} {
				starts := map[string]string{"line": "", "header": route.method + " " + route.path + " HTTP/1.1\r\n" + head + "X: "}
				if route.body != "" {
					kind := strings.Replace(head, "application/json", "application/vnd.starling.archive", 1)
					starts["body"] = route.method + " " + route.path + " HTTP/1.1\r\n" + head + "Content-Length: 60000\r\n\r\n{"
					starts["archive"] = route.method + " " + route.path + " HTTP/1.1\r\n" + kind + "Content-Length: 60000\r\n\r\n{"
				}
				for part, start := range starts {
					c := l.dial(t, start)
					go func() { _, _ = io.Copy(io.Discard, c) }()
					if took := trickle(c, " "); took > 30*time.Second {
						t.Errorf("%s at %s, %s: %s", route, name, part, took)
					}
					c.Close()
				}
			}
		}
		s.stop()
	})
}

// Who takes a byte of an answer a second is gone after half a minute, on every route.
func TestSlow_readers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, owner, public := onPipes(t)
		for _, route := range s.routes() {
			for name, l := range map[string]*pipes{"owner": owner, "public": public} {
				c := l.dial(t, route.asked(head))
				began, b := time.Now(), make([]byte, 1)
				for {
					pass(time.Second)
					if _, err := c.Read(b); err != nil {
						break
					}
				}
				if took := time.Since(began); took > 30*time.Second {
					t.Errorf("%s at %s: %s", route, name, took)
				}
				c.Close()
			}
		}
		s.stop()
	})
}

// A thousand requests that are never finished keep nobody waiting, and are gone soon.
func TestSlow_thousandHalves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, owner, _ := onPipes(t)
		var halves []net.Conn
		for i := range 1000 {
			start := "GET /v1/status HTTP/1.1\r\n" + head
			if i%2 == 0 {
				start = "POST /v1/posts HTTP/1.1\r\n" + head + "Content-Length: 100\r\n\r\n{"
			}
			c := owner.dial(t, start)
			halves = append(halves, c)
		}
		began := time.Now()
		for range 100 {
			c := owner.dial(t, "GET /v1/status HTTP/1.1\r\nConnection: close\r\n"+head+"\r\n")
			if got := readAnswer(t, c); got.status != http.StatusOK {
				t.Fatalf("status %d", got.status)
			}
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("others waited %s", took)
		}
		for i, c := range halves {
			most := 8 * time.Second
			if i%2 == 0 {
				most = 30 * time.Second
			}
			if took, _ := closedAfter(t, c); took > most {
				t.Errorf("half %d was open for %s", i, took)
			}
			c.Close()
		}
		s.stop()
	})
}

func prefixes(t *testing.T, texts ...string) (all []netip.Prefix) {
	t.Helper()
	for _, text := range texts {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// From one address no more than 3,000 requests of strangers are answered in any five
// minutes, however they come; the next is told when to come again, and nobody else is
// held up by it.
func TestRate_strangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, public := onPipes(t)
		request := "GET /v1/timeline?source=%23go HTTP/1.1\r\nHost: 127.0.0.1:7827\r\n"
		began, answered := time.Now(), 0
		for time.Since(began) < 5*time.Minute {
			c := public.dial(t, request+"\r\n")
			in := bufio.NewReader(c)
			resp, err := http.ReadResponse(in, nil)
			for err == nil && resp.StatusCode == http.StatusOK {
				_, _ = io.Copy(io.Discard, resp.Body)
				answered++
				if _, err = io.WriteString(c, request+"\r\n"); err == nil {
					resp, err = http.ReadResponse(in, nil)
				}
			}
			if err != nil || resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") != "1" {
				t.Fatalf("%v, %v", resp, err)
			}
			c.Close()
			other := public.dialFrom(t, "198.51.100.7", request+"Connection: close\r\n\r\n")
			if got := readAnswer(t, other); time.Since(began) < 30*time.Second && got.status != http.StatusOK {
				t.Fatalf("another address: %d", got.status)
			}
			pass(time.Second)
		}
		if answered < 2900 || answered > 3000 {
			t.Errorf("%d were answered", answered)
		}
		s.stop()
	})
}

// Whoever shows the token is not counted, and a proxy's callers are counted apart.
func TestRate_addresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, owner, public := onPipes(t, func(c *api.ServerConfig) { c.Public.Proxies = prefixes(t, "192.0.2.0/24") })
		ask := func(l *pipes, n int, header string) (refused int) {
			c := l.dial(t, "GET /v1/timeline?source=%23go HTTP/1.1\r\nHost: 127.0.0.1:7827\r\nConnection: close\r\n"+header+"\r\n")
			for i := range n {
				if got := readAnswer(t, c); got.status == http.StatusTooManyRequests {
					refused++
				}
				if c.Close(); i+1 < n {
					c = l.dial(t, "GET /v1/timeline?source=%23go HTTP/1.1\r\nHost: 127.0.0.1:7827\r\nConnection: close\r\n"+header+"\r\n")
				}
			}
			return refused
		}
		if n := ask(owner, 700, "Authorization: Bearer "+token+"\r\n"); n != 0 {
			t.Errorf("%d of the owner's were refused", n)
		}
		if n := ask(public, 700, "X-Forwarded-For: 198.51.100.1\r\n"); n != 100 {
			t.Errorf("%d of 700 from one address were refused", n)
		}
		for name, header := range map[string]string{
			"another":             "X-Forwarded-For: 198.51.100.2\r\n",
			"through two proxies": "X-Forwarded-For: 198.51.100.3, 192.0.2.9\r\n",
			"another network":     "X-Forwarded-For: 2001:db8:1::1\r\n",
		} {
			if n := ask(public, 1, header); n != 0 {
				t.Errorf("%s was refused", name)
			}
		}
		for name, header := range map[string]string{
			"one who writes the header": "X-Forwarded-For: 203.0.113.9, 198.51.100.1\r\n",
			"mapped to IPv6":            "X-Forwarded-For: ::ffff:198.51.100.1\r\n",
		} {
			if n := ask(public, 1, header); n != 1 {
				t.Errorf("%s was answered", name)
			}
		}
		s.stop()
	})
}

// No more than a thousand posts are published in an hour, by token and sessions
// together; what is refused says when to come again.
func TestRate_creates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, owner, _ := onPipes(t, func(c *api.ServerConfig) { c.Creates = api.Creates })
		request := route{method: http.MethodPost, path: "/v1/posts", body: `{"text":"x"}`}.asked(head)
		began, created := time.Now(), 0
		for time.Since(began) < time.Hour {
			c := owner.dial(t, request)
			in := bufio.NewReader(c)
			resp, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			c.Close()
			switch resp.StatusCode {
			case http.StatusCreated:
				created++
			case http.StatusTooManyRequests:
				if resp.Header.Get("Retry-After") == "" {
					t.Fatal("no word of when to come again")
				}
				pass(2 * time.Second)
			default:
				t.Fatalf("status %d", resp.StatusCode)
			}
		}
		if created < 990 || created > 1000 {
			t.Errorf("%d were published in an hour", created)
		}
		s.stop()
	})
}
