package api

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
)

// DecodeDraft reads a draft as the body of a request.
func DecodeDraft(body string) (d Draft, err error) {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return d, decode(r, &d)
}

// ReadArrivals reads server-sent events to their end.
func ReadArrivals(r io.Reader) (out []Arrival, err error) {
	for name, data := range serverSent(bufio.NewScanner(r)) {
		a, more, err := arrival(name, data)
		if err != nil || !more {
			return out, err
		}
		out = append(out, a)
	}
	return out, nil
}
