package api

import (
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
	pattern    string
	methods    map[string]http.HandlerFunc
	operations map[string]operation // by method, without HEAD
}

func newRouter() *router {
	return &router{mux: http.NewServeMux(), paths: map[string]*pathRoutes{}}
}

// handle has an operation answered, a GET that ends also without its body. Who may call
// it must be known.
func (t *router) handle(o operation, h http.HandlerFunc) {
	method, pattern, _ := strings.Cut(o.route, " ")
	if _, known := callers[o.route]; !known {
		panic("nobody said who may call " + o.route)
	}
	p := t.paths[pattern]
	if p == nil {
		p = &pathRoutes{pattern, map[string]http.HandlerFunc{}, map[string]operation{}}
		t.paths[pattern] = p
		t.mux.Handle(pattern, p)
	}
	p.methods[method], p.operations[method] = h, o
	if method == http.MethodGet && !o.answer.endless {
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
