package api

import (
	"context"
	"crypto/subtle"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A gate is what a request passes on its way in from one listener.
type gate struct {
	name      string // in metrics
	hosts     hosts
	token     *digest // of what the owner shows; nil where nothing is asked for
	public    bool    // for strangers to read; nobody is the owner here
	strangers *strangers
	access    func(*http.Request) access
	cost      func(*http.Request) int    // points
	operation func(*http.Request) string // what is asked for, in metrics
}

// caller is who sent a request.
type caller struct {
	owner   bool     // showed the token, or has a session
	public  bool     // asks where strangers read
	session *session // nil if it is by the token, or a stranger's
	cookie  string   // of the session

	watch func() (leave func(), ok bool) // takes a place among those who watch; nil for the owner
}

type callerKey struct{}

// callerOf is who sent a request that came through a gate.
func callerOf(ctx context.Context) caller {
	c, _ := ctx.Value(callerKey{}).(caller)
	return c
}

// guardHeader keeps answers out of caches, and out of pages should one be opened
// in a browser.
var guardHeader = map[string]string{
	"Cache-Control":                "no-store",
	"Content-Security-Policy":      "default-src 'none'; frame-ancestors 'none'",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Referrer-Policy":              "no-referrer",
	"X-Content-Type-Options":       "nosniff",
}

// guard counts what comes, and lets through a gate what may pass, in order of cost: our own name, no other
// site's page, who asks and how much, what for.
func (s *Server) guard(g *gate, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.running.Add(1)
		defer s.running.Done()
		for name, value := range guardHeader {
			w.Header().Set(name, value)
		}
		out := &promptWriter{ResponseWriter: w}
		w = out
		defer out.rest()
		defer s.metrics.asked(g.name, g.operation(r), out)()
		c, p := s.admit(g, w, r)
		if p != nil {
			s.reached(c, p)
			if p.Code == CodeUnauthorized {
				w.Header().Set("WWW-Authenticate", "Bearer")
			}
			w.Header().Set("Connection", "close") // nothing more from this caller, and its body is not read
			writeProblem(w, p)
			return
		}
		if r.URL.Path != archivePath {
			r.Body = http.MaxBytesReader(out.ResponseWriter, r.Body, maxBody) // which knows how to hang up on who sends more
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, c)))
	})
}

func (s *Server) admit(g *gate, w http.ResponseWriter, r *http.Request) (caller, *Problem) {
	if !g.hosts.include(r) {
		return caller{}, problem(CodeForbidden, "Host %.80q is not one of %s", r.Host, g.hosts)
	}
	if !sameOrigin(r, g) {
		return caller{}, problem(CodeForbidden, "requests from web pages of other origins are refused")
	}
	c := s.recognise(g, r)
	if !c.owner {
		c.watch = func() (func(), bool) { return g.strangers.watches.take(g.strangers.group(r)) }
		if wait := g.strangers.spend(r); wait > 0 {
			return c, tooMany(w, wait, limitStrangers, "too many requests from this address")
		}
	}
	if p := mayCall(g, c, r); p != nil {
		return c, p
	}
	if r.ContentLength != 0 && r.Method != http.MethodPost && r.Method != http.MethodPut {
		return c, problem(CodeBadRequest, "%.20q takes no body", r.Method)
	}
	if r.ContentLength > maxBody && r.URL.Path != archivePath { // which is bounded record by record
		return c, over(limitBody, CodeTooLarge, "the body is larger than %d bytes", maxBody)
	}
	if wait := spend(s.budget, g.cost(r)); wait > 0 {
		return c, tooMany(w, wait, limitPosts, "too many changes of posts and registers in an hour, see api.posts_per_hour")
	}
	return c, nil
}

