package api_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/api"
	"github.com/starling-social/starling/records"
)

// route is a request to one of the routes of a server, one that would be answered.
type route struct {
	method, path, body string
	who                string // may call it: open, reader or owner
}

// routes are all that the server answers to, one request each, and two that it does
// not. A route that is new is one of them.
func (s *served) routes() (out []route) {
	id := s.add(me, "x", records.PostHead{}, 1).Ref().String()
	fill := strings.NewReplacer("{id}", id, "{source}", "%23go", "{user}", somebody.User().String(), "{name...}", "profile", "{nickname}", "ann", "{tag}", "go")
	for _, served := range append(api.Served(), "GET /no/such/route", "OPTIONS /v1/posts", "GET /v1/no/such/route") {
		method, path, _ := strings.Cut(served, " ")
		r := route{method: method, path: unknown.ReplaceAllString(fill.Replace(path), "x")}
		r.who, _ = api.Callers(request(served))
		switch {
		case strings.HasSuffix(path, "/timeline"), strings.HasSuffix(path, "/v1/watch"):
			r.path += "?source=%23go"
		case method == http.MethodPost || method == http.MethodPut:
			r.body = `{"text":"x"}`
		}
		out = append(out, r)
	}
	return out
}

var unknown = regexp.MustCompile(`\{[^}]*\}`)

func (r route) changes() bool { return r.method != http.MethodGet && r.method != http.MethodHead }

func (r route) String() string { return r.method + " " + r.path }

// counting counts what changes something.
type counting struct {
	*fake
	changes atomic.Int32
}

func (c *counting) Publish(ctx context.Context, d node.Draft) (node.Receipt, error) {
	c.changes.Add(1)
	return c.fake.Publish(ctx, d)
}

func (c *counting) Edit(ctx context.Context, ref records.Ref, text string) (node.Receipt, error) {
	c.changes.Add(1)
	return c.fake.Edit(ctx, ref, text)
}

func (c *counting) Delete(ctx context.Context, ref records.Ref) (node.Receipt, error) {
	c.changes.Add(1)
	return c.fake.Delete(ctx, ref)
}

func (c *counting) Follow(ctx context.Context, s node.Source) error {
	c.changes.Add(1)
	return c.fake.Follow(ctx, s)
}

func (c *counting) Unfollow(ctx context.Context, s node.Source) error {
	c.changes.Add(1)
	return c.fake.Unfollow(ctx, s)
}

func (c *counting) PutRegister(ctx context.Context, name string, d node.RegisterDraft) (node.RegisterReceipt, error) {
	c.changes.Add(1)
	return c.fake.PutRegister(ctx, name, d)
}

func (c *counting) Claim(ctx context.Context, nickname records.Tag) (node.Receipt, error) {
	c.changes.Add(1)
	return c.fake.Claim(ctx, nickname)
}

func (c *counting) Unclaim(ctx context.Context, nickname records.Tag) (node.Receipt, error) {
	c.changes.Add(1)
	return c.fake.Unclaim(ctx, nickname)
}

// gates are a server with all three listeners, and what it changed.
type gates struct {
	*served
	*counting
	addrs map[string]string // by name: owner, public, admin
}

func serveGates(t *testing.T) *gates {
	t.Helper()
	listen := func() net.Listener {
		l, err := api.Listen("127.0.0.1:0", false)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	owner, public, admin := listen(), listen(), listen()
	g := &gates{counting: &counting{}, addrs: map[string]string{"owner": owner.Addr().String(), "public": public.Addr().String(), "admin": admin.Addr().String()}}
	g.served = serveOn(t, owner, func(c *api.ServerConfig) {
		c.Public.Listener, c.Admin.Listener = public, admin
		c.Admin.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, "metrics") })
		c.Page = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, "page") })
		g.counting.fake, _ = c.Node.(*fake)
		c.Node = g.counting
	})
	return g
}

// at is the server as one of its listeners shows it.
func (g *gates) at(name string) *served {
	s := *g.served
	s.addr = g.addrs[name]
	return &s
}

