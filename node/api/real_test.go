package api_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/api"
)

// serveReal serves a real node, which knows another one.
func serveReal(t *testing.T) *served {
	t.Helper()
	first := life(t, func(*node.Config) {})
	n := life(t, func(c *node.Config) { c.Bootstrap = first.Addrs()[:1] })
	l, err := api.Listen("127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	s := &served{addr: l.Addr().String(), token: token, ended: make(chan struct{})}
	srv := api.NewServer(api.ServerConfig{Listener: l, Node: n, Store: n.Store(), Token: token, Log: slog.New(slog.DiscardHandler), Creates: api.Creates})
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		defer close(s.ended)
		if err := srv.Run(ctx); err != nil {
			t.Errorf("server: %v", err)
		}
	}()
	t.Cleanup(func() { stop(); <-s.ended })
	return s
}

// call is one use of an operation; $NAME in it is what an earlier answer had.
type call struct {
	id, path, body string
	header         string
	has            string // that the answer holds
	keep           string // field=NAME of the answer, for later ones
}

// calls are all that the API does, as somebody would come to use it.
var calls = []call{
	{id: "getHealth", path: "/healthz", has: `"ok"`},
	{id: "getReadiness", path: "/readyz", has: `"ready":true`},
	{id: "getStatus", path: "/v1/status", has: `"ready":true`, keep: "user=ME"},
	{id: "listPeers", path: "/v1/peers", has: `"peer_id":"12D3`},
	{id: "getLimits", path: "/v1/limits", has: `"text_bytes":4096`},
	{id: "getDocument", path: "/openapi.json", has: `"3.1.0"`},
	{id: "getDocumentYAML", path: "/openapi.yaml", has: "openapi: 3.1.0"},
	{id: "getDocs", path: "/docs", has: "<h1>"},
	{id: "getDocsStyle", path: "/docs.css", has: "--accent"},
	{id: "createSignInCode", path: "/v1/session/code", has: `"expires_in_s":60`, keep: "code=CODE"},
	{id: "signIn", path: "/v1/session", body: `{"code":"$CODE"}`, has: `"signed_in":true`},
	{id: "getSession", path: "/v1/session", has: `"signed_in":true`},
	{id: "signOut", path: "/v1/session"},
	{id: "publishPost", path: "/v1/posts", body: `{"text":"Hello, #sky","mentions":["me"]}`, header: "Idempotency-Key: one", has: `"places":[`, keep: "id=POST"},
	{id: "publishPost", path: "/v1/posts", body: `{"text":"Hello, #sky","mentions":["me"]}`, header: "Idempotency-Key: one", has: `"id":"$POST"`},
	{id: "publishPost", path: "/v1/posts", body: `{"text":"A reply","reply_to":"$POST"}`, keep: "id=REPLY"},
	{id: "getPost", path: "/v1/posts/$POST", has: `"text":"Hello, #sky"`},
	{id: "editPost", path: "/v1/posts/$POST", body: `{"text":"Hello again, #sky"}`, has: `"id":"$POST"`},
	{id: "readTimeline", path: "/v1/timeline?source=%23sky", has: `"text":"Hello again, #sky"`},
	{id: "readTimeline", path: "/v1/timeline?source=$POST&limit=2", has: `"text":"A reply"`},
	{id: "readTimeline", path: "/v1/timeline?source=@me", has: `"id":"$POST"`},
	{id: "readTimeline", path: "/v1/timeline?source=me&limit=1", has: `"id":"$REPLY"`},
	{id: "completeTag", path: "/v1/tags?prefix=SK", has: `"sky"`},
	{id: "watchTimelines", path: "/v1/watch?source=%23sky&limit=1", has: "event: post"},
	{id: "follow", path: "/v1/following/%23sky", has: `"source":"#sky"`},
	{id: "listFollowing", path: "/v1/following", has: `"source":"#sky"`},
	{id: "readHome", path: "/v1/home", has: `"id":"$POST"`},
	{id: "watchHome", path: "/v1/home/watch?limit=1", has: "event: post"},
	{id: "unfollow", path: "/v1/following/%23sky"},
	{id: "getTagFeed", path: "/feeds/tag/sky.atom", has: "urn:starling:post:$POST"},
	{id: "getUserFeed", path: "/feeds/user/$ME.json", has: `"content_text":"A reply"`},
	{id: "putProfile", path: "/v1/profiles/me", body: `{"name":"Ada","expect":0}`, has: `"name":"Ada"`},
	{id: "getProfile", path: "/v1/profiles/$ME", has: `"name":"Ada"`},
	{id: "claimName", path: "/v1/names/ada", has: `"places":[`},
	{id: "findName", path: "/v1/names/Ada", has: `"user":"$ME"`},
	{id: "unclaimName", path: "/v1/names/ada"},
	{id: "consent", path: "/v1/consents", body: `{"user":"me","name":"service/backup","text":"two shares"}`, keep: "consent=CONSENT"},
	{id: "putRegister", path: "/v1/registers/me/service/backup", body: `{"text":"two shares","party":"me","consent":"$CONSENT"}`, has: `"confirmed":true`},
	{id: "getRegister", path: "/v1/registers/$ME/service%2Fbackup", has: `"text":"two shares"`},
	{id: "deleteRegister", path: "/v1/registers/me/service/backup", has: `"deleted":true`},
	{id: "getHistory", path: "/v1/history/me/service/backup", has: `"text":"two shares"`},
	{id: "getStore", path: "/v1/store", has: `"network_id":"metrics.`},
	{id: "exportArchive", path: "/v1/store/archive?tag=sky", keep: "=ARCHIVE"},
	{id: "importArchive", path: "/v1/store/archive", body: "$ARCHIVE", header: "Content-Type: application/vnd.starling.archive", has: `"refused":0`},
	{id: "deletePost", path: "/v1/posts/$POST", has: `"id":"$POST"`},
}

