package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"testing"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/api"
	"github.com/starling-social/starling/records"
)

// A post is published, read, edited and deleted by the client as the command line
// uses it.
func TestServer_posts(t *testing.T) {
	s := serve(t)
	c := s.client(t)
	receipt, err := c.Publish(t.Context(), api.Draft{Text: "hello", Tags: []string{"Go"}, Mentions: []string{"me"}})
	if err != nil {
		t.Fatal(err)
	}
	if receipt.Author != me.User().String() || receipt.Created != 1000 || len(receipt.Places) != 1 {
		t.Errorf("receipt %+v", receipt)
	}
	if p := receipt.Places[0]; p.Kind != "user" || p.Base != me.User().String() || p.Level != 0 || p.Stored != 1 || p.Wanted != 1 {
		t.Errorf("place %+v", p)
	}
	post, err := c.Post(t.Context(), receipt.ID)
	if err != nil {
		t.Fatal(err)
	}
	if post.Text != "hello" || post.Tags[0] != "go" || post.Mentions[0] != me.User().String() || post.ReplyTo != nil || post.Live != nil {
		t.Errorf("post %+v", post)
	}
	reply, err := c.Publish(t.Context(), api.Draft{Text: "and", ReplyTo: &receipt.ID})
	if err != nil {
		t.Fatal(err)
	}
	if post, err = c.Post(t.Context(), reply.ID); err != nil || *post.ReplyTo != receipt.ID {
		t.Errorf("reply %+v, %v", post, err)
	}
	if edited, err := c.Edit(t.Context(), receipt.ID, "again"); err != nil || edited.ID != receipt.ID {
		t.Errorf("edit: %+v, %v", edited, err)
	}
	if deleted, err := c.Delete(t.Context(), receipt.ID); err != nil || deleted.ID != receipt.ID {
		t.Errorf("delete: %+v, %v", deleted, err)
	}
}

// Empty lists are lists and no reply is null: readers of other languages rely on it.
func TestServer_shapes(t *testing.T) {
	s := serve(t)
	r := s.add(me, "\x1b[31m\u202e<b>", records.PostHead{}, 1)
	got := s.ask(t, http.MethodGet, "/v1/posts/"+r.Ref().String(), "")
	for _, want := range []string{`"tags":[]`, `"mentions":[]`, `"reply_to":null`, `"deleted":false`, `"rev":65536`, `"cursor":"`} {
		if !strings.Contains(got.body, want) {
			t.Errorf("%s is not in %s", want, got.body)
		}
	}
	if got.header.Get("Content-Type") != "application/json" || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("header %v", got.header)
	}
	status := s.ask(t, http.MethodGet, "/v1/status", "").body
	for _, want := range []string{`"peer_id":"`, `"network":"api"`, `"network_id":"api.`, `"peers":1`, `"prefix":0`, `"members":2`, `"records":3`, `"store_bytes":4`, `"uptime_s":5`} {
		if !strings.Contains(status, want) {
			t.Errorf("%s is not in %s", want, status)
		}
	}
	if got := s.ask(t, http.MethodGet, "/v1/peers", "").body; !strings.Contains(got, `"transport":"tcp","rtt_ms":1.5,"inbound":false,"member":true`) {
		t.Errorf("peers %s", got)
	}
	if got := s.ask(t, http.MethodGet, "/v1/timeline?source=%23none&before="+records.Position{}.Cursor(), "").body; strings.TrimSpace(got) != `{"posts":[],"next":null}` {
		t.Errorf("empty timeline %s", got)
	}
}

// A timeline read in pages is the whole timeline, each post once.
func TestServer_timelinePages(t *testing.T) {
	s := serve(t)
	for i := range 450 {
		s.add(me, fmt.Sprint(i), records.PostHead{}, records.Millis(i+1))
	}
	c := s.client(t)
	want := 449
	for p, err := range c.Timeline(t.Context(), "me", 10_000, "") {
		if err != nil {
			t.Fatal(err)
		}
		if p.Text != fmt.Sprint(want) {
			t.Fatalf("post %s, want %d", p.Text, want)
		}
		want--
	}
	if want != -1 {
		t.Errorf("the timeline ended before post %d", want)
	}
	page, err := c.Page(t.Context(), "#any", 3, "")
	if err != nil || len(page.Posts) != 3 || *page.Next != page.Posts[2].Cursor {
		t.Errorf("page %+v, %v", page, err)
	}
}

