package api

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// A page in a browser signs in without ever holding the token: a program of the
// owner's asks for a code, hands it to the page behind the # of an address, and the
// page gets a cookie for it that no script can read.
const (
	sessionPath = "/v1/session"
	codePath    = sessionPath + "/code"

	codeTime    = time.Minute         // for a browser to open, and the page to ask
	sessionTime = 30 * 24 * time.Hour // without being used; sessions end with the node in any case
	maxCodes    = 16                  // waiting; the oldest gives way
	maxSessions = 64                  // open; the one unused longest gives way
)

// secret is 256 random bits, as text that needs no escaping anywhere.
func secret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: see crypto/rand
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// A digest stands for a secret. Looking one up takes time that depends on the digest
// alone, which says nothing about the secret.
type digest [sha256.Size]byte

func digestOf(secret string) digest { return sha256.Sum256([]byte(secret)) }

// sessions are the pages that are signed in, in memory alone.
type sessions struct {
	mu    sync.Mutex // protects all below
	codes map[digest]time.Time
	open  map[digest]*session
}

// session is one page's.
type session struct {
	used  time.Time     // protected by the mutex of sessions
	ended chan struct{} // closed when it is
}

func newSessions() *sessions {
	return &sessions{codes: map[digest]time.Time{}, open: map[digest]*session{}}
}

// code is good for one session, within codeTime.
func (s *sessions) code(now time.Time) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for d, made := range s.codes {
		if now.Sub(made) > codeTime {
			delete(s.codes, d)
		}
	}
	if len(s.codes) >= maxCodes {
		delete(s.codes, oldest(s.codes, func(made time.Time) time.Time { return made }))
	}
	c := secret()
	s.codes[digestOf(c)] = now
	return c
}

// begin takes a code and gives a cookie; false if there is no such code any more.
func (s *sessions) begin(code string, now time.Time) (cookie string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := digestOf(code)
	made, ok := s.codes[d]
	delete(s.codes, d)
	if !ok || now.Sub(made) > codeTime {
		return "", false
	}
	if len(s.open) >= maxSessions {
		s.endLocked(oldest(s.open, func(o *session) time.Time { return o.used }))
	}
	cookie = secret()
	s.open[digestOf(cookie)] = &session{used: now, ended: make(chan struct{})}
	return cookie, true
}

// of is the session of a cookie, which is used by that; nil for none.
func (s *sessions) of(cookie string, now time.Time) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := digestOf(cookie)
	o := s.open[d]
	if o == nil {
		return nil
	}
	if now.Sub(o.used) > sessionTime {
		s.endLocked(d)
		return nil
	}
	o.used = now
	return o
}

// end ends the session of a cookie, and what it watches.
func (s *sessions) end(cookie string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endLocked(digestOf(cookie))
}

func (s *sessions) endLocked(d digest) {
	if o := s.open[d]; o != nil {
		close(o.ended)
		delete(s.open, d)
	}
}

func oldest[T any](all map[digest]T, at func(T) time.Time) (first digest) {
	var since time.Time
	for d, v := range all {
		if t := at(v); since.IsZero() || t.Before(since) {
			first, since = d, t
		}
	}
	return first
}

// SignIn is what a page signs in with.
type SignIn struct {
	Code string `json:"code" doc:"As it was given; it is good once."`
}

// SignInCode is what a program of the owner's hands to a page.
type SignInCode struct {
	Code    string `json:"code" doc:"Good for one session."`
	Seconds int    `json:"expires_in_s" doc:"How long it is good." example:"60"`
}

// Session says who a page is.
type Session struct {
	SignedIn bool    `json:"signed_in" doc:"Whether the owner asks."`
	User     *string `json:"user" doc:"The owner; null unless signed in."`
	Network  string  `json:"network" doc:"The network's name." example:"main"`
	Public   bool    `json:"public" doc:"Asked where strangers read."`
	ID       string  `json:"network_id" doc:"The network's name and parameters." example:"main.1f3a5b7c"`
}

