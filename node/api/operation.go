package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// operation is what callers are told of a route, beside what the types of its
// handler say by themselves.
type operation struct {
	route   string // METHOD /path, as in [callers]
	id      string // for generated clients; never changes
	group   group
	summary string // of a few words
	text    string // Markdown; empty if there is no more to say
	status  int    // of a good answer; 0 is 200, or 204 where there is no body
	codes   []Code // problems besides those that any request may meet
	answer  answer // one that its handler writes; zero for what its type says
	takes   string // media type of a body that its handler reads; empty for none
	ready   bool   // answered from what is at hand, or in its own time: it neither needs a slot nor has a time limit
}

// answer is one that its handler writes by itself.
type answer struct {
	json    any      // of this type, and then of no other kind
	kinds   []string // media types
	text    string   // Markdown
	example string
	endless bool // there is no HEAD of it
}

// body is an answer that is JSON and nothing else.
type body[T any] struct{ Body T }

// nothing is what an operation takes that asks for nothing.
type nothing struct{}

// operations are the routes of a server while they are made, and what callers are told of them.
type operations struct {
	huma.API

	router *router
	server *Server
}

// add makes a route: I is what the handler takes, O what it answers. Its errors are
// told as problems.
func add[I, O any](a *operations, o operation, do func(context.Context, *I) (*O, error)) {
	op := a.describe(o, reflect.TypeFor[I]())
	huma.Register(a, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := do(ctx, in)
		if err != nil {
			p := problemOf(err)
			a.server.reached(callerOf(ctx), p)
			return nil, p
		}
		return out, nil
	})
}

// stream makes a route whose handler writes the answer by itself.
func stream[I any](a *operations, o operation, do func(http.ResponseWriter, *http.Request, *I) error) {
	op := a.describe(o, reflect.TypeFor[I]())
	huma.Register(a, op, func(_ context.Context, in *I) (*huma.StreamResponse, error) {
		return &huma.StreamResponse{Body: func(ctx huma.Context) {
			r, w := humago.Unwrap(ctx)
			if err := do(w, r.WithContext(ctx.Context()), in); err != nil {
				a.server.refuse(ctx.Context(), w, err)
			}
		}}, nil
	})
}

// describe is an operation as huma takes it. How parameters and bodies are read and
// what is refused is ours: see [operations.strict].
func (a *operations) describe(o operation, in reflect.Type) huma.Operation {
	method, pattern, _ := strings.Cut(o.route, " ")
	_, hasBody := in.FieldByName("Body")
	op := huma.Operation{
		Method: method, Path: strings.ReplaceAll(pattern, "...}", "}"), Metadata: map[string]any{metaRoute: o},
		OperationID: o.id, Tags: []string{string(o.group)}, Summary: o.summary, Description: o.text,
		DefaultStatus: o.status, Responses: a.refusals(o, hasBody),
		Middlewares:        huma.Middlewares{a.strict(in)},
		SkipValidateParams: true, SkipValidateBody: true, MaxBodyBytes: -1, BodyReadTimeout: -1,
	}
	if !o.ready {
		op.Middlewares = append(op.Middlewares, a.server.begin) // once it is known to make sense
	}
	switch who := callers[o.route]; who {
	case open:
		op.Security = []map[string][]string{}
	case reader:
		op.Security = []map[string][]string{{"token": {}}, {}} // without one where strangers are served
	case ownerOnly:
	}
	op.Extensions = map[string]any{"x-callers": callers[o.route].String()}
	if o.takes != "" {
		op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{o.takes: {Schema: binary()}}}
	}
	if o.answer.text != "" {
		op.Responses["200"] = &huma.Response{Description: o.answer.text, Content: a.contents(o.answer)}
	}
	return op
}

// binary is bytes of any kind. Each has its own: huma writes into schemas.
func binary() *huma.Schema { return &huma.Schema{Type: huma.TypeString, Format: "binary"} }

func (a *operations) contents(o answer) map[string]*huma.MediaType {
	if o.json != nil {
		return map[string]*huma.MediaType{jsonType: {Schema: a.OpenAPI().Components.Schemas.Schema(reflect.TypeOf(o.json), true, "")}}
	}
	out := map[string]*huma.MediaType{}
	for _, kind := range o.kinds {
		out[kind] = &huma.MediaType{Schema: binary()}
		if o.example != "" {
			out[kind] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}, Example: o.example}
		}
	}
	return out
}

// metaRoute finds the operation in what huma keeps of it.
const metaRoute = "route"

// Handle has an operation answered, as huma asks for it.
func (t *router) Handle(op *huma.Operation, h func(huma.Context)) {
	o, _ := op.Metadata[metaRoute].(operation)
	t.handle(o, func(w http.ResponseWriter, r *http.Request) {
		h(humago.NewContext(op, r, w))
	})
}

// begin is where a request that is understood starts to cost the node something: it
// takes a slot, and the node has so long to answer.
func (s *Server) begin(ctx huma.Context, next func(huma.Context)) {
	_, w := humago.Unwrap(ctx)
	leave, err := s.roomFor(ctx.Context()).requests.enter()
	if err != nil {
		s.refuse(ctx.Context(), w, err)
		return
	}
	defer leave()
	patient(w)
	timed, cancel := context.WithTimeout(ctx.Context(), answerTime)
	defer cancel()
	next(huma.WithContext(ctx, timed))
	if errors.Is(timed.Err(), context.DeadlineExceeded) {
		s.note(slog.LevelWarn, limitAnswer, "an answer took too long")
	}
}