// Every operation in the document does what it is for on a real node, and answers with
// a status and a type that the document names.
func TestDocument_realNode(t *testing.T) {
	s, d := serveReal(t), readDocument(t)
	type described struct {
		operation

		method string
		used   bool
	}
	all := map[string]*described{}
	for _, item := range d.Paths {
		for method, op := range item {
			all[op.ID] = &described{op, strings.ToUpper(method), false}
		}
	}
	var kept []string // names and what stands for them
	for _, c := range calls {
		op := all[c.id]
		fill := strings.NewReplacer(kept...)
		var header []string
		if c.header != "" {
			header = append(header, c.header)
		}
		got := s.ask(t, op.method, fill.Replace(c.path), fill.Replace(c.body), header...)
		op.used = true
		var response struct{ Content map[string]json.RawMessage }
		if err := json.Unmarshal(op.Responses[strconv.Itoa(got.status)], &response); err != nil || got.status >= http.StatusBadRequest {
			t.Fatalf("%s %s: %d %.500s", op.method, c.path, got.status, got.body)
		}
		kind, _, _ := strings.Cut(got.header.Get("Content-Type"), ";")
		if _, named := response.Content[kind]; !named && len(response.Content) > 0 {
			t.Errorf("%s answers with %q, the document names %v", c.id, kind, slices.Collect(maps.Keys(response.Content)))
		}
		if has := fill.Replace(c.has); !strings.Contains(got.body, has) && kind != "text/event-stream" {
			t.Errorf("%s %s lacks %s: %.500s", op.method, c.path, has, got.body)
		}
		if field, name, keep := strings.Cut(c.keep, "="); keep {
			kept = append(kept, "$"+name, valueOf(t, got.body, field))
		}
	}
	for id, op := range all {
		if !op.used {
			t.Errorf("%s is in the document and nobody tried it", id)
		}
	}
}

// valueOf is a field of an answer in JSON, or all of any answer.
func valueOf(t *testing.T, body, field string) string {
	t.Helper()
	if field == "" {
		return body
	}
	var v map[string]any
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatal(err)
	}
	text, _ := v[field].(string)
	return text
}
