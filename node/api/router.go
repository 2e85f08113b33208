package api

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// router finds what answers a request: the path first, as [http.ServeMux] does, then
// the method, so that a wrong method is told which ones there are.
type router struct {
	mux *http.ServeMux
}

// pathRoutes is what one path answers to.
type pathRoutes struct {
	pattern string
	methods map[string]http.HandlerFunc
}

func newRouter() *router { return &router{mux: http.NewServeMux()} }

// handle has the methods of a path answered. Who may call each must be known.
func (t *router) handle(pattern string, methods map[string]http.HandlerFunc) {
	for m := range methods {
		if _, known := callers[m+" "+pattern]; !known {
			panic(fmt.Sprintf("nobody said who may call %s %s", m, pattern))
		}
	}
	t.mux.Handle(pattern, &pathRoutes{pattern, methods})
}

// find is what answers at the path of a request; nil where nothing does.
func (t *router) find(r *http.Request) *pathRoutes {
	h, _ := t.mux.Handler(r)
	p, _ := h.(*pathRoutes) // the mux may have others: it would send a path that is not clean elsewhere
	return p
}

func (t *router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if t.find(r) == nil {
		writeProblem(w, problem(CodeNotFound, "no route %.80q", r.URL.Path))
		return
	}
	t.mux.ServeHTTP(w, r) // it also takes the path apart
}

func (p *pathRoutes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h, ok := p.methods[r.Method]; ok {
		h(w, r)
		return
	}
	allowed := strings.Join(slices.Sorted(maps.Keys(p.methods)), ", ")
	w.Header().Set("Allow", allowed)
	writeProblem(w, problem(CodeMethod, "%.20q is not one of %s", r.Method, allowed))
}

// handler answers a request; what it returns is told as a problem.
type handler func(w http.ResponseWriter, r *http.Request) error

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := h(w, r); err != nil {
		writeProblem(w, problemOf(err))
	}
}
