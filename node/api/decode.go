package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/starling-social/starling/records"
)

// decode reads the one JSON value of a request's body into v, strictly: a caller
// whose field is misspelt, doubled or of another type hears of it, instead of
// publishing something else than meant.
func decode(r *http.Request, v any) error {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return problem(CodeMediaType, "send the body with Content-Type: application/json")
	}
	b, err := io.ReadAll(r.Body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return problem(CodeTooLarge, "the body is larger than %d bytes", maxBody)
	case err != nil:
		return problem(CodeBadRequest, "read body: %v", err)
	case !utf8.Valid(b):
		return problem(CodeBadRequest, "the body is not UTF-8")
	}
	if err := wellFormed(b); err != nil {
		return problem(CodeBadRequest, "the body is not the JSON expected: %v", err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return problem(CodeBadRequest, "the body is not the JSON expected: %v", err)
	}
	return nil
}

// wellFormed tells whether b is one JSON object without doubled names, deep
// nesting or anything behind it.
func wellFormed(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	t, err := d.Token()
	if err != nil {
		return err
	}
	if t != json.Delim('{') {
		return errors.New("want an object")
	}
	if err := object(d, 1); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the object")
	}
	return nil
}

// object reads the rest of an object. Names that differ in case alone are the
// same to encoding/json, so they are the same here.
func object(d *json.Decoder, depth int) error {
	names := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := t.(string)
		folded := strings.ToLower(name)
		if names[folded] {
			return fmt.Errorf("%.40q appears twice", name)
		}
		names[folded] = true
		if err := value(d, depth); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

func value(d *json.Decoder, depth int) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	if _, nested := t.(json.Delim); nested && depth >= maxDepth {
		return fmt.Errorf("nested more than %d deep", maxDepth)
	}
	switch t {
	case json.Delim('{'):
		return object(d, depth+1)
	case json.Delim('['):
		for d.More() {
			if err := value(d, depth+1); err != nil {
				return err
			}
		}
		_, err := d.Token()
		return err
	default:
		return nil
	}
}

var repeatable = []string{paramSource, paramUser, paramTag}

// query reads the parameters of a URL, only those expected, each once unless it is
// repeatable.
func query(r *http.Request, expected ...string) (url.Values, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, problem(CodeBadRequest, "the query is not well formed")
	}
	for name, values := range q {
		if !slices.Contains(expected, name) {
			return nil, problem(CodeBadRequest, "no parameter %.40q here; there are: %s", name, strings.Join(expected, ", "))
		}
		if len(values) > 1 && !slices.Contains(repeatable, name) {
			return nil, problem(CodeBadRequest, "%s is given twice", name)
		}
	}
	return q, nil
}

// limit reads a number of posts from 1 to most, or the default when there is none.
func limit(q url.Values, def, most int) (int, error) {
	s := q.Get(paramLimit)
	if s == "" && !q.Has(paramLimit) {
		return def, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > most {
		return 0, problem(CodeBadRequest, "limit %.40q: want a number from 1 to %d", s, most)
	}
	return n, nil
}

// before reads a cursor, zero when there is none. The cursor of position zero, which
// has nothing before it, must not read as none.
func before(q url.Values) (records.Position, error) {
	if !q.Has(paramBefore) {
		return records.Position{}, nil
	}
	p, err := records.ParseCursor(q.Get(paramBefore))
	if p == (records.Position{}) {
		p.Key[len(p.Key)-1] = 1
	}
	return p, err
}
