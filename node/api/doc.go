// Package api is how a node answers over HTTP: its owner's programs and page, strangers
// who read, and those who look after it, each at a listener of their own; and the client
// that the command line uses.
//
// It owns the routes, their JSON shapes (types.go), who may call (guard.go, access.go),
// how a page signs in (session.go), the problems that callers can branch on
// (problem.go) and the file in the data directory that says where a running node
// answers (endpoint.go). It does not own what a node does: a handler parses, calls one
// method of the node, and prints.
//
// [Server.Run] starts one goroutine for each listener, those of net/http under it, and
// one for each thing that is watched, which all who watch it share; when it has
// returned, all have ended. [Client] starts none.
//
// The server answers errors as problems (RFC 9457) with a stable code; the client
// returns the same as [*Problem], and [ErrNotRunning] when nobody answers.
package api