// Of a thread the first post comes first; what comes after it is the newest reply,
// and its cursor says so.
func TestServer_threadCursor(t *testing.T) {
	s := serve(t)
	root := s.add(me, "root", records.PostHead{}, 1)
	ref := root.Ref()
	s.add(somebody, "reply", records.PostHead{Root: &ref, Parent: &ref}, 2)
	page, err := s.client(t).Page(t.Context(), ref.String(), 2, "")
	if err != nil {
		t.Fatal(err)
	}
	if got := page.Posts[1]; got.Text != "root" || got.Cursor != records.Newest.Cursor() {
		t.Errorf("root %+v", got)
	}
	if got := page.Posts[0]; got.Cursor == records.Newest.Cursor() {
		t.Errorf("reply %+v", got)
	}
}

// What was read before a part of the timeline failed is given, with the problem.
func TestServer_incompleteTimeline(t *testing.T) {
	s := serve(t)
	s.err = &node.GapError{Places: []records.Place{records.TagPlace("go")}}
	c := s.client(t)
	var problem *api.Problem
	if page, err := c.Page(t.Context(), "#go", 5, ""); err != nil || page.Problem == nil || page.Problem.Code != api.CodeIncomplete {
		t.Errorf("nothing read: %v, %v", page.Problem, err)
	}
	s.add(me, "one", records.PostHead{}, 1)
	var texts []string
	var last error
	for p, err := range c.Timeline(t.Context(), "#go", 5, "") {
		if last = err; err == nil {
			texts = append(texts, p.Text)
		}
	}
	if len(texts) != 1 || !errors.As(last, &problem) || problem.Code != api.CodeIncomplete {
		t.Errorf("read %v, then %v", texts, last)
	}
}

// What the node refuses arrives as a code that a program can branch on.
func TestServer_problems(t *testing.T) {
	s := serve(t)
	theirs := s.add(somebody, "theirs", records.PostHead{}, 1)
	c := s.client(t)
	unknown := records.Ref{Author: me.User()}.String()
	for name, c := range map[string]struct {
		err  error
		code api.Code
	}{
		"not found":  {second(c.Post(t.Context(), unknown)), api.CodeNotFound},
		"not yours":  {second(c.Edit(t.Context(), theirs.Ref().String(), "mine")), api.CodeNotYours},
		"not a post": {second(c.Delete(t.Context(), "../status")), api.CodeBadRequest},
		"not a user": {second(c.Publish(t.Context(), api.Draft{Mentions: []string{"ann"}})), api.CodeBadRequest},
		"not a tag":  {second(c.Publish(t.Context(), api.Draft{Tags: []string{"a b"}})), api.CodeBadRequest},
		"no source":  {second(c.Page(t.Context(), "go", 1, "")), api.CodeBadRequest},
		"no cursor":  {second(c.Page(t.Context(), "#go", 1, "AAAA")), api.CodeBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			var p *api.Problem
			if !errors.As(c.err, &p) || p.Code != c.code || p.Detail == "" || p.Status < 400 {
				t.Errorf("error %#v, want code %s", c.err, c.code)
			}
		})
	}
}

func second[T any](_ T, err error) error { return err }

// A post that too few members took comes back with its receipt.
func TestServer_noQuorum(t *testing.T) {
	s := serve(t)
	s.err = fmt.Errorf("publish: %w", node.ErrNoQuorum)
	_, err := s.client(t).Publish(t.Context(), api.Draft{Text: "x"})
	var p *api.Problem
	if !errors.As(err, &p) || p.Code != api.CodeNoQuorum || p.Receipt == nil || len(p.Receipt.Places) != 1 {
		t.Errorf("problem %+v", err)
	}
}

