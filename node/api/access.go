package api

import "net/http"

// access says who may call a route. Who may call one may call all of lower order.
type access int

const (
	ownerOnly access = iota // the node's owner, by the token or a session
	reader                  // also strangers, where a node serves them
	open                    // anybody, on every listener, with nothing to show
)

func (a access) String() string { return [...]string{"owner", "readers", "everybody"}[a] }

// callers is who may call what, all of it: a route that is not here cannot be made.
// What it tells strangers is what anybody could read from the network, and nothing
// of whom the owner follows, is connected to or keeps records for.
var callers = map[string]access{
	"GET /healthz":      open,
	"GET /readyz":       open,
	"GET /docs":         open,
	"GET /docs.css":     open,
	"GET /openapi.json": open,
	"GET /openapi.yaml": open,

	"GET /v1/session":       open,
	"POST /v1/session":      open,
	"DELETE /v1/session":    ownerOnly,
	"POST /v1/session/code": ownerOnly,

	"POST /v1/posts":        ownerOnly,
	"GET /v1/posts/{id}":    reader,
	"PUT /v1/posts/{id}":    ownerOnly,
	"DELETE /v1/posts/{id}": ownerOnly,

	"GET /v1/timeline":        reader,
	"GET /v1/watch":           reader,
	"GET /v1/tags":            ownerOnly,
	"GET /v1/profiles/{user}": reader,
	"PUT /v1/profiles/{user}": ownerOnly,
	"GET /v1/limits":          reader,
	"GET /feeds/tag/{file}":   reader,
	"GET /feeds/user/{file}":  reader,
	"GET /v1/home":            ownerOnly,
	"GET /v1/home/watch":      ownerOnly,

	"GET /v1/following":             ownerOnly,
	"PUT /v1/following/{source}":    ownerOnly,
	"DELETE /v1/following/{source}": ownerOnly,

	"GET /v1/registers/{user}/{name...}":    ownerOnly,
	"PUT /v1/registers/{user}/{name...}":    ownerOnly,
	"DELETE /v1/registers/{user}/{name...}": ownerOnly,
	"GET /v1/history/{user}/{name...}":      ownerOnly,
	"POST /v1/consents":                     ownerOnly,
	"GET /v1/names/{nickname}":              ownerOnly,
	"PUT /v1/names/{nickname}":              ownerOnly,
	"DELETE /v1/names/{nickname}":           ownerOnly,

	"GET /v1/status":         ownerOnly,
	"GET /v1/peers":          ownerOnly,
	"GET /v1/store":          ownerOnly,
	"GET /v1/store/archive":  ownerOnly,
	"POST /v1/store/archive": ownerOnly,
}

// accessTo says who may make a request. What is not served is for the owner to
// hear: others learn nothing from guessing at paths.
func (t *router) accessTo(r *http.Request) access {
	p := t.find(r)
	switch {
	case p == nil || p.methods[r.Method] == nil:
		return ownerOnly
	case r.Method == http.MethodHead:
		return callers["GET "+p.pattern]
	default:
		return callers[r.Method+" "+p.pattern]
	}
}
