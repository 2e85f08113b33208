//go:build unix

package main_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A collector is sent what was published, with counts, after the headers and the name
// that the environment asks for; the last of it when the node ends.
func TestNode_traced(t *testing.T) {
	t.Parallel()
	type span struct{ Name, TraceID, SpanID, ParentSpanID string }
	got := make(chan span, 1024)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var batch struct {
			ResourceSpans []struct {
				Resource struct {
					Attributes []struct{ Value struct{ StringValue string } }
				}
				ScopeSpans []struct{ Spans []span }
			}
		}
		if err := json.NewDecoder(r.Body).Decode(&batch); err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("X-Who") != "it is me" {
			t.Errorf("%s with %v: %v", r.URL.Path, r.Header, err)
			return
		}
		for _, a := range batch.ResourceSpans[0].ScopeSpans[0].Spans {
			got <- a
		}
		named := false
		for _, a := range batch.ResourceSpans[0].Resource.Attributes {
			named = named || a.Value.StringValue == "mine"
		}
		if !named {
			t.Errorf("the service has no name: %v", batch.ResourceSpans[0].Resource)
		}
	}))
	defer collector.Close()
	u := newUser(t)
	u.env = append(u.env,
		"OTEL_EXPORTER_OTLP_ENDPOINT="+collector.URL, "OTEL_EXPORTER_OTLP_HEADERS=x-who=it%20is%20me", "OTEL_SERVICE_NAME=mine",
		"OTEL_BSP_SCHEDULE_DELAY=3600000", // what comes, comes at the end
	)
	n := u.node(t, on("/tcp/0")...)
	u.json(t, "post", "hello #traced")
	n.interrupt(t)
	published := false
	for range len(got) {
		s := <-got
		published = published || s.Name == "publish" && len(s.TraceID) == 32 && len(s.SpanID) == 16 && s.ParentSpanID == ""
	}
	if !published {
		t.Error("no span of what was published")
	}
	if r := u.want(t, 2, "run", "--set", "trace.endpoint=collector"); !strings.Contains(r.errors, "trace.endpoint") {
		t.Errorf("a wrong endpoint: %s", r.errors)
	}
}