// Every answer to a bad request is a problem in its own media type.
func TestServer_badRequests(t *testing.T) {
	s := serve(t)
	id := s.add(me, "x", records.PostHead{}, 1).Ref().String()
	text := func(v string) string { b, _ := json.Marshal(map[string]string{"text": v}); return string(b) }
	for name, c := range map[string]struct {
		method, path, body string
		header             string
		status             int
	}{
		"no such route":        {"GET", "/v2/posts", "", "", 404},
		"root":                 {"GET", "/", "", "", 404},
		"dots":                 {"GET", "/v1/posts/%2e%2e%2fstatus", "", "", 400},
		"NUL":                  {"GET", "/v1/posts/%00", "", "", 400},
		"backslash":            {"GET", `/v1/posts/..\..`, "", "", 400},
		"id of 4 KiB":          {"GET", "/v1/posts/" + strings.Repeat("p", 4096), "", "", 400},
		"id with a slip":       {"GET", "/v1/posts/" + id[:95] + "-", "", "", 400},
		"read by writing":      {"POST", "/v1/timeline?source=me", "{}", "", 405},
		"write by reading":     {"GET", "/v1/posts", "", "", 405},
		"HEAD of a watch":      {"HEAD", "/v1/watch?source=me", "", "", 405},
		"TRACE":                {"TRACE", "/v1/status", "", "", 405},
		"method override":      {"GET", "/v1/posts", "", "X-HTTP-Method-Override: POST", 405},
		"body of a GET":        {"GET", "/v1/status", "{}", "", 400},
		"text/plain":           {"POST", "/v1/posts", text("x"), "Content-Type: text/plain", 415},
		"form":                 {"POST", "/v1/posts", "text=x", "Content-Type: application/x-www-form-urlencoded", 415},
		"body of 1 MiB":        {"POST", "/v1/posts", text(strings.Repeat("x", 1<<20)), "", 413},
		"no body":              {"POST", "/v1/posts", "", "Content-Type: application/json", 400},
		"depth bomb":           {"POST", "/v1/posts", `{"tags":` + strings.Repeat("[", 30_000), "", 400},
		"deep object":          {"POST", "/v1/posts", strings.Repeat(`{"text":`, 7_000), "", 400},
		"many elements":        {"POST", "/v1/posts", `{"tags":[` + strings.Repeat("1,", 30_000) + "1]}", "", 400},
		"doubled name":         {"POST", "/v1/posts", `{"text":"a","text":"b"}`, "", 400},
		"doubled in case":      {"POST", "/v1/posts", `{"text":"a","TEXT":"b"}`, "", 400},
		"unknown name":         {"POST", "/v1/posts", `{"txt":"a"}`, "", 400},
		"wrong type":           {"POST", "/v1/posts", `{"text":1e400}`, "", 400},
		"array":                {"POST", "/v1/posts", `["text"]`, "", 400},
		"null":                 {"POST", "/v1/posts", `null`, "", 400},
		"trailing":             {"POST", "/v1/posts", text("x") + "{}", "", 400},
		"byte order mark":      {"POST", "/v1/posts", "\ufeff" + text("x"), "", 400},
		"not UTF-8":            {"POST", "/v1/posts", "{\"text\":\"\xff\"}", "", 400},
		"edit of nothing":      {"PUT", "/v1/posts/" + id, `{}x`, "", 400},
		"unknown parameter":    {"GET", "/v1/timeline?source=me&offset=3", "", "", 400},
		"parameter of a write": {"DELETE", "/v1/posts/" + id + "?force=1", "", "", 400},
		"no source":            {"GET", "/v1/timeline", "", "", 400},
		"two sources":          {"GET", "/v1/timeline?source=me&source=me", "", "", 400},
		"65 sources":           {"GET", "/v1/watch?" + strings.Repeat("source=me&", 65), "", "", 400},
		"source without sign":  {"GET", "/v1/timeline?source=go", "", "", 400},
		"limit 0":              {"GET", "/v1/timeline?source=me&limit=0", "", "", 400},
		"limit -1":             {"GET", "/v1/timeline?source=me&limit=-1", "", "", 400},
		"limit 2^63":           {"GET", "/v1/timeline?source=me&limit=9223372036854775808", "", "", 400},
		"limit twice":          {"GET", "/v1/timeline?source=me&limit=1&limit=2", "", "", 400},
		"limit of a watch":     {"GET", "/v1/watch?source=me&limit=-1", "", "", 400},
		"forged cursor":        {"GET", "/v1/timeline?source=me&before=../../etc", "", "", 400},
		"bad query":            {"GET", "/v1/timeline?source=%zz", "", "", 400},
	} {
		t.Run(name, func(t *testing.T) {
			var header []string
			if c.header != "" {
				header = append(header, c.header)
			}
			got := s.ask(t, c.method, c.path, c.body, header...)
			if got.status != c.status {
				t.Errorf("status %d, want %d: %.300s", got.status, c.status, got.body)
			}
			var p api.Problem
			if c.method != http.MethodHead && got.header.Get("Content-Type") == "application/problem+json" &&
				(json.Unmarshal([]byte(got.body), &p) != nil || p.Code == "" || p.Status != c.status || len(got.body) > 2000) {
				t.Errorf("not a problem: %s", got.body)
			}
		})
	}
	if n := len(s.drafts); n != 0 {
		t.Errorf("%d posts were published by bad requests", n)
	}
}

