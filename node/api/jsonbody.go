package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"unicode/utf8"
)

const jsonType = "application/json"

// readBody reads the one JSON object of a request's body, as bytes and as what
// encoding/json makes of it.
func readBody(r *http.Request) (b []byte, v any, err error) {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != jsonType {
		return nil, nil, problem(CodeMediaType, "send the body with Content-Type: application/json")
	}
	b, err = io.ReadAll(r.Body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, nil, over(limitBody, CodeTooLarge, "the body is larger than %d bytes", tooLarge.Limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, nil, over(limitBodyTime, CodeTooSlow, "the body was not there within %s", bodyTime)
	case err != nil:
		return nil, nil, problem(CodeBadRequest, "read body: %v", err)
	case !utf8.Valid(b):
		return nil, nil, problem(CodeBadRequest, "the body is not UTF-8")
	}
	if err := wellFormed(b); err != nil {
		return nil, nil, problem(CodeBadRequest, "the body is not the JSON expected: %v", err)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return nil, nil, problem(CodeBadRequest, "the body is not the JSON expected: %v", err)
	}
	return b, v, nil
}

// decode reads JSON that is well formed into v, strictly.
func decode(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// encode writes an answer. A caller that has gone, or reads too slowly, is no error
// of ours: its connection ends.
func encode(w io.Writer, v any) error {
	b, err := json.Marshal(v)
	if err != nil { // our own types always encode
		panic(fmt.Sprintf("encode %T: %v", v, err))
	}
	_, _ = w.Write(append(b, '\n'))
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
