package api

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// strict lets a request through that is exactly what its operation is said to take.
// A caller whose parameter or field is misspelt, doubled or of another type hears of
// it, instead of having something else done than meant.
func (a *operations) strict(in reflect.Type) func(huma.Context, func(huma.Context)) {
	field, hasBody := in.FieldByName("Body")
	return func(ctx huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(ctx)
		c := checker{registry: a.OpenAPI().Components.Schemas}
		q, err := c.request(ctx.Operation(), r, field.Type, hasBody)
		if err != nil {
			a.server.refuse(ctx.Context(), w, err)
			return
		}
		next(&request{ctx, q})
	}
}

// request is one whose parameters are read as they were checked.
type request struct {
	given

	query url.Values
}

type given huma.Context // under another name, because it has a method of its own

func (r *request) Query(name string) string { return r.query.Get(name) }

// Unwrap is how huma gets at what net/http gave.
func (r *request) Unwrap() huma.Context { return r.given }

// checker gathers what is wrong with a request.
type checker struct {
	registry huma.Registry
	faults   []Fault
}

// request checks all of a request and leaves its body to be read again.
func (c *checker) request(op *huma.Operation, r *http.Request, body reflect.Type, hasBody bool) (url.Values, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, problem(CodeBadRequest, "the query is not well formed")
	}
	c.parameters(op, r, q)
	if hasBody {
		b, v, err := readBody(r)
		if err != nil {
			return nil, err
		}
		c.check("body", op.RequestBody.Content[jsonType].Schema, withoutNulls(v))
		if len(c.faults) == 0 {
			if err := decode(b, reflect.New(body).Interface()); err != nil {
				c.fault("body", "%v", err)
			}
		}
		r.Body = io.NopCloser(bytes.NewReader(b))
	}
	return q, c.problem()
}

// withoutNulls leaves out what is null: it is as good as absent.
func withoutNulls(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			if inner == nil {
				delete(v, name)
			} else {
				withoutNulls(inner)
			}
		}
	case []any:
		for _, inner := range v {
			withoutNulls(inner)
		}
	}
	return v
}

// parameters checks those that are there, and that those needed are.
func (c *checker) parameters(op *huma.Operation, r *http.Request, q url.Values) {
	known := map[string]bool{}
	var names []string
	for _, p := range op.Parameters {
		switch p.In {
		case "query":
			known[p.Name], names = true, append(names, p.Name)
			c.parameter(p, q[p.Name])
		case "header":
			c.parameter(p, r.Header.Values(p.Name))
		default: // a path has all of its own, and handlers read them
		}
	}
	for _, name := range slices.Sorted(maps.Keys(q)) {
		if !known[name] {
			c.fault("query", "no parameter %.40q here; there are: %s", name, strings.Join(names, ", "))
		}
	}
}

func (c *checker) parameter(p *huma.Param, values []string) {
	where := p.In + "." + p.Name
	switch {
	case len(values) == 0:
		if p.Required {
			c.fault(where, "is missing")
		}
	case p.Schema.Type == huma.TypeArray:
		all := make([]any, len(values))
		for i, v := range values {
			all[i] = v
		}
		c.check(where, p.Schema, all)
	case len(values) > 1:
		c.fault(where, "is given twice")
	default:
		c.check(where, p.Schema, typed(values[0], p.Schema.Type))
	}
}

// typed is the value of a parameter: a number or truth where one is expected and it
// is written as we would write it, else the text.
func typed(text, kind string) any {
	switch kind {
	case huma.TypeInteger:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil && strconv.FormatInt(n, 10) == text {
			return n
		}
		if n, err := strconv.ParseUint(text, 10, 64); err == nil && strconv.FormatUint(n, 10) == text {
			return n
		}
	case huma.TypeBoolean:
		if text == "true" || text == "false" {
			return text == "true"
		}
	}
	return text
}

// check holds a value against what is said of it.
func (c *checker) check(where string, s *huma.Schema, v any) {
	path := huma.NewPathBuffer(nil, 0)
	path.Push(where)
	var found huma.ValidateResult
	huma.Validate(c.registry, s, path, huma.ModeWriteToServer, v, &found)
	for _, err := range found.Errors {
		if d, ok := err.(huma.ErrorDetailer); ok {
			c.fault(d.ErrorDetail().Location, "%s", d.ErrorDetail().Message)
		}
	}
}

func (c *checker) fault(location, detail string, args ...any) {
	if len(location) > maxLocation { // it may hold names that the caller chose
		location = location[:maxLocation] + "…"
	}
	c.faults = append(c.faults, Fault{location, fmt.Sprintf(detail, args...)})
}

// What one answer tells of a hostile request.
const (
	maxFaults   = 8
	maxLocation = 80 // bytes
)

// problem tells what is wrong, nil if nothing is.
func (c *checker) problem() error {
	if len(c.faults) == 0 {
		return nil
	}
	var all []string
	for _, f := range c.faults {
		all = append(all, f.Location+": "+f.Detail)
	}
	p := problem(CodeBadRequest, "%s", strings.Join(all, "; "))
	p.Errors = c.faults[:min(len(c.faults), maxFaults)]
	return p
}
