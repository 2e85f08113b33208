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
	mux   *http.ServeMux
	paths map[string]*pathRoutes
}

// pathRoutes is what one path answers to.
type pathRoutes struct {
	pattern string
	methods map[string]http.HandlerFunc
}

func newRouter() *router {
	return &router{mux: http.NewServeMux(), paths: map[string]*pathRoutes{}}
}

// handle has a method of a path answered, a GET perhaps without its body too. Who
// may call it must be known.
func (t *router) handle(method, pattern string, head bool, h http.HandlerFunc) {
	if _, known := callers[method+" "+pattern]; !known {
		panic(fmt.Sprintf("nobody said who may call %s %s", method, pattern))
	}
	p := t.paths[pattern]
	if p == nil {
		p = &pathRoutes{pattern, map[string]http.HandlerFunc{}}
		t.paths[pattern] = p
		t.mux.Handle(pattern, p)
	}
	p.methods[method] = h
	if method == http.MethodGet && head {
		p.methods[http.MethodHead] = h // net/http leaves the body out
	}
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
