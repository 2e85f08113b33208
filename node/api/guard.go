package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// healthPath alone needs no token: it says nothing but that we are alive.
const healthPath = "/healthz"

// hostsOf are the names under which an address on this machine's loopback is ours.
// Everything else in a Host header is a web page's attempt to be taken for us
// (DNS rebinding).
func hostsOf(a net.Addr) []string {
	_, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return nil
	}
	hosts := []string{a.String()}
	for _, name := range []string{"127.0.0.1", "::1", "localhost"} {
		hosts = append(hosts, net.JoinHostPort(name, port))
	}
	return hosts
}

// guard lets through what its owner's programs send, in order of cost: our own
// name, no other site's page, the token, a free slot.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.running.Add(1)
		defer s.running.Done()
		for name, value := range guardHeader {
			w.Header().Set(name, value)
		}
		if p := s.refuse(r); p != nil {
			if p.Code == CodeUnauthorized {
				w.Header().Set("WWW-Authenticate", "Bearer")
			}
			w.Header().Set("Connection", "close") // nothing more from this caller, and its body is not read
			writeProblem(w, p)
			return
		}
		if r.URL.Path != archivePath { // bounded record by record
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		}
		next.ServeHTTP(w, r)
	})
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

func (s *Server) refuse(r *http.Request) *Problem {
	switch {
	case !slices.Contains(s.hosts, strings.ToLower(r.Host)):
		return problem(CodeForbidden, "Host %.80q is not one of %s", r.Host, strings.Join(s.hosts, ", "))
	case !s.sameOrigin(r):
		return problem(CodeForbidden, "requests from web pages of other origins are refused")
	case r.URL.Path == healthPath:
		return nil
	case !s.authorized(r):
		return problem(CodeUnauthorized, "send Authorization: Bearer with the token in %s of the node's data directory", EndpointFile)
	case r.ContentLength != 0 && r.Method != http.MethodPost && r.Method != http.MethodPut:
		return problem(CodeBadRequest, "%.20q takes no body", r.Method)
	default:
		return nil
	}
}

// sameOrigin tells whether a browser, if this is one, says that our own page or
// the person at the address bar asks. What is not a browser sends neither header.
func (s *Server) sameOrigin(r *http.Request) bool {
	for _, origin := range r.Header.Values("Origin") {
		host, ok := strings.CutPrefix(strings.ToLower(origin), "http://")
		if !ok || host != strings.ToLower(r.Host) {
			return false
		}
	}
	for _, site := range r.Header.Values("Sec-Fetch-Site") {
		if site != "same-origin" && site != "none" {
			return false
		}
	}
	return true
}

// authorized compares hashes, so that neither length nor first difference shows
// in the time it takes.
func (s *Server) authorized(r *http.Request) bool {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || s.Token == "" {
		return false
	}
	want, got := sha256.Sum256([]byte(s.Token)), sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(want[:], got[:]) == 1
}

// enter takes a slot, to be left when done.
func enter(slots chan struct{}) (leave func(), err error) {
	select {
	case slots <- struct{}{}:
		return func() { <-slots }, nil
	default:
		return nil, problem(CodeBusy, "%d requests of this kind are being answered already", cap(slots))
	}
}

// patient lets the node take its time: until here a deadline bounded how long the
// caller may take to send the request.
func patient(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // net/http's own connections can
}

// promptly bounds how long the caller may take to read what is written next.
func promptly(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTime)) // net/http's own connections can
}