// A body that does not tell its length is bounded all the same, and one that tells
// two is refused.
func TestServer_chunkedBody(t *testing.T) {
	s := serve(t)
	request := "POST /v1/posts HTTP/1.1\r\nHost: " + s.addr + "\r\nAuthorization: Bearer " + token +
		"\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
	chunk := "1000\r\n" + strings.Repeat("x", 0x1000) + "\r\n"
	if got := s.raw(t, request+"\r\n"+strings.Repeat(chunk, 20)+"0\r\n\r\n"); got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("80 KiB in chunks: status %d", got.status)
	}
	if got := s.raw(t, request+"Content-Length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n"); got.status >= 300 && got.status != http.StatusBadRequest || len(s.drafts) > 1 {
		t.Errorf("chunks and a length: status %d, %d drafts", got.status, len(s.drafts))
	}
}

// Sizes beyond what net/http takes are refused before any handler sees them.
func TestServer_hugeHeaders(t *testing.T) {
	s := serve(t)
	for name, request := range map[string]string{
		"URL of 1 MiB":    "GET /" + strings.Repeat("x", 1<<20) + " HTTP/1.1\r\n\r\n",
		"header of 1 MiB": "GET / HTTP/1.1\r\nHost: " + s.addr + "\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\n",
		"10,000 headers":  "GET / HTTP/1.1\r\nHost: " + s.addr + "\r\n" + strings.Repeat("X-Y: z\r\n", 10_000) + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			if got := s.raw(t, request); got.status != http.StatusRequestHeaderFieldsTooLarge {
				t.Errorf("status %d", got.status)
			}
		})
	}
}

// The token's file says where the node answers, to its owner alone, and is gone
// with the node; a file left behind says nothing.
func TestEndpoint(t *testing.T) {
	dir := t.TempDir()
	if _, err := api.Dial(dir); !errors.Is(err, api.ErrNotRunning) || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("empty directory: %v", err)
	}
	e := api.Endpoint{API: "127.0.0.1:1", Token: api.NewToken(), PID: 7}
	if err := e.Write(dir); err != nil {
		t.Fatal(err)
	}
	if err := (api.Endpoint{API: "127.0.0.1:2"}).Remove(dir); err != nil {
		t.Fatal(err)
	}
	if got, err := api.ReadEndpoint(dir); err != nil || got != e {
		t.Errorf("read %+v, %v", got, err)
	}
	if err := e.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := api.ReadEndpoint(dir); !errors.Is(err, api.ErrNotRunning) {
		t.Errorf("removed: %v", err)
	}
	if a, b := api.NewToken(), api.NewToken(); len(a) != 64 || a == b {
		t.Errorf("tokens %s and %s", a, b)
	}
}