// A page whose name was made to point here is not us, whatever it asks for and
// wherever.
func TestGuard_hosts(t *testing.T) {
	g := serveGates(t)
	for name := range g.addrs {
		s := g.at(name)
		port := s.addr[strings.LastIndex(s.addr, ":"):]
		for _, route := range s.routes() {
			for _, host := range []string{
				"evil.example", "evil.example" + port, "0.0.0.0" + port, "127.0.0.1.evil.example" + port, "localhost." + port,
				"127.0.0.1", "127.0.0.1:1", "127.1" + port, "2130706433" + port, "[::]" + port, "[::ffff:127.0.0.1]" + port,
				"xn--lcalhost-4xa" + port, "löcalhost" + port, "127.0.0.2" + port, "localhost" + port + "@evil.example", "",
			} {
				if got := s.ask(t, route.method, route.path, route.body, "Host: "+host); got.status != http.StatusForbidden && got.status != http.StatusBadRequest {
					t.Errorf("%s at %s with Host %q: status %d", route, name, host, got.status)
				}
			}
			if got := s.ask(t, route.method, route.path, route.body, "Host: "+s.addr, "Host: evil.example"); got.status != http.StatusBadRequest {
				t.Errorf("%s at %s with two Hosts: status %d", route, name, got.status)
			}
			if got := s.ask(t, route.method, "http://evil.example"+route.path, route.body); got.status != http.StatusForbidden {
				t.Errorf("%s at %s, absolute: status %d", route, name, got.status)
			}
		}
	}
	s := g.at("owner")
	port := s.addr[strings.LastIndex(s.addr, ":"):]
	for _, host := range []string{"localhost" + port, "LOCALHOST" + port, "127.0.0.1" + port, "[::1]" + port} {
		if got := s.ask(t, http.MethodGet, "/v1/status", "", "Host: "+host); got.status != http.StatusOK {
			t.Errorf("Host %q: status %d", host, got.status)
		}
	}
	if got := s.raw(t, "GET /v1/status HTTP/1.0\r\nAuthorization: Bearer "+token+"\r\n\r\n"); got.status != http.StatusForbidden {
		t.Errorf("no Host: status %d", got.status)
	}
	if n := g.changes.Load(); n != 0 {
		t.Errorf("%d changes", n)
	}
}

// A browser says which page asks. Only our own may, even with the token.
func TestGuard_origins(t *testing.T) {
	g := serveGates(t)
	for name := range g.addrs {
		s := g.at(name)
		for _, route := range s.routes() {
			for _, header := range []string{
				"Origin: null", "Origin: https://evil.example", "Origin: https://" + s.addr, "Origin: http://" + s.addr + ".evil.example", "Origin: ",
				"Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Sec-Fetch-Site: ",
				"Origin: http://" + s.addr + "\r\nOrigin: null",
				"Origin: https://evil.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
				"Origin: https://evil.example\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document",
			} {
				got := s.ask(t, route.method, route.path, route.body, header)
				if got.status != http.StatusForbidden {
					t.Errorf("%s at %s with %q: status %d", route, name, header, got.status)
				}
				for name := range got.header {
					if strings.HasPrefix(name, "Access-Control-") {
						t.Errorf("%s lets other pages read: %s", route, name)
					}
				}
			}
		}
	}
	if n := g.changes.Load(); n != 0 {
		t.Errorf("%d changes", n)
	}
	s := g.at("owner")
	if got := s.ask(t, http.MethodGet, "/v1/status", "", "Origin: http://"+s.addr, "Sec-Fetch-Site: same-origin"); got.status != http.StatusOK {
		t.Errorf("our own page: status %d", got.status)
	}
}