func (s *Server) sessionOperations(a *operations) {
	add(a, operation{
		route: "GET " + sessionPath, id: "getSession", group: groupSession, ready: true,
		summary: "Who asks",
	}, s.session)
	add(a, operation{
		route: "POST " + sessionPath, id: "signIn", group: groupSession, ready: true, status: http.StatusCreated,
		summary: "Change a code for a session",
		text:    "The session is a cookie that no script can read. It ends with the node, or when it was not used for 30 days.",
		codes:   []Code{CodeUnauthorized},
	}, s.signIn)
	add(a, operation{
		route: "DELETE " + sessionPath, id: "signOut", group: groupSession, ready: true,
		summary: "End the session of whoever asks",
	}, s.signOut)
	add(a, operation{
		route: "POST " + codePath, id: "createSignInCode", group: groupSession, ready: true, status: http.StatusCreated,
		summary: "A code for a page to sign in with",
		text:    "For programs with the token: a page that is signed in cannot let others in.",
	}, s.signInCode)
}

// signInCode answers the owner's programs alone: a page that is signed in cannot let
// others in.
func (s *Server) signInCode(ctx context.Context, _ *nothing) (*body[SignInCode], error) {
	if callerOf(ctx).session != nil {
		return nil, problem(CodeForbidden, "a code is given for the token, not for a session")
	}
	return &body[SignInCode]{SignInCode{s.sessions.code(time.Now()), int(codeTime.Seconds())}}, nil
}

// A setting is an answer that may set or end the cookie.
type setting[T any] struct {
	Cookie []http.Cookie `header:"Set-Cookie" doc:"The session."`
	Body   T
}

// Origin is how a cookie learns whether there is TLS before us.
type Origin struct {
	Origin string `header:"Origin" hidden:"true"`
}

// signIn changes a code for a cookie.
func (s *Server) signIn(_ context.Context, in *struct {
	Origin

	Body SignIn
},
) (*setting[Session], error) {
	cookie, ok := s.sessions.begin(in.Body.Code, time.Now())
	if !ok {
		return nil, problem(CodeUnauthorized, "the code is wrong, was used, or is older than %s: 'starling web' gives another", codeTime)
	}
	return &setting[Session]{[]http.Cookie{s.cookie(in.Origin.Origin, cookie, sessionTime)}, s.sessionOf(caller{owner: true})}, nil
}

// session says who asks, and has a cookie that is in use last.
func (s *Server) session(ctx context.Context, in *Origin) (*setting[Session], error) {
	c := callerOf(ctx)
	out := setting[Session]{Body: s.sessionOf(c)}
	if c.session != nil {
		out.Cookie = []http.Cookie{s.cookie(in.Origin, c.cookie, sessionTime)}
	}
	return &out, nil
}

// signOut ends the session of whoever asks. For a token there is none.
func (s *Server) signOut(ctx context.Context, in *Origin) (*struct {
	Cookie http.Cookie `header:"Set-Cookie" doc:"Takes the session away."`
}, error,
) {
	if c := callerOf(ctx); c.session != nil {
		s.sessions.end(c.cookie)
	}
	return &struct {
		Cookie http.Cookie `header:"Set-Cookie" doc:"Takes the session away."`
	}{s.cookie(in.Origin, "", -time.Second)}, nil
}

func (s *Server) sessionOf(c caller) Session {
	status := s.Node.Status()
	out := Session{SignedIn: c.owner, Network: status.Network, ID: status.NetworkID, Public: c.public}
	if c.owner {
		user := s.Node.User().String()
		out.User = &user
	}
	return out
}

// cookie is one for our own pages' requests and no script. Browsers send the cookies
// of one port to all others of a host, so its name tells nodes apart; what other
// pages of this host send with it, sameOrigin refuses.
func (s *Server) cookie(origin, value string, lasts time.Duration) http.Cookie {
	return http.Cookie{ //nolint:gosec // Secure where there is TLS; on loopback there is none
		Name: s.cookieName(), Value: value, Path: "/", MaxAge: int(lasts.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: strings.HasPrefix(origin, "https://"), // by a proxy before us
	}
}

func (s *Server) cookieName() string {
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String()) // an address of a listener has one
	return "starling_" + port
}
