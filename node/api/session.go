package api

import (
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
	Code    string `json:"code"`         // good once
	Seconds int    `json:"expires_in_s"` // how long; zero in what the page sends
}

// Session says who a page is.
type Session struct {
	SignedIn bool    `json:"signed_in"`
	User     *string `json:"user"`       // did:key of the owner; null unless signed in
	Network  string  `json:"network"`    // its name
	Public   bool    `json:"public"`     // asked where strangers read
	ID       string  `json:"network_id"` // name and parameters
}

// signInCode answers the owner's programs alone: a page that is signed in cannot let
// others in.
func (s *Server) signInCode(w http.ResponseWriter, r *http.Request) error {
	if callerOf(r).session != nil {
		return problem(CodeForbidden, "a code is given for the token, not for a session")
	}
	if _, err := query(r); err != nil {
		return err
	}
	writeJSON(w, http.StatusCreated, SignIn{Code: s.sessions.code(time.Now()), Seconds: int(codeTime.Seconds())})
	return nil
}

// signIn changes a code for a cookie.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request) error {
	var body SignIn
	if err := decode(r, &body); err != nil {
		return err
	}
	cookie, ok := s.sessions.begin(body.Code, time.Now())
	if !ok {
		return problem(CodeUnauthorized, "the code is wrong, was used, or is older than %s: 'starling web' gives another", codeTime)
	}
	http.SetCookie(w, s.cookie(r, cookie, sessionTime))
	writeJSON(w, http.StatusCreated, s.sessionOf(caller{owner: true}))
	return nil
}

// session says who asks, and has a cookie that is in use last.
func (s *Server) session(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	c := callerOf(r)
	if c.session != nil {
		http.SetCookie(w, s.cookie(r, c.cookie, sessionTime))
	}
	writeJSON(w, http.StatusOK, s.sessionOf(c))
	return nil
}

// signOut ends the session of whoever asks. For a token there is none.
func (s *Server) signOut(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	if c := callerOf(r); c.session != nil {
		s.sessions.end(c.cookie)
	}
	http.SetCookie(w, s.cookie(r, "", -time.Second))
	w.WriteHeader(http.StatusNoContent)
	return nil
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
func (s *Server) cookie(r *http.Request, value string, lasts time.Duration) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure where there is TLS; on loopback there is none
		Name: s.cookieName(), Value: value, Path: "/", MaxAge: int(lasts.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: strings.HasPrefix(r.Header.Get("Origin"), "https://"), // by a proxy before us
	}
}

func (s *Server) cookieName() string {
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String()) // an address of a listener has one
	return "starling_" + port
}