// A link on another page leads to what anybody may see, and to nothing else.
func TestGuard_links(t *testing.T) {
	g := serveGates(t)
	for _, name := range []string{"owner", "public"} {
		s := g.at(name)
		for _, route := range append(s.routes(), route{http.MethodGet, "/", "", "open"}) {
			may := route.method == http.MethodGet && (route.who == "open" || name == "public" && route.who == "reader" || route.path == "/no/such/route")
			got := s.ask(t, route.method, route.path, route.body, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document")
			if refused := got.status == http.StatusForbidden; refused == may {
				t.Errorf("%s at %s: status %d", route, name, got.status)
			}
			got = s.ask(t, route.method, route.path, route.body, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe")
			if got.status != http.StatusForbidden {
				t.Errorf("%s at %s in a frame: status %d", route, name, got.status)
			}
		}
	}
	if n := g.changes.Load(); n != 0 {
		t.Errorf("%d changes", n)
	}
}

// Everything that is not open needs the token, in the header alone.
func TestGuard_token(t *testing.T) {
	for _, header := range []string{
		"Authorization:", "Authorization: Bearer", "Authorization: Bearer ", "Authorization: Bearer " + token[:63], "Authorization: Bearer " + token + "0",
		"Authorization: Basic " + token, "Authorization: " + token, "Authorization: Bearer\r\nX-Token: " + token, "Authorization:\r\nCookie: token=" + token,
	} {
		g := serveGates(t) // each has its own count of strangers
		for _, route := range g.routes() {
			if route.who == "open" || route.path == "/no/such/route" { // the page's, then
				continue
			}
			got := g.ask(t, route.method, route.path, route.body, header)
			if got.status != http.StatusUnauthorized || got.header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%s with %q: status %d", route, header, got.status)
			}
			if strings.Contains(got.body, token) {
				t.Errorf("%s tells the token", route)
			}
			if sep := "?"; header == "Authorization:" {
				if strings.Contains(route.path, sep) {
					sep = "&"
				}
				if got := g.ask(t, route.method, route.path+sep+"token="+token+"&access_token="+token, route.body, header); got.status != http.StatusUnauthorized {
					t.Errorf("%s with the token in the URL: status %d", route, got.status)
				}
			}
		}
		if n := g.changes.Load(); n != 0 {
			t.Errorf("%d changes", n)
		}
	}
	s := serve(t)
	if got := s.ask(t, http.MethodGet, "/v1/status", "", "Authorization: bearer "+token); got.status != http.StatusOK {
		t.Errorf("scheme in lower case: status %d", got.status)
	}
}

// Strangers read what the table says, and nothing else; what they show for themselves
// makes no difference.
func TestGuard_strangers(t *testing.T) {
	g := serveGates(t)
	b := g.signIn(t)
	s := g.at("public")
	for _, route := range s.routes() {
		for _, header := range [][]string{{"Authorization:"}, {"Authorization: Bearer " + token}, {"Authorization:", "Cookie: " + b.cookie}} {
			got := s.ask(t, route.method, route.path, route.body, header...)
			may := route.who != "owner" && !route.changes() || route.path == "/no/such/route"
			if refused := got.status == http.StatusForbidden; refused == may {
				t.Errorf("%s with %q: status %d %s", route, header, got.status, got.body)
			}
			if strings.Contains(got.body, me.User().String()) && route.path == "/v1/session" {
				t.Errorf("%s tells who the owner is: %s", route, got.body)
			}
		}
	}
	for _, path := range []string{"/v1/timeline?source=me", "/v1/timeline?source=%40me", "/v1/watch?source=me", "/v1/watch?source=%23a&source=%6de"} {
		if got := s.ask(t, http.MethodGet, path, ""); got.status != http.StatusBadRequest {
			t.Errorf("%s: status %d %s", path, got.status, got.body)
		}
	}
	if n := g.changes.Load(); n != 0 {
		t.Errorf("%d changes", n)
	}
}

// What is read changes nothing, whoever reads and however; and what a form of a page can
// send changes nothing either.
func TestGuard_readsChangeNothing(t *testing.T) {
	g := serveGates(t)
	b := g.signIn(t)
	before := g.changes.Load()
	for _, route := range g.routes() {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			g.ask(t, method, route.path, "")
			b.do(t, method, route.path, "")
			g.ask(t, method, route.path, "", "X-HTTP-Method-Override: POST", "Connection: Upgrade", "Upgrade: websocket")
		}
		if route.method == http.MethodPost || route.method == http.MethodPut {
			for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""} {
				got := b.do(t, route.method, route.path, `{"text":"x"}`, "Content-Type: "+kind)
				if got.status < http.StatusBadRequest {
					t.Errorf("%s as %q: status %d", route, kind, got.status)
				}
			}
		}
	}
	if n := g.changes.Load(); n != before {
		t.Errorf("%d changes", n-before)
	}
}

// Those who look after the node get what they came for, and nothing of the owner's.
func TestGuard_admin(t *testing.T) {
	g := serveGates(t)
	s := g.at("admin")
	for path, want := range map[string]string{"/metrics": "metrics", "/debug/pprof/": "metrics", "/v1/status": "metrics", "/healthz": "ok"} {
		if got := s.ask(t, http.MethodGet, path, "", "Authorization:"); got.status != http.StatusOK || !strings.Contains(got.body, want) {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	l, err := api.Listen("127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	guarded, err := api.Listen("127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	s = serveOn(t, l, func(c *api.ServerConfig) {
		c.Admin = api.AdminConfig{Listener: guarded, Token: "of the scraper", Handler: http.NotFoundHandler()}
	})
	s.addr = guarded.Addr().String()
	for header, want := range map[string]int{"Authorization:": 401, "Authorization: Bearer " + token: 401, "Authorization: Bearer of the scraper": 404} {
		if got := s.ask(t, http.MethodGet, "/metrics", "", header); got.status != want {
			t.Errorf("%s: %d", header, got.status)
		}
	}
}
