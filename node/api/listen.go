package api

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// DefaultAddr is where a node answers unless told otherwise, if it is free.
const DefaultAddr = "127.0.0.1:7827"

// PublicConfig is where strangers read. Its zero value is nowhere.
type PublicConfig struct {
	Listener net.Listener   // Run closes it
	Hosts    []string       // what it is called besides its address, see [CheckHost]
	Proxies  []netip.Prefix // whose X-Forwarded-For says who asks
}

// AdminConfig is where those who keep nodes running look at them. Its zero value is
// nowhere.
type AdminConfig struct {
	Listener net.Listener // Run closes it
	Hosts    []string     // what it is called besides its address, see [CheckHost]
	Token    string       // that callers must show; empty for none, on loopback
	Handler  http.Handler // for everything but what is open to anybody
}

// ErrNotLoopback means that others than this machine could call, and need nothing to
// show for it.
var ErrNotLoopback = errors.New("without a token file this serves this machine alone: want 127.0.0.1:PORT, [::1]:PORT or localhost:PORT")

// ErrNotAddr means that nothing can listen there.
var ErrNotAddr = errors.New("want an IP address and a port, such as 0.0.0.0:8080, [::]:8080 or :8080")

// Listen listens for the owner. Without an address it takes [DefaultAddr], or any free
// port when that is taken. Elsewhere than on loopback, callers must have a token that
// the owner keeps.
func Listen(addr string, token bool) (net.Listener, error) {
	if addr == "" {
		if l, err := net.Listen("tcp", DefaultAddr); err == nil {
			return l, nil
		}
		addr = "127.0.0.1:0"
	}
	if err := CheckAddr(addr, token); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for the API: %w; choose another with --api, or port 0 for any free one", err)
	}
	return l, nil
}

// ListenPublic listens for everybody.
func ListenPublic(addr string) (net.Listener, error) {
	if err := CheckPublic(addr); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for readers: %w", err)
	}
	return l, nil
}

// CheckAddr tells whether Listen would take addr, if it is free.
func CheckAddr(addr string, token bool) error {
	switch {
	case addr == "", loopback(addr):
		return nil
	case !token:
		return fmt.Errorf("%w, not %.80q", ErrNotLoopback, addr)
	default:
		return CheckPublic(addr)
	}
}

// CheckPublic tells whether an address is one that a listener for everybody can have:
// an IP address, or nothing for all of them, and a port.
func CheckPublic(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err == nil && host == "" {
		host = "0.0.0.0"
	}
	if _, perr := netip.ParseAddrPort(net.JoinHostPort(host, port)); err != nil || perr != nil {
		return fmt.Errorf("%w, not %.80q", ErrNotAddr, addr)
	}
	return nil
}

func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// An entrance is a listener, its gate and what is behind it.
type entrance struct {
	listener net.Listener
	gate     *gate
	handler  http.Handler
}

// entrances are all that the server has.
func (s *Server) entrances(t *router) []entrance {
	callers := newStrangers(nil)
	front := site{t, s.Page}
	all := []entrance{{s.Listener, &gate{
		name: listenerOwner, operation: front.operationOf,
		hosts: hostsOf(s.Listener.Addr(), s.Hosts), token: tokenOf(s.Token), strangers: callers, access: front.accessTo, cost: t.costOf,
	}, front}}
	if p := s.Public; p.Listener != nil {
		all = append(all, entrance{p.Listener, &gate{
			name: listenerPublic, operation: front.operationOf,
			hosts: hostsOf(p.Listener.Addr(), p.Hosts), public: true, strangers: newStrangers(p.Proxies), access: front.accessTo, cost: t.costOf,
		}, front})
	}
	if a := s.Admin; a.Listener != nil {
		behind := machinery{t, a.Handler}
		g := &gate{
			name: listenerAdmin, operation: behind.operationOf,
			hosts: hostsOf(a.Listener.Addr(), a.Hosts), strangers: callers, access: t.accessTo, cost: t.costOf,
		}
		if a.Token != "" || !loopback(a.Listener.Addr().String()) {
			g.token = tokenOf(a.Token)
		}
		all = append(all, entrance{a.Listener, g, behind})
	}
	return all
}

// tokenOf is what a token is compared with. No token is one that nobody has.
func tokenOf(token string) *digest {
	if token == "" {
		token = secret()
	}
	d := digestOf(token)
	return &d
}

// site is what people and their programs ask for: the routes, and for every other
// path the page, if there is one.
type site struct {
	routes *router
	page   http.Handler
}

func (s site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.pages(r) {
		s.page.ServeHTTP(w, r)
		return
	}
	s.routes.ServeHTTP(w, r)
}

// accessTo says who may ask for what. The page's files are the same for everybody.
func (s site) accessTo(r *http.Request) access {
	if s.pages(r) {
		return open
	}
	return s.routes.accessTo(r)
}

// operationOf is what a request asks for.
func (s site) operationOf(r *http.Request) string {
	if s.pages(r) {
		return operationPage
	}
	return s.routes.operationOf(r)
}

func (s site) pages(r *http.Request) bool {
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	return s.page != nil && reads && !strings.HasPrefix(r.URL.Path, "/v1/") && s.routes.find(r) == nil
}

// machinery is what those ask for who look after a node: what anybody may, and what
// else there is.
type machinery struct {
	routes *router
	more   http.Handler
}

func (m machinery) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if m.routed(r) {
		m.routes.ServeHTTP(w, r)
		return
	}
	patient(w) // a profile takes as long as it was asked to
	m.more.ServeHTTP(w, r)
}

// routed tells whether a request is for one of the routes.
func (m machinery) routed(r *http.Request) bool { return m.more == nil || m.routes.accessTo(r) == open }

// operationOf is what a request asks for.
func (m machinery) operationOf(r *http.Request) string {
	if !m.routed(r) {
		return operationAdmin
	}
	return m.routes.operationOf(r)
}
