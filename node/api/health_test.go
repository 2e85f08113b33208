package api_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/starling-social/starling/node"
)

// Anybody may ask whether the node is ready, and is told in the status and in words.
func TestServer_ready(t *testing.T) {
	s := serve(t)
	for _, c := range []struct {
		ailing []node.Ailment
		status int
		body   string
	}{
		{nil, http.StatusOK, `{"ready":true,"reasons":[],"version":"` + node.Version + `"}` + "\n"},
		{
			[]node.Ailment{{Code: node.Starting, Sentence: "nobody yet"}, {Code: node.StoreFull, Sentence: "no room"}},
			http.StatusServiceUnavailable,
			`{"ready":false,"reasons":[{"code":"starting","detail":"nobody yet"},{"code":"store_full","detail":"no room"}],"version":"` + node.Version + `"}` + "\n",
		},
	} {
		s.ailing = c.ailing
		got := s.raw(t, "GET /readyz HTTP/1.1\r\nHost: "+s.addr+"\r\nConnection: close\r\n\r\n")
		if got.status != c.status || got.body != c.body {
			t.Errorf("got %d %q, want %d %q", got.status, got.body, c.status, c.body)
		}
		told, err := s.client(t).Ready(t.Context())
		var codes []string
		for _, r := range told.Reasons {
			codes = append(codes, r.Code)
		}
		var want []string
		for _, a := range c.ailing {
			want = append(want, string(a.Code))
		}
		if err != nil || told.Ready != (c.ailing == nil) || !slices.Equal(codes, want) || told.Version != node.Version {
			t.Errorf("the client says %+v, %v", told, err)
		}
	}
}

// A node that is gone is not one that is not ready.
func TestClient_readyOfNone(t *testing.T) {
	s := serve(t)
	c := s.client(t)
	s.stop()
	if got, err := c.Ready(t.Context()); err == nil {
		t.Errorf("a node that has stopped is %+v", got)
	}
}