// recognise tells who sent a request. Where strangers read, nobody is anything else:
// neither token nor cookie is even looked at.
func (s *Server) recognise(g *gate, r *http.Request) caller {
	switch {
	case g.public:
		return caller{public: true}
	case g.token == nil, showsToken(r, *g.token):
		return caller{owner: true}
	}
	cookie, err := r.Cookie(s.cookieName())
	if err != nil {
		return caller{}
	}
	if in := s.sessions.of(cookie.Value, time.Now()); in != nil {
		return caller{owner: true, session: in, cookie: cookie.Value}
	}
	return caller{}
}

// mayCall refuses whoever may not have what it asks for.
func mayCall(g *gate, c caller, r *http.Request) *Problem {
	needs := g.access(r)
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case g.public && (needs == ownerOnly || !reads):
		return problem(CodeForbidden, "this is served to the node's owner alone, and elsewhere")
	case g.public && namesOwner(r):
		return problem(CodeBadRequest, "nobody is me here")
	case g.public, needs == open, c.owner && c.session == nil:
		return nil
	case !c.owner:
		return problem(CodeUnauthorized, "send Authorization: Bearer with the token in %s of the node's data directory, or sign in with 'starling web'", EndpointFile)
	case !reads && !saysItsOurs(r):
		return problem(CodeForbidden, "a change by a session needs Origin or Sec-Fetch-Site, and a body in JSON")
	default:
		return nil
	}
}

// namesOwner tells whether a request speaks of the node's owner without knowing who
// that is.
func namesOwner(r *http.Request) bool {
	words := strings.Split(r.URL.Path, "/")
	for _, values := range r.URL.Query() {
		words = append(words, values...)
	}
	return slices.ContainsFunc(words, func(w string) bool {
		name, _, _ := strings.Cut(strings.TrimPrefix(w, "@"), ".") // also of a feed: me.rss
		return name == "me"
	})
}

// saysItsOurs tells whether a browser says that our own page asks, and with what no
// form can send.
func saysItsOurs(r *http.Request) bool {
	if r.Header.Get("Origin") == "" && r.Header.Get("Sec-Fetch-Site") != "same-origin" {
		return false // what they say if they say something, sameOrigin has seen
	}
	if r.ContentLength == 0 {
		return true
	}
	t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && (t == "application/json" || t == archiveType)
}

// sameOrigin tells whether a browser, if this is one, says that our own page or the
// person at the address bar asks. What is not a browser sends neither header. Where a
// Host is one of ours only because it is configured, a proxy may have taken care of
// TLS.
func sameOrigin(r *http.Request, g *gate) bool {
	origins := r.Header.Values("Origin")
	for _, origin := range origins {
		scheme, host, ok := strings.Cut(strings.ToLower(origin), "://")
		if !ok || host != strings.ToLower(r.Host) || scheme != "http" && (scheme != "https" || !g.hosts.named(r)) {
			return false
		}
	}
	for _, site := range r.Header.Values("Sec-Fetch-Site") {
		if site != "same-origin" && site != "none" {
			return len(origins) == 0 && followsLink(r) && (g.public || g.access(r) == open)
		}
	}
	return true
}

// followsLink tells whether a person was brought here by another page, whose scripts
// see nothing of the answer. Cookies that are strict are not sent then.
func followsLink(r *http.Request) bool {
	return r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
}

// showsToken compares digests, so that neither length nor first difference shows in
// the time it takes.
func showsToken(r *http.Request, want digest) bool {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	got := digestOf(token)
	return ok && strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(want[:], got[:]) == 1
}

// slots are so many of one kind that may be under way at once, and which limit that is.
type slots struct {
	taken chan struct{}
	limit string
}

func newSlots(most int, limit string) slots { return slots{make(chan struct{}, most), limit} }

// enter takes a slot, to be left when done.
func (s slots) enter() (leave func(), err error) {
	select {
	case s.taken <- struct{}{}:
		return func() { <-s.taken }, nil
	default:
		return nil, over(s.limit, CodeBusy, "%d requests of this kind are being answered already", cap(s.taken))
	}
}
